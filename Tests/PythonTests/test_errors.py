# SPDX-License-Identifier: MIT
import os
import signal
import threading
import traceback
import unittest

import workpool
from support import Case, Gate, wait
from workpool import _errors


class Exceptions(Case):
    def fail_at(self, *numbers):
        def stage(block):
            if block.number in numbers:
                raise LookupError(f"block {block.number}")

        return stage

    def test_every_status_of_the_library_has_its_exception(self):
        names = set()
        for code, kind in _errors._by_code.items():
            error = kind()
            self.assertEqual(error.code, code)
            self.assertEqual(error.name.replace("_", ""), "WP" + kind.__name__.upper())
            self.assertTrue(str(error))
            self.assertNotEqual(error.text, "unknown status")
            names.add(error.name)
        self.assertEqual(len(names), 30)

    def test_exceptions_are_what_python_programs_expect(self):
        for kind, base in ((workpool.InvalidArgument, ValueError),
                           (workpool.TimedOut, TimeoutError), (workpool.NoMemory, MemoryError),
                           (workpool.IOFailed, OSError),
                           (workpool.OutputExists, FileExistsError),
                           (workpool.TruncatedInput, EOFError)):
            self.assertIsInstance(kind("text"), base)
            self.assertEqual(str(kind("text")), "text")

    def test_the_exception_of_a_callback_reaches_the_waiter(self):
        for kind in ("parallel", "serial", "serial_any_order"):
            try:
                self.pipeline().source([b""] * 10).stage(self.fail_at(5), kind).run()
                self.fail("nothing was raised")
            except LookupError as error:
                self.assertEqual(error.args, ("block 5",))
                frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
                self.assertEqual(frames[-1], "stage")

    @unittest.skipUnless(hasattr(BaseException, "add_note"), "notes came with Python 3.11")
    def test_it_says_where_it_was_raised(self):
        with self.assertRaises(LookupError) as caught:
            self.pipeline().source([b""] * 10).stage(self.fail_at(5), name="look").run()
        self.assertEqual(caught.exception.__notes__, ["in block 5, stage 1 (look)"])

    def test_the_lowest_block_counts_not_the_first_in_time(self):
        gate = Gate()

        def stage(block):
            if block.number == 5:
                gate.pass_through()
                raise LookupError("5")
            if block.number == 7:
                gate.open()
                raise LookupError("7")

        seen = []
        pipeline = self.pipeline().source([b""] * 20).stage(stage)
        pipeline.sink(lambda block: seen.append(block.number))
        with self.assertRaisesRegex(LookupError, "^5$"):
            pipeline.run()
        self.assertEqual(seen, [0, 1, 2, 3, 4])
        outcome = pipeline.outcome()
        self.assertEqual((outcome.status, outcome.number, outcome.stage, outcome.code),
                         ("failed", 5, 1, -1000))
        (error,) = pipeline.errors
        self.assertEqual((error.number, error.stage, error.text), (5, 1, "LookupError: 5"))
        self.assertIsInstance(error.exception, LookupError)

    def test_sources_generators_and_sinks_fail_alike(self):
        def generate():
            yield b""
            raise LookupError("generator")

        def fail(block):
            raise LookupError("callback")

        for build, text in (
            (lambda p: p.source(generate()), "generator"),
            (lambda p: p.source(fail), "callback"),
            (lambda p: p.source([b""]).sink(fail), "callback"),
        ):
            with self.assertRaisesRegex(LookupError, text):
                build(self.pipeline()).run()

    def test_whatever_is_raised_reaches_the_waiter(self):
        for kind in (SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration):
            def fail(block):
                raise kind("from a worker")

            with self.assertRaises(kind):
                self.pipeline().source([b""]).stage(fail).run()
            with self.assertRaises(kind):
                workpool.Pipeline(None, serial=True).source([b""]).stage(fail).run()

    def test_an_error_of_the_library_in_a_callback_keeps_its_code(self):
        pipeline = self.pipeline().source([b""])
        pipeline.stage(lambda block: workpool.open_reader("/no such file"))
        with self.assertRaisesRegex(workpool.IOFailed, "no such file: .*No such file"):
            pipeline.run()
        self.assertEqual(pipeline.outcome().code, -30)

    def test_waiting_again_raises_again(self):
        pipeline = self.pipeline().source([b""]).stage(self.fail_at(0))
        for call in (pipeline.run, pipeline.wait, pipeline.wait):
            with self.assertRaisesRegex(LookupError, "block 0"):
                call()

    def test_a_run_after_a_failure_starts_anew(self):
        fails = [True]

        def stage(block):
            if fails:
                raise LookupError(fails.pop())

        pipeline = self.pipeline().source([b""] * 3).stage(stage, "serial")
        with self.assertRaises(LookupError):
            pipeline.run()
        self.assertEqual(pipeline.run().delivered, 3)
        self.assertEqual(pipeline.errors, [])

    def test_results_raise_after_the_blocks_before_the_failure(self):
        seen = []
        pipeline = self.pipeline().source([b""] * 10).stage(self.fail_at(4))
        with self.assertRaisesRegex(LookupError, "block 4"):
            for result in pipeline.results():
                seen.append(result.number)
        self.assertEqual(seen, [0, 1, 2, 3])

    def test_long_and_odd_texts_are_cut_not_lost(self):
        def stage(block):
            raise LookupError("é\0" * 1000)

        pipeline = self.pipeline(collect_errors=True).source([b""]).stage(stage)
        pipeline.run()
        self.assertTrue(pipeline.errors[0].text.startswith("LookupError: é"))
        self.assertLess(len(pipeline.errors[0].text.encode()), 256)


