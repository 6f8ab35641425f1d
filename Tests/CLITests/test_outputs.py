# SPDX-License-Identifier: MIT
"""What is written, what never is: markers, existing files, inputs, full disks, closed pipes."""

import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from support import MODES, Case, environment, fastq, reads, WPOOL

RECORDS = reads(200, seed=6)
TEXT = fastq(RECORDS)
BAD = TEXT + b"@cut"


class Outputs(Case):
    def test_a_failed_run_leaves_the_marker_and_nothing_else(self):
        path = self.write("in.fq", BAD)
        for mode in MODES:
            self.fails(1, "process", path, "-o", "out.fq.gz", *mode)
            self.assertEqual(self.names(), ["in.fq", "out.fq.gz.incompleted"])
            marker = (self.folder / "out.fq.gz.incompleted").read_text()
            self.assertEqual(marker, "run incomplete\n")

    def test_behind_a_failed_run_outputs_may_be_replaced(self):
        self.write("out.fq", b"old")
        bad, good = self.write("bad.fq", BAD), self.write("good.fq", TEXT)
        self.fails(1, "process", good, "-o", "out.fq", says=["out.fq", "exists"])
        self.fails(1, "process", bad, "-o", "out.fq", "--allow-overwrite")
        self.assertEqual((self.folder / "out.fq").read_bytes(), b"old")
        self.ok("process", good, "-o", "out.fq")
        self.assertEqual((self.folder / "out.fq").read_bytes(), TEXT)
        self.assertEqual(self.names(), ["bad.fq", "good.fq", "out.fq"])

    def test_partial_files_are_kept_if_asked(self):
        self.fails(1, "process", self.write("in.fq", BAD), "-o", "out.fq", "--keep-partial")
        parts = [n for n in self.names() if n.endswith(".part")]
        self.assertEqual(len(parts), 1)
        self.assertTrue(TEXT.startswith((self.folder / parts[0]).read_bytes()))
        self.ok("process", self.write("in.fq", TEXT), "-o", "out.fq")
        self.assertEqual(self.names(), ["in.fq", "out.fq"])

    def test_an_existing_output_is_refused_and_untouched(self):
        path = self.write("in.fq", TEXT)
        self.write("o_read2.fq", b"old")
        self.fails(
            1, "process", path, "--mate", self.write("m.fq", TEXT), "-o", "o_{segment}.fq",
            says=["o_read2.fq", "exists", "--allow-overwrite"])
        self.assertEqual(self.names(), ["in.fq", "m.fq", "o_read2.fq"])
        self.assertEqual((self.folder / "o_read2.fq").read_bytes(), b"old")

    def test_a_refused_run_ends_in_order_whatever_its_workers_do(self):
        path = self.write("in.fq", TEXT)
        for workers in ["1", "2", "8", "64"] * 15:
            self.fails(1, "process", path, "-o", "in.fq/none", "-j", workers)

    def test_indexes_come_with_their_outputs_and_are_the_same_in_every_mode(self):
        path = self.write("in.fq", fastq(reads(4000, seed=9)))
        mate = self.write("m.fq", fastq(reads(4000, seed=9)))
        seen = set()
        for mode in MODES:
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            self.ok("process", path, "--mate", mate, "-o", folder / "o_{segment}.gz",
                    "--bgzf-index", *mode)
            self.ok("process", path, "-o", folder / "o.zst", "--zstd-seek-table", *mode)
            names = sorted(p.name for p in folder.iterdir())
            self.assertEqual(names, ["o.zst", "o_read1.gz", "o_read1.gz.gzi", "o_read2.gz",
                                     "o_read2.gz.gzi"])
            seen.add(tuple((folder / name).read_bytes() for name in names))
        self.assertEqual(len(seen), 1)
        if shutil.which("bgzip"):
            theirs = self.path("theirs.gzi")
            subprocess.run(["bgzip", "-r", "-I", theirs, folder / "o_read1.gz"], check=True)
            self.assertEqual((folder / "o_read1.gz.gzi").read_bytes(), Path(theirs).read_bytes())
        if shutil.which("zstd"):
            subprocess.run(["zstd", "-qt", folder / "o.zst"], check=True)
        self.assertEqual((folder / "o.zst").read_bytes()[-4:], b"\xb1\xea\x92\x8f")

    def test_an_index_that_cannot_be_is_refused(self):
        path = self.write("in.fq", TEXT)
        for output, flag in (("o.zst", "--bgzf-index"), ("o.fq", "--bgzf-index"),
                             ("o.gz", "--zstd-seek-table"), ("-", "--bgzf-index")):
            self.fails(2, "process", path, "-o", output, flag, says=flag)
        self.write("o.gz.gzi", b"old")
        self.fails(1, "process", path, "-o", "o.gz", "--bgzf-index", says=["o.gz.gzi", "exists"])
        self.fails(1, "process", self.write("bad.fq", BAD), "-o", "p.gz", "--bgzf-index")
        self.assertEqual(self.names(), ["bad.fq", "in.fq", "o.gz.gzi", "p.gz.incompleted"])

    def test_an_existing_output_is_replaced_if_allowed(self):
        self.write("out.fq", b"old")
        self.ok("process", self.write("in.fq", TEXT), "-o", "out.fq", "--allow-overwrite", "--sync")
        self.assertEqual((self.folder / "out.fq").read_bytes(), TEXT)

    def test_no_input_is_written_under_any_name(self):
        path = self.write("in.fq", TEXT)
        os.symlink("in.fq", self.path("link.fq"))
        os.link(path, self.path("hard.fq"))
        (self.folder / "sub").mkdir()
        before = self.names()
        for name in ("in.fq", "link.fq", "hard.fq", "./in.fq", "sub/../in.fq"):
            for flags in ([], ["--allow-overwrite"]):
                self.fails(2, "process", path, "-o", name, *flags, says=[name, "input"])
                self.fails(2, "process", "link.fq", "-o", name, *flags)
                with open(path, "rb") as stdin:
                    self.fails(2, "process", "-", "-o", name, *flags, stdin=stdin)
        with open(path, "ab") as stdout:
            self.fails(2, "process", "in.fq", stdout=stdout, says="input")
        self.fails(2, "process", "in.fq", "--report-json", "hard.fq", "--allow-overwrite")
        self.fails(2, "process", "in.fq", "-o", "x", "--report-json", "x")
        self.assertEqual((self.folder / "in.fq").read_bytes(), TEXT)
        self.assertEqual(self.names(), before)

    def test_two_outputs_of_one_name_are_refused(self):
        path = self.write("in.fq", TEXT)
        self.fails(2, "process", path, "--interleaved", "-o", "a.fq", "-o", "./a.fq", says="a.fq")
        self.assertEqual(self.names(), ["in.fq"])

    def test_a_folder_that_is_missing_is_an_error_or_made(self):
        ended = self.wpool("process", self.write("in.fq", TEXT), "-o", "new/sub/out.fq")
        if ended.code == 0:
            self.assertEqual((self.folder / "new/sub/out.fq").read_bytes(), TEXT)
        else:
            self.assertEqual(ended.code, 1)
            self.assertIn("new/sub", ended.err)

    # Full disks

    def test_a_full_device_ends_the_run(self):
        path = self.write("in.fq", TEXT * 20)
        for mode in MODES:
            with open("/dev/full", "wb") as full:
                self.fails(1, "process", path, *mode, stdout=full, says="No space left")
            self.fails(1, "process", path, "-o", "/dev/full", *mode, says=["/dev/full", "No space"])

    def test_a_size_limit_ends_the_run(self):
        path = self.write("in.fq", TEXT * 20)
        for out in "out.fq", "out.fq.gz":
            for mode in MODES:
                self.fails(
                    1, "process", path, "-o", out, "--block-size", "50", *mode,
                    says=[out, "File too large"],
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
                self.assertEqual(self.names(), ["in.fq", out + ".incompleted"])
                os.unlink(self.path(out + ".incompleted"))

    def test_a_small_file_system_ends_the_run(self):
        if os.geteuid() != 0 or not shutil.which("mount"):
            self.skipTest("needs root")
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
            stderr=subprocess.DEVNULL)
        if mounted.returncode != 0:
            self.skipTest("no mount here")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
        path = self.write("in.fq", TEXT * 20)
        for mode in MODES:
            self.fails(1, "process", path, "-o", disk / "out.fq", *mode, says="No space left")
            self.assertEqual(os.listdir(disk), ["out.fq.incompleted"])
            os.unlink(disk / "out.fq.incompleted")

    def test_an_unwritable_folder_is_told(self):
        if os.geteuid() == 0:
            where = "/proc/none.fq"
        else:
            (self.folder / "closed").mkdir(mode=0o555)
            where = "closed/out.fq"
        self.fails(1, "process", self.write("in.fq", TEXT), "-o", where, says=where)

    # Closed pipes

    def test_a_closed_standard_output_is_silent(self):
        path = self.write("in.fq", TEXT * 200)
        for mode in MODES:
            process = self.start("process", path, *mode)
            self.assertTrue(process.stdout.readline())
            process.stdout.close()
            self.assertEqual(process.wait(30), 141)
            self.assertEqual(process.stderr.read(), b"")
            process.stdout = None

    def test_a_pipe_into_head(self):
        path = self.write("in.fq", TEXT * 200)
        done = subprocess.run(
            ["bash", "-c", '"$0" process "$1" | head -n 1; echo "${PIPESTATUS[0]}"', WPOOL, path],
            capture_output=True, env=environment(), timeout=60)
        self.assertEqual(done.stdout.splitlines()[1], b"141")
        self.assertEqual(done.stderr, b"")

    def test_words_into_a_closed_pipe(self):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as file:
            self.assertIn(self.wpool("list-steps", stdout=file).code, (141, -13))

    def test_closed_standard_descriptors_are_not_taken_for_files(self):
        path = self.write("in.fq", BAD)
        done = subprocess.run(
            ["sh", "-c", '"$0" process "$1" -o "$2" <&- >&- 2>&-', WPOOL, path, self.path("o.fq")],
            env=environment(), timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertEqual((self.folder / "in.fq").read_bytes(), BAD)
        good = self.write("good.fq", TEXT)
        done = subprocess.run(
            ["sh", "-c", '"$0" process "$1" -o "$2" <&- >&- 2>&-', WPOOL, good, self.path("p.fq")],
            env=environment(), timeout=60)
        self.assertEqual(done.returncode, 0)
        self.assertEqual((self.folder / "p.fq").read_bytes(), TEXT)

    # Inputs that are not there

    def test_a_missing_input_is_told_before_anything_is_written(self):
        for name, text in (("none.fq", "No such file"), (".", "directory")):
            ended = self.wpool("process", name, "-o", "out.fq")
            self.assertEqual(ended.code, 1)
            self.assertIn(name, ended.err)
            self.assertIn(text, ended.err)
            self.assertEqual(self.names(), [])

    def test_a_later_input_that_is_missing_is_told(self):
        path = self.write("in.fq", TEXT)
        self.fails(1, "process", path, "none.fq", "-o", "out.fq", says=["none.fq", "No such file"])
        self.assertNotIn("out.fq", self.names())

    def test_an_unreadable_input_is_told(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        path = self.write("in.fq", TEXT)
        os.chmod(path, 0)
        self.fails(1, "process", path, says=["in.fq", "Permission denied"])
