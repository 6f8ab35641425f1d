# SPDX-License-Identifier: MIT
"""wpool compress, decompress, cat and count: files as gzip and zstd users know them."""

import gzip
import json
import os
import pty
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from support import PROJECT, TIMEOUT, WPOOL, Case, environment, fastq, reads

JOBS = [["-j", "1"], ["-j", "2"], ["-j8"]]
RECORDS = reads(300, seed=21)
TEXT = fastq(RECORDS)
#: Packed it is more than a file that is done without workers.
BIG = fastq(reads(2500, seed=22))
HAS_ZSTD, HAS_BGZIP = bool(shutil.which("zstd")), bool(shutil.which("bgzip"))


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def tool(*words, data=b""):
    return subprocess.run(words, input=data, stdout=subprocess.PIPE, check=True).stdout


def bgzf(data, size=1000, end=True):
    """BGZF blocks of `size` bytes (SAM specification §4.1)."""
    out = b""
    for at in range(0, len(data), size):
        part = data[at:at + size]
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = packer.compress(part) + packer.flush()
        out += (b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(body) + 25)
                + body + struct.pack("<II", zlib.crc32(part), len(part)))
    return out + (bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
                  if end else b"")


class Files(Case):
    def content(self, name):
        return (self.folder / name).read_bytes()

    def on_terminal(self, *args, stdin=False, stdout=False, stderr=False):
        """Runs with a terminal in the place of streams: exit code, what the terminal showed, stderr."""
        outer, inner = pty.openpty()
        process = subprocess.Popen(
            [WPOOL, *map(str, args)], stdin=inner if stdin else subprocess.DEVNULL,
            stdout=inner if stdout else subprocess.DEVNULL, stderr=inner if stderr else subprocess.PIPE,
            env=environment(), cwd=self.folder)
        os.close(inner)
        shown = b""
        while True:
            try:
                piece = os.read(outer, 1 << 16)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        said = process.stderr.read() if process.stderr else b""
        if process.stderr:
            process.stderr.close()
        os.close(outer)
        return process.wait(TIMEOUT), shown, said.decode()


