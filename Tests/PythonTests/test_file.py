# SPDX-License-Identifier: MIT
"""workpool.open: file objects as Python has them."""
import csv
import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import unittest

import workpool
from support import SECONDS, TOP, Case, run_script, start_script

LINES = b"".join(b"line %d of some\n" % number for number in range(200_000))
NAMES = ("plain.txt", "member.gz", "bgzf.gz", "frames.zst")
WORKERS = (None, 0, 1, 3)


class Files(Case):
    def make(self, name, content=LINES):
        path = self.folder / name
        if name == "member.gz":
            return self.write(name, gzip.compress(content, 1))
        with workpool.open_writer(path, overwrite=True) as writer:
            writer.write(content)
        return path


class Reading(Files):
    def test_every_packing_reads_the_same_with_any_workers(self):
        for name in NAMES:
            path = self.make(name)
            for workers in (*WORKERS, self.pool):
                with workpool.open(path, workers=workers) as file:
                    self.assertEqual(file.read(), LINES, (name, workers))
                    self.assertEqual(file.read(), b"")
                with workpool.open(path, "r", workers=workers) as file:
                    self.assertEqual(list(file), LINES.splitlines(True), (name, workers))

    def test_it_is_a_buffered_reader(self):
        with workpool.open(self.make("bgzf.gz")) as file:
            self.assertIsInstance(file, io.BufferedReader)
            self.assertIsInstance(file.raw, io.RawIOBase)
            self.assertEqual((file.name, file.mode), (str(self.folder / "bgzf.gz"), "rb"))
            self.assertEqual((file.readable(), file.writable()), (True, False))
            self.assertEqual(file.peek(4)[:4], b"line")
            self.assertEqual((file.readline(), file.tell()), (b"line 0 of some\n", 15))
            room = bytearray(7)
            self.assertEqual((file.readinto(room), file.read1(1)), (7, b"o"))
            self.assertEqual(room, b"line 1 ")
            self.assertIn("bgzf.gz", repr(file.raw))
            for call in (file.fileno, lambda: file.write(b"x")):
                with self.assertRaises(io.UnsupportedOperation):
                    call()
        self.assertTrue(file.closed)
        with self.assertRaises(ValueError):
            file.read()
        file.close()

    def test_text_is_decoded(self):
        text = "Grüße\r\nzweite\n"
        path = self.write("text.gz", gzip.compress(text.encode("latin-1")))
        with workpool.open(path, "rt", encoding="latin-1", newline="") as file:
            self.assertIsInstance(file, io.TextIOWrapper)
            self.assertEqual((file.read(), file.encoding, file.mode), (text, "latin-1", "rt"))
        with workpool.open(path, "rt", encoding="latin-1") as file:
            self.assertEqual(file.readlines(), ["Grüße\n", "zweite\n"])
        with workpool.open(path, "rt", encoding="ascii", errors="replace") as file:
            self.assertEqual(file.readline(), "Gr\ufffd\ufffde\n")

    def test_csv_and_readers_of_fastq(self):
        rows = [["name", "with, comma"], ["two\nlines", ""]]
        with workpool.open(self.folder / "t.csv.gz", "wt", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        with workpool.open(self.folder / "t.csv.gz", "rt", newline="", encoding="utf-8") as file:
            self.assertEqual(list(csv.reader(file)), rows)
        reads = b"".join(b"@r%d\nACGT\n+\nIIII\n" % number for number in range(1000))
        with workpool.open(self.make("r.fq.zst", reads)) as file:
            names = [lines[0] for lines in zip(file, file, file, file)]
        self.assertEqual(names, [b"@r%d\n" % number for number in range(1000)])
        # As xopen and dnaio do: another buffer and another decoder on top.
        with io.TextIOWrapper(workpool.open(self.folder / "r.fq.zst"), "ascii") as file:
            self.assertEqual(sum(1 for _ in file), 4000)

    def test_descriptors_and_objects_with_one(self):
        path = self.make("member.gz")
        with open(path, "rb") as plain:
            for place in (plain, plain.fileno()):
                plain.seek(0)
                with workpool.open(place) as file:
                    self.assertEqual(file.name, plain.fileno())
                    self.assertEqual(file.read(), LINES)
            self.assertFalse(plain.closed)
        with workpool.open(os.fsencode(path)) as file:
            self.assertEqual((file.name, file.read(4)), (os.fsencode(path), b"line"))

    def test_a_fifo_is_read_and_written(self):
        path = self.folder / "fifo.gz"
        os.mkfifo(path)

        def write():
            with workpool.open(path, "wb") as file:
                file.write(LINES)

        thread = threading.Thread(target=write)
        thread.start()
        with workpool.open(path) as file:
            self.assertEqual(file.read(), LINES)
        thread.join(SECONDS)
        self.assertEqual(self.names(), ["fifo.gz"])

    def test_closing_early_ends_what_reads_ahead(self):
        for name in NAMES:
            path = self.make(name)
            for workers in WORKERS:
                with workpool.open(path, workers=workers) as file:
                    self.assertEqual(file.readline(), b"line 0 of some\n")

    def test_many_files_at_once(self):
        path = self.make("bgzf.gz")
        files = [workpool.open(path) for _ in range(20)]
        for _ in range(3):
            for file in files:
                self.assertEqual(len(file.read(700_000)), 700_000)
        for file in files:
            file.close()

    def test_an_empty_file(self):
        for name in NAMES:
            with workpool.open(self.make(name, b"")) as file:
                self.assertEqual((file.read(), list(file)), (b"", []))
        with workpool.open(self.write("nothing.gz", b"")) as file:
            self.assertEqual(file.read(), b"")
            self.assertIn("holds no data", file.raw.notes[0])


class Seeking(Files):
    """Any regular file; pipes say that they cannot."""

    def test_every_packing_can_be_sought_with_any_workers(self):
        names = (*NAMES, "mixed.gz")
        for name in names:
            if name == "mixed.gz":
                path = self.write(name, self.make("bgzf.gz", LINES[:1_000_000]).read_bytes()
                                  + gzip.compress(LINES[1_000_000:]))
            else:
                path = self.make(name)
            for workers in WORKERS:
                with workpool.open(path, workers=workers) as file:
                    self.assertTrue(file.seekable())
                    self.assertEqual(file.read(10), LINES[:10])
                    for place in (3_000_000, 5, 0, 1_100_000, 1_100_001, len(LINES) - 7):
                        self.assertEqual(file.seek(place), place)
                        self.assertEqual(file.tell(), place)
                        self.assertEqual(file.read(20), LINES[place : place + 20], (name, place))
                    self.assertEqual(file.seek(0, os.SEEK_END), len(LINES))
                    self.assertEqual(file.read(), b"")
                    self.assertEqual(file.seek(-100, os.SEEK_END), len(LINES) - 100)
                    self.assertEqual(file.seek(50, os.SEEK_CUR), len(LINES) - 50)
                    self.assertEqual(file.read(), LINES[-50:])
                    file.seek(0)
                    self.assertEqual(file.read(), LINES)
                    for wrong in ((-1, 0), (-1 - 2**40, 2), (0, 7)):
                        with self.assertRaises((ValueError, OSError)):
                            file.seek(*wrong)

    def test_an_index_is_used(self):
        with workpool.open(
            self.folder / "a.gz", "wb", bgzf_index=self.folder / "a.gzi"
        ) as file:
            file.write(LINES)
        with workpool.open(self.folder / "a.gz", bgzf_index=self.folder / "a.gzi") as file:
            file.seek(2_000_000)
            self.assertEqual(file.read(9), LINES[2_000_000:2_000_009])
        self.write("wrong.gzi", b"no index")
        with workpool.open(self.folder / "a.gz", bgzf_index=self.folder / "wrong.gzi") as file:
            with self.assertRaisesRegex(workpool.CorruptInput, "wrong.gzi"):
                file.seek(2_000_000)
            with self.assertRaises(workpool.CorruptInput):
                file.read()
        with workpool.open(self.folder / "a.zst", "wb", zstd_seek_table=True) as file:
            file.write(LINES)
        with workpool.open(self.folder / "a.zst") as file:
            file.seek(2_000_000)
            self.assertEqual(file.read(9), LINES[2_000_000:2_000_009])
        with self.assertRaises(ValueError):
            workpool.open(self.folder / "a.gz", "ab", bgzf_index=self.folder / "a.gzi")

    def test_text_can_be_told_and_sought(self):
        text = "Zeile für Zeile\n" * 50_000
        for name in ("a.gz", "a.zst", "a.txt"):
            with workpool.open(self.folder / name, "wt", encoding="utf-8") as file:
                file.write(text)
            with workpool.open(self.folder / name, "rt", encoding="utf-8") as file:
                for _ in range(30_000):
                    file.readline()
                place = file.tell()
                rest = file.read()
                file.seek(place)
                self.assertEqual(file.read(), rest)
                file.seek(0)
                self.assertEqual(file.read(), text)

    def test_pipes_cannot(self):
        ends = os.pipe()
        os.write(ends[1], b"data")
        os.close(ends[1])
        with workpool.open(ends[0]) as file:
            self.assertFalse(file.seekable())
            with self.assertRaises(io.UnsupportedOperation):
                file.seek(0)
            self.assertEqual(file.read(), b"data")
            self.assertEqual(file.tell(), 4)
        os.close(ends[0])


class Errors(Files):
    def test_python_knows_the_errors(self):
        packed = gzip.compress(LINES)
        flipped = bytearray(packed)
        flipped[-6] ^= 255
        cases = (
            ("cut.gz", packed[:-30], EOFError, "cut.gz: member 1"),
            ("flip.gz", bytes(flipped), OSError, "flip.gz: member 1"),
            ("behind.gz", packed + b"dirt", OSError, "behind.gz: "),
            ("rar.bz2", b"BZh91AY&SY", io.UnsupportedOperation, "bzip2 is not supported"),
        )
        for name, content, kind, text in cases:
            path = self.write(name, content)
            for workers in WORKERS:
                with self.assertRaisesRegex(kind, text, msg=(name, workers)) as caught:
                    with workpool.open(path, workers=workers) as file:
                        file.read()
                self.assertIsInstance(caught.exception, workpool.WorkpoolError)
        with workpool.open(self.folder / "behind.gz", trailing="ignore") as file:
            self.assertEqual(file.read(), LINES)

    def test_what_came_before_an_error_is_read_and_the_error_stays(self):
        path = self.write("cut.gz", gzip.compress(LINES)[:-100])
        for workers in WORKERS:
            with workpool.open(path, workers=workers) as file:
                seen = []
                with self.assertRaises(EOFError):
                    for line in file:
                        seen.append(line)
                self.assertGreater(len(seen), 150_000)
                self.assertTrue(LINES.startswith(b"".join(seen)))
                with self.assertRaises(EOFError):
                    file.read(1)

    def test_the_operating_system_s_errors_are_python_s_own(self):
        self.write("there", b"")
        for mode in ("rb", "wb", "ab", "xb"):
            with self.assertRaises(FileNotFoundError, msg=mode) as caught:
                workpool.open(self.folder / "no folder" / "x", mode)
            self.assertEqual(caught.exception.errno, 2)
        with self.assertRaises(IsADirectoryError):
            workpool.open(self.folder)
        with self.assertRaises(IsADirectoryError):
            workpool.open(self.folder, "wb")
        with self.assertRaises(NotADirectoryError):
            workpool.open(self.folder / "there" / "x")
        with self.assertRaises(FileExistsError):
            workpool.open(self.folder / "there", "xb")
        with self.assertRaises(OSError) as caught:
            workpool.open(987654)
        self.assertEqual(caught.exception.errno, 9)

    def test_a_full_disk(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        for workers in WORKERS:
            with self.assertRaises(OSError, msg=workers) as caught:
                with workpool.open("/dev/full", "wb", compression="zstd", workers=workers) as file:
                    for _ in range(20):
                        file.write(os.urandom(1 << 20))
            self.assertIsInstance(caught.exception, workpool.IOFailed)
            self.assertIn("No space left", str(caught.exception))

    def test_wrong_arguments(self):
        path = self.write("file", b"")
        for mode in ("", "b", "rw", "r+", "rbt", "rr", "U", "wa"):
            with self.assertRaises(ValueError, msg=mode):
                workpool.open(path, mode)
        for mode, options in (
            ("rb", {"encoding": "ascii"}), ("wb", {"newline": ""}), ("rb", {"level": 3}),
            ("rb", {"sync": True}), ("wb", {"trailing": "warn"}), ("rb", {"workers": -1}),
            ("wb", {"compression": "rar"}), ("wb", {"compression": "gzip", "level": 77}),
        ):
            with self.assertRaises(ValueError, msg=(mode, options)):
                workpool.open(path, mode, **options)
        self.assertEqual(path.read_bytes(), b"")
        with self.assertRaises(LookupError):
            workpool.open(path, "rt", encoding="no such")
        with self.assertRaises(LookupError):
            workpool.open(self.folder / "new", "wt", encoding="no such")
        self.assertEqual(self.names(), ["file"])


class Writing(Files):
    def test_the_bytes_are_those_of_a_writer_whatever_the_workers(self):
        for name in ("a.txt", "a.gz", "a.zst"):
            expected = self.make(name).read_bytes()
            for workers in (*WORKERS, self.pool):
                for pieces in (1, 20_001, 1 << 22):
                    if pieces == 1 and workers != 3:
                        continue
                    part = LINES[: 30_000] if pieces == 1 else LINES
                    with workpool.open(self.folder / name, "wb", workers=workers) as file:
                        for at in range(0, len(part), pieces):
                            self.assertEqual(file.write(part[at : at + pieces]),
                                             len(part[at : at + pieces]))
                        self.assertEqual(file.tell(), len(part))
                    if part is LINES:
                        self.assertEqual((self.folder / name).read_bytes(), expected)
        self.assertEqual(gzip.decompress((self.folder / "a.gz").read_bytes()), LINES)

    def test_it_is_a_buffered_writer(self):
        with workpool.open(self.folder / "out.gz", "wb", level=1) as file:
            self.assertIsInstance(file, io.BufferedWriter)
            self.assertEqual((file.mode, file.readable(), file.seekable()), ("wb", False, False))
            data = bytearray(b"first ")
            file.write(data)
            data[:] = b"other "
            file.writelines([b"second ", memoryview(b"third")])
            file.flush()
            for call in (file.read, file.fileno, lambda: file.seek(0)):
                with self.assertRaises(io.UnsupportedOperation):
                    call()
        self.assertEqual(gzip.decompress((self.folder / "out.gz").read_bytes()),
                         b"first second third")
        with self.assertRaises(ValueError):
            file.write(b"late")

    def test_memory_that_changes_after_a_write_does_not_change_the_file(self):
        for workers in WORKERS:
            data = bytearray(3 << 20)
            with workpool.open(self.folder / "out.gz", "wb", workers=workers) as file:
                for value in range(5):
                    data[:] = bytes([value]) * len(data)
                    file.write(data)
            content = gzip.decompress((self.folder / "out.gz").read_bytes())
            self.assertEqual(content, b"".join(bytes([value]) * len(data) for value in range(5)))

    def test_the_name_comes_with_the_close(self):
        path = self.write("out.gz", b"old")
        file = workpool.open(path, "wb")
        file.write(b"new")
        self.assertEqual(path.read_bytes(), b"old")
        file.close()
        self.assertEqual(gzip.decompress(path.read_bytes()), b"new")

    def test_after_an_exception_nothing_has_the_name(self):
        for mode in ("wb", "xb", "wt", "ab", "at"):
            for workers in WORKERS:
                with self.assertRaises(LookupError):
                    with workpool.open(self.folder / "new.gz", mode, workers=workers) as file:
                        file.write("x" * 5_000_000 if "t" in mode else bytes(5_000_000))
                        raise LookupError
                self.assertTrue(file.closed)
                self.assertEqual(self.names(), [], (mode, workers))

    def test_a_file_that_is_not_closed_is_given_up(self):
        for mode in ("wb", "wt", "ab"):
            with self.assertWarnsRegex(ResourceWarning, "was not closed and is given up"):
                file = workpool.open(self.folder / "out.gz", mode)
                file.write("x" if "t" in mode else b"x")
                del file
            self.assertEqual(self.names(), [], mode)

    def test_a_program_that_ends_with_an_open_file_leaves_none(self):
        for end in ("", "sys.exit(3)", "raise LookupError"):
            code, _, errors = run_script(f"""
                import sys, workpool
                file = workpool.open(sys.argv[1], "wb")
                file.write(bytes(5_000_000))
                {end}
                """, self.folder / "out.gz")
            self.assertEqual(code, {"": 0, "sys.exit(3)": 3}.get(end, 1), errors)
            self.assertEqual(self.names(), [], end)

    def test_appending_adds_to_what_is_there(self):
        for name in NAMES:
            path = self.make(name)
            before = path.read_bytes()
            for workers in WORKERS:
                path.write_bytes(before)
                with workpool.open(path, "ab", workers=workers) as file:
                    file.write(b"behind\n")
                self.assertTrue(path.read_bytes().startswith(before))
                with workpool.open(path) as file:
                    self.assertEqual(file.read(), LINES + b"behind\n")
                after = path.read_bytes()
                with self.assertRaises(LookupError):
                    with workpool.open(path, "at", workers=workers) as file:
                        file.write("not this" * 1_000_000)
                        raise LookupError
                self.assertEqual(path.read_bytes(), after)
        with workpool.open(self.folder / "new.zst", "at", encoding="ascii") as file:
            file.write("begun")
        with workpool.open(self.folder / "new.zst", "rt", encoding="ascii") as file:
            self.assertEqual(file.read(), "begun")
        with self.assertRaisesRegex(workpool.InvalidArgument, "what is there is zstd, not gzip"):
            workpool.open(self.folder / "new.zst", "ab", compression="gzip")

    def test_a_child_that_is_forked_leaves_the_file_to_its_parent(self):
        code, printed, errors = run_script("""
            import os, sys, workpool
            file = workpool.open(sys.argv[1], "wb")
            file.write(b"parent's")
            child = os.fork()
            if child == 0:
                with workpool.open(sys.argv[2], "wb") as own:   # with workers of its own
                    own.write(b"child's" * 1_000_000)
                os._exit(0)
            print(os.waitpid(child, 0)[1])
            file.close()
            """, self.folder / "a.gz", self.folder / "b.gz")
        self.assertEqual((code, printed), (0, "0\n"), errors)
        self.assertEqual(gzip.decompress((self.folder / "a.gz").read_bytes()), b"parent's")
        self.assertEqual(len(gzip.decompress((self.folder / "b.gz").read_bytes())), 7_000_000)


class Interrupts(Files):
    def test_a_wait_for_a_pipe_ends_with_ctrl_c(self):
        path = self.folder / "pipe"
        os.mkfifo(path)
        with start_script("""
            import sys, workpool
            with workpool.open(sys.argv[1]) as file:
                try:
                    print("reading", flush=True)
                    file.read()
                except KeyboardInterrupt:
                    print("interrupted")
            """, path) as child:
            try:
                with open(path, "wb") as pipe:
                    pipe.write(b"data, and the pipe stays open")
                    pipe.flush()
                    self.assertEqual(child.stdout.readline(), "reading\n")
                    child.send_signal(signal.SIGINT)
                    printed, errors = child.communicate(timeout=SECONDS)
            finally:
                child.kill()
        self.assertEqual(child.returncode, 0, errors)
        self.assertEqual(printed, "interrupted\n")

    def test_interrupted_reads_lose_nothing(self):
        for workers in (0, 2):
            code, printed, errors = run_script("""
                import hashlib, signal, sys, workpool
                inside = False
                def interrupt(*_):
                    global inside
                    if inside:
                        inside = False
                        raise KeyboardInterrupt
                signal.signal(signal.SIGALRM, interrupt)
                found, caught, place = hashlib.sha256(), 0, 0
                with workpool.open(sys.argv[1], workers=int(sys.argv[2])) as file:
                    raw, room = file.raw, bytearray(10_000)
                    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
                    is_end = False
                    while not is_end:
                        try:
                            inside = True
                            is_end = raw.readinto(room) == 0
                            inside = False
                        except KeyboardInterrupt:
                            caught += 1
                            is_end = False
                        size = raw.tell() - place
                        found.update(room[:size])
                        place += size
                    signal.setitimer(signal.ITIMER_REAL, 0)
                print(found.hexdigest(), place, caught > 0)
                """, self.make("bgzf.gz"), workers)
            self.assertEqual(code, 0, errors)
            digest = hashlib.sha256(LINES).hexdigest()
            self.assertEqual(printed, f"{digest} {len(LINES)} True\n")

    def test_an_interrupted_writer_leaves_no_file(self):
        with start_script("""
            import sys, workpool
            with workpool.open(sys.argv[1], "wb") as file:
                print("begun", flush=True)
                while True:
                    file.write(bytes(1 << 20))
            """, self.folder / "out.gz") as child:
            try:
                self.assertEqual(child.stdout.readline(), "begun\n")
                child.send_signal(signal.SIGINT)
                _, errors = child.communicate(timeout=SECONDS)
            finally:
                child.kill()
        self.assertIn("KeyboardInterrupt", errors)
        self.assertEqual(self.names(), [])


class EdgeFiles(Files):
    """The inputs of Tests/Fixtures/edge_files.py, decoded: what the packing decides is as wanted."""

    def test_every_file_has_its_outcome(self):
        folder = self.folder / "edge"
        subprocess.run([sys.executable, TOP / "Tests/Fixtures/edge_files.py", folder], check=True,
                       stdout=subprocess.DEVNULL)
        manifest = json.loads((folder / "manifest.json").read_text())
        whole = (folder / "plain.fq").read_bytes()
        seen = 0
        for name, entry in sorted(manifest.items()):
            is_packed = name.endswith((".gz", ".zst")) and name != "plain_named_gz.fq.gz"
            if "skipped" in entry:
                continue
            for workers in WORKERS:
                for options, want in (({}, entry["want"]), *entry.get("with", {}).items()):
                    if options:
                        option, value = options.split()
                        options = ({"trailing": value} if option == "--trailing"
                                   else {"max_window": 2 << 30})
                    self.check(folder / name, want, is_packed, workers, options, whole)
                    seen += 1
        self.assertGreater(seen, 200)

    def check(self, path, want, is_packed, workers, options, whole):
        message = (path.name, workers, options)
        if want == "error" and is_packed:
            with self.assertRaises((EOFError, OSError, workpool.LimitExceeded), msg=message) as e:
                with workpool.open(path, workers=workers, **options) as file:
                    file.read()
            self.assertIn(path.name, str(e.exception))
            return
        with workpool.open(path, workers=workers, **options) as file:
            content = file.read()
        if not is_packed and not path.name == "gz_named_fq.fq":
            self.assertEqual(content, path.read_bytes(), message)
        else:
            self.assertEqual(content, whole if want else b"", message)


if __name__ == "__main__":
    unittest.main()
