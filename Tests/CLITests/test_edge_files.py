# SPDX-License-Identifier: MIT
"""The inputs of Tests/Fixtures/edge_files.py and the outcome wanted for each."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from support import PROJECT, Case, parse


class EdgeFiles(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="wpool-edge-")
        cls.addClassCleanup(folder.cleanup)
        cls.files = Path(folder.name)
        script = PROJECT / "Tests/Fixtures/edge_files.py"
        subprocess.run(
            [sys.executable, str(script), folder.name], check=True, stdout=subprocess.DEVNULL)
        cls.manifest = json.loads((cls.files / "manifest.json").read_text())

    def outcome(self, name, source, mode, options):
        """(exit code, output or None, message without what the input is called)."""
        work = Path(tempfile.mkdtemp(dir=self.folder))
        path, stdin, called = str(self.files / name), subprocess.DEVNULL, None
        if source == "fifo":
            path = str(work / name)
            os.mkfifo(path)
            thread = self.feed(path, (self.files / name).read_bytes())
        elif source == "stdin":
            stdin, called, path = open(path, "rb"), "standard input", "-"
            self.addCleanup(stdin.close)
        ended = self.wpool(
            "process", path, "-o", work / "out.fq", *mode, *options, stdin=stdin)
        if source == "fifo":
            thread.join(10)
            self.assertFalse(thread.is_alive())
            os.unlink(path)
        left = sorted(os.listdir(work))
        data = None
        if ended.code == 0:
            self.assertEqual(left, ["out.fq"], (name, source, mode))
            data = (work / "out.fq").read_bytes()
        else:
            self.assertIn(left, ([], ["out.fq.incompleted"]), (name, source, mode))
            self.assertIn(called or name, ended.err)
        message = ended.err.replace(called or path, "INPUT").replace(str(work), "")
        return ended.code, data, message

    def check(self, name, want, same_as, options):
        base = None
        for source in "file", "fifo", "stdin":
            for mode in (["--serial"], ["-j", "1"], ["-j", "8"]):
                got = self.outcome(name, source, mode, options + ["--block-size", "20"])
                base = base or got
                self.assertEqual(got, base, (name, source, mode))
        code, data, message = base
        if want == "error":
            self.assertEqual(code, 1, (name, message))
            self.assertRegex(message, r"^wpool: .*INPUT: .+\n$")
            return message
        self.assertEqual(code, 0, (name, message))
        self.assertEqual(len(parse(data)), want, name)
        if same_as:
            other = self.outcome(same_as, "file", ["-j", "2"], [])
            self.assertEqual(data, other[1], (name, same_as))
        for line in message.splitlines():
            self.assertTrue(line.startswith("wpool: note: "), message)
        return message

    def test_every_file_has_its_outcome(self):
        self.assertGreater(len(self.manifest), 50)
        for name, entry in sorted(self.manifest.items()):
            with self.subTest(name=name):
                if "skipped" in entry:
                    continue
                message = self.check(name, entry["want"], entry.get("same_as"), [])
                if "a note on stderr" in entry.get("note", "") or entry["want"] == 0:
                    self.assertIn("note: ", message)
                elif entry["want"] != "error":
                    self.assertEqual(message, "")
                for options, want in entry.get("with", {}).items():
                    self.check(name, want, entry.get("same_as"), options.split())

    def test_messages_name_what_the_notes_ask_for(self):
        for name, text in (
            ("blank_line_inside.fq", "line 201"), ("wrapped.fq", "wrapped"),
            ("utf8_bom.fq", "byte order mark"), ("long31.fq.zst", "--zstd-window"),
            ("short_quality.fq", "record 51"), ("short_quality.fq", "bad"),
            ("trailing_garbage.fq.gz", "byte 2"),
        ):
            if "skipped" not in self.manifest[name]:
                self.fails(1, "process", self.files / name, says=[name, text])

    def test_ignored_trailing_bytes_are_silent(self):
        out = self.ok("process", self.files / "trailing_garbage.fq.gz", "--trailing", "ignore")
        self.assertEqual(out, (self.files / "plain.fq").read_bytes())

    def test_other_packings_are_refused_by_name(self):
        for begin, name in ((b"BZh91AY", "bzip2"), (b"\xfd7zXZ\0", "xz"),
                            (b"\x04\x22\x4d\x18", "lz4"), (b"PK\x03\x04", "zip")):
            self.fails(1, "process", self.write("in.fq", begin + b"x" * 99), says=["in.fq", name])

    def test_a_file_cut_anywhere_is_an_error_or_whole(self):
        text = (self.files / "plain.fq").read_bytes()[:600]
        import gzip
        packed = gzip.compress(text, mtime=0)
        for size in range(0, len(packed), 7):
            path = self.write("in.gz", packed[:size])
            ended = self.wpool("process", path)
            self.assertEqual(ended.code, 0 if size == 0 else 1, (size, ended))
