# SPDX-License-Identifier: MIT
import gzip
import io
import os
import shutil
import subprocess
import threading
import unittest

import workpool
from support import Case

LINES = b"".join(b"line %d\n" % number for number in range(5000))
RECORDS = b"".join(b"@r%d\nACGT\n+\nIIII\n" % number for number in range(1000))


class Readers(Case):
    def test_every_packing_is_told_by_content(self):
        self.write("plain", LINES)
        self.write("gzip", gzip.compress(LINES[:1000]) + gzip.compress(LINES[1000:]))
        for name in ("bgzf", "zstd"):
            with workpool.open_writer(self.folder / name, name) as writer:
                writer.write(LINES)
        for name in ("plain", "gzip", "bgzf", "zstd"):
            with workpool.open_reader(self.folder / name) as reader:
                self.assertEqual(reader.read(), LINES, name)
                info = reader.info()
                self.assertEqual((info.compression, info.bytes), (name, len(LINES)))
                self.assertEqual(info.packed_size, (self.folder / name).stat().st_size)

    def test_the_workers_of_a_pool_unpack(self):
        self.write("gzip", gzip.compress(LINES * 50))
        for name in ("bgzf", "zstd"):
            with workpool.open_writer(self.folder / name, name) as writer:
                writer.write(LINES * 50)
        with workpool.Pool(2) as pool:
            for name in ("gzip", "bgzf", "zstd"):
                with workpool.open_reader(self.folder / name, pool=pool) as reader:
                    self.assertEqual(reader.read(), LINES * 50, name)
                    self.assertEqual(reader.info().compression, name)
        with self.assertRaises(workpool.InvalidState):
            workpool.open_reader(self.folder / "gzip", pool=pool)

    def test_blocks_are_whole_lines(self):
        path = self.write("lines.gz", gzip.compress(LINES))
        seen, records, offset = [], 0, 0
        with workpool.open_reader(path, bytes_per_block=1000) as reader:
            for chunk in reader:
                self.assertEqual((chunk.first_record, chunk.offset), (records, offset))
                self.assertEqual(chunk.first_line, records)
                self.assertGreater(chunk.packed_bytes, 0)
                self.assertEqual(bytes(chunk)[-1:], b"\n")
                self.assertEqual(bytes(chunk.data).count(b"\n"), chunk.records)
                seen.append(bytes(chunk))
                records, offset = records + chunk.records, offset + len(chunk)
        self.assertEqual(b"".join(seen), LINES)
        self.assertGreater(len(seen), 20)

    def test_blocks_of_fastq_and_of_fixed_size(self):
        path = self.write("reads.fq", RECORDS)
        with workpool.open_reader(path, "fastq", records_per_block=300) as reader:
            self.assertEqual([chunk.records for chunk in reader], [300, 300, 300, 100])
        path = self.write("fixed", bytes(100))
        with workpool.open_reader(path, "fixed", record_size=10, records_per_block=4) as reader:
            self.assertEqual([len(chunk) for chunk in reader], [40, 40, 20])

    def test_records_may_end_with_another_byte(self):
        path = self.write("zeros", b"a\0bb\0c")
        with workpool.open_reader(path, delimiter=b"\0", records_per_block=1) as reader:
            self.assertEqual([bytes(chunk) for chunk in reader], [b"a\0", b"bb\0", b"c"])

    def test_reading_in_parts(self):
        path = self.write("lines.gz", gzip.compress(LINES))
        with workpool.open_reader(path) as reader:
            parts = [reader.read(10), reader.read(0), reader.read(1)]
            room = bytearray(100)
            self.assertEqual(reader.readinto(memoryview(room)[:50]), 50)
            self.assertEqual(b"".join(parts) + room[:50], LINES[:61])
            self.assertEqual(reader.read(), LINES[61:])
            self.assertEqual((reader.read(), reader.read(5)), (b"", b""))

    def test_descriptors_and_pipes(self):
        ends = os.pipe()

        def write():
            os.write(ends[1], b"from a pipe\n")
            os.close(ends[1])

        thread = threading.Thread(target=write)
        thread.start()
        with workpool.open_reader(ends[0], name="the pipe") as reader:
            self.assertEqual(reader.read(), b"from a pipe\n")
            self.assertIsNone(reader.info().packed_size)
        thread.join()
        os.close(ends[0])  # still ours
        path = self.write("file", b"from a file\n")
        with open(path, "rb") as file, workpool.open_reader(file) as reader:
            self.assertEqual(reader.read(), b"from a file\n")

    def test_an_empty_file_has_no_blocks(self):
        with workpool.open_reader(self.write("empty", b"")) as reader:
            self.assertEqual(list(reader), [])

    def test_a_block_is_valid_until_the_next(self):
        path = self.write("lines", LINES)
        with workpool.open_reader(path, bytes_per_block=100) as reader:
            first = next(reader)
            self.assertTrue(first.data.readonly)
            next(reader)
            with self.assertRaises(ValueError):
                first.data[0]

    def test_a_view_in_use_keeps_the_reader_from_going_on(self):
        path = self.write("lines", LINES)
        with workpool.open_reader(path, bytes_per_block=100) as reader:
            part = next(reader).data[:4]
            with self.assertRaisesRegex(BufferError, "still in use"):
                next(reader)
            with self.assertRaises(BufferError):
                reader.close()
            self.assertEqual(bytes(part), b"line")
            del part
            next(reader)

    def test_damaged_files_say_where(self):
        packed = gzip.compress(LINES)
        broken = bytearray(packed)
        broken[-6] ^= 255  # in the CRC's trailer
        for name, content, kind, text in (
            ("cut.gz", packed[:-20], workpool.TruncatedInput, r"cut\.gz: member 1 .*byte \d+"),
            ("broken.gz", broken, workpool.CorruptInput, r"broken\.gz: member 1 .*byte \d+"),
            ("behind.gz", packed + b"dirt", workpool.CorruptInput, r"behind\.gz: .*byte \d+"),
            ("rest.bin", bytes(25), workpool.MalformedRecord, r"rest\.bin: .*byte 20"),
        ):
            path = self.write(name, bytes(content))
            options = {"split": "fixed", "record_size": 10} if name == "rest.bin" else {}
            with self.assertRaisesRegex(kind, text, msg=name) as caught:
                with workpool.open_reader(path, **options) as reader:
                    for _ in reader:
                        pass
            self.assertTrue(caught.exception.text.startswith(str(self.folder)))
            # ... and in a pipeline, with the block that it happened to.
            with self.assertRaisesRegex(kind, text, msg=name) as caught:
                self.pipeline().source(workpool.open_reader(path, **options)).run()
            self.assertEqual(caught.exception.stage, 0)
            self.assertIsNotNone(caught.exception.block)

    def test_bytes_behind_the_end_may_be_ignored_or_noted(self):
        path = self.write("behind.gz", gzip.compress(b"data\n") + b"dirt")
        with workpool.open_reader(path, trailing="ignore") as reader:
            self.assertEqual((reader.read(), reader.notes), (b"data\n", []))
        with workpool.open_reader(path, trailing="warn") as reader:
            self.assertEqual(reader.read(), b"data\n")
            self.assertEqual(len(reader.notes), 1)

    def test_limits(self):
        path = self.write("long", b"x" * 10_000)
        with workpool.open_reader(path, max_record=1000) as reader:
            with self.assertRaises(workpool.LimitExceeded):
                next(reader)

    def test_wrong_arguments(self):
        for options, text in (
            ({"split": "words"}, "split must be one of lines, fastq, fixed"),
            ({"trailing": "no"}, "trailing must be one of"),
            ({"delimiter": b"ab"}, "a delimiter is one byte"),
            ({"split": "fixed"}, "record_size"),
        ):
            with self.assertRaisesRegex(workpool.InvalidArgument, text):
                workpool.open_reader(self.write("file", b""), **options)
        with self.assertRaisesRegex(workpool.IOFailed, "nowhere: .*No such file"):
            workpool.open_reader("nowhere")
        with self.assertRaises(workpool.InvalidArgument):
            workpool.open_reader("nul\0byte")
        with self.assertRaises(AttributeError):
            workpool.open_reader(5.0)
        with self.assertRaises(TypeError):
            workpool.open_reader(self.write("file", b"data")).readinto(b"constant")

    def test_closing_twice_is_as_good_as_once(self):
        reader = workpool.open_reader(self.write("file", b"data"))
        reader.close()
        reader.close()
        self.assertTrue(reader.closed)
        for call in (reader.read, reader.info, lambda: next(reader), lambda: reader.notes):
            with self.assertRaisesRegex(workpool.InvalidState, "the reader is closed"):
                call()


