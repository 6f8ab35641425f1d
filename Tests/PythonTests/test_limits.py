# SPDX-License-Identifier: MIT
import unittest

import workpool
from support import Case, Gate


class Blocks(Case):
    def test_the_limit_can_be_changed_while_the_pipeline_runs(self):
        pipeline = self.pipeline(2, window_capacity=8)
        pipeline.start(results=True)
        with self.assertRaises(workpool.ResultsWaiting):
            for _ in range(3):
                pipeline.submit()
        self.assertEqual(pipeline.statistics().in_flight, 2)
        pipeline.max_blocks = 5
        for _ in range(3):
            pipeline.submit()
        self.assertEqual(pipeline.max_blocks, 5)
        self.assertEqual(pipeline.statistics().limit, 5)
        pipeline.max_blocks = 4
        with self.assertRaises((workpool.ResultsWaiting, workpool.WouldBlock)):
            pipeline.submit(timeout=0)

    def test_the_limit_stays_for_later_runs(self):
        pipeline = self.pipeline(300).source([b""] * 1000)
        pipeline.max_blocks = 3
        pipeline.run()
        self.assertLessEqual(pipeline.statistics().in_flight_max, 3)
        pipeline.max_blocks = 512
        pipeline.run()
        self.assertEqual(pipeline.statistics().limit, 512)

    def test_wrong_limits_are_refused(self):
        for limit, capacity in ((16, 8), (16, 24), (16, 131072)):
            with self.assertRaises(workpool.InvalidArgument):
                self.pipeline(limit, window_capacity=capacity)
        pipeline = self.pipeline(16)
        for count in (0, -1, 257):
            with self.assertRaises(workpool.InvalidArgument):
                pipeline.max_blocks = count
        self.assertEqual(pipeline.max_blocks, 16)


class Bytes(Case):
    def test_a_block_is_admitted_while_the_others_weigh_less(self):
        pipeline = self.pipeline(max_bytes=25)
        pipeline.start(results=True)
        for _ in range(3):
            pipeline.submit(b"0123456789")
        with self.assertRaises(workpool.ResultsWaiting):
            pipeline.submit(b"")
        self.assertEqual(pipeline.statistics().bytes_in_flight, 30)
        pipeline.max_bytes = 31
        pipeline.submit(b"", weight=1000)
        self.assertEqual(pipeline.max_bytes, 31)
        self.assertEqual(pipeline.statistics().bytes_in_flight_max, 1030)
        pipeline.max_bytes = 0
        pipeline.submit(b"")

    def test_a_callback_says_what_its_block_weighs(self):
        def source(block):
            block.weight = 10**6
            return workpool.END if block.number == 20 else b"x"

        def stage(block):
            self.assertEqual(block.weight, 10**6)
            with self.assertRaises(ValueError):
                block.weight = -1

        pipeline = self.pipeline(max_bytes=10**6 + 1).source(source).stage(stage)
        pipeline.run()
        self.assertIn(pipeline.statistics().bytes_in_flight_max, (10**6, 2 * 10**6))
        self.assertEqual(pipeline.statistics().bytes_in_flight, 0)

    def test_wrong_numbers_of_bytes_are_refused(self):
        with self.assertRaises(workpool.InvalidArgument):
            self.pipeline(max_bytes=-1)
        with self.assertRaises(workpool.InvalidArgument):
            self.pipeline().max_bytes = 2**64


class Memory(Case):
    def test_memory_does_not_grow_with_the_number_of_blocks(self):
        self.assertGreater(self.pool.memory, 0)
        pipeline = self.pipeline(4, window_capacity=8).stage(lambda block: None)
        self.assertEqual(pipeline.memory, 0)
        for count in (10, 2000):
            pipeline.start()
            at_start = pipeline.memory
            self.assertLess(at_start, 200_000)
            for _ in range(count):
                pipeline.submit(bytes(5000))
            pipeline.close()
            pipeline.wait()
            self.assertLess(pipeline.memory, at_start + 8 * 12_288 + 1)


class Unordered(Case):
    def test_others_are_delivered_while_one_takes_long(self):
        gate, seen = Gate(), []

        def stage(block):
            if block.number == 0:
                gate.pass_through()

        def sink(block):
            seen.append(block.number)
            if len(seen) == 31:
                gate.open()

        pipeline = self.pipeline(3, unordered=True, window_capacity=32)
        outcome = pipeline.source([b"x"] * 100).stage(stage).sink(sink).run()
        self.assertEqual(outcome.delivered, 100)
        self.assertEqual(sorted(seen), list(range(100)))
        self.assertNotIn(0, seen[:31])
        self.assertLessEqual(pipeline.statistics().in_flight_max, 3)

    def test_results_come_as_they_are_ready(self):
        gate, read = Gate(), []

        def stage(block):
            if block.number == 0:
                gate.pass_through()

        pipeline = self.pipeline(3, unordered=True).source([b"x"] * 100).stage(stage)
        for result in pipeline.results():
            read.append(result.number)
            if len(read) == 50:
                gate.open()
        self.assertEqual(sorted(read), list(range(100)))
        self.assertNotIn(0, read[:50])


if __name__ == "__main__":
    unittest.main()
