# SPDX-License-Identifier: MIT
import os
import threading
import unittest

import workpool
from support import Case, Gate


def thread_names():
    names = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/comm") as file:
            names.append(file.read().strip())
    return names


class Pools(unittest.TestCase):
    def test_a_pool_has_the_workers_it_was_asked_for(self):
        with workpool.Pool(5, name="asked") as pool:
            self.assertEqual(pool.workers, 5)
            barrier = threading.Barrier(5, timeout=60)  # each worker has begun

            def stage(block):
                barrier.wait()

            workpool.Pipeline(pool).source([b""] * 5).stage(stage).run()
            self.assertEqual(sorted(n for n in thread_names() if n.startswith("asked")),
                             [f"asked-{i}" for i in range(5)])
        self.assertEqual([n for n in thread_names() if n.startswith("asked")], [])

    def test_without_a_number_it_has_as_many_as_cpus(self):
        with workpool.Pool() as pool:
            self.assertEqual(pool.workers, workpool.usable_cpus())
        self.assertGreaterEqual(workpool.usable_cpus(), 1)

    def test_closing_twice_is_as_good_as_once(self):
        pool = workpool.Pool(1)
        self.assertFalse(pool.closed)
        pool.close()
        pool.close()
        self.assertTrue(pool.closed)
        self.assertEqual(pool.workers, 0)
        self.assertIn("closed", repr(pool))

    def test_numbers_out_of_range_are_refused(self):
        for workers in (0, -1, 1025, 2**40):
            with self.assertRaisesRegex(workpool.InvalidArgument, "workers must be 1 to 1024"):
                workpool.Pool(workers)
        with self.assertRaises(ValueError):
            workpool.Pool(0)
        with self.assertRaisesRegex(workpool.InvalidArgument, "stack_size"):
            workpool.Pool(1, stack_size=2**62)

    def test_closing_a_pool_ends_its_pipelines(self):
        pool = workpool.Pool(2)
        started = threading.Event()

        def source(block):
            started.set()

        pipeline = workpool.Pipeline(pool).source(source)
        pipeline.start()
        started.wait()
        pool.close()
        with self.assertRaises(workpool.InvalidState):
            pipeline.start()
        with self.assertRaisesRegex(workpool.InvalidState, "the pool is closed"):
            workpool.Pipeline(pool)

    def test_a_worker_keeps_what_is_local_to_its_thread(self):
        local = threading.local()

        def stage(block):
            local.calls = getattr(local, "calls", 0) + 1
            block.meta[0] = local.calls

        with workpool.Pool(1) as pool:
            pipeline = workpool.Pipeline(pool).source([b""] * 5).stage(stage)
            self.assertEqual([r.meta[0] for r in pipeline.results()], [1, 2, 3, 4, 5])

    def test_a_callback_runs_another_pipeline_of_the_pool(self):
        for workers, host in ((1, 0), (2, 0), (2, 2)):
            with workpool.Pool(workers, host_workers=host) as pool:

                def nested(block):
                    inner = workpool.Pipeline(pool)
                    inner.source([b"a", b"b", b"c"]).sink(lambda block: None)
                    return str(inner.run().delivered).encode()

                seen = []
                with workpool.Pipeline(pool) as outer:
                    outer.source([b"x"] * 10).stage(nested)
                    outer.sink(lambda block: seen.append(bytes(block)))
                    outer.run()
                self.assertEqual(seen, [b"3"] * 10)

    def test_without_threads_of_its_own_callbacks_run_on_the_thread_that_waits(self):
        for host in (-1, 3):
            with self.assertRaises(workpool.InvalidArgument):
                workpool.Pool(2, host_workers=host)
        before = len(thread_names())
        with workpool.Pool(2, host_workers=2) as pool:
            self.assertEqual(len(thread_names()), before)
            threads = set()
            with workpool.Pipeline(pool) as pipeline:
                pipeline.source([b"x"] * 100)
                pipeline.sink(lambda block: threads.add(threading.get_ident()))
                pipeline.run()
            self.assertEqual(threads, {threading.get_ident()})

    def test_the_number_of_workers_changes(self):
        with self.assertRaises(workpool.InvalidArgument):
            workpool.Pool(2, max_workers=1)
        with workpool.Pool(1, max_workers=3) as pool:
            all_three = threading.Barrier(3)

            def meet(block):
                pool.set_workers(3)
                all_three.wait(60)

            with workpool.Pipeline(pool) as pipeline:
                pipeline.source([b"x"] * 3).stage(meet, may_block=True).sink(lambda block: None)
                pipeline.run()
            self.assertEqual(pool.workers, 3)
            pool.set_workers(1)
            self.assertEqual(pool.workers, 1)
            for workers in (0, 4, -1, 1 << 40):
                with self.assertRaises(workpool.InvalidArgument):
                    pool.set_workers(workers)
            self.assertEqual(pool.workers, 1)
        with self.assertRaises(workpool.InvalidState):
            pool.set_workers(1)

    def test_a_further_worker_works_while_one_blocks(self):
        for extra in (-1, 1025):
            with self.assertRaises(workpool.InvalidArgument):
                workpool.Pool(1, blocking_extra=extra)
        with workpool.Pool(1, blocking_extra=2) as pool:
            self.assertEqual(pool.workers, 1)
            all_three = threading.Barrier(3)
            with workpool.Pipeline(pool) as pipeline:
                pipeline.source([b"x"] * 3)
                pipeline.stage(lambda block: all_three.wait(60) * 0 or None, may_block=True)
                pipeline.sink(lambda block: None)
                pipeline.run()
            workers = pool.worker_statistics()
            self.assertEqual(len(workers), 3)
            self.assertTrue(all(worker.calls > 0 for worker in workers))

    def test_a_thread_is_a_worker_until_its_token_is_cancelled(self):
        with workpool.Pool(2, host_workers=1) as pool:
            token = workpool.Token()
            ends = []
            thread = threading.Thread(target=lambda: ends.append(pool.run_worker(token)))
            with workpool.Pipeline(pool) as pipeline:
                pipeline.source([b"x"] * 2)
                both = threading.Barrier(2)
                met = threading.Event()

                def meet(block):
                    both.wait(60)
                    met.set()

                pipeline.stage(meet)
                thread.start()
                pipeline.start()
                self.assertTrue(met.wait(60))  # before the wait, which would take the seat
                pipeline.wait()
            token.cancel()
            thread.join()
            self.assertEqual(ends, [True])

    def test_pipelines_have_weights_that_may_change(self):
        with workpool.Pool(2) as pool:
            for weight in (0, 1001, -1):
                with self.assertRaises(workpool.InvalidArgument):
                    workpool.Pipeline(pool, weight=weight)
            with workpool.Pipeline(pool, weight=3) as one, workpool.Pipeline(pool) as other:
                self.assertEqual((one.weight, other.weight), (3, 1))
                seen = {one: [], other: []}
                for pipeline in (one, other):
                    pipeline.source([b"x"] * 200)
                    pipeline.sink(lambda block, to=seen[pipeline]: to.append(block.number))
                    pipeline.start()
                other.weight = 1000
                with self.assertRaises(workpool.InvalidArgument):
                    other.weight = 0
                self.assertEqual(other.weight, 1000)
                for pipeline in (one, other):
                    self.assertEqual(pipeline.wait().delivered, 200)
                    self.assertEqual(seen[pipeline], list(range(200)))

    def test_the_library_tells_its_version(self):
        self.assertRegex(workpool.version(), r"^\d+\.\d+\.\d+$")
        self.assertIn(workpool.version(), workpool.build_info())
        self.assertRegex(workpool.build_info(), r" zlib [\d.]+ zstd [\d.]+( (libdeflate|isa-l|pcre2) [\d.]+)*$")


