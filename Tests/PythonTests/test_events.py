# SPDX-License-Identifier: MIT
"""What happens to a run by the clock: its deadline."""
import unittest

import workpool
from support import Case

SOON = 0.002


class Deadline(Case):
    def endless(self, **options):
        pipeline = self.pipeline(8, **options)
        return pipeline.source(lambda block: b"x").stage(lambda block: None)

    def test_a_run_that_takes_too_long_times_out(self):
        pipeline = self.endless(run_timeout=SOON)
        for _ in range(2):
            with self.assertRaises(workpool.RunTimedOut):
                pipeline.run()
            self.assertEqual(pipeline.outcome().status, "timed out")
            self.assertFalse(pipeline.running)

    def test_who_waits_without_end_sees_the_deadline(self):
        with self.assertRaises(workpool.RunTimedOut):
            with self.endless(run_timeout=SOON) as pipeline:
                pipeline.start()
                pipeline.wait()

    def test_a_wait_that_times_out_is_another_thing(self):
        pipeline = self.pipeline(run_timeout=3600)
        pipeline.start()
        with self.assertRaises(workpool.TimedOut) as raised:
            pipeline.wait(timeout=0.001)
        self.assertNotIsInstance(raised.exception, workpool.RunTimedOut)
        self.assertTrue(pipeline.running)
        pipeline.close()
        self.assertEqual(pipeline.wait().status, "ok")

    def test_a_reader_is_told_at_the_deadline(self):
        pipeline = self.endless(run_timeout=SOON)
        with self.assertRaises(workpool.RunTimedOut):
            for _ in pipeline.results():
                pass

    def test_the_serial_reference_has_deadlines_too(self):
        pipeline = workpool.Pipeline(None, serial=True, run_timeout=SOON)
        with self.assertRaises(workpool.RunTimedOut):
            pipeline.source(lambda block: b"x").run()

    def test_a_deadline_lies_in_the_future(self):
        for seconds in (0, -1, float("nan"), float("inf")):
            with self.assertRaises(workpool.InvalidArgument):
                self.pipeline(run_timeout=seconds)


if __name__ == "__main__":
    unittest.main()
