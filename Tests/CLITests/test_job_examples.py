# SPDX-License-Identifier: MIT
"""The job files in examples/."""

import gzip
import os
import shutil
from pathlib import Path

from jobs import JobCase
from support import PROJECT, WPOOL, environment


class JobExamples(JobCase):
    def setUp(self):
        super().setUp()
        # As if installed; in a copy, since jobs write where they are.
        (self.folder / "bin").mkdir()
        (self.folder / "bin/wpool").symlink_to(WPOOL)
        self.env = environment(PATH=f"{self.folder}/bin:{os.environ['PATH']}")
        shutil.copytree(PROJECT / "examples/jobs", self.folder / "jobs")
        (self.folder / "data").symlink_to(PROJECT / "examples/data")

    def example(self, name, *args, counts, code=0):
        """What jobs have put out, in the order of the file."""
        self.run_again(f"jobs/{name}", "-j2", "-q", "--keep-order", *args, code=code, env=self.env)
        self.assertEqual(self.counts(), counts, self.last)
        return self.last.out.decode()

    def test_all_are_here(self):
        tested = {name for name in os.listdir(self.folder / "jobs")
                  if f'"{name}"' in Path(__file__).read_text() or f"jobs/{name}" in Path(__file__).read_text()}
        self.assertEqual(tested, set(os.listdir(PROJECT / "examples/jobs")))

    def test_failures(self):
        self.assertEqual(self.example("failures.toml", "-k", code=1, counts=(4, 0, 0, 1, 1)),
                         "attempt 3\ntwo warnings\nreleased\nsomebody should look at this\ntidied up\n")
        run = self.runs()[-1]
        self.assertEqual((run.how("slow"), run.how("lint")), ("TIMEOUT timeout", "FAILED exit 1"))
        self.assertEqual(run.end("needs-slow")["chain"], ["slow", "needs-slow"])
        # Only what failed, and what was cancelled for it; somebody has made it faster.
        again = self.example("failures.toml", "-k", "--retry-failed", "--set", "slow.run=true", counts=(2, 4, 0, 0, 0))
        self.assertEqual(again, "never\ntwo warnings\n")

    def test_stages(self):
        self.assertEqual(self.example("stages.toml", counts=(6, 0, 0, 0, 0)), "clients\norders\nrates\n")

    def test_grow(self):
        out = self.example("grow.toml", counts=(5, 0, 0, 0, 0))
        self.assertEqual(out.split("\n")[0], "3 parts are done")
        self.assertEqual([line.strip() for line in out.split("\n")[1:]], ["4", "4", "6", ""])

    def test_build(self):
        self.assertEqual(self.example("build.toml", counts=(6, 0, 0, 0, 0)), "good\n")
        os.utime(self.folder / "jobs/hello.c", (1, 1))
        self.assertEqual(self.example("build.toml", counts=(1, 5, 0, 0, 0)), "good\n")
        (self.folder / "jobs/hello.o").unlink()
        self.assertEqual(self.example("build.toml", counts=(2, 4, 0, 0, 0)), "good\n")

    def test_shards(self):
        for part in "01":
            ended = self.wpool("run", "jobs/shards.toml", "--shard", f"{part}/2", "--log-dir", f"runs/{part}")
            ran, skipped, *bad = self.counts(ended)
            self.assertEqual((ran + skipped, bad), (13, [0, 0, 0]))
        self.assertEqual(self.example("shards.toml", "--shard", "gather", "--merge", "runs/*/*/run.jsonl",
                                      counts=(1, 12, 0, 0, 0)), "abcdef\n")

    def test_reads(self):
        rows = self.example("reads.json", counts=(4, 0, 0, 0, 0)).splitlines()
        self.assertEqual([row.split()[:2] for row in rows if row.startswith("head")],
                         [["head_1.fq", "100"], ["head_2.fq", "100"]])

    def test_words(self):
        words = [line.split()[1] for line in
                 gzip.decompress((self.folder / "data/words.txt.gz").read_bytes()).decode().splitlines()]
        expected = sum(word[0] in "abcde" for word in words)
        self.ok("check", "jobs/words.toml")
        for counts in ((8, 0, 0, 0, 0), (1, 7, 0, 0, 0)):
            self.run_again("jobs/words.toml", "-j4", "-q")
            self.assertEqual(self.last.out.decode(), f"words that begin with a to e: {expected}\n")
            self.assertEqual(self.counts(), counts)