class RandomAccess(Case):
    def test_seeking_in_every_kind_of_file(self):
        content = LINES * 40
        cases = []
        for name, options in (
            ("plain", {}), ("a.gz", {"bgzf_index": self.folder / "a.gzi"}), ("a.zst", {}),
            ("table.zst", {"zstd_seek_table": True}),
        ):
            with workpool.open_writer(self.folder / name, **options) as writer:
                writer.write(content)
            cases.append((name, {}))
        cases.append(("a.gz", {"bgzf_index": self.folder / "a.gzi"}))
        for name, options in cases:
            with workpool.open_reader(self.folder / name, **options) as reader:
                for place in (1_000_000, 7, 0, len(content) - 3, len(content), 65_280):
                    self.assertEqual(reader.seek(place), place)
                    self.assertEqual(reader.read(100), content[place : place + 100], name)
                    self.assertEqual(reader.tell(), min(place + 100, len(content)))
                self.assertEqual(reader.seek(2**60), len(content))
                self.assertEqual(reader.read(), b"")
                reader.seek(len(LINES))
                chunk = next(reader)
                self.assertEqual((chunk.offset, chunk.first_record), (len(LINES), 0))
                self.assertEqual(bytes(chunk), content[len(LINES) :][: len(chunk)])

    def test_virtual_offsets(self):
        content = LINES * 4
        with workpool.open_writer(self.folder / "a.gz") as writer:
            writer.write(content)
        with workpool.open_reader(self.folder / "a.gz", records_per_block=700) as reader:
            places = []
            for chunk in reader:
                places.append((reader.tell_virtual(), chunk.offset + len(chunk)))
            for virtual, place in reversed(places):
                reader.seek_virtual(virtual)
                self.assertEqual(reader.tell(), place)
                self.assertEqual(reader.read(50), content[place : place + 50])
            for virtual in (-1, 2**64, 1 << 16):
                with self.assertRaises(workpool.InvalidArgument):
                    reader.seek_virtual(virtual)

    def test_the_index_is_that_of_bgzip(self):
        bgzip = shutil.which("bgzip")
        if bgzip is None:
            self.skipTest("there is no bgzip")
        for size in (1, 65_280, 65_281, 500_000):
            path, index = self.folder / "a.gz", self.folder / "a.gzi"
            with workpool.open_writer(path, overwrite=True, bgzf_index=index) as writer:
                writer.write((LINES * 10)[:size])
            ours = index.read_bytes()
            subprocess.run([bgzip, "-r", "-I", self.folder / "theirs", path], check=True)
            self.assertEqual(ours, (self.folder / "theirs").read_bytes(), size)
        # ... and theirs is read, of a file of theirs.
        self.write("theirs.txt", LINES * 10)
        subprocess.run([bgzip, "-i", self.folder / "theirs.txt"], check=True)
        path = self.folder / "theirs.txt.gz"
        with workpool.open_reader(path, bgzf_index=f"{path}.gzi") as reader:
            for place in (400_000, 12):
                reader.seek(place)
                self.assertEqual(reader.read(10), (LINES * 10)[place : place + 10])

    def test_zstd_reads_what_has_a_seek_table(self):
        zstd = shutil.which("zstd")
        if zstd is None:
            self.skipTest("there is no zstd")
        for content in (b"", LINES, LINES * 40):
            path = self.folder / "a.zst"
            with workpool.open_writer(path, overwrite=True, zstd_seek_table=True) as writer:
                writer.write(content)
            subprocess.run([zstd, "-qt", path], check=True)
            unpacked = subprocess.run([zstd, "-dc", path], check=True, stdout=subprocess.PIPE)
            self.assertEqual(unpacked.stdout, content)
            with workpool.open_reader(path) as reader:
                self.assertEqual(reader.read(), content)

    def test_two_files_with_tables_that_were_joined(self):
        parts = []
        for content in (LINES * 30, LINES):
            with workpool.open_writer(
                self.folder / "a.zst", overwrite=True, zstd_seek_table=True
            ) as writer:
                writer.write(content)
            parts.append((self.folder / "a.zst").read_bytes())
        path = self.write("joined.zst", b"".join(parts))
        with workpool.open_reader(path) as reader:
            self.assertEqual(reader.seek(2**63), len(LINES) * 31)
            reader.seek(len(LINES) * 30)
            self.assertEqual(reader.read(), LINES)

    def test_files_that_cannot_be_sought_say_so(self):
        path = self.write("member.gz", gzip.compress(LINES))
        with workpool.open_reader(path) as reader:
            reader.read(10)
            for call in (lambda: reader.seek(5), reader.tell_virtual,
                         lambda: reader.seek_virtual(0)):
                with self.assertRaisesRegex(workpool.Unsupported, "member.gz: "):
                    call()
            self.assertEqual(reader.tell(), 10)
            self.assertEqual(reader.seek(0), 0)
            self.assertEqual(reader.read(), LINES)
        with self.assertRaises(io.UnsupportedOperation):
            with workpool.open_reader(path) as reader:
                reader.seek(1)

    def test_blocks_in_memory_of_yours(self):
        path = self.write("lines", LINES)
        with workpool.open_reader(path, records_per_block=100) as reader:
            room, seen = bytearray(10), []
            while True:
                try:
                    chunk = reader.next_into(room)
                except workpool.LimitExceeded as error:
                    room = bytearray(error.needed)
                    continue
                if chunk is None:
                    break
                self.assertEqual(chunk.offset, len(b"".join(seen)))
                seen.append(bytes(chunk))
                self.assertEqual(bytes(room[: len(chunk)]), seen[-1])
            self.assertEqual(b"".join(seen), LINES)
            with self.assertRaises(TypeError):
                reader.next_into(b"constant")


