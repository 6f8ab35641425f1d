# SPDX-License-Identifier: MIT
"""What several test files need."""
import faulthandler
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

import workpool

TOP = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 60  # after that a wait counts as a hang

faulthandler.dump_traceback_later(600, exit=True)


class Case(unittest.TestCase):
    """A test with a pool of three workers (`self.pool`) and a folder of its own (`self.folder`)."""

    workers = 3

    def setUp(self):
        self.pool = workpool.Pool(self.workers)
        self.addCleanup(self.pool.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def pipeline(self, *arguments, **options):
        pipeline = workpool.Pipeline(self.pool, *arguments, **options)
        self.addCleanup(pipeline.destroy)
        return pipeline

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def names(self):
        """What is in the folder, but for the markers of runs that ended badly."""
        return sorted(p.name for p in self.folder.iterdir() if p.suffix != ".incompleted")


def wait(event):
    """Waits for a threading.Event; one that never comes is a failure."""
    if not event.wait(SECONDS):
        raise AssertionError("waited in vain")


class Gate:
    """Lets callbacks wait until the test opens it, and tells how many have arrived."""

    def __init__(self):
        self._condition = threading.Condition()
        self._arrived = 0
        self._is_open = False

    def pass_through(self):
        with self._condition:
            self._arrived += 1
            self._condition.notify_all()
            if not self._condition.wait_for(lambda: self._is_open, SECONDS):
                raise AssertionError("the gate was never opened")

    def wait_for(self, count):
        with self._condition:
            if not self._condition.wait_for(lambda: self._arrived >= count, SECONDS):
                raise AssertionError(f"{self._arrived} of {count} arrived")

    def open(self):
        with self._condition:
            self._is_open = True
            self._condition.notify_all()


def start_script(script, *arguments):
    """Starts a program in an interpreter of its own, with pipes for what it prints."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    environment.pop("PYTHONWARNINGS", None)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_script(script, *arguments):
    """Runs it to its end; returns (exit code, stdout, stderr)."""
    with start_script(script, *arguments) as child:
        try:
            printed, errors = child.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
    return child.returncode, printed, errors
