# SPDX-License-Identifier: MIT
"""What happens to a run by the clock: its deadline, progress, and what is told of one that is stuck."""
import threading
import unittest

import workpool
from support import SECONDS, Case, Gate, wait

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


class Subscribing(Case):
    def numbers(self, count, **options):
        pipeline = self.pipeline(8, **options)
        return pipeline.source([b"12345678"] * count).stage(lambda block: b"1234")

    def test_the_last_call_comes_before_the_end(self):
        told = []
        pipeline = self.numbers(50)
        pipeline.subscribe(told.append, interval=3600)
        pipeline.set_total(blocks=70, size=560)
        for run in (1, 2):
            pipeline.run()
            self.assertEqual(len(told), run)
            progress = told[-1]
            self.assertTrue(progress.last)
            self.assertEqual((progress.blocks_in, progress.blocks_out), (50, 50))
            self.assertEqual((progress.bytes_in, progress.bytes_out), (400, 200))
            self.assertEqual((progress.total_blocks, progress.total_bytes), (50, 560))
            self.assertEqual((progress.in_flight, progress.eta), (0, 0))

    def test_a_subscriber_is_called_again_and_again_and_may_cancel(self):
        calls = []

        def tell(progress):
            calls.append(progress)
            if len(calls) == 3:
                pipeline.cancel()

        pipeline = self.pipeline()
        pipeline.subscribe(tell, interval=0.001)
        pipeline.start()
        with self.assertRaises(workpool.Cancelled):
            pipeline.wait()
        self.assertGreaterEqual(len(calls), 4)
        self.assertEqual([call.last for call in calls[-2:]], [False, True])
        self.assertIsNone(calls[0].total_blocks)

    def test_what_a_subscriber_raises_ends_the_run_and_is_raised_again(self):
        error = KeyError("mine")

        def tell(progress):
            raise error

        for interval in (0.001, 3600):
            pipeline = self.pipeline(8) if interval < 1 else self.numbers(3)
            number = pipeline.subscribe(tell, interval)
            pipeline.start()
            if interval < 1:
                with self.assertRaises(KeyError) as raised:
                    pipeline.wait(SECONDS)
            else:  # after the outcome: it stays, but who waits hears of it
                with self.assertRaises(KeyError) as raised:
                    pipeline.wait(SECONDS)
                self.assertEqual(pipeline.outcome().status, "ok")
            self.assertIs(raised.exception, error)
            pipeline.unsubscribe(number)

    def test_subscribing_and_unsubscribing_at_any_time(self):
        told, is_called = [], threading.Event()

        def tell(progress):
            told.append(progress)
            if len(told) == 1:
                pipeline.unsubscribe(number)
            is_called.set()

        pipeline = self.pipeline()
        with self.assertRaises(workpool.InvalidArgument):
            pipeline.unsubscribe(1)
        pipeline.start()
        number = pipeline.subscribe(tell, interval=0.001)
        wait(is_called)
        other = pipeline.subscribe(lambda progress: None, interval=0.001)
        pipeline.unsubscribe(other)
        pipeline.close()
        pipeline.wait(SECONDS)
        self.assertEqual(len(told), 1)

    def test_nothing_waits_inside_a_call(self):
        answers = []

        def tell(progress):
            for call in (pipeline.wait, pipeline.flush, pipeline.destroy):
                try:
                    call()
                except workpool.WorkpoolError as error:
                    answers.append(type(error))

        pipeline = self.pipeline()
        pipeline.subscribe(tell, interval=3600)
        pipeline.start()
        pipeline.close()
        pipeline.wait(SECONDS)
        self.assertEqual(
            answers, [workpool.WouldDeadlock, workpool.WouldDeadlock, workpool.Busy])

    def test_a_subscriber_is_a_callable_and_an_interval_positive(self):
        with self.assertRaises(TypeError):
            self.pipeline().subscribe("x")
        for interval in (0, -1, float("nan")):
            with self.assertRaises(workpool.InvalidArgument):
                self.pipeline().subscribe(print, interval)
        with self.assertRaises(workpool.InvalidArgument):
            self.pipeline().set_total(blocks=-1)

    def test_the_serial_reference_has_subscribers_too(self):
        told = []
        pipeline = workpool.Pipeline(None, serial=True)
        pipeline.source([b"x"] * 5).subscribe(told.append, 3600)
        pipeline.run()
        self.assertEqual([(p.last, p.blocks_out) for p in told], [(True, 5)])


class Dumping(Case):
    def test_a_dump_names_the_stage_that_hangs(self):
        gate = Gate()

        def hang(block):
            if block.number == 4:
                gate.pass_through()

        pipeline = self.pipeline(8).source([b"x"] * 20).stage(hang, "serial", name="hangs")
        self.assertIn("not started", pipeline.dump())
        pipeline.start()
        gate.wait_for(1)
        while ": block 4 in stage 1 (hangs) for " not in pipeline.dump():
            pass
        self.assertIn(": block 4 in stage 1 (hangs) for ", self.pool.dump())
        self.assertTrue(self.pool.dump().startswith("pool of 3: "))
        gate.open()
        pipeline.wait(SECONDS)
        self.assertIn(": ended", pipeline.dump())
        self.pool.close()
        self.assertIn("closed", self.pool.dump())

    def stuck(self, **options):
        pipeline = self.pipeline(8, stuck_after=SOON, **options).stage(lambda block: None, "serial")
        pipeline.start()
        pipeline.submit(b"x", number=1)
        return pipeline

    def test_a_run_that_is_stuck_is_reported(self):
        dumps, is_reported = [], threading.Event()

        def on_stuck(dump):
            dumps.append(dump)
            is_reported.set()

        pipeline = self.stuck(on_stuck=on_stuck)
        wait(is_reported)
        pipeline.submit(b"x", number=0)
        pipeline.close()
        pipeline.wait(SECONDS)
        self.assertEqual(len(dumps), 1)
        self.assertIn("never submitted so far: 0\n", dumps[0])

    def test_a_run_that_is_stuck_is_cancelled_if_asked(self):
        with self.assertRaises(workpool.Cancelled):
            self.stuck(cancel_when_stuck=True).wait(SECONDS)

    def test_what_the_report_raises_ends_the_run_and_is_raised_again(self):
        def on_stuck(dump):
            raise KeyError("mine")

        with self.assertRaises(KeyError):
            self.stuck(on_stuck=on_stuck).wait(SECONDS)

    def test_a_watch_needs_something_to_do(self):
        with self.assertRaises(workpool.InvalidArgument):
            self.pipeline(stuck_after=1).start()
        for seconds in (0, -1):
            with self.assertRaises(workpool.InvalidArgument):
                self.pipeline(stuck_after=seconds, cancel_when_stuck=True)


if __name__ == "__main__":
    unittest.main()