class Tokens(Case):
    def test_a_token_is_cancelled_once_and_for_all(self):
        token = workpool.Token()
        self.assertFalse(token.cancelled)
        self.assertIsNone(token.reason)
        token.cancel()
        token.cancel()
        self.assertTrue(token.cancelled)
        self.assertEqual(token.reason, "user")

    def test_a_child_is_cancelled_with_its_parent_not_the_other_way_round(self):
        parent = workpool.Token()
        child = workpool.Token(parent)
        other = workpool.Token(parent)
        other.cancel()
        self.assertFalse(parent.cancelled)
        parent.cancel()
        self.assertEqual((child.reason, other.reason), ("parent", "user"))

    def test_a_child_keeps_its_parent(self):
        child = workpool.Token(workpool.Token())
        self.assertFalse(child.cancelled)

    def test_a_token_ends_a_run_from_another_thread(self):
        token, gate = workpool.Token(), Gate()
        pipeline = self.pipeline(token=token).source(lambda block: None)
        pipeline.stage(lambda block: gate.pass_through() if block.number == 7 else None)
        pipeline.start()
        gate.wait_for(1)
        thread = threading.Thread(target=token.cancel)
        thread.start()
        thread.join()
        gate.open()
        with self.assertRaises(workpool.Cancelled):
            pipeline.wait()
        self.assertEqual(pipeline.outcome().status, "cancelled")

    def test_a_cancelled_token_lets_nothing_begin(self):
        token = workpool.Token()
        token.cancel()
        called = []
        pipeline = self.pipeline(token=token).source(called.append)
        with self.assertRaises(workpool.Cancelled):
            pipeline.run()
        self.assertEqual(called, [])

    def test_a_callback_sees_that_its_run_is_cancelled(self):
        token = workpool.Token()
        seen = []

        def stage(block):
            seen.append(block.cancelled)
            token.cancel()
            while not block.cancelled:
                pass
            seen.append(block.cancelled)

        with self.assertRaises(workpool.Cancelled):
            self.pipeline(1, token=token).source([b""]).stage(stage).run()
        self.assertEqual(seen, [False, True])


if __name__ == "__main__":
    unittest.main()
