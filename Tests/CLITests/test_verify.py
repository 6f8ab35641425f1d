# SPDX-License-Identifier: MIT
"""wpool verify: a configuration is run again and compared with what lies beside it."""

import gzip
import json
import os
import signal

from support import Case, fastq, reads

RECORDS = reads(60, seed=31)
SHORT = [(name, bases[:10], quality[:10]) for name, bases, quality in RECORDS]
CONFIG = """
[input]
read1 = "input_read1.fq"
[[step]]
action = "Truncate"
n = 10
segment = "read1"
[output]
prefix = "out"
"""
REPORT = """
[[step]]
action = "Report"
name = "after"
"""


class Verify(Case):
    def setUp(self):
        super().setUp()
        self.write("input_read1.fq", fastq(RECORDS))
        self.write("input.toml", CONFIG.encode())
        self.write("out_read1.fq", fastq(SHORT))

    def differs(self, *says, **more):
        return self.fails(1, "verify", "input.toml", *more.pop("more", []), says=says, **more)

    def test_a_run_as_expected(self):
        before = self.names()
        out = self.ok("verify", "input.toml").decode()
        self.assertEqual(
            out, "input.toml: 1 file as expected (--serial, -j 1, -j 2, -j 3, -j 8)\n")
        self.assertEqual(self.names(), before)
        self.assertIn("-j 5)", self.ok("verify", "input.toml", "--workers", "5").decode())
        # From anywhere.
        self.ok("verify", self.path("input.toml"), cwd="/")

    def test_packed_outputs_are_compared_unpacked(self):
        self.write("input.toml", CONFIG.encode() + b'compression = "gzip"\n')
        os.unlink(self.path("out_read1.fq"))
        self.write("out_read1.fq.gz", gzip.compress(fastq(SHORT), 1))
        self.ok("verify", "input.toml")

    def test_the_size_of_packed_outputs_may_be_compared(self):
        self.write("input.toml", CONFIG.encode() + b'compression = "gzip"\n')
        os.unlink(self.path("out_read1.fq"))
        packed = gzip.compress(fastq(SHORT), 6)
        self.write("out_read1.fq.gz", gzip.compress(b"") * (len(packed) // 10) + packed)
        self.ok("verify", "input.toml")
        self.ok("verify", "input.toml", "--size-tolerance", "90")
        self.differs("out_read1.fq.gz: packed size: want", "within 20.0 %", **{"more": ["--size-tolerance", "20"]})
        self.fails(2, "verify", "input.toml", "--size-tolerance", "-1", says="--size-tolerance")

    def test_an_interrupt_leaves_nothing_behind(self):
        scratch = self.folder / "scratch"
        scratch.mkdir()
        os.unlink(self.path("input_read1.fq"))
        pipe = self.fifo("input_read1.fq")
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start("verify", "input.toml", settings={"TMPDIR": str(scratch)})
            with open(pipe, "wb"):  # opens when the run does
                process.send_signal(number)
                out, words = process.communicate(timeout=60)
            self.assertEqual((process.returncode, out), (code, b""), words)
            self.assertIn(b"ended by SIG", words)
            self.assertEqual(list(scratch.iterdir()), [])

    def test_what_differs_is_told(self):
        wrong = list(SHORT)
        wrong[7] = (wrong[7][0], "A" * 10, wrong[7][2])
        self.write("out_read1.fq", fastq(wrong))
        bases = wrong[7][1], SHORT[7][1]
        column = [a == b for a, b in zip(*bases)].index(False)
        byte = fastq(SHORT[:7]).count(b"") - 1 + len(f"@{wrong[7][0]}\n") + column
        self.assertEqual(self.differs().err.splitlines(), [
            f"wpool: input.toml: all 5 runs: out_read1.fq: record 8 ({wrong[7][0]}), sequence, line 30, "
            f"column {column + 1} (byte {byte})",
            f"    want  {bases[0]}", f"    got   {bases[1]}", "    " + " " * (6 + column) + "^",
            "wpool: input.toml: 1 of 1 file not as expected; --output-dir keeps what was written"])
        self.write("out_read1.fq", fastq(SHORT[:-1]))
        self.differs("59 records are wanted, 60 are there", "want  the end of the file",
                     "got   @" + SHORT[-1][0])
        self.write("out_read1.fq", fastq(SHORT) + b"@more\nA\n+\nI\n")
        self.differs("record 61 (more), name, line 241, column 1", "got   the end of the file")

    def test_far_into_a_long_line(self):
        self.write("input_read1.fq", fastq([("long", "A" * 5000, "I" * 5000)]))
        self.write("input.toml", CONFIG.replace("n = 10", "n = 4000").encode())
        self.write("out_read1.fq", fastq([("long", "A" * 3000 + "C" + "A" * 999, "I" * 4000)]))
        lines = self.differs("line 2, column 3001").err.splitlines()
        self.assertEqual(lines[1], "    want  …" + "A" * 40 + "C" + "A" * 39 + "…")
        self.assertEqual(lines[3], " " * (4 + 6 + 1 + 40) + "^")

    def test_several_configurations(self):
        self.write("b.toml", CONFIG.replace('"out"', '"other"').encode())
        self.ok("verify", "input.toml", "input.toml")
        ended = self.wpool("verify", "input.toml", "b.toml", "input.toml", "--output-dir", "kept")
        self.assertEqual((ended.code, ended.out.count(b"as expected")), (1, 2), ended)
        self.assertIn("b.toml: all 5 runs: other_read1.fq: is not expected", ended.err)
        self.assertTrue(ended.err.endswith("wpool: 1 of 3 configurations not as expected\n"), ended)
        self.assertIn("other_read1.fq", os.listdir(self.path("kept/b/-j8")))

    def test_missing_and_unexpected_files(self):
        self.write("out_read2.fq", b"")
        self.differs("out_read2.fq: is missing")
        os.unlink(self.path("out_read2.fq"))
        os.rename(self.path("out_read1.fq"), self.path("kept.fq"))
        self.differs("out_read1.fq: is not expected")

    def test_what_was_written_may_be_kept(self):
        self.write("out_read1.fq", b"")
        self.differs("out_read1.fq")
        self.fails(1, "verify", "input.toml", "--workers", "2", "--output-dir", "kept", says="out_read1.fq")
        self.assertEqual(sorted(os.listdir(self.path("kept"))), ["--serial", "-j2"])
        for run in ("--serial", "-j2"):
            with open(self.path(f"kept/{run}/out_read1.fq"), "rb") as file:
                self.assertEqual(file.read(), fastq(SHORT))

    def test_reports_are_compared_by_value(self):
        self.write("input.toml", CONFIG.replace("[output]", REPORT + "[output]").encode() + b"report_json = true\n")
        self.differs("out.json: is not expected")
        self.ok("process", "input.toml", "--allow-overwrite")
        with open(self.path("out.json")) as file:
            report = json.load(file)
        report["run_info"] = {"program_version": "another"}
        self.write("out.json", json.dumps(report).encode())
        self.ok("verify", "input.toml")
        report["after"]["molecule_count"] += 1
        self.write("out.json", json.dumps(report).encode())
        self.differs("out.json: after.molecule_count: want 61, got 60")

    def test_errors_may_be_expected(self):
        self.write("expected_error.txt", b"nearest")
        self.differs('validate: succeeds, where it should fail with "nearest"')
        self.write("input.toml", CONFIG.replace("Truncate", "Truncat").encode())
        self.assertIn("refused as expected", self.ok("verify", "input.toml").decode())
        self.write("expected_error.txt", b"something else")
        self.differs("fails with other words")
        os.rename(self.path("expected_error.txt"), self.path("expected_error.regex"))
        self.write("expected_error.regex", b"step 1 .*no such step")
        self.ok("verify", "input.toml")

    def test_runs_may_be_expected_to_fail(self):
        self.write("input_read1.fq", fastq(RECORDS)[:-5])
        self.write("expected_runtime_error.txt", b"input_read1.fq: record 60")
        self.assertIn("fails as expected", self.ok("verify", "input.toml").decode())
        os.unlink(self.path("expected_runtime_error.txt"))
        self.differs("ended with 1", "record 60")

    def test_standard_streams(self):
        self.write("input.toml", CONFIG.replace("input_read1.fq", "--stdin--").encode() + b"stdout = true\n")
        os.rename(self.path("input_read1.fq"), self.path("stdin"))
        os.rename(self.path("out_read1.fq"), self.path("stdout"))
        self.ok("verify", "input.toml")
        self.write("stdout", b"")
        self.differs("stdout: line 1, column 1 (byte 0)", "want  the end of the file", "got   @r0")

    def test_scripts_are_run_when_asked(self):
        self.write("post.sh", b"test -s out_read1.fq && echo more > out_more\n")
        self.fails(2, "verify", "input.toml", says=["post.sh", "--allow-scripts"])
        self.write("out_more", b"more\n")
        self.ok("verify", "input.toml", "--allow-scripts")
        self.write("test.sh", b"$PROCESSOR_CMD process $CONFIG_FILE -j 1\n")
        self.ok("verify", "input.toml", "--allow-scripts")
        self.write("post.sh", b"exit 3\n")
        self.fails(1, "verify", "input.toml", "--allow-scripts", says="post.sh ended with 3")

    def test_inputs_in_other_folders(self):
        os.makedirs(self.path("a/b"))
        for name in ("input.toml", "out_read1.fq"):
            os.rename(self.path(name), self.path("a/b/" + name))
        os.rename(self.path("input_read1.fq"), self.path("reads.fq"))
        for place in ("../../reads.fq", self.path("reads.fq")):
            self.write("a/b/input.toml", CONFIG.replace("input_read1.fq", place).encode())
            self.ok("verify", "a/b/input.toml")
        self.assertEqual(sorted(os.listdir(self.path("a/b"))), ["input.toml", "out_read1.fq"])

    def test_wrong_words(self):
        self.fails(2, "verify", "input.toml", "--workers", "0", says="workers")
        self.fails(2, "verify", "none.toml", says="none.toml")