class Collecting(Case):
    def test_collected_errors_are_listed_in_block_order(self):
        bad, seen = {3, 90, 91}, []

        def stage(block):
            if block.number in bad:
                raise LookupError(f"no {block.number}")

        pipeline = self.pipeline(collect_errors=True).source([b""] * 100).stage(stage)
        pipeline.sink(lambda block: seen.append(block.number))
        outcome = pipeline.run()
        self.assertEqual((outcome.status, outcome.failed, outcome.errors), ("failed", 3, 3))
        self.assertEqual(seen, [n for n in range(100) if n not in bad])
        self.assertEqual([(e.number, e.text, str(e.exception)) for e in pipeline.errors],
                         [(n, f"LookupError: no {n}", f"no {n}") for n in sorted(bad)])

    def test_the_list_has_a_bound_and_says_what_is_beyond(self):
        def stage(block):
            raise LookupError(block.number)

        pipeline = self.pipeline(10, collect_errors=True, max_errors_kept=5)
        outcome = pipeline.source([b""] * 500).stage(stage).run()
        self.assertEqual((outcome.errors, outcome.errors_not_kept), (500, 495))
        self.assertEqual([e.exception.args for e in pipeline.errors], [(n,) for n in range(5)])

    def test_so_many_failures_end_the_run(self):
        def stage(block):
            if block.number % 10 == 0:
                raise LookupError(block.number)

        pipeline = self.pipeline(collect_errors=True, max_failures=3).source(lambda block: None)
        outcome = pipeline.stage(stage).run()
        self.assertEqual((outcome.errors, outcome.delivered), (3, 18))


