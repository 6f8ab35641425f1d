# SPDX-License-Identifier: MIT
"""Runs wpool and judges how it ended."""

import os
import random
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
WPOOL = os.path.abspath(os.environ.get("WPOOL", str(PROJECT / "build/bin/wpool")))
TIMEOUT = 60

#: Ways to run that must not differ in any byte.
MODES = [["--serial"], ["-j", "1"], ["-j", "2"], ["-j", "8"]]
#: Makes many blocks of a small input.
SMALL = ["--block-size", "8", "--max-blocks", "3"]


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("WPOOL")}
    env.update(more)
    return env


class Ended:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err.decode(errors="replace")

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out[:300]!r}\nstderr: {self.err[-1000:]}"


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="wpool-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def path(self, name):
        return str(self.folder / name)

    def names(self):
        return sorted(p.name for p in self.folder.iterdir())

    def wpool(self, *args, stdin=b"", stdout=subprocess.PIPE, env=None, cwd=None, **more):
        """Runs to the end. `stdin` is bytes or a file."""
        given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        done = subprocess.run(
            [WPOOL, *map(str, args)], stdout=stdout, stderr=subprocess.PIPE, timeout=TIMEOUT,
            env=env or environment(), cwd=cwd or self.folder, **given, **more)
        return Ended(done.returncode, done.stdout or b"", done.stderr)

    def ok(self, *args, **more):
        """Succeeds without a word; the standard output."""
        ended = self.wpool(*args, **more)
        self.assertEqual((ended.code, ended.err), (0, ""), (args, ended))
        return ended.out

    def fails(self, code, *args, says=(), **more):
        """Ends with `code`, no data, and messages that hold all of `says`."""
        ended = self.wpool(*args, **more)
        self.assertEqual(ended.code, code, (args, ended))
        self.assertTrue(ended.err.startswith("wpool: "), (args, ended))
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, ended.err, (args, ended))
        return ended

    def same(self, *args, **more):
        """The standard output, the same in all modes."""
        first = self.ok("process", *args, *SMALL, *MODES[0], **more)
        for mode in MODES[1:]:
            self.assertEqual(first, self.ok("process", *args, *SMALL, *mode, **more), (args, mode))
        return first

    def same_failure(self, code, *args, says=(), **more):
        first = self.fails(code, "process", *args, *SMALL, *MODES[0], says=says, **more)
        for mode in MODES[1:]:
            other = self.fails(code, "process", *args, *SMALL, *mode, says=says, **more)
            self.assertEqual((first.err, first.out), (other.err, other.out), (args, mode))
        return first

    def start(self, *args, settings={}, **more):
        """A process that is ended with the test."""
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(
            [WPOOL, *map(str, args)], stderr=subprocess.PIPE, env=environment(**settings), cwd=self.folder,
            **more)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def wait_for(self, condition, what="it"):
        """Until something a process does has happened."""
        end = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what} did not happen")
            time.sleep(0.005)

    def fifo(self, name):
        path = self.path(name)
        os.mkfifo(path)
        return path

    def feed(self, path, data):
        """Writes `data` to a FIFO from a thread; a reader that goes away ends it."""

        def write():
            try:
                with open(path, "wb", buffering=0) as file:
                    view = memoryview(data)
                    while view:
                        view = view[file.write(view):]
            except BrokenPipeError:
                pass

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        return thread


def reads(count, seed=1, prefix="r", longest=80, letters="ACGT", suffix=""):
    """Records (name, sequence, quality) as text; some without bases."""
    source = random.Random(seed)
    made = []
    for index in range(count):
        length = 0 if source.random() < 0.05 else source.randint(1, longest)
        made.append((
            f"{prefix}{index} comment {index % 7}{suffix}",
            "".join(source.choice(letters) for _ in range(length)),
            "".join(chr(source.randint(33, 126)) for _ in range(length)),
        ))
    return made


def fastq(records, end="\n"):
    return "".join(f"@{n}{end}{s}{end}+{end}{q}{end}" for n, s, q in records).encode("latin-1")


def parse(data):
    lines = data.decode("latin-1").split("\n")
    assert lines.pop() == "" and len(lines) % 4 == 0, data[-100:]
    return [(lines[i][1:], lines[i + 1], lines[i + 3]) for i in range(0, len(lines), 4)]
