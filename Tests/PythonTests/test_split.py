# SPDX-License-Identifier: MIT
"""Splitters: generators that make any number of blocks of each one."""
import ctypes
import gc
import unittest
import unittest.mock

import support  # noqa: F401: a hang is dumped
import workpool
from workpool import _library, _splitter

POOLS = {}


def setUpModule():
    for workers in (1, 2, 8):
        POOLS[workers] = workpool.Pool(workers)


def tearDownModule():
    for pool in POOLS.values():
        pool.close()


def pool_of(workers):
    return POOLS[workers]


def words(block):
    for word in bytes(block).split():
        yield word


class SplitTests(unittest.TestCase):
    def run_on(self, pool, source, build, **options):
        """What comes out of a pipeline that `build` adds stages to: (number, source number, bytes)."""
        seen = []
        options.setdefault("limit", 3)
        with workpool.Pipeline(pool, serial=pool is None, **options) as pipeline:
            pipeline.source(source)
            build(pipeline)
            pipeline.sink(lambda b: seen.append((b.number, b.source_number, bytes(b))))
            pipeline.run()
            return seen, pipeline.outcome(), pipeline.statistics()

    def everywhere(self):
        yield None
        for workers in POOLS:
            yield pool_of(workers)

    def test_a_generator_makes_blocks_that_are_numbered_anew(self):
        for pool in self.everywhere():
            seen, outcome, statistics = self.run_on(
                pool, [b"one two", b"", b"three", b"four five six"], lambda p: p.split(words)
            )
            self.assertEqual(seen, [
                (0, 0, b"one"), (1, 0, b"two"), (2, 2, b"three"),
                (3, 3, b"four"), (4, 3, b"five"), (5, 3, b"six"),
            ])
            self.assertEqual(outcome.status, "ok")
            self.assertEqual(outcome.source_number, None)
            splitter = statistics.stages[1]
            self.assertEqual((splitter.kind, splitter.name), ("splitter", "stage 1"))
            self.assertEqual((splitter.blocks_in, splitter.blocks_out), (4, 6))

    def test_what_is_kept_comes_with_later_blocks_and_at_the_end(self):
        for pool in self.everywhere():
            kept = []

            def gather(block):
                kept.append(bytes(block))
                if len(kept) == 3:
                    yield b"".join(kept)
                    kept.clear()

            def rest():
                if kept:
                    yield b"".join(kept)
                yield b"end"

            seen, _, _ = self.run_on(
                pool, [b"%d" % n for n in range(8)], lambda p: p.split(gather, finish=rest)
            )
            self.assertEqual([data for _, _, data in seen], [b"012", b"345", b"67", b"end"])
            self.assertEqual([source for _, source, _ in seen], [2, 5, 7, 7])

    def test_lists_and_nothing_will_do_too(self):
        seen, _, _ = self.run_on(
            pool_of(2), [b"a", b"b", b"c"],
            lambda p: p.split(lambda b: [b"x", bytes(b)] if bytes(b) != b"b" else None),
        )
        self.assertEqual([data for _, _, data in seen], [b"x", b"a", b"x", b"c"])

    def test_slices_of_the_input_are_copied(self):
        large = bytes(range(256)) * 1024

        def halves(block):
            middle = len(block) // 2
            yield block.data[:middle]
            yield block.data[middle:]

        for pool in self.everywhere():
            seen, _, _ = self.run_on(
                pool, [large, b"abcd", bytearray(large)], lambda p: p.split(halves)
            )
            self.assertEqual(b"".join(d for _, _, d in seen), large + b"abcd" + large)

    def test_splitters_follow_each_other(self):
        def letters(block):
            return [b"%c" % letter for letter in bytes(block)]

        for pool in self.everywhere():
            seen, _, _ = self.run_on(
                pool, [b"ab cd", b"ef"],
                lambda p: p.split(words).stage(lambda b: bytes(b).upper()).split(letters),
                limit=1,
            )
            self.assertEqual([data for _, _, data in seen], [b"A", b"B", b"C", b"D", b"E", b"F"])
            self.assertEqual([source for _, source, _ in seen], [0, 0, 0, 0, 1, 1])

    def test_an_exception_is_raised_again_and_is_about_the_input(self):
        def fails(block):
            yield b"first"
            if block.number == 2:
                raise KeyError("second")

        for pool in self.everywhere():
            ended = []
            seen = []
            with workpool.Pipeline(pool, 3, serial=pool is None) as pipeline:
                pipeline.source(b"%d" % n for n in range(9))
                pipeline.split(fails, finish=lambda: ended.append(1))
                pipeline.sink(lambda b: seen.append(b.number))
                with self.assertRaises(KeyError):
                    pipeline.run()
                self.assertEqual(seen, [0, 1, 2])
                outcome = pipeline.outcome()
                self.assertEqual((outcome.number, outcome.source_number, outcome.stage), (2, 2, 1))
                [error] = pipeline.errors
                self.assertIsInstance(error.exception, KeyError)
                self.assertEqual((error.number, error.source_number), (2, 2))
            self.assertEqual(ended, [])

    def test_an_exception_at_the_end_is_raised_too(self):
        def fails():
            raise ValueError("late")

        for pool in self.everywhere():
            with workpool.Pipeline(pool, serial=pool is None) as pipeline:
                pipeline.source([b"a b", b"c"])
                pipeline.split(words, finish=fails)
                with self.assertRaises(ValueError):
                    pipeline.run()
                self.assertEqual(pipeline.outcome().number, 2)

    def test_collected_errors_leave_the_rest(self):
        def fails(block):
            yield b"first"
            if block.number % 2:
                raise KeyError(block.number)
            yield b"second"

        for pool in self.everywhere():
            with workpool.Pipeline(pool, 3, serial=pool is None, collect_errors=True) as pipeline:
                pipeline.source([b""] * 5)
                pipeline.split(fails)
                pipeline.run()
                self.assertEqual([e.number for e in pipeline.errors], [1, 3])
                self.assertTrue(all(isinstance(e.exception, KeyError) for e in pipeline.errors))
                self.assertEqual(pipeline.outcome().delivered, 8)

    def test_stop_ends_the_input(self):
        def some(block):
            yield bytes(block)
            if block.number == 3:
                yield workpool.STOP
                yield b"never"

        for pool in self.everywhere():
            seen, outcome, _ = self.run_on(
                pool, [b"%d" % n for n in range(50)], lambda p: p.split(some)
            )
            self.assertEqual([data for _, _, data in seen], [b"0", b"1", b"2", b"3"])
            self.assertEqual((outcome.status, outcome.number), ("stopped", 3))

    def test_an_output_may_bring_meta_and_weight(self):
        def halves(block):
            for part in (block.data[:1], block.data[1:]):
                yield workpool.Output(part, [len(part), block.meta[0]], 5 + len(part))
            yield b"plain"

        for pool in self.everywhere():
            seen = []

            def source(block):
                if block.number == 2:
                    return workpool.END
                block.meta[0] = 7 + block.number
                return b"abc"

            with workpool.Pipeline(pool, serial=pool is None, limit=2) as pipeline:
                pipeline.source(source).split(halves)
                pipeline.sink(lambda b: seen.append((bytes(b), list(b.meta), b.weight)))
                pipeline.run()
            self.assertEqual(seen, [
                (b"a", [1, 7, 0, 0], 6), (b"bc", [2, 7, 0, 0], 7), (b"plain", [0] * 4, 0),
                (b"a", [1, 8, 0, 0], 6), (b"bc", [2, 8, 0, 0], 7), (b"plain", [0] * 4, 0),
            ])

    def test_an_output_with_a_fifth_word_or_a_negative_weight_is_refused(self):
        wrong = ((IndexError, workpool.Output(b"a", range(5))), (ValueError, workpool.Output(b"a", (), -1)))
        for error, output in wrong:
            with workpool.Pipeline(pool_of(2)) as pipeline:
                pipeline.source([b"a"]).split(lambda block: [output])
                with self.assertRaises(error):
                    pipeline.run()

    def test_what_is_not_bytes_is_refused(self):
        for wrong in (lambda b: [1], lambda b: b"abc", lambda b: "abc", lambda b: 7,
                      lambda b: [workpool.DROP], lambda b: workpool.Output(b"abc"),
                      lambda b: [workpool.Output(7)]):
            with workpool.Pipeline(pool_of(2)) as pipeline:
                pipeline.source([b"a"])
                pipeline.split(wrong)
                with self.assertRaises(TypeError):
                    pipeline.run()
        with workpool.Pipeline(pool_of(2)) as pipeline:
            with self.assertRaises(TypeError):
                pipeline.split(None)
            with self.assertRaises(TypeError):
                pipeline.split(words, finish=3)

    def test_an_input_is_read_only_and_not_to_be_kept(self):
        kept = []

        def look(block):
            self.assertTrue(block.data.readonly and block.meta.readonly)
            for change in (lambda: block.set(b"x"), lambda: block.reserve(9)):
                with self.assertRaises(TypeError):
                    change()
            with self.assertRaises(AttributeError):
                block.size = 0
            kept.append(block)
            yield b"%d" % len(block)

        seen, _, _ = self.run_on(pool_of(2), [b"abc"], lambda p: p.split(look))
        self.assertEqual(seen, [(0, 0, b"3")])
        with self.assertRaises(ValueError):
            kept[0].data

        views = []

        def leak(block):
            views.append(block.data[1:])
            yield b""

        with workpool.Pipeline(pool_of(2)) as pipeline:
            pipeline.source([b"abc"])
            pipeline.split(leak)
            with self.assertRaises(BufferError):
                pipeline.run()
        del views[:]

    def test_a_splitter_goes_on_when_another_worker_calls_it(self):
        """What a call is told lives as long as the call: the next one is told somewhere else."""
        step = _splitter.Splitter.step

        def step_with_a_call_of_its_own(splitter, native, call, run):
            own = _library.wp_call.from_buffer_copy(call.contents)
            try:
                return step(splitter, native, ctypes.pointer(own), run)
            finally:
                ctypes.memset(ctypes.byref(own), 0, ctypes.sizeof(own))

        def pieces(block):
            for start in range(0, len(block), 2):
                self.assertFalse(block.cancelled)
                self.assertEqual(block.size, 6)
                yield block.data[start:start + 2]

        with unittest.mock.patch.object(_splitter.Splitter, "step", step_with_a_call_of_its_own):
            for pool in self.everywhere():
                seen, _, _ = self.run_on(pool, [b"abcdef", b"ghijkl"], lambda p: p.split(pieces))
                self.assertEqual(b"".join(d for _, _, d in seen), b"abcdefghijkl")

    def test_a_pipeline_with_a_splitter_runs_again(self):
        closed = []

        def endless(block):
            try:
                while True:
                    yield bytes(block)
            finally:
                closed.append(block.number)

        with workpool.Pipeline(pool_of(2), 2) as pipeline:
            taken = []
            pipeline.split(endless)
            pipeline.stage(
                lambda b: workpool.STOP if b.number == 5 else None, "serial"
            )
            pipeline.sink(lambda b: taken.append(bytes(b)))
            for word in (b"x", b"y"):
                pipeline.start()
                pipeline.submit(word)
                pipeline.close()
                self.assertEqual(pipeline.wait().status, "stopped")
            self.assertEqual(taken, [b"x"] * 6 + [b"y"] * 6)
        gc.collect()
        self.assertEqual(closed, [0, 0])

    def test_results_are_read_behind_a_splitter(self):
        with workpool.Pipeline(pool_of(2), 2) as pipeline:
            pipeline.source([b"a b c", b"d"])
            pipeline.split(words)
            self.assertEqual([bytes(r.data) for r in pipeline.results()], [b"a", b"b", b"c", b"d"])


if __name__ == "__main__":
    unittest.main()