class Interrupts(Case):
    """Ctrl-C, sent to the process while the main thread waits in the library."""

    def setUp(self):
        super().setUp()
        self.assertIs(threading.current_thread(), threading.main_thread())
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.is_ready = threading.Event()  # the main thread is where the signal shall meet it

    def interrupt(self, block):
        if block.number == 3:
            wait(self.is_ready)
            os.kill(os.getpid(), signal.SIGINT)

    def test_run_is_cancelled_by_ctrl_c(self):
        pipeline = self.pipeline().source(lambda block: None).stage(self.interrupt)
        with self.assertRaises(KeyboardInterrupt):
            self.is_ready.set()
            pipeline.run()
        self.assertFalse(pipeline.running)
        self.assertEqual(pipeline.outcome().status, "cancelled")

    def test_wait_is_left_by_ctrl_c_and_the_run_goes_on(self):
        gate = Gate()

        def stage(block):
            self.interrupt(block)
            if block.number == 3:
                gate.pass_through()

        pipeline = self.pipeline().source([b""] * 10).stage(stage)
        pipeline.start()
        with self.assertRaises(KeyboardInterrupt):
            self.is_ready.set()
            pipeline.wait()
        gate.open()
        self.assertEqual(pipeline.wait().delivered, 10)

    def test_submit_is_left_by_ctrl_c(self):
        gate = Gate()

        def stage(block):
            self.interrupt(block)
            if block.number == 3:
                gate.pass_through()

        pipeline = self.pipeline(1).stage(stage)
        pipeline.start()
        for _ in range(4):
            pipeline.submit(b"")
        with self.assertRaises(KeyboardInterrupt):
            self.is_ready.set()
            pipeline.submit(b"")
        gate.open()
        pipeline.close()
        self.assertEqual(pipeline.wait().delivered, 4)

    def test_reading_results_is_left_by_ctrl_c_and_cancels(self):
        def stage(block):
            self.interrupt(block)
            while block.number == 3 and not block.cancelled:
                pass

        pipeline = self.pipeline().source([b""] * 10).stage(stage)
        seen = []
        with self.assertRaises(KeyboardInterrupt):
            self.is_ready.set()
            for result in pipeline.results():
                seen.append(result.number)
        self.assertEqual(seen, [0, 1, 2][: len(seen)])
        self.assertFalse(pipeline.running)

    def test_serial_reference_is_left_by_ctrl_c(self):
        pipeline = workpool.Pipeline(None, serial=True)
        pipeline.source(lambda block: None).stage(self.interrupt)
        with self.assertRaises(KeyboardInterrupt):
            self.is_ready.set()
            pipeline.run()


class Cancelling(Case):
    def test_cancel_from_another_thread_ends_every_wait(self):
        for call in ("wait", "submit", "flush"):
            gate = Gate()
            pipeline = self.pipeline(1).stage(lambda block: gate.pass_through())
            pipeline.start()
            pipeline.submit(b"")
            gate.wait_for(1)
            begun = threading.Event()

            def cancel():
                wait(begun)
                pipeline.cancel()
                gate.open()

            thread = threading.Thread(target=cancel)
            thread.start()
            begun.set()
            with self.assertRaises(workpool.Cancelled, msg=call):
                getattr(pipeline, call)()
            thread.join()
            with self.assertRaises(workpool.Cancelled):
                pipeline.wait()

    def test_a_pipeline_can_be_destroyed_while_other_threads_use_it(self):
        for _ in range(20):
            pipeline = workpool.Pipeline(self.pool, 2).stage(lambda block: None)
            pipeline.start()
            begun = threading.Barrier(4, timeout=60)

            def use(call):
                begun.wait()
                try:
                    while True:
                        call()
                except (workpool.Cancelled, workpool.InvalidState):
                    pass

            threads = [threading.Thread(target=use, args=[call])
                       for call in (pipeline.submit, pipeline.wait, pipeline.statistics)]
            for thread in threads:
                thread.start()
            begun.wait()
            pipeline.destroy()
            for thread in threads:
                thread.join()

    def test_cancelling_twice_and_after_the_end_does_nothing(self):
        pipeline = self.pipeline().source([b""])
        pipeline.run()
        pipeline.cancel()
        pipeline.cancel()
        self.assertEqual(pipeline.outcome().status, "ok")

    def test_wait_tells_when_the_time_is_over(self):
        gate = Gate()
        pipeline = self.pipeline().source([b""]).stage(lambda block: gate.pass_through())
        pipeline.start()
        for timeout in (0, 0.001):
            with self.assertRaises(workpool.TimedOut):
                pipeline.wait(timeout)
        gate.open()
        self.assertEqual(pipeline.wait(60).status, "ok")


if __name__ == "__main__":
    unittest.main()
