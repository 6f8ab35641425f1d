# SPDX-License-Identifier: MIT
"""Pipelines without a source: the host submits; and results that the host reads."""
import gc
import threading
import unittest

import workpool
from support import Case, Gate
from workpool import DROP


class Submitting(Case):
    def test_submitted_blocks_come_out_in_order(self):
        seen = []
        pipeline = self.pipeline(4).stage(lambda block: bytes(block) * 2)
        pipeline.sink(lambda block: seen.append((bytes(block), block.meta[0])))
        pipeline.start()
        for number in range(200):
            self.assertTrue(pipeline.submit(b"%d;" % number, meta=[number]))
        pipeline.close()
        pipeline.close()
        self.assertEqual(pipeline.wait().delivered, 200)
        self.assertEqual(seen, [(b"%d;%d;" % (n, n), n) for n in range(200)])

    def test_a_closed_pipeline_takes_no_more(self):
        pipeline = self.pipeline()
        pipeline.start()
        pipeline.close()
        with self.assertRaises(workpool.Closed):
            pipeline.submit(b"late")

    def test_without_a_place_submit_waits_or_says_so(self):
        gate = Gate()
        pipeline = self.pipeline(2).stage(lambda block: gate.pass_through())
        pipeline.start()
        pipeline.submit()
        pipeline.submit()
        with self.assertRaises(workpool.WouldBlock):
            pipeline.submit(b"", 0)
        with self.assertRaises(workpool.TimedOut):
            pipeline.submit(b"", 0.001)
        with self.assertRaises(TimeoutError):
            pipeline.submit(bytes(100_000), timeout=0.001)
        self.assertEqual(len(pipeline._shared.loans), 0)
        gate.open()
        pipeline.submit()
        pipeline.close()
        self.assertEqual(pipeline.wait().delivered, 3)

    def test_a_stopped_pipeline_takes_no_more_and_says_so(self):
        pipeline = self.pipeline(2).stage(lambda b: workpool.STOP if b.number == 5 else None)
        pipeline.start()
        accepted = 0
        while pipeline.submit():
            accepted += 1
        outcome = pipeline.wait()
        self.assertEqual((outcome.status, outcome.number, outcome.delivered), ("stopped", 5, 6))
        self.assertGreaterEqual(accepted, 6)

    def test_submit_raises_what_a_stage_raised(self):
        def stage(block):
            raise LookupError("stage")

        pipeline = self.pipeline(2).stage(stage)
        pipeline.start()
        with self.assertRaisesRegex(LookupError, "stage"):
            while True:
                pipeline.submit()

    def test_flush_waits_for_what_was_submitted(self):
        seen = []
        pipeline = self.pipeline().sink(lambda block: seen.append(block.number))
        pipeline.start()
        for _ in range(2):
            for _ in range(50):
                pipeline.submit()
            pipeline.flush()
            self.assertEqual(len(seen) % 50, 0)
        self.assertEqual(seen, list(range(100)))

    def test_many_threads_submit_numbered_blocks(self):
        seen = []
        pipeline = self.pipeline(3).sink(lambda block: seen.append(bytes(block)))
        pipeline.start()

        def produce(first):
            for number in range(first, 300, 3):
                if number % 10 == 7:
                    pipeline.skip(number)
                else:
                    pipeline.submit(b"%d" % number, number=number)

        threads = [threading.Thread(target=produce, args=[first]) for first in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pipeline.close()
        pipeline.wait()
        self.assertEqual(seen, [b"%d" % n for n in range(300) if n % 10 != 7])

    def test_numbers_come_once_and_all(self):
        pipeline = self.pipeline()
        pipeline.start()
        pipeline.submit(b"", number=0)
        with self.assertRaises(workpool.DuplicateBlock):
            pipeline.submit(b"", number=0)
        with self.assertRaises(workpool.InvalidState):
            pipeline.submit(b"")
        pipeline.submit(b"", number=2)
        pipeline.close()
        with self.assertRaisesRegex(workpool.MissingBlock, "block 1 was never submitted") as caught:
            pipeline.wait()
        self.assertEqual(caught.exception.block, 1)

    def test_wrong_arguments_take_nothing(self):
        pipeline = self.pipeline()
        pipeline.start()
        for arguments in (["text"], [5], [None]):
            with self.assertRaises(TypeError):
                pipeline.submit(*arguments)
        with self.assertRaises((IndexError, TypeError, ValueError)):
            pipeline.submit(bytes(100_000), meta=[1, 2, 3, 4, 5])
        self.assertEqual(len(pipeline._shared.loans), 0)
        pipeline.close()
        self.assertEqual(pipeline.wait().delivered, 0)

    def test_a_pipeline_with_a_source_takes_no_submissions(self):
        pipeline = self.pipeline().source(lambda block: None)
        pipeline.start()
        with self.assertRaisesRegex(workpool.InvalidState, "takes no submissions"):
            pipeline.submit()
        with self.assertRaisesRegex(workpool.InvalidState, "without a source"):
            self.pipeline().run()

    def test_a_lent_buffer_cannot_change_its_size_until_it_is_given_back(self):
        gate, data = Gate(), bytearray(100_000)
        pipeline = self.pipeline().stage(lambda block: gate.pass_through())
        pipeline.start()
        pipeline.submit(data)
        gate.wait_for(1)
        with self.assertRaises(BufferError):
            data.append(1)
        gate.open()
        pipeline.flush()
        data.append(1)

    def test_a_submitted_array_is_changed_in_place(self):
        data = bytearray(100_000)

        def stage(block):
            block.data[0] = 255

        pipeline = self.pipeline().stage(stage)
        pipeline.start()
        pipeline.submit(data)
        pipeline.close()
        pipeline.wait()
        self.assertEqual(data[0], 255)

    def test_a_callback_submits_to_another_pipeline(self):
        seen = []
        second = self.pipeline().sink(lambda block: seen.append(bytes(block)))
        second.start()
        first = self.pipeline().source([b"a", b"b", b"c"])
        first.stage(lambda block: second.submit(bytes(block)) and None, "serial").run()
        second.close()
        second.wait()
        self.assertEqual(seen, [b"a", b"b", b"c"])


class Results(Case):
    def test_one_thread_submits_and_reads(self):
        pipeline = self.pipeline(4).stage(lambda block: bytes(block).upper())
        pipeline.start(results=True)
        results, seen, submitted = pipeline.results(), [], 0
        while submitted < 100:
            try:
                pipeline.submit(b"block %d" % submitted)
                submitted += 1
            except workpool.ResultsWaiting:
                seen.append(bytes(next(results)))
        pipeline.close()
        seen.extend(bytes(result) for result in results)
        self.assertEqual(seen, [b"BLOCK %d" % n for n in range(100)])

    def test_results_can_be_read_after_the_end(self):
        pipeline = self.pipeline()
        pipeline.start(results=True)
        for number in range(3):
            pipeline.submit(b"%d" % number)
        pipeline.close()
        self.assertEqual(pipeline.wait().delivered, 3)
        self.assertEqual([bytes(r) for r in pipeline.results()], [b"0", b"1", b"2"])

    def test_a_source_and_one_worker_are_enough(self):
        with workpool.Pool(1) as pool, workpool.Pipeline(pool, 1) as pipeline:
            pipeline.source([b"%d" % n for n in range(50)])
            self.assertEqual([int(bytes(r)) for r in pipeline.results()], list(range(50)))

    def test_a_slow_reader_holds_the_source_back(self):
        begun = []
        pipeline = self.pipeline(3).source(lambda block: begun.append(block.number))
        results = pipeline.results()
        for number in range(20):
            self.assertEqual(next(results).number, number)
            self.assertLessEqual(len(begun), number + 4)
        results.close()

    def test_another_thread_reads(self):
        pipeline = self.pipeline(2, reader_is_another_thread=True)
        pipeline.start(results=True)
        seen = []
        thread = threading.Thread(target=lambda: seen.extend(r.number for r in pipeline.results()))
        thread.start()
        for _ in range(100):
            pipeline.submit()
        pipeline.close()
        thread.join()
        self.assertEqual(seen, list(range(100)))

    def test_a_result_is_given_back_when_the_next_one_is_read(self):
        pipeline = self.pipeline(1).source([b"one", b"two"])
        results = pipeline.results()
        first = next(results)
        self.assertEqual((bytes(first.data), len(first), first.number), (b"one", 3, 0))
        next(results)
        with self.assertRaises(ValueError):
            first.data[0]
        self.assertEqual(first.number, 0)
        first.release()
        self.assertEqual(list(results), [])

    def test_slices_of_a_result_live_on_and_keep_its_place(self):
        pipeline = self.pipeline(3).source([b"%d" % n * 1000 for n in range(4)])
        results = pipeline.results()
        kept = [next(results).data[:1] for _ in range(2)]
        self.assertEqual(bytes(next(results).data[:1]), b"2")
        self.assertEqual(bytes(next(results).data[:1]), b"3")
        self.assertEqual([bytes(part) for part in kept], [b"0", b"1"])
        del results
        pipeline.destroy()
        self.assertEqual([bytes(part) for part in kept], [b"0", b"1"])

    def test_holding_every_place_is_told_not_waited_for(self):
        pipeline = self.pipeline(2).source(lambda block: b"data")
        results = pipeline.results()
        kept = [next(results).data[:1] for _ in range(2)]
        with self.assertRaisesRegex(workpool.WouldDeadlock, "every place is held"):
            next(results)
        self.assertEqual(len(kept), 2)

    def test_a_cancel_ends_a_run_although_every_place_is_held(self):
        pipeline = self.pipeline(2).source(lambda block: b"data")
        results = pipeline.results()
        kept = [next(results).data[:1] for _ in range(2)]
        with self.assertRaises(workpool.ResultsWaiting):
            pipeline.wait()
        pipeline.cancel()
        with self.assertRaises(workpool.Cancelled):
            pipeline.wait()
        self.assertFalse(pipeline.running)
        with self.assertRaises(workpool.Cancelled):
            next(results)
        self.assertEqual([bytes(part) for part in kept], [b"d"] * 2)

    def test_dropped_blocks_are_no_results(self):
        pipeline = self.pipeline().source([b""] * 10)
        pipeline.stage(lambda block: DROP if block.number % 2 else None)
        self.assertEqual([r.number for r in pipeline.results()], [0, 2, 4, 6, 8])

    def test_leaving_the_loop_cancels(self):
        pipeline = self.pipeline().source(lambda block: None)
        for result in pipeline.results():
            if result.number == 3:
                break
        gc.collect()
        self.assertFalse(pipeline.running)

    def test_wait_with_unread_results_says_so(self):
        pipeline = self.pipeline(2).source([b""] * 5)
        pipeline.start(results=True)
        with self.assertRaises(workpool.ResultsWaiting):
            pipeline.wait()

    def test_results_of_a_run_without_them_are_refused(self):
        gate = Gate()
        pipeline = self.pipeline().source([b""]).stage(lambda block: gate.pass_through())
        pipeline.start()
        with self.assertRaisesRegex(workpool.InvalidState, "started without results=True"):
            pipeline.results()
        gate.open()

    def test_results_of_empty_blocks(self):
        results = [(r.number, bytes(r)) for r in self.pipeline().source([b"", b""]).results()]
        self.assertEqual(results, [(0, b""), (1, b"")])


if __name__ == "__main__":
    unittest.main()