class Compress(Files):
    def test_what_is_packed_is_read_back_by_everybody(self):
        for size in (0, 1, 65_279, 65_280, 65_281, 1_044_480, 1 << 20, 3_000_001):
            data = (TEXT * (size // len(TEXT) + 1))[:size]
            self.write("a", data)
            for form in "gzip", "zstd":
                packed = {self.ok("compress", "-c", "a", "--format", form, *jobs) for jobs in JOBS}
                self.assertEqual(len(packed), 1, (size, form))
                (packed,) = packed
                path = self.write("a.packed", packed)
                self.assertEqual(self.ok("cat", "-q", path), data)
                for jobs in JOBS:
                    self.assertEqual(self.ok("decompress", "-qc", path, *jobs), data)
                if form == "gzip":
                    self.assertEqual(gzip.decompress(packed), data)
                    self.assertEqual(tool("gzip", "-dc", data=packed), data)
                    self.assertEqual(tool("zcat", data=packed), data)
                    if HAS_BGZIP:
                        self.assertEqual(tool("bgzip", "-dc", data=packed), data)
                elif HAS_ZSTD:
                    self.assertEqual(tool("zstd", "-dcq", data=packed), data)

    def test_any_bytes_come_back_as_they_were_packed_ones_too(self):
        for data in (noise(200_000), b"\0" * 500_000, gzip.compress(TEXT), b"BZh91AY" + noise(99),
                     b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"@only"):
            for form in "gzip", "zstd":
                packed = self.ok("compress", "--format", form, stdin=data)
                self.assertEqual(self.ok("decompress", stdin=packed), data)

    def test_a_file_stays_and_gets_a_packed_file_beside_it(self):
        self.write("a.fq", TEXT)
        self.ok("compress", "a.fq")
        self.ok("compress", "a.fq", "--format", "zstd")
        self.assertEqual(self.names(), ["a.fq", "a.fq.gz", "a.fq.zst"])
        self.assertEqual(gzip.decompress(self.content("a.fq.gz")), TEXT)
        os.unlink(self.path("a.fq"))
        self.ok("decompress", "a.fq.gz")
        self.assertEqual(self.content("a.fq"), TEXT)
        self.ok("decompress", "-f", "a.fq.zst")
        self.assertEqual(self.names(), ["a.fq", "a.fq.gz", "a.fq.zst"])

    def test_permissions_and_times_go_along(self):
        os.chmod(self.write("a", TEXT), 0o604)
        os.utime(self.path("a"), ns=(10 ** 18 + 7, 9 * 10 ** 17 + 123_456_789))
        self.ok("compress", "a")
        self.ok("decompress", "a.gz", "-o", "b")
        for name in "a.gz", "b":
            info = os.stat(self.path(name))
            self.assertEqual(info.st_mode & 0o7777, 0o604)
            self.assertEqual(info.st_mtime_ns, 9 * 10 ** 17 + 123_456_789)

    def test_an_owner_goes_along_if_root_packs(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        os.chown(self.write("a", TEXT), 1234, 2345)
        self.ok("compress", "a")
        info = os.stat(self.path("a.gz"))
        self.assertEqual((info.st_uid, info.st_gid), (1234, 2345))

    def test_a_packed_file_is_private_until_it_is_whole(self):
        fifo = self.fifo("in")
        process = self.start("compress", "-o", "out.gz", fifo)
        with open(fifo, "wb") as file:
            file.write(TEXT * 20)
            file.flush()
        self.assertEqual(process.wait(TIMEOUT), 0)
        # A FIFO lends no permissions: the usual ones.
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(os.stat(self.path("out.gz")).st_mode & 0o777, 0o666 & ~mask)

    def test_rm_removes_and_keep_keeps_and_the_last_one_counts(self):
        for flags, stays in ((["--rm"], False), (["-k"], True), (["--rm", "-k"], True),
                             (["--keep", "--rm"], False), ([], True)):
            self.write("a", TEXT)
            self.ok("compress", *flags, "a")
            self.assertEqual(self.names(), ["a", "a.gz"] if stays else ["a.gz"], flags)
            self.ok("decompress", *flags, "a.gz", *(["-f"] if stays else []))
            self.assertEqual(self.content("a"), TEXT)
            self.assertEqual("a.gz" in self.names(), stays)
            for name in self.names():
                os.unlink(self.path(name))

    def test_rm_keeps_what_it_would_not_remove_as_meant(self):
        self.write("a", TEXT)
        os.symlink("a", self.path("link"))
        self.fails(1, "compress", "--rm", "link", says=["link", "--rm"])
        self.assertEqual(self.names(), ["a", "link"])
        self.ok("compress", "link")
        self.assertEqual(gzip.decompress(self.content("link.gz")), TEXT)
        self.write("bad.gz", self.content("link.gz")[:-40])
        self.fails(1, "decompress", "--rm", "bad.gz", says="bad.gz")
        self.assertIn("bad.gz", self.names())

    def test_a_file_that_changes_meanwhile_stays(self):
        self.write("a", TEXT)
        self.write("b", noise(500_000))  # more than a pipe holds
        fifo = self.fifo("b.gz")
        process = self.start("compress", "--rm", "-f", "b", "a")
        with open(fifo, "rb") as file:  # the first file waits for this
            self.write("a", TEXT + b"more")
            self.assertEqual(gzip.decompress(file.read()), noise(500_000))
        self.assertEqual(process.wait(TIMEOUT), 1)
        self.assertIn(b"a: changed while it was read", process.stderr.read())
        self.assertEqual(self.names(), ["a", "a.gz", "b.gz"])

    def test_rm_needs_a_file_to_write(self):
        self.write("a", TEXT)
        for args in (["-c", "a"], ["a", "-o", "-"], []):
            self.fails(2, "compress", "--rm", *args, says="--rm")
        self.assertEqual(self.names(), ["a"])

    def test_an_existing_file_is_refused_and_replaced_by_force(self):
        self.write("a", TEXT)
        self.write("a.gz", b"old")
        self.fails(1, "compress", "a", says=["a.gz", "exists", "-f"])
        self.fails(1, "compress", "--rm", "a", says=["a.gz", "exists", "-f"])
        self.assertEqual(self.content("a.gz"), b"old")
        self.ok("compress", "-f", "a", "--sync")
        self.assertEqual(gzip.decompress(self.content("a.gz")), TEXT)
        self.write("b.gz", self.content("a.gz"))
        self.write("b", b"old")
        self.fails(1, "decompress", "b.gz", says=["b: ", "exists", "-f"])
        self.assertEqual(self.content("b"), b"old")
        self.assertEqual(self.names(), ["a", "a.gz", "b", "b.gz"])

    def test_no_input_is_ever_written(self):
        self.write("a", TEXT)
        os.link(self.path("a"), self.path("a.gz"))
        os.symlink("a", self.path("c"))
        for args in (["a"], ["a", "-o", "a"], ["a", "-o", "c"], ["c", "-o", "a"], ["a", "-o", "./a.gz"]):
            self.fails(2, "compress", "-f", *args, says="input")
        with open(self.path("a"), "ab") as stdout:
            self.fails(2, "compress", "a", "-c", stdout=stdout, says="input")
            self.fails(2, "cat", "a", stdout=stdout, says="input")
            self.fails(2, "cat", "none", "a", stdout=stdout, says="input")
        self.assertEqual(self.content("a"), TEXT)
        self.assertEqual(self.names(), ["a", "a.gz", "c"])

    def test_a_packed_suffix_is_refused_but_by_force_or_elsewhere(self):
        for name in "a.gz", "a.bgz", "a.tgz", "a.zst", "a.zstd", "a.tzst":
            self.write(name, TEXT)
            self.fails(1, "compress", name, says=[name, "already", "-f"])
            self.assertEqual(gzip.decompress(self.ok("compress", "-c", name)), TEXT)
            self.ok("compress", "-f", name)
            self.assertEqual(gzip.decompress(self.content(name + ".gz")), TEXT)
            os.unlink(self.path(name))
        self.write(".gz", TEXT)
        self.ok("compress", ".gz")
        self.assertIn(".gz.gz", self.names())

    def test_levels_can_be_said_in_all_the_ways(self):
        self.write("a", TEXT * 5)
        one, nine = (self.ok("compress", "-c", "a", "--level", n) for n in "19")
        self.assertGreater(len(one), len(nine))
        for args in (["-1"], ["--fast"], ["--level=1"], ["-9", "-1"], ["-k1"], ["-1q"]):
            self.assertEqual(self.ok("compress", "-c", "a", *args), one, args)
        for args in (["-9c", "a"], ["-c9", "a"], ["--best", "-c", "a"], ["a", "-c", "-9"]):
            self.assertEqual(self.ok("compress", *args), nine, args)
        stored = self.ok("compress", "-0", "a", "-c")
        self.assertGreater(len(stored), len(TEXT * 5))
        self.assertEqual(gzip.decompress(stored), TEXT * 5)
        strong = self.ok("compress", "-19", "-c", "a", "--format", "zstd")
        self.assertEqual(self.ok("compress", "--best", "-c", "a", "--format", "zstd"), strong)
        self.assertLess(len(strong), len(self.ok("compress", "-1c", "a", "--format=zstd")))
        self.assertEqual(self.ok("decompress", stdin=strong), TEXT * 5)
        self.write("-9", TEXT)
        self.ok("compress", "--", "-9")
        self.assertIn("-9.gz", self.names())

    def test_the_name_of_the_output_can_be_said(self):
        self.write("a", TEXT)
        self.ok("compress", "a", "-o", "b.zst")
        self.assertEqual(self.content("b.zst")[:4], b"\x28\xb5\x2f\xfd")
        self.ok("compress", "a", "-ob.any")
        self.assertEqual(gzip.decompress(self.content("b.any")), TEXT)
        self.ok("compress", "a", "--output", "c.zst", "--format", "gzip")
        self.assertEqual(gzip.decompress(self.content("c.zst")), TEXT)
        self.assertEqual(gzip.decompress(self.ok("compress", "a", "-o", "-")), TEXT)
        self.ok("compress", "-o", "d.gz", stdin=TEXT)
        self.assertEqual(gzip.decompress(self.content("d.gz")), TEXT)

    def test_indexes_come_with_the_output_as_asked(self):
        path = self.write("a", b"some text\n" * 50_000)
        self.ok("compress", path, "--bgzf-index")
        self.assertEqual(self.names(), ["a", "a.gz", "a.gz.gzi"])
        if shutil.which("bgzip"):
            theirs = self.path("theirs")
            subprocess.run(["bgzip", "-r", "-I", theirs, self.path("a.gz")], check=True)
            self.assertEqual((self.folder / "a.gz.gzi").read_bytes(), Path(theirs).read_bytes())
        self.ok("compress", path, "--format", "zstd", "--zstd-seek-table")
        self.assertEqual((self.folder / "a.zst").read_bytes()[-4:], b"\xb1\xea\x92\x8f")
        self.assertEqual(self.ok("decompress", "-c", self.path("a.zst")), b"some text\n" * 50_000)
        self.fails(2, "compress", path, "--zstd-seek-table", says="--zstd-seek-table")
        self.fails(2, "compress", path, "--bgzf-index", "--format", "zstd", says="--bgzf-index")
        self.fails(2, "compress", "-c", path, "--bgzf-index", says="--bgzf-index")

    def test_several_files_go_on_after_one_that_fails(self):
        for name in "abc":
            self.write(name, TEXT + name.encode())
        (self.folder / "folder").mkdir()
        self.write("b.gz", b"old")
        ended = self.fails(
            1, "compress", "a", "none", "b", "folder", "c",
            says=["none: cannot open: No such file", "b.gz: exists", "folder: "])
        self.assertEqual(len(ended.err.splitlines()), 3)
        self.assertEqual(self.names(), ["a", "a.gz", "b", "b.gz", "c", "c.gz", "folder"])
        self.assertEqual(self.content("b.gz"), b"old")
        self.assertEqual(gzip.decompress(self.content("c.gz")), TEXT + b"c")
        joined = self.ok("compress", "-c", "a", "-", "c", stdin=b"between")
        self.assertEqual(gzip.decompress(joined), TEXT + b"a" + b"between" + TEXT + b"c")
        self.fails(1, "compress", "-c", "folder", says=["folder", "directory"])

    def test_special_files_need_a_name_for_the_output(self):
        fifo = self.fifo("fifo")
        self.fails(1, "compress", fifo, says=["fifo", "-o"])
        self.fails(1, "decompress", self.fifo("b.gz"), says=["b.gz", "-o"])
        thread = self.feed(fifo, TEXT)
        self.assertEqual(gzip.decompress(self.ok("compress", "-c", fifo)), TEXT)
        thread.join(10)

    def test_packed_bytes_are_not_written_to_a_terminal(self):
        self.write("a", TEXT)
        for args in (["compress", "-c", "a"], ["compress", "-c", "a", "--format", "zstd"]):
            code, shown, said = self.on_terminal(*args, stdout=True)
            self.assertEqual((code, shown), (2, b""))
            self.assertIn("terminal", said)
            code, shown, said = self.on_terminal(*args, "-f", stdout=True)
            self.assertEqual((code, said), (0, ""))
            self.assertTrue(shown.startswith((b"\x1f\x8b", b"\x28\xb5")), shown[:9])

    def test_wrong_command_lines(self):
        self.write("a", TEXT)
        self.write("b", TEXT)
        for args in (
            ["-o", "x", "a", "b"], ["-o", "x", "-c", "a"], ["-o", "", "a"], [""], ["-", "-"],
            ["--level", "10", "a"], ["-10", "a"], ["--level", "-1", "a"], ["--level", "x", "a"],
            ["--format", "zstd", "-0", "a"], ["--format", "zstd", "--level", "23", "a"],
            ["--format", "xz", "a"], ["--fast", "--level", "3", "a"], ["-9", "--fast", "a"],
            ["--fast", "--best", "a"], ["-q", "-v", "a"], ["-j", "0", "a"], ["--progress", "x", "a"],
            ["--progress-fd", "77", "a"], ["-z", "a"],
        ):
            ended = self.fails(2, "compress", *args)
            self.assertEqual((ended.out, self.names()), (b"", ["a", "b"]), args)
        self.fails(2, "compress", "a", env=environment(WPOOL_MAX_WORKERS="x"), says="WPOOL_MAX_WORKERS")

    # Progress and words

    def test_verbose_words(self):
        self.write("a", TEXT)
        ended = self.wpool("compress", "-v", "a")
        self.assertRegex(ended.err, r"^wpool: a: [\d,]+ bytes, [\d,]+ in a\.gz, \d+\.\d % saved\n$")
        ended = self.wpool("decompress", "-vf", "a.gz")
        self.assertRegex(ended.err, r"^wpool: a\.gz: [\d,]+ bytes, [\d,]+ in a, \d+\.\d % saved\n$")
        ended = self.wpool("decompress", "-tv", "a.gz")
        self.assertRegex(ended.err, r"^wpool: a\.gz: sound, \d+ blocks, [\d,]+ bytes\n$")
        ended = self.wpool("cat", "-v", "a.gz")
        self.assertRegex(ended.err, r"^wpool: a\.gz: BGZF, [\d,]+ bytes\n$")

    def test_progress_is_told_as_it_is_asked_for(self):
        self.write("a", TEXT)
        ended = self.wpool("compress", "a", "--progress", "plain")
        self.assertRegex(ended.err, r"^wpool: [\d.]+ kB, \d+ MB/s, 0:0\d\n$")
        ended = self.wpool("decompress", "-t", "a.gz", "--progress", "json")
        told = json.loads(ended.err.splitlines()[-1])
        self.assertEqual((told["end"], told["bytes"]), (True, len(TEXT)))
        self.assertEqual(told["packed_bytes_total"], len(self.content("a.gz")))
        self.assertEqual(told["packed_bytes"], told["packed_bytes_total"])
        code, shown, _ = self.on_terminal("compress", "-f", "a", stderr=True)
        self.assertEqual(code, 0)
        self.assertRegex(shown, rb"^\r[\d.]+ kB  \d+ MB/s .*\n$")
        code, shown, _ = self.on_terminal("cat", "a", stdout=True, stderr=True)
        self.assertEqual((code, shown.replace(b"\r\n", b"\n")), (0, TEXT))
        code, shown, _ = self.on_terminal("compress", "-qf", "a", stderr=True)
        self.assertEqual((code, shown), (0, b""))


class Decompress(Files):
    def test_suffixes_say_the_name(self):
        packed = gzip.compress(TEXT)
        for name, plain in (("a.gz", "a"), ("a.fq.bgz", "a.fq"), ("a.tgz", "a.tar"), ("a.taz", "a.tar"),
                            ("a.zst", "a"), ("a.x.zstd", "a.x"), ("a.tzst", "a.tar"),
                            ("a.gz.gz", "a.gz"), ("..gz", ".")):
            if plain == ".":
                continue
            self.write(name, packed)
            self.ok("decompress", name)
            self.assertEqual(self.content(plain), TEXT, name)
            for left in self.names():
                os.unlink(self.path(left))
        for name in "a", "a.xz", ".gz", "gz":
            self.write(name, packed)
            self.fails(1, "decompress", name, says=[name, "suffix", "-o"])
            self.assertEqual(self.ok("decompress", "-c", name), TEXT)
            self.ok("decompress", name, "-o", "out")
            self.assertEqual(self.content("out"), TEXT)
            for left in self.names():
                os.unlink(self.path(left))

    def test_a_name_without_its_suffix_stands_for_the_packed_file(self):
        for suffix in ".gz", ".bgz", ".zst", ".zstd":
            self.write("a" + suffix, gzip.compress(TEXT))
            self.ok("decompress", "a")
            self.assertEqual(self.content("a"), TEXT)
            os.unlink(self.path("a"))
            self.ok("decompress", "-t", "a")
            os.unlink(self.path("a" + suffix))
        self.fails(1, "decompress", "a", says=["a: ", "No such file"])

    def test_every_packing_is_read_whatever_the_name(self):
        forms = [gzip.compress(TEXT), gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]), bgzf(TEXT),
                 bgzf(TEXT[:5000]) + gzip.compress(TEXT[5000:])]
        if HAS_ZSTD:
            forms += [tool("zstd", "-c", data=TEXT), tool("zstd", "-c", data=TEXT[:99])
                      + tool("zstd", "-c", data=TEXT[99:])]
        for data in forms:
            self.write("a.gz", data)
            for jobs in JOBS:
                self.ok("decompress", "-f", "a.gz", *jobs)
                self.assertEqual(self.content("a"), TEXT)
                self.assertEqual(self.ok("decompress", *jobs, stdin=data), TEXT)
                self.ok("decompress", "-t", "a.gz", *jobs)

    def test_plain_files_are_refused_but_by_force_to_standard_output(self):
        for data in (TEXT, b""):
            self.write("a.gz", data)
            for flags in ([], ["-c"], ["-t"], ["-l"], ["-f"]):
                self.fails(1, "decompress", *flags, "a.gz", says=["a.gz", "not packed", "wpool cat"])
            self.assertEqual(self.names(), ["a.gz"])
        self.write("a.gz", TEXT)
        self.assertEqual(self.ok("decompress", "-cf", "a.gz"), TEXT)

    def test_a_damaged_file_leaves_nothing_and_says_where(self):
        for text in TEXT, BIG:
            with self.subTest(size=len(text)):
                self.damage(text)

    def damage(self, text):
        packed = bgzf(text)
        wrong = bytearray(packed)
        wrong[-60] ^= 1
        # The first byte that is wrong lies in the last block but the end marker.
        last = packed[:-28].rfind(b"\x1f\x8b\x08\x04")
        blocks = -(-len(text) // 1000)
        for name, data, says in (
            ("cut.gz", gzip.compress(text)[:-20], ["member 1", "byte"]),
            ("second.gz", gzip.compress(text) + gzip.compress(text)[:-3], ["member 2", "byte"]),
            ("block.gz", bytes(wrong), [f"block {blocks}", "byte"]),
            ("inside.gz", packed[:last + 30], [f"block {blocks}", "byte"]),
            ("tail.gz", gzip.compress(text) + b"tail", ["byte", "other bytes"]),
        ):
            self.write(name, data)
            for jobs in JOBS:
                for flags in ([], ["-t"], ["-c"]):
                    ended = self.fails(1, "decompress", name, *flags, *jobs, says=[name + ": "] + says)
                    self.assertEqual(len(ended.err.splitlines()), 1)
            self.assertNotIn(name[:-3], self.names())
        self.assertFalse([n for n in self.names() if n.endswith(".part")])
        self.ok("decompress", "-t", "tail.gz", "--trailing", "ignore")
        self.ok("decompress", "tail.gz", "--trailing", "ignore")
        self.assertEqual(self.content("tail"), text)
        os.unlink(self.path("tail"))

    def test_a_file_cut_anywhere_is_damaged(self):
        text = TEXT[:300]
        forms = {"gzip": gzip.compress(text, mtime=0), "BGZF": bgzf(text, 150)}
        if HAS_ZSTD:
            forms["zstd"] = tool("zstd", "-c", data=text)
        for form, packed in forms.items():
            names = []
            border = packed.find(b"\x1f\x8b\x08\x04", 4) if form == "BGZF" else 0
            for size in range(len(packed)):
                # Between two blocks nothing tells that more was there, but the missing end marker.
                if form == "BGZF" and size in (border, len(packed) - 28):
                    noted = self.wpool("decompress", "-t", self.write("border.gz", packed[:size]))
                    self.assertEqual(noted.code, 0)
                    self.assertIn("note: border.gz: no BGZF end marker", noted.err.replace(str(self.folder) + "/", ""))
                    continue
                names.append(self.write(f"{form}{size}", packed[:size]))
            ended = self.fails(1, "decompress", "-t", *names)
            self.assertEqual(len(ended.err.splitlines()), len(names), form)
            self.assertEqual([line.split(": ")[1] for line in ended.err.splitlines()], names)

    def test_two_files_are_not_written_to_one(self):
        self.write("a.gz", gzip.compress(TEXT))
        self.write("a.bgz", gzip.compress(TEXT))
        for args in (["decompress", "a.gz", "a.bgz"], ["decompress", "-f", "a.gz", "a.bgz"],
                     ["compress", "-f", "b", "b"], ["decompress", "--rm", "a.gz", "a.gz"]):
            self.fails(2, *args, says=["both"])
        self.assertEqual(self.names(), ["a.bgz", "a.gz"])
        self.assertEqual(self.ok("decompress", "-c", "a.gz", "a.bgz", "a.gz"), TEXT * 3)

    def test_several_files_are_tested_and_the_damaged_ones_named(self):
        for name in "abc":
            self.write(name + ".gz", gzip.compress(TEXT)[:None if name != "b" else -9])
        ended = self.fails(1, "decompress", "-t", "a.gz", "b.gz", "c.gz", "none.gz")
        self.assertEqual([line.split(": ")[1] for line in ended.err.splitlines()], ["b.gz", "none.gz"])
        self.fails(1, "decompress", "a.gz", "b.gz", "c.gz", says="b.gz")
        self.assertEqual(self.names(), ["a", "a.gz", "b.gz", "c", "c.gz"])

    def test_a_list_shows_what_is_in_files(self):
        one, two, three = gzip.compress(TEXT), gzip.compress(TEXT) * 2, bgzf(TEXT)
        for name, data in (("a.gz", one), ("b.gz", two), ("c.gz", three), ("d.gz", one[:-9])):
            self.write(name, data)
        ended = self.fails(1, "decompress", "-l", "a.gz", "b.gz", "c.gz", "d.gz", says="d.gz: member 1")
        rows = [line.split() for line in ended.out.decode().splitlines()]
        self.assertEqual(rows[0], ["file", "format", "parts", "packed", "size", "saved", "check"])
        saved = f"{100 * (1 - len(one) / len(TEXT)):.1f}"
        size = str(len(TEXT))
        self.assertEqual(rows[1], ["a.gz", "gzip", "1", "member", str(len(one)), size, saved, "%", "ok"])
        self.assertEqual(rows[2][:6], ["b.gz", "gzip", "2", "members", str(len(two)), str(2 * len(TEXT))])
        blocks = str(-(-len(TEXT) // 1000) + 1)
        self.assertEqual(rows[3][:6], ["c.gz", "BGZF", blocks, "blocks", str(len(three)), size])
        self.assertEqual((rows[4][0], rows[4][-1]), ("d.gz", "damaged"))
        self.assertEqual(rows[5][0], "total")
        out = self.ok("decompress", "-l", stdin=one).decode()
        self.assertIn("standard input", out)
        self.assertEqual(self.names(), ["a.gz", "b.gz", "c.gz", "d.gz"])
        if HAS_ZSTD:
            packed = tool("zstd", "-c", data=TEXT)
            row = self.ok("decompress", "--list", stdin=packed).decode().splitlines()[1].split()
            self.assertEqual(row[2:7], ["zstd", "1", "frame", str(len(packed)), size])

    def test_wrong_command_lines(self):
        self.write("a.gz", gzip.compress(TEXT))
        for args in (["-t", "-l", "a.gz"], ["-t", "-c", "a.gz"], ["-l", "-o", "x", "a.gz"],
                     ["-t", "--rm", "a.gz"], ["-l", "--sync", "a.gz"], ["--zstd-window", "3G", "a.gz"],
                     ["--trailing", "x", "a.gz"], ["-o", "x", "a.gz", "a.gz"], ["-9", "a.gz"]):
            self.fails(2, "decompress", *args)
        self.assertEqual(self.names(), ["a.gz"])

    def test_packed_bytes_are_not_read_from_a_terminal(self):
        for args in ([], ["-t"], ["-l"], ["-c", "-"]):
            code, _, said = self.on_terminal("decompress", *args, stdin=True)
            self.assertEqual(code, 2)
            self.assertIn("terminal", said)

    def test_a_large_window_needs_leave(self):
        if not HAS_ZSTD:
            self.skipTest("needs zstd")
        packed = tool("zstd", "-c", "--long=28", "--ultra", "-1", data=TEXT)
        path = self.write("a.zst", packed)
        header = bytearray(packed)
        self.assertEqual(header[4] & 0x20, 0, "a frame from a pipe has a window")
        self.fails(1, "decompress", "-t", path, says="--zstd-window")
        self.ok("decompress", "-t", path, "--zstd-window", "1G")

    # Ends

    def test_a_closed_pipe_ends_silently(self):
        self.write("a.gz", gzip.compress(TEXT * 300))
        for args in (["decompress", "-c", "a.gz"], ["cat", "a.gz", "a.gz"],
                     ["compress", "-0c", "a.gz", "a.gz"]):
            if args[0] == "compress":
                self.write("a.gz", noise(1 << 20))
            process = self.start(*args)
            self.assertTrue(process.stdout.read(1))
            process.stdout.close()
            self.assertEqual(process.wait(TIMEOUT), 141)
            self.assertEqual(process.stderr.read(), b"")
            process.stdout = None

    def test_signals_clean_up(self):
        packed = gzip.compress(noise(300_000))
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            for args, data in ((["compress", "-o", "out.gz"], noise(300_000)),
                               (["decompress", "-o", "out"], packed[:200_000]),
                               (["decompress", "-t"], packed[:200_000]),
                               (["count", "--lines"], packed[:200_000])):
                fifo = self.fifo("in")
                process = self.start(*args, fifo)
                descriptor = os.open(fifo, os.O_WRONLY)
                sent = 0
                # More than a pipe holds goes only if it is read.
                while sent < len(data):
                    sent += os.write(descriptor, data[sent:])
                process.send_signal(number)
                self.assertEqual(process.wait(20), code, args)
                self.assertRegex(process.stderr.read(), rb"^wpool: ended by SIG(INT|TERM)\n$")
                self.assertEqual(process.stdout.read(), b"")
                os.close(descriptor)
                os.unlink(fifo)
                self.assertEqual(self.names(), [])

    def test_files_before_a_signal_are_whole(self):
        self.write("a", TEXT)
        fifo = self.fifo("in")
        process = self.start("count", "a", fifo)
        descriptor = os.open(fifo, os.O_WRONLY)
        self.addCleanup(os.close, descriptor)
        sent = 0
        while sent < 1 << 17:
            sent += os.write(descriptor, TEXT)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 130)
        self.assertEqual(process.stdout.read(), b"")

    def test_full_disks_are_told_with_the_path(self):
        self.write("a", noise(500_000))
        self.write("b.gz", gzip.compress(noise(500_000)))
        limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))}
        for args, out in ((["compress", "a"], "a.gz"), (["compress", "--rm", "a"], "a.gz"),
                          (["decompress", "b.gz"], "b"), (["decompress", "--rm", "b.gz"], "b")):
            for jobs in JOBS:
                self.fails(1, *args, *jobs, says=[out + ": ", "File too large"], **limit)
                self.assertEqual(self.names(), ["a", "b.gz"])
        with open("/dev/full", "wb") as full:
            for args in (["compress", "-c", "a"], ["decompress", "-c", "b.gz"], ["cat", "a"]):
                self.fails(1, *args, stdout=full, says=["standard output", "No space left"])
            self.fails(1, "count", "--lines", "a", stdout=full, says="No space left")
            self.fails(1, "decompress", "-l", "b.gz", stdout=full, says="No space left")

    def test_a_small_file_system_is_left_clean(self):
        if os.geteuid() != 0 or not shutil.which("mount"):
            self.skipTest("needs root")
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], stderr=subprocess.DEVNULL)
        if mounted.returncode != 0:
            self.skipTest("no mount here")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
        self.write("a", noise(500_000))
        for jobs in JOBS:
            self.fails(1, "compress", "a", "-o", disk / "a.gz", *jobs, says=["a.gz", "No space left"])
            self.assertEqual(os.listdir(disk), [])

    def test_a_fifo_and_a_device_are_written_directly(self):
        self.write("a.gz", gzip.compress(TEXT))
        self.ok("decompress", "a.gz", "-o", "/dev/null")
        fifo = self.fifo("out")
        process = self.start("decompress", "a.gz", "-o", fifo)
        with open(fifo, "rb") as file:
            self.assertEqual(file.read(), TEXT)
        self.assertEqual(process.wait(TIMEOUT), 0)


