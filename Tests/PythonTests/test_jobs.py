# SPDX-License-Identifier: MIT
"""Jobs in Python: results, dependencies, retries, cancels, callbacks, futures, asyncio, Ctrl-C."""
import asyncio
import concurrent.futures
import json
import os
import signal
import tempfile
import threading
import unittest

import support
import workpool
from workpool import JobExecutor, JobPool


def add(a, b=0):
    return a + b


class Jobs(unittest.TestCase):
    def test_results_come_from_functions_and_dependencies_run_first(self):
        order = []
        with JobPool(2) as jobs:
            first = jobs.submit_job(order.append, "a", job_id="a")
            second = jobs.submit_job(order.append, "b", job_id="b", dependencies=[first])
            total = jobs.submit_job(add, 2, kwargs={"b": 3}, dependencies=["b"])
            self.assertEqual(total.result(), 5)
            self.assertEqual(order, ["a", "b"])
            self.assertEqual((second.state, second.reason, second.attempts), ("COMPLETED", "none", 1))
            self.assertIs(jobs.find("b"), second)

    def test_an_exception_fails_the_job_and_cancels_what_depends_on_it(self):
        with JobPool(1) as jobs:
            bad = jobs.submit_job(lambda: 1 / 0, job_id="fetch")
            after = jobs.submit_job(add, 1, job_id="clean", dependencies=["fetch"])
            last = jobs.submit_job(add, 1, job_id="load", dependencies=["clean"])
            with self.assertRaises(ZeroDivisionError):
                bad.result()
            self.assertEqual((bad.state, bad.reason), ("FAILED", "exception"))
            self.assertIn("ZeroDivisionError", bad.error)
            self.assertIn("test_jobs.py", bad.error)
            with self.assertRaisesRegex(workpool.Cancelled, "fetch failed .* → clean → load"):
                last.result()
            self.assertEqual(last.cause_chain, ["fetch", "clean", "load"])
            self.assertEqual(after.reason, "dependency")

    def test_what_can_never_run_is_refused_by_name(self):
        with JobPool(1, memory=10) as jobs:
            with self.assertRaisesRegex(workpool.UnknownDependency, "zz"):
                jobs.submit_job(add, 1, dependencies=["zz"])
            with self.assertRaisesRegex(workpool.Cycle, "a -> a"):
                jobs.submit_job(add, 1, job_id="a", dependencies=["a"])
            with self.assertRaisesRegex(workpool.Unsatisfiable, "huge"):
                jobs.submit_job(add, 1, job_id="huge", memory=11)
            jobs.submit_job(add, 1, job_id="a").wait()
            with self.assertRaises(workpool.Exists):
                jobs.submit_job(add, 1, job_id="a")
            with self.assertRaises(workpool.NotFound):
                jobs.find("nobody")
            with self.assertRaises(workpool.InvalidArgument):
                jobs.submit_job(add, 1, hint="warm")
        with self.assertRaises(workpool.InvalidArgument):
            JobPool(executor_type="rocket")

    def test_priorities_by_name_and_number(self):
        gate, order = threading.Event(), []
        with JobPool(1) as jobs:
            jobs.submit_job(gate.wait)
            for name in ("low", "normal", "high", "critical"):
                jobs.submit_job(order.append, name, priority=name)
            jobs.submit_job(order.append, "50", priority=50)
            gate.set()
        self.assertEqual(order, ["critical", "50", "high", "normal", "low"])

    def test_retries_until_it_works_and_only_for_the_given_exceptions(self):
        def flaky():
            if workpool.current_job().attempt < 3:
                raise OSError("not yet")
            return "done"

        with JobPool(1) as jobs:
            job = jobs.submit_job(flaky, max_retries=5, retry_delay=0.001,
                                  retry_exceptions=(OSError,))
            final = jobs.submit_job(lambda: {}["x"], max_retries=5, retry_exceptions=(OSError,))
            self.assertEqual(job.result(), "done")
            self.assertEqual(job.attempts, 3)
            self.assertTrue(final.wait())
            self.assertEqual((final.state, final.attempts), ("FAILED", 1))
            self.assertEqual(jobs.get_metrics()["retries"], 2)

    def test_a_cancel_reaches_a_running_and_a_queued_job(self):
        started = threading.Event()

        def polls():
            context = workpool.current_job()
            started.set()
            while True:
                context.check()

        with JobPool(1) as jobs:
            running, queued = jobs.submit_job(polls), jobs.submit_job(add, 1)
            started.wait()
            self.assertTrue(queued.cancel())
            self.assertTrue(running.cancel())
            with self.assertRaises(workpool.Cancelled):
                running.result()
            self.assertEqual((running.reason, queued.reason), ("user", "user"))
            self.assertFalse(running.cancel())

    def test_a_token_from_outside_cancels(self):
        token, started = workpool.Token(), threading.Event()

        def polls():
            started.set()
            while True:
                workpool.current_job().check()

        with JobPool(1) as jobs:
            job = jobs.submit_job(polls, token=token)
            started.wait()
            token.cancel()
            self.assertTrue(job.wait())
            self.assertEqual(job.state, "CANCELLED")

    def test_a_timeout_ends_the_job(self):
        def polls():
            while not workpool.current_job().cancelled:
                pass

        with JobPool(1) as jobs:
            job = jobs.submit_job(polls, timeout=0.001)
            with self.assertRaises(workpool.TimedOut):
                job.result()
            self.assertEqual(job.state, "TIMEOUT")

    def test_callbacks_grow_the_graph_and_wait_all_covers_it(self):
        seen = []
        with JobPool(2) as jobs:
            def more(job):
                seen.append(job.id)
                if len(seen) < 10:
                    jobs.submit_job(add, 1, job_id=f"n{len(seen)}")

            jobs.register_callback(more)
            jobs.submit_job(add, 1, job_id="n0", callback=lambda job: seen.append("own"))
            self.assertTrue(jobs.wait_all())
        self.assertEqual(seen[0], "own")
        self.assertEqual(len(seen), 10)

    def test_callbacks_can_be_switched_off(self):
        seen = []
        with JobPool(1, enable_callbacks=False) as jobs:
            jobs.register_callback(seen.append)
            self.assertEqual(jobs.submit_job(add, 1).future().result(), 1)
        self.assertEqual(seen, [])

    def test_subscribers_see_events_in_order(self):
        events, lines = [], []
        with JobPool(2) as jobs:
            subscriber = jobs.subscribe(events.append)
            jobs.set_log(lines.append)
            for _ in range(3):
                jobs.submit_job(lambda: workpool.current_job().log("hello", phase="p"))
            jobs.wait_all()
            jobs.unsubscribe(subscriber)
            jobs.set_log(None)
        self.assertEqual([event.seq for event in events], list(range(1, len(events) + 1)))
        kinds = [event.kind for event in events]
        self.assertEqual(kinds.count("job_started") + kinds.count("job_finished"), 6)
        self.assertEqual(sum("[p] hello" in text for _, _, text in lines), 3)

    def test_a_wait_inside_a_job_helps_or_is_refused(self):
        def outer(jobs):
            inner = jobs.submit_job(add, 4)
            with self.assertRaises(workpool.WouldDeadlock):
                inner.wait()
            inner.wait(help=True)
            return inner.result()

        with JobPool(1) as jobs:
            self.assertEqual(jobs.submit_job(outer, jobs).result(), 4)

    def test_wait_any_and_timeouts(self):
        gate = threading.Event()
        with JobPool(2) as jobs:
            slow, fast = jobs.submit_job(gate.wait), jobs.submit_job(add, 1)
            self.assertIs(jobs.wait_any([slow, fast]), fast)
            self.assertIsNone(jobs.wait_any([slow], timeout=0))
            self.assertFalse(jobs.wait_all(timeout=0))
            gate.set()

    def test_shutdown_cancels_what_waits(self):
        gate = threading.Event()
        jobs = JobPool(1)
        running, queued = jobs.submit_job(gate.wait), jobs.submit_job(add, 1)
        jobs.shutdown(wait=False)
        self.assertEqual(queued.reason, "shutdown")
        with self.assertRaises(workpool.ShutDown):
            jobs.submit_job(add, 1)
        gate.set()
        jobs.shutdown()
        self.assertEqual(running.state, "COMPLETED")
        jobs.close()
        jobs.close()

    def test_figures_and_the_timeline(self):
        with JobPool(2) as jobs:
            both = threading.Barrier(2)
            jobs.submit_job(both.wait, job_id="one")
            jobs.submit_job(both.wait, job_id="two")
            jobs.submit_job(lambda: 1 / 0)
            jobs.wait_all()
            metrics, status = jobs.get_metrics(), jobs.get_status()
            self.assertEqual(metrics["peak_running"], 2)
            self.assertAlmostEqual(metrics["success_rate"], 2 / 3)
            self.assertEqual(status["counts"]["COMPLETED"], 2)
            self.assertEqual(status["total_processed"], 3)
            bars = jobs.export_timeline()
            self.assertEqual({bar["id"] for bar in bars} & {"one", "two"}, {"one", "two"})
            self.assertEqual(set(bars[0]),
                             {"id", "start_time", "duration", "slot", "attempt", "state"})
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "trace.json")
                jobs.write_trace(path)
                with open(path) as file:
                    trace = json.load(file)["traceEvents"]
                self.assertEqual(sum(event["ph"] == "X" for event in trace), 3)
                jobs.write_svg(path)

    def test_limits_change(self):
        gate, running = threading.Event(), threading.Barrier(3)

        def meet():
            running.wait()

        with JobPool(1) as jobs:
            jobs.set_limits(3)
            for _ in range(3):
                jobs.submit_job(meet)
            self.assertTrue(jobs.wait_all())
            gate.set()

    def test_a_pool_may_be_shared_with_pipelines(self):
        with workpool.Pool(2) as pool, JobPool(2, pool=pool) as jobs:
            self.assertEqual(jobs.submit_job(add, 1, 2).result(), 3)

    def test_asyncio_waits_for_jobs(self):
        async def main(jobs):
            job = jobs.submit_job(add, 20, 1)
            self.assertEqual(await job, 21)
            self.assertTrue(await jobs.wait_all_async())

        with JobPool(2) as jobs:
            asyncio.run(main(jobs))

    def test_ctrl_c_ends_a_wait(self):
        gate = threading.Event()
        with JobPool(1) as jobs:
            job = jobs.submit_job(gate.wait)
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            with self.assertRaises(KeyboardInterrupt):
                job.wait()
            gate.set()

    def test_a_program_that_forgets_its_pool_ends(self):
        code, _, errors = support.run_script(
            "import workpool\n"
            "jobs = workpool.JobPool(2)\n"
            "for n in range(5):\n"
            "    jobs.submit_job(lambda: None)\n"
        )
        self.assertEqual((code, errors), (0, ""))


class Executor(unittest.TestCase):
    def test_it_has_the_shape_of_an_executor(self):
        with JobExecutor(2) as executor:
            self.assertIsInstance(executor, concurrent.futures.Executor)
            self.assertEqual(list(executor.map(add, [1, 2], [3, 4])), [4, 6])
            with self.assertRaises(ZeroDivisionError):
                executor.submit(lambda: 1 / 0).result()
            done, _ = concurrent.futures.wait([executor.submit(add, 1)])
            self.assertEqual(len(done), 1)
        with self.assertRaises(RuntimeError):
            executor.submit(add, 1)

    def test_a_queued_future_can_be_cancelled(self):
        gate = threading.Event()
        with JobExecutor(1) as executor:
            executor.submit(gate.wait)
            queued = executor.submit(add, 1)
            self.assertTrue(queued.cancel())
            gate.set()
        self.assertTrue(queued.cancelled())


if __name__ == "__main__":
    unittest.main()