class Writers(Case):
    def test_the_suffix_says_how_to_pack(self):
        for name, compression in (("a.gz", "gzip"), ("a.zst", "zstd"), ("a.txt", "plain")):
            with workpool.open_writer(self.folder / name) as writer:
                self.assertEqual(writer.write(LINES[:100]), 100)
                writer.write(bytearray(LINES[100:]))
            self.assertEqual(writer.info.compression, compression)
            self.assertEqual(writer.info.bytes, len(LINES))
            self.assertEqual(writer.info.packed_bytes, (self.folder / name).stat().st_size)
            with workpool.open_reader(self.folder / name) as reader:
                self.assertEqual(reader.read(), LINES)
        self.assertEqual(gzip.decompress((self.folder / "a.gz").read_bytes()), LINES)

    def test_the_file_appears_when_it_is_complete(self):
        path = self.folder / "out"
        with workpool.open_writer(path) as writer:
            writer.write(b"data")
            self.assertFalse(path.exists())
        self.assertEqual(path.read_bytes(), b"data")

    def test_after_an_exception_nothing_is_left(self):
        with self.assertRaises(LookupError):
            with workpool.open_writer(self.folder / "out") as writer:
                writer.write(b"data")
                raise LookupError
        writer = workpool.open_writer(self.folder / "out")
        writer.write(b"data")
        writer.close()
        writer.close()
        del writer
        self.assertEqual(self.names(), [])

    def test_an_existing_file_is_not_touched_unless_asked(self):
        path = self.write("out", b"old")
        with self.assertRaisesRegex(workpool.OutputExists, "out: "):
            workpool.open_writer(path)
        self.assertEqual(path.read_bytes(), b"old")
        with workpool.open_writer(path, overwrite=True, sync=True) as writer:
            writer.write(b"new")
        self.assertEqual(path.read_bytes(), b"new")

    def test_levels_and_wrong_arguments(self):
        sizes = []
        for level in (1, 9):
            with workpool.open_writer(self.folder / f"{level}.gz", level=level) as writer:
                writer.write(LINES)
            sizes.append(writer.info.packed_bytes)
        self.assertGreater(*sizes)
        for options in ({"level": 99, "compression": "gzip"}, {"compression": "rar"}):
            with self.assertRaises(workpool.InvalidArgument):
                workpool.open_writer(self.folder / "out", **options)
        with self.assertRaises(workpool.IOFailed):
            workpool.open_writer(self.folder / "no folder" / "out")
        self.assertEqual(self.names(), ["1.gz", "9.gz"])

    def test_a_finished_writer_takes_no_more(self):
        with workpool.open_writer(self.folder / "out") as writer:
            writer.finish()
            with self.assertRaises(workpool.InvalidState):
                writer.write(b"late")
            with self.assertRaises(workpool.InvalidState):
                writer.finish()
        with self.assertRaisesRegex(workpool.InvalidState, "the writer is closed"):
            writer.write(b"later")
        with self.assertRaises(TypeError):
            workpool.open_writer(self.folder / "other").write("text")

    def test_descriptors(self):
        with open(self.folder / "out", "wb") as file:
            with workpool.open_writer(file, "gzip") as writer:
                writer.write(LINES)
            file.write(gzip.compress(b"ours"))
        self.assertEqual(gzip.decompress((self.folder / "out").read_bytes()), LINES + b"ours")