class CatAndCount(Files):
    def test_files_are_joined_whatever_their_packing(self):
        self.write("a", TEXT)
        self.write("b.gz", gzip.compress(TEXT))
        self.write("c", bgzf(TEXT))
        for jobs in JOBS:
            out = self.ok("cat", "a", "b.gz", "-", "c", *jobs, stdin=gzip.compress(b"x"))
            self.assertEqual(out, TEXT * 2 + b"x" + TEXT)
        self.assertEqual(self.ok("cat", stdin=TEXT), TEXT)
        with open(self.path("out"), "wb") as file:
            self.wpool("cat", "a", "b.gz", stdout=file)
        self.assertEqual(self.content("out"), TEXT * 2)

    def test_what_is_in_front_of_a_damage_is_written_and_the_next_file_too(self):
        data = TEXT * 120
        self.assertGreater(len(data), 3 << 20)
        self.write("a.gz", gzip.compress(data)[:-5])
        self.write("b", b"more")
        for jobs in JOBS:
            ended = self.fails(1, "cat", "a.gz", "none", "b", *jobs, says=["a.gz: member 1", "none: "])
            self.assertEqual(ended.out, data + b"more")
        self.write("a.gz", gzip.compress(data)[:20_000])
        packer = zlib.decompressobj(31)
        whole = packer.decompress(self.content("a.gz"))
        for jobs in JOBS:  # one codec sees some bytes more than another one
            out = self.fails(1, "cat", "a.gz", *jobs).out
            self.assertTrue(whole.startswith(out))
            self.assertGreater(len(out), max(0, len(whole) - 1000))

    def test_an_empty_file_is_noted(self):
        self.write("a.gz", b"")
        ended = self.wpool("cat", "a.gz")
        self.assertEqual((ended.code, ended.out), (0, b""))
        self.assertIn("note: a.gz: holds no data", ended.err)
        self.assertEqual(self.ok("cat", "-q", "a.gz"), b"")

    # Count

    def row(self, *args, **more):
        rows = [line.split() for line in self.ok("count", *args, **more).decode().splitlines()]
        return rows[-1][1:] if rows[-1][0] != "standard" else rows[-1][2:]

    def test_records_bases_lines_and_bytes_are_counted(self):
        bases = sum(len(r[1]) for r in RECORDS)
        wanted = [str(n) for n in (300, bases, 1200, len(TEXT))]
        self.write("a.fq", TEXT)
        self.write("b.fq.gz", bgzf(TEXT))
        for jobs in JOBS:
            self.assertEqual(self.row("a.fq", *jobs), wanted)
            self.assertEqual(self.row("b.fq.gz", *jobs), wanted)
            self.assertEqual(self.row(*jobs, stdin=TEXT), wanted)
        rows = self.ok("count", "a.fq", "b.fq.gz").decode().splitlines()
        self.assertEqual(rows[0].split(), ["file", "records", "bases", "lines", "bytes"])
        self.assertEqual(rows[3].split(), ["total"] + [str(2 * int(n)) for n in wanted])
        self.assertEqual(len(rows), 4)

    def test_many_blocks_are_counted_as_few(self):
        data = fastq(reads(12_345, seed=5))
        path = self.write("a.fq", data)
        bases = sum(len(r[1]) for r in reads(12_345, seed=5))
        for jobs in JOBS:
            self.assertEqual(
                self.row(path, *jobs), [str(n) for n in (12_345, bases, 4 * 12_345, len(data))])

    def test_odd_ends_of_records(self):
        bases = sum(len(r[1]) for r in RECORDS)
        for data in (TEXT[:-1], TEXT + b"\n\n", fastq(RECORDS, "\r\n"), fastq(RECORDS, "\r\n")[:-2]):
            self.assertEqual(
                self.row(stdin=data), [str(n) for n in (300, bases, 1200, len(data))])
        ended = self.wpool("count", stdin=b"")
        self.assertEqual(ended.code, 0)
        self.assertEqual(ended.out.split()[-4:], [b"0"] * 4)

    def test_lines_of_any_text_are_counted(self):
        source = random.Random(3)
        for data in (b"", b"\n", b"a", b"a\n", b"a\nb", b"\n" * 1000, noise(70_000),
                     b"".join(b"x" * source.randint(0, 300) + b"\n" for _ in range(9000)),
                     b"y" * 3_000_000, b"\n" * 2_500_001 + b"z"):
            lines = data.count(b"\n") + (1 if data and data[-1:] != b"\n" else 0)
            for jobs in JOBS:
                ended = self.wpool("count", "--lines", *jobs, stdin=data)
                self.assertEqual(ended.code, 0, ended)
                self.assertEqual(ended.out.split()[-2:], [b"%d" % lines, b"%d" % len(data)])

    def test_counts_as_json(self):
        self.write("a.fq", TEXT)
        self.write("b.gz", gzip.compress(TEXT))
        self.write("bad.fq", TEXT + b"@cut\n")
        ended = self.fails(1, "count", "--json", "a.fq", "bad.fq", "b.gz", says="bad.fq: record 301")
        told = json.loads(ended.out)
        bases = sum(len(r[1]) for r in RECORDS)
        one = {"records": 300, "bases": bases, "lines": 1200, "bytes": len(TEXT)}
        self.assertEqual(
            told["files"][0], {"file": "a.fq", "codec": "plain", **one, "packed_bytes": len(TEXT)})
        self.assertEqual(set(told["files"][1]), {"file", "error"})
        self.assertEqual(told["files"][2]["codec"], "gzip")
        self.assertEqual(told["total"], {k: 2 * v for k, v in one.items()})
        told = json.loads(self.ok("count", "--lines", "--json", "a.fq"))
        self.assertEqual(told["total"], {"lines": 1200, "bytes": len(TEXT)})

    def test_faults_are_told_with_their_place_and_not_counted(self):
        for data, says in ((TEXT + b"@x\nACG\n+\nII\n", ["record 301", "line 1201", "shorter"]),
                           (TEXT + b"\n" + TEXT, ["line 1201", "blank"]),
                           (TEXT + b"@cut", ["record 301", "name line"]),
                           (b">fasta\nACGT\n", ["FASTA", "--lines"]), (b"text\n", ["begins with 't'"])):
            self.write("a.fq", data)
            for jobs in JOBS:
                ended = self.fails(1, "count", "a.fq", *jobs, says=["a.fq: "] + says)
                self.assertEqual(ended.out, b"")
        self.assertEqual(self.row("--lines", "a.fq"), ["1", "5"])

    def test_a_failing_file_does_not_keep_others_from_being_counted(self):
        self.write("a.fq", TEXT)
        self.write("b.gz", gzip.compress(TEXT)[:-9])
        ended = self.fails(1, "count", "b.gz", "a.fq", "none", says=["b.gz: member 1", "none: "])
        rows = [line.split()[0] for line in ended.out.decode().splitlines()]
        self.assertEqual(rows, ["file", "a.fq", "total"])

    def test_every_edge_file_has_its_outcome(self):
        folder = tempfile.TemporaryDirectory(prefix="wpool-edge-")
        self.addCleanup(folder.cleanup)
        script = PROJECT / "Tests/Fixtures/edge_files.py"
        subprocess.run([sys.executable, str(script), folder.name], check=True, stdout=subprocess.DEVNULL)
        manifest = json.loads((Path(folder.name) / "manifest.json").read_text())
        self.assertGreater(len(manifest), 50)
        for name, entry in sorted(manifest.items()):
            if "skipped" in entry:
                continue
            for jobs in JOBS:
                path = os.path.join(folder.name, name)
                if entry["want"] == "error":
                    self.fails(1, "count", path, *jobs, says=path + ": ")
                    continue
                ended = self.wpool("count", path, *jobs)
                self.assertEqual(ended.code, 0, (name, ended))
                self.assertEqual(int(ended.out.split()[-4]), entry["want"], name)


class HelpOfFiles(Files):
    def test_help_shows_every_option(self):
        for command, options in (
            ("compress", ["--stdout", "--output", "--keep", "--rm", "--force", "--sync", "--level", "--fast",
                          "--best", "--format", "--max-workers", "--progress", "--quiet", "--verbose"]),
            ("decompress", ["--stdout", "--test", "--list", "--trailing", "--zstd-window", "--rm"]),
            ("cat", ["--trailing", "--max-workers"]), ("count", ["--lines", "--json"]),
        ):
            text = self.ok(command, "--help").decode()
            for option in options:
                self.assertIn(option, text)
            self.assertIn(command, self.ok("--help").decode())
        for shell in "bash", "fish", "zsh":
            script = self.ok("completions", shell).decode()
            for word in "compress", "decompress", "count", "zstd-window", "stdout":
                self.assertIn(word, script)
