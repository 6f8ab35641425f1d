# SPDX-License-Identifier: MIT
"""Batches: workers are this file, run with --worker."""
import os
import signal
import sys
import threading
import time
import unittest

if __name__ == "__main__" and "--worker" in sys.argv:
    import workpool

    def work(item, task):
        if item == "die" and task.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "poison":
            os._exit(7)
        if item == "wait":
            time.sleep(600)
        if item == "bad":
            task.phase("checking")
            raise ValueError("bad item")
        if item == "old":
            raise workpool.Skip([1])
        return {"item": item, "process": os.getpid()}

    workpool.worker_main(work, heartbeat=0.05)
    sys.exit()

import workpool
from support import SECONDS, wait

COMMAND = [sys.executable, os.path.abspath(__file__), "--worker"]


class BatchTests(unittest.TestCase):
    def test_a_result_for_each_item_in_order(self):
        told = []
        batch = workpool.Batch(COMMAND, workers=2, batch_size=3)
        results = batch.run(["a", "bad", "die", "old", {"x": [1.5, None]}], told.append)
        self.assertEqual([r.index for r in results], list(range(5)))
        self.assertEqual(
            [r.state for r in results],
            ["completed", "failed", "completed", "skipped", "completed"])
        self.assertEqual([r.ok for r in results], [True, False, True, True, True])
        self.assertEqual(results[4].data["item"], {"x": [1.5, None]})
        self.assertEqual(results[1].error, "ValueError: bad item")
        self.assertEqual(results[1].phase, "checking")
        self.assertEqual((results[2].crashes, results[2].attempts), (1, 2))
        self.assertEqual(results[3].data, [1])
        self.assertEqual(sorted(told), results)
        self.assertEqual(batch.result(4), results[4])
        self.assertRaises(IndexError, batch.result, 5)

    def test_a_batch_runs_again_and_nothing_is_nothing(self):
        batch = workpool.Batch(COMMAND)
        self.assertEqual(batch.run([]), [])
        for _ in range(2):
            self.assertEqual([r.data["item"] for r in batch.run([1, 2])], [1, 2])

    def test_poison_is_named_with_its_exit_code(self):
        batch = workpool.Batch(COMMAND, workers=1, max_crashes=1)
        one, poison, two = batch.run([1, "poison", 2])
        self.assertTrue(one.ok and two.ok)
        self.assertEqual((poison.reason, poison.detail, poison.crashes), ("poison", 7, 2))
        self.assertEqual(poison.error, "2 workers lost: exit 7, exit 7")

    def test_cancelled_from_another_thread_or_by_a_token_it_says_so(self):
        for by_token in (False, True):
            token = workpool.Token()
            batch = workpool.Batch(COMMAND, workers=1, batch_size=1, token=token)
            first = threading.Event()
            cancel = token.cancel if by_token else batch.cancel

            def stop():
                wait(first)
                cancel()

            thread = threading.Thread(target=stop)
            thread.start()
            with self.assertRaises(workpool.Cancelled):
                batch.run([1, "wait", 2], lambda _: first.set())
            thread.join()
            self.assertEqual(
                [batch.result(i).state for i in range(3)], ["completed", "cancelled", "cancelled"])

    def test_an_interrupt_ends_the_run(self):
        batch = workpool.Batch(COMMAND, workers=1, batch_size=1)

        def interrupt(_):
            os.kill(os.getpid(), signal.SIGINT)

        begin = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            batch.run([1, "wait"], interrupt)
        self.assertLess(time.monotonic() - begin, SECONDS)
        self.assertEqual(batch.result(1).state, "cancelled")

    def test_what_the_callback_raises_is_raised(self):
        batch = workpool.Batch(COMMAND, workers=1, batch_size=1)
        with self.assertRaises(ZeroDivisionError):
            batch.run([1, "wait"], lambda _: 1 / 0)

    def test_workers_that_do_not_start(self):
        batch = workpool.Batch(["/no/such/program"])
        with self.assertRaisesRegex(workpool.IOFailed, "3 workers in a row did not start"):
            batch.run([1])
        self.assertEqual(batch.result(0).reason, "crashed")

    def test_arguments(self):
        self.assertRaises(TypeError, workpool.Batch, "a command")
        self.assertRaises(workpool.InvalidArgument, workpool.Batch, [])
        self.assertRaises(workpool.InvalidArgument, workpool.Batch, COMMAND, workers=2000)
        self.assertRaises(workpool.InvalidArgument, workpool.Batch, COMMAND, item_timeout=0)
        batch = workpool.Batch(COMMAND)
        self.assertRaises(TypeError, batch.run, [object()])
        self.assertRaises(ValueError, batch.run, [float("nan")])

    def test_a_silent_worker_is_replaced_one_with_a_heartbeat_is_not(self):
        # The thread that beats goes on while the function sleeps.
        batch = workpool.Batch(
            COMMAND, workers=1, heartbeat_timeout=5.0, item_timeout=1.0, max_crashes=0)
        (result,) = batch.run(["wait"])
        self.assertEqual(result.error, "1 workers lost: item timeout")

    def test_the_worker_says_that_it_is_one(self):
        with self.assertRaisesRegex(SystemExit, "this program is a worker"):
            reading, writing = (os.dup(fd) if _is_open(fd) else None for fd in (3, 4))
            try:
                for fd in (3, 4):
                    if _is_open(fd):
                        os.close(fd)
                workpool.worker_main(print)
            finally:
                for fd, saved in ((3, reading), (4, writing)):
                    if saved is not None:
                        os.dup2(saved, fd)
                        os.close(saved)


def _is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
