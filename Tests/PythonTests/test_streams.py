# SPDX-License-Identifier: MIT
import gzip
import os
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

    def test_blocks_are_whole_lines(self):
        path = self.write("lines.gz", gzip.compress(LINES))
        seen, records, offset = [], 0, 0
        with workpool.open_reader(path, bytes_per_block=1000) as reader:
            for chunk in reader:
                self.assertEqual((chunk.first_record, chunk.offset), (records, offset))
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