class FilesInPipelines(Case):
    def test_from_file_to_file(self):
        source = self.write("in.gz", gzip.compress(LINES))
        for name in ("out.gz", "out.zst", "out.txt"):
            with workpool.open_writer(self.folder / name) as writer:
                pipeline = self.pipeline().source(workpool.open_reader(source, bytes_per_block=999))
                pipeline.stage(lambda block: bytes(block).upper()).sink(writer)
                pipeline.run()
            with workpool.open_reader(self.folder / name) as reader:
                self.assertEqual(reader.read(), LINES.upper())

    def test_blocks_know_their_records(self):
        source = self.write("in", LINES)
        pipeline = self.pipeline().source(workpool.open_reader(source, records_per_block=1500))
        self.assertEqual([r.meta[:2] for r in pipeline.results()],
                         [(1500, 0), (1500, 1500), (1500, 3000), (500, 4500)])

    def test_a_failed_run_leaves_no_file(self):
        def fail(block):
            raise LookupError

        source = self.write("in", LINES)
        with self.assertRaises(LookupError):
            with workpool.open_writer(self.folder / "out") as writer:
                with workpool.Pipeline(self.pool) as pipeline:
                    pipeline.source(workpool.open_reader(source)).stage(fail).sink(writer).run()
        self.assertEqual(self.names(), ["in"])

    def test_a_failure_that_was_caught_does_not_make_a_file_of_what_there_is(self):
        def fail(block):
            raise LookupError

        source = self.write("in", LINES)
        pipeline = self.pipeline()
        with self.assertRaises(workpool.InvalidState):
            with workpool.open_writer(self.folder / "out") as writer:
                pipeline.source(workpool.open_reader(source)).stage(fail).sink(writer)
                with self.assertRaises(LookupError):
                    pipeline.run()
        pipeline.destroy()
        self.assertEqual(self.names(), ["in"])

    def test_streams_of_a_pipeline_are_its_own_until_the_end(self):
        reader = workpool.open_reader(self.write("in", LINES))
        writer = workpool.open_writer(self.folder / "out")
        pipeline = self.pipeline().source(reader).sink(writer)
        reader.close()
        with self.assertRaisesRegex(workpool.InvalidState, "the reader is closed"):
            pipeline.run()
        reader = workpool.open_reader(self.folder / "in")
        pipeline = self.pipeline().source(reader).sink(writer)
        pipeline.start()
        for call in (reader.read, lambda: next(reader), lambda: writer.write(b"between")):
            with self.assertRaisesRegex(workpool.InvalidState, "belongs to a pipeline"):
                call()
        reader.close()
        self.assertEqual(pipeline.wait().status, "ok")
        self.assertEqual(writer.finish().bytes, len(LINES))
        with self.assertRaisesRegex(workpool.InvalidState, "a reader is read once"):
            pipeline.run()


if __name__ == "__main__":
    unittest.main()
