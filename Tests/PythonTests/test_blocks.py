# SPDX-License-Identifier: MIT
"""Blocks in callbacks: the library's memory seen from Python, and the other way round."""
import ctypes
import sys
import unittest
import weakref

import workpool
from support import Case

LARGE = 300_000  # lent to the library; smaller payloads are copied


class Array(bytearray):
    """A bytes-like object that can be watched."""


class Data(Case):
    def run_stage(self, stage, *items):
        return [bytes(r) for r in self.pipeline().source(items).stage(stage).results()]

    def test_data_is_the_memory_of_the_block(self):
        addresses = []

        def look(block):
            self.assertEqual(block.data.format, "B")
            self.assertEqual(len(block.data), block.size)
            if not block.data.readonly:
                address = ctypes.addressof(ctypes.c_char.from_buffer(block.data))
                addresses.append((block.number, address))

        def write(block):
            look(block)
            block.data[0:3] = b"new"

        pipeline = self.pipeline().source([b"old text"]).stage(write).stage(look).stage(look)
        self.assertEqual([bytes(r) for r in pipeline.results()], [b"new text"])
        self.assertEqual(len(addresses), 3)
        self.assertEqual(len(set(addresses)), 1)

    def test_large_payloads_pass_without_a_copy(self):
        data, addresses = bytes(LARGE), []

        def look(block):
            buffer = workpool._memory.Buffer(block.data)
            addresses.append(buffer.address)
            buffer.release()

        self.run_stage(look, data)
        buffer = workpool._memory.Buffer(memoryview(data))
        self.assertEqual(addresses, [buffer.address])
        buffer.release()

    def test_a_view_ends_with_its_callback(self):
        kept = []

        def stage(block):
            kept.extend([block, block.data, block.meta])

        self.run_stage(stage, b"data")
        block, data, meta = kept
        for use in (lambda: data[0], lambda: meta[0], lambda: block.data, lambda: block.meta,
                    lambda: block.size, lambda: block.reserve(1), lambda: block.set(b""),
                    lambda: bytes(data), lambda: block.cancelled):
            with self.assertRaises(ValueError):
                use()
        self.assertEqual(block.number, 0)

    def test_a_slice_that_outlives_its_callback_is_an_error(self):
        kept = []
        with self.assertRaisesRegex(BufferError, "still in use.*copy what must last"):
            self.run_stage(lambda block: kept.append(block.data[1:]), b"data")

    def test_an_array_that_outlives_its_callback_is_an_error(self):
        kept = []
        with self.assertRaisesRegex(BufferError, "still in use"):
            self.run_stage(lambda b: kept.append(ctypes.c_char.from_buffer(b.data)), b"data")

    def test_slices_inside_the_callback_are_fine(self):
        def stage(block):
            first, rest = block.data[:1], block.data[1:]
            return bytes(rest) + bytes(first)

        self.assertEqual(self.run_stage(stage, b"abc"), [b"bca"])

    def test_a_part_of_the_payload_can_be_the_new_payload(self):
        for size in (10, LARGE):
            text = bytes(range(256)) * (size // 256 + 1)
            self.assertEqual(self.run_stage(lambda block: block.data[5:-5], text), [text[5:-5]])
            stage = lambda block: block.set(block.data[5:])  # noqa: E731
            self.assertEqual(self.run_stage(stage, text), [text[5:]])

    def test_the_traceback_of_a_failure_reaches_no_memory(self):
        kept = []

        def stage(block):
            part = block.data[1:]
            kept.append(weakref.ref(part))
            raise LookupError

        try:
            self.run_stage(stage, b"data")
            self.fail("nothing was raised")
        except LookupError as error:
            self.assertIsNotNone(error.__traceback__)
            self.assertIsNone(kept[0]())

    def test_meta_travels_with_the_block(self):
        def first(block):
            self.assertEqual(block.meta.tolist(), [0, 0, 0, 0])
            block.meta[0] = 2**64 - 1
            block.meta[3] = block.number

        def second(block):
            self.assertEqual(block.meta.tolist(), [2**64 - 1, 0, 0, block.number])
            block.meta[1] = 7

        pipeline = self.pipeline().source([b"", b""]).stage(first).stage(second)
        self.assertEqual([r.meta for r in pipeline.results()],
                         [(2**64 - 1, 7, 0, 0), (2**64 - 1, 7, 0, 1)])
        with self.assertRaises(IndexError):
            self.pipeline().source([b""]).stage(lambda block: block.meta[4]).run()

    def test_an_empty_block_has_empty_data(self):
        def stage(block):
            self.assertEqual((bytes(block.data), bytes(block)), (b"", b""))
            self.assertEqual((block.size, len(block)), (0, 0))

        self.assertEqual(self.run_stage(stage, b""), [b""])

    def test_a_block_knows_its_place(self):
        seen = []
        self.pipeline().source([b""] * 3).stage(lambda b: None).stage(
            lambda b: seen.append((b.number, b.source_number, b.stage, 0 <= b.worker < 3)), "serial"
        ).run()
        self.assertEqual(seen, [(n, n, 2, True) for n in range(3)])


class Payloads(Case):
    def run_stage(self, stage, *items):
        return [bytes(r) for r in self.pipeline().source(items).stage(stage).results()]

    def test_returned_and_set_payloads_of_any_size(self):
        for size in (0, 1, 65_535, 65_536, LARGE):
            new = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            self.assertEqual(self.run_stage(lambda block: new, b"old"), [new])
            self.assertEqual(self.run_stage(lambda block: block.set(new), b"old"), [new])
            self.assertEqual(self.run_stage(lambda block: memoryview(new), bytes(LARGE)), [new])

    def test_what_was_set_is_seen_at_once(self):
        def stage(block):
            block.set(b"first")
            self.assertEqual((bytes(block.data), block.size), (b"first", 5))
            block.set(b"second!")
            self.assertEqual((bytes(block), block.size), (b"second!", 7))
            block.size = 6

        self.assertEqual(self.run_stage(stage, b"old"), [b"second"])

    def test_reserve_keeps_the_payload_and_makes_room(self):
        def stage(block):
            room = block.reserve(1000)
            self.assertGreaterEqual(len(room), 1000)
            self.assertEqual((bytes(room[:4]), block.size), (b"kept", 4))
            room[4:8] = b"more"
            block.size = 8
            self.assertEqual(bytes(block), b"keptmore")

        self.assertEqual(self.run_stage(stage, b"kept"), [b"keptmore"])

    def test_reserve_makes_a_lent_payload_writable(self):
        data = b"a" * LARGE

        def stage(block):
            self.assertTrue(block.data.readonly)
            with self.assertRaises(TypeError):
                block.data[0] = 98
            block.reserve(block.size)
            self.assertFalse(block.data.readonly)
            block.data[0] = 98

        self.assertEqual(self.run_stage(stage, data), [b"b" + b"a" * (LARGE - 1)])
        self.assertEqual(data, b"a" * LARGE)

    def test_reserve_with_a_view_in_use_is_refused(self):
        def stage(block):
            part = block.data[1:]
            with self.assertRaises(BufferError):
                block.reserve(100_000)
            self.assertEqual(bytes(part), b"ata")
            del part
            block.reserve(100_000)

        self.assertEqual(self.run_stage(stage, b"data"), [b"data"])

    def test_sizes_beyond_the_room_are_refused(self):
        def stage(block):
            for size in (-1, block.reserve(10).nbytes + 1):
                with self.assertRaisesRegex(ValueError, "which reserve can raise"):
                    block.size = size
            with self.assertRaises(ValueError):
                block.reserve(-1)
            with self.assertRaises(workpool.NoMemory):
                block.reserve(sys.maxsize)

        self.assertEqual(self.run_stage(stage, b"data"), [b"data"])

    def test_no_payload_has_holes(self):
        for new in (memoryview(b"abcdef")[::2], "text"):
            with self.assertRaises((TypeError, BufferError)):
                self.run_stage(lambda block: new, b"")

    def test_a_lent_buffer_is_kept_exactly_as_long_as_it_is_needed(self):
        arrays = [Array(LARGE)]
        watch = weakref.ref(arrays[0])
        inside = []

        def look(block):
            inside.append(watch() is not None)
            return b"another"

        def generate():
            yield arrays.pop()

        def after(block):
            inside.append(watch() is not None)

        self.pipeline().source(generate()).stage(look).stage(after).run()
        self.assertEqual(inside, [True, False])

    def test_a_lent_buffer_comes_back_however_the_block_ends(self):
        def fail(block):
            raise LookupError

        for stage in (None, lambda block: workpool.DROP, lambda block: workpool.STOP_DROP, fail,
                      lambda block: pipeline.cancel()):
            arrays = [Array(LARGE) for _ in range(20)]
            watches = [weakref.ref(array) for array in arrays]
            pipeline = self.pipeline().source(iter(arrays))
            if stage is not None:
                pipeline.stage(stage)
            del arrays
            try:
                pipeline.run()
            except (LookupError, workpool.Cancelled):
                pass
            self.assertEqual(len(pipeline._shared.loans), 0)
            pipeline.destroy()
            pipeline._items = None
            self.assertEqual([w for w in watches if w() is not None], [])


if __name__ == "__main__":
    unittest.main()
