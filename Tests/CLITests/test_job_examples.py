# SPDX-License-Identifier: MIT
"""The job files in examples/."""

import gzip
import shutil

from jobs import JobCase
from support import PROJECT


class JobExamples(JobCase):
    def test_words(self):
        shutil.copytree(PROJECT / "examples/jobs", self.folder / "jobs")
        (self.folder / "data").mkdir()
        shutil.copy(PROJECT / "examples/data/words.txt.gz", self.folder / "data")
        words = [line.split()[1] for line in
                 gzip.decompress((self.folder / "data/words.txt.gz").read_bytes()).decode().splitlines()]
        expected = sum(word[0] in "abcde" for word in words)
        self.ok("check", "jobs/words.toml")
        for counts in ((8, 0, 0, 0, 0), (1, 7, 0, 0, 0)):
            self.run_again("jobs/words.toml", "-j4", "-q")
            self.assertEqual(self.last.out.decode(), f"words that begin with a to e: {expected}\n")
            self.assertEqual(self.counts(), counts)
