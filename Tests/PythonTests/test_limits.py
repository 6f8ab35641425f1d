# SPDX-License-Identifier: MIT
import unittest

import workpool
from support import Case


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


if __name__ == "__main__":
    unittest.main()
