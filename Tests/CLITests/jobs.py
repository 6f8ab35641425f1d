# SPDX-License-Identifier: MIT
"""Runs jobs and reads what their record says."""

import json
import os
import re
from pathlib import Path

from support import Case


class Run:
    """One run's folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.id = self.folder.name

    @property
    def lines(self):
        path = self.folder / "run.jsonl"
        text = path.read_bytes().split(b"\n") if path.exists() else [b""]
        return [json.loads(line) for line in text[:-1] if line.endswith(b"}")]

    @property
    def events(self):
        return [line for line in self.lines if "event" in line]

    @property
    def summary(self):
        return json.loads((self.folder / "run.json").read_text())

    def of(self, job, event=None):
        return [e for e in self.events if e.get("job") == job and event in (None, e["event"])]

    def end(self, job):
        """The terminal event of a job; there is one."""
        ends = [e for e in self.of(job) if e["event"] in ("job_finished", "job_skipped")]
        assert len(ends) == 1, (job, ends)
        return ends[0]

    def how(self, job):
        end = self.end(job)
        detail = f" {end['detail']}" if end.get("detail") else ""
        return f"{end['state']} {end['reason']}{detail}"

    @property
    def started(self):
        return [e["job"] for e in self.events if e["event"] == "job_started"]

    def log(self, name):
        return (self.folder / "jobs" / name).read_text()


class JobCase(Case):
    """A test with job files in a folder of its own."""

    def jobs(self, text, name="jobs.toml"):
        return self.write(name, text.encode())

    def run_jobs(self, text, *args, code=0, **more):
        """Writes a job file and runs it."""
        return self.run_again(self.jobs(text), *args, code=code, **more)

    def run_again(self, *args, code=0, **more):
        ended = self.wpool("run", *args, **more)
        self.assertEqual(ended.code, code, (args, ended))
        self.last = ended
        return self.runs()[-1]

    def runs(self):
        folder = self.folder / ".wpool/runs"
        runs = [Run(p) for p in sorted(folder.iterdir())] if folder.exists() else []
        runs = [(run.lines[0]["start_ns"], run.id, run) for run in runs if run.lines]
        return [run for _, _, run in sorted(runs, key=lambda known: known[:2])]

    def refused(self, text, *says, args=(), name="jobs.toml"):
        """Exit 2 with these words; nothing ran and no record is there."""
        path = self.jobs(text, name)
        for command in ("check", "run"):
            ended = self.fails(2, command, path, *(args if command == "run" else ()), says=says)
            self.assertEqual(ended.out, b"")
        self.assertFalse((self.folder / ".wpool").exists())
        return ended

    def counts(self, ended=None):
        """The numbers of the last line."""
        line = (ended or self.last).err.rstrip("\n").split("\n")[-1]
        match = re.fullmatch(
            r"ok (\d+), skipped (\d+), failed (\d+), timeout (\d+), cancelled (\d+) "
            r"in [\d.]+s \(×[\d.]+\)", line)
        self.assertTrue(match, line)
        return tuple(map(int, match.groups()))

    def begin(self, *args, **more):
        """A run that goes on; it is killed with the test, and so are its jobs."""
        process = self.start("run", *args, **more)

        def end():
            for run in self.runs():
                for line in run.lines:
                    if line.get("type") == "spawn":
                        self.kill_group(line["pgid"])

        self.addCleanup(end)
        return process

    @staticmethod
    def kill_group(group):
        # Only if a process of ours still leads it: the number may be somebody else's by now.
        try:
            os.killpg(group, 9)
        except (ProcessLookupError, PermissionError):
            pass

    def exists(self, name):
        return (self.folder / name).exists()

    @staticmethod
    def is_alive(process):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return False
        return state not in "ZX"
