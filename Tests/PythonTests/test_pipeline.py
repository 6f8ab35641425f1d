# SPDX-License-Identifier: MIT
import json
import threading
import unittest

import workpool
from support import Case, Gate
from workpool import DROP, END, STOP, STOP_DROP


def numbers(count):
    return [b"%d" % number for number in range(count)]


class Order(Case):
    def test_the_sink_sees_blocks_in_input_order(self):
        for limit in (1, 2, 3, 100):
            seen = []
            pipeline = self.pipeline(limit).source(numbers(300))
            pipeline.stage(lambda block: b"<%b>" % bytes(block))
            pipeline.sink(lambda block: seen.append(bytes(block)))
            outcome = pipeline.run()
            self.assertEqual(seen, [b"<%d>" % number for number in range(300)])
            self.assertEqual((outcome.status, outcome.delivered), ("ok", 300))

    def test_a_later_block_that_is_ready_first_waits(self):
        gate, seen = Gate(), []

        def stage(block):
            if block.number == 0:
                gate.pass_through()
            else:
                gate.open()

        self.pipeline().source(numbers(2)).stage(stage).sink(lambda b: seen.append(b.number)).run()
        self.assertEqual(seen, [0, 1])

    def test_a_serial_stage_is_called_for_one_block_after_the_other(self):
        seen, busy = [], threading.Lock()

        def stage(block):
            self.assertTrue(busy.acquire(blocking=False))
            seen.append(block.number)
            busy.release()

        self.pipeline().source(numbers(500)).stage(lambda b: None).stage(stage, "serial").run()
        self.assertEqual(seen, list(range(500)))

    def test_serial_any_order_is_one_at_a_time(self):
        seen, busy = [], threading.Lock()

        def stage(block):
            self.assertTrue(busy.acquire(blocking=False))
            seen.append(block.number)
            busy.release()

        self.pipeline().source(numbers(500)).stage(stage, "serial_any_order").run()
        self.assertEqual(sorted(seen), list(range(500)))

    def test_a_parallel_stage_runs_on_all_workers_at_once(self):
        barrier = threading.Barrier(self.workers, timeout=60)

        def stage(block):
            barrier.wait()

        self.pipeline().source(numbers(self.workers)).stage(stage).run()

    def test_max_concurrency_limits_a_parallel_stage(self):
        lock, inside, most = threading.Lock(), [0], [0]

        def stage(block):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with lock:
                inside[0] -= 1

        self.pipeline().source(numbers(500)).stage(stage, max_concurrency=2).run()
        self.assertLessEqual(most[0], 2)

    def test_no_more_blocks_exist_than_the_limit_allows(self):
        gate, begun = Gate(), []
        pipeline = self.pipeline(4).source(lambda block: begun.append(1))
        pipeline.stage(lambda block: None)
        pipeline.sink(lambda block: gate.pass_through() if block.number == 0 else STOP)
        pipeline.start()
        gate.wait_for(1)
        # The head is stuck: the source is called until the limit is reached, and never again.
        while pipeline.statistics().in_flight < 4:
            pass
        self.assertEqual(pipeline.statistics().in_flight, 4)
        gate.open()
        pipeline.wait()
        self.assertEqual(pipeline.statistics().in_flight_max, 4)

    def test_serial_reference_and_workers_agree(self):
        def outcome(**options):
            seen = []
            pipeline = workpool.Pipeline(None if options else self.pool, **options)
            pipeline.source(numbers(50))
            pipeline.stage(lambda b: DROP if b.number % 7 == 3 else bytes(b) * 2)
            pipeline.stage(lambda b: STOP if b.number == 40 else None)
            pipeline.sink(lambda b: seen.append(bytes(b)))
            result = pipeline.run()
            pipeline.destroy()
            # How many were begun behind the stop is not promised.
            return seen, result._replace(cut=0, dropped=0)

        self.assertEqual(outcome(), outcome(serial=True))


class Sources(Case):
    def test_a_pipeline_without_stages_or_blocks_is_fine(self):
        self.assertEqual(self.pipeline().source([]).run().delivered, 0)
        self.assertEqual(self.pipeline().source(numbers(3)).run().delivered, 3)

    def test_a_generator_is_a_source(self):
        def generate():
            for number in range(5):
                yield bytearray([number])

        results = [bytes(r) for r in self.pipeline().source(generate()).results()]
        self.assertEqual(results, [bytes([number]) for number in range(5)])

    def test_a_callback_is_a_source(self):
        def source(block):
            if block.number == 3:
                return END
            if block.number == 1:
                return b"returned"
            room = block.reserve(100)
            room[:6] = b"filled"
            block.size = 6

        results = [bytes(r) for r in self.pipeline().source(source).results()]
        self.assertEqual(results, [b"filled", b"returned", b"filled"])

    def test_any_bytes_like_object_is_a_payload(self):
        import array

        items = [b"a", bytearray(b"b"), memoryview(b"xcx")[1:2], array.array("H", [0x6464]), b""]
        results = [bytes(r) for r in self.pipeline().source(items).results()]
        self.assertEqual(results, [b"a", b"b", b"c", b"dd", b""])

    def test_what_is_no_payload_is_a_type_error(self):
        for items in (["text"], [5], [object()]):
            with self.assertRaisesRegex(TypeError, "bytes-like object"):
                self.pipeline().source(items).run()
        with self.assertRaises(TypeError):
            self.pipeline().source(5)

    def test_an_answer_that_is_none_is_a_type_error(self):
        with self.assertRaisesRegex(TypeError, "returns None, a bytes-like .*not int"):
            self.pipeline().source([b""]).stage(lambda block: 0).run()

    def test_a_pipeline_runs_again(self):
        pipeline = self.pipeline().source(numbers(10)).stage(lambda block: None)
        for _ in range(3):
            self.assertEqual(pipeline.run().delivered, 10)
            self.assertEqual(pipeline.statistics().stages[1].calls, 10)


class Ends(Case):
    def test_dropped_blocks_leave_without_a_trace_in_the_order(self):
        seen = []
        pipeline = self.pipeline().source(numbers(100))
        pipeline.stage(lambda block: DROP if block.number % 3 else None)
        pipeline.sink(lambda block: seen.append(block.number))
        outcome = pipeline.run()
        self.assertEqual(seen, list(range(0, 100, 3)))
        self.assertEqual((outcome.delivered, outcome.dropped), (34, 66))

    def test_a_stop_delivers_exactly_what_comes_before(self):
        for answer, last in ((STOP, 137), (STOP_DROP, 136)):
            seen = []
            pipeline = self.pipeline(16).source(lambda block: None).stage(lambda block: None)
            pipeline.stage(lambda block: answer if block.number == 137 else None, "serial")
            pipeline.sink(lambda block: seen.append(block.number))
            outcome = pipeline.run()
            self.assertEqual(seen, list(range(last + 1)))
            self.assertEqual((outcome.status, outcome.number, outcome.stage), ("stopped", 137, 2))
            self.assertLessEqual(pipeline.statistics().stages[0].calls, 137 + 16 + 1)

    def test_a_stage_that_sees_all_is_not_cut_by_a_later_stop(self):
        seen = []
        pipeline = self.pipeline().source(numbers(1000))
        pipeline.stage(lambda block: seen.append(block.number), "serial", see_all=True)
        pipeline.stage(lambda block: STOP if block.number == 9 else None)
        self.assertEqual(pipeline.run().delivered, 10)
        self.assertEqual(len(seen), 1000)

    def test_the_host_stops_a_run(self):
        gate, seen = Gate(), []
        pipeline = self.pipeline(4).source(lambda block: None)
        pipeline.sink(lambda block: (gate.pass_through(), seen.append(block.number)))
        pipeline.start()
        gate.wait_for(1)
        pipeline.stop()
        gate.open()
        self.assertEqual(pipeline.wait().status, "stopped")
        self.assertEqual(seen, list(range(len(seen))))

    def test_a_callback_stops_and_cancels_its_own_run(self):
        pipeline = self.pipeline()
        pipeline.source(lambda block: None)
        pipeline.stage(lambda block: pipeline.stop() if block.number == 5 else None)
        self.assertEqual(pipeline.run().status, "stopped")
        pipeline = self.pipeline()
        pipeline.source(lambda block: None)
        pipeline.stage(lambda block: pipeline.cancel() if block.number == 5 else None)
        with self.assertRaises(workpool.Cancelled):
            pipeline.run()

    def test_a_callback_cannot_wait_for_itself_or_destroy_itself(self):
        caught = []

        def stage(block):
            for call in (pipeline.wait, pipeline.destroy, self.pool.close):
                try:
                    call()
                except workpool.WorkpoolError as error:
                    caught.append(error.name)

        pipeline = self.pipeline()
        pipeline.source([b""]).stage(stage).run()
        self.assertEqual(caught, ["WP_WOULD_DEADLOCK", "WP_BUSY", "WP_BUSY"])

    def test_leaving_the_block_waits_for_the_end(self):
        seen = []
        with self.pipeline() as pipeline:
            pipeline.source(numbers(100)).sink(lambda block: seen.append(block.number)).start()
        self.assertEqual(len(seen), 100)
        pipeline.destroy()
        pipeline.destroy()

    def test_leaving_the_block_by_an_exception_cancels(self):
        with self.assertRaises(ZeroDivisionError):
            with self.pipeline() as pipeline:
                pipeline.source(lambda block: None).start()
                raise ZeroDivisionError
        self.assertFalse(pipeline.running)

    def test_a_failure_that_nobody_waited_for_is_raised_when_the_block_is_left(self):
        with self.assertRaises(ZeroDivisionError):
            with self.pipeline() as pipeline:
                pipeline.source(numbers(3)).stage(lambda block: 1 // 0).start()


class Looking(Case):
    def test_statistics_count_calls_bytes_and_names(self):
        pipeline = self.pipeline(7).source(numbers(10), name="in")
        pipeline.stage(lambda b: DROP if b.number == 4 else b"xx", "serial", name="double")
        pipeline.sink(lambda block: None)
        pipeline.run()
        whole = pipeline.statistics()
        self.assertEqual([s.name for s in whole.stages], ["in", "double", "sink"])
        self.assertEqual([s.kind for s in whole.stages], ["serial"] * 3)
        double = whole.stages[1]
        self.assertEqual((double.calls, double.blocks_dropped, double.bytes_in), (10, 1, 10))
        self.assertEqual(whole.stages[2].bytes_in, 18)
        self.assertEqual((whole.blocks_in, whole.blocks_out, whole.in_flight, whole.limit),
                         (10, 9, 0, 7))
        self.assertGreater(whole.wall_ns, 0)

    def test_a_timeline_is_json_and_shows_every_call_and_no_overlap(self):
        pipeline = workpool.Pipeline(self.pool, 7, timeline_events=1000)
        pipeline.source(numbers(50), name='a "source"')
        pipeline.stage(lambda block: DROP if block.number == 7 else b"xyz", name="work")
        pipeline.sink(lambda block: STOP if block.number == 40 else None)
        self.assertEqual(pipeline.run().status, "stopped")
        timeline = json.loads(pipeline.timeline())
        events = timeline["traceEvents"]
        calls = [e for e in events if e["ph"] == "X"]
        stages = pipeline.statistics().stages
        for index, stage in enumerate(stages):
            own = [e for e in calls if e["args"]["stage"] == index]
            self.assertEqual(len(own), stage.calls)
            self.assertEqual({e["name"] for e in own}, {stage.name})
            blocks = [e["args"]["block"] for e in own]
            self.assertEqual(len(set(blocks)), len(blocks))
        self.assertEqual(timeline["otherData"]["events_lost"], 0)
        ends = {}
        for event in calls:
            self.assertGreaterEqual(event["ts"] + 1e-6, ends.get(event["tid"], 0))
            ends[event["tid"]] = event["ts"] + event["dur"]
        dropped = [e for e in calls if e["name"] == "work" and e["args"]["block"] == 7]
        self.assertEqual([e["args"]["status"] for e in dropped], [1])
        self.assertEqual({e["args"]["bytes"] for e in calls if e["name"] == "sink"}, {3})
        counters = {e["name"] for e in events if e["ph"] == "C"}
        self.assertEqual(counters, {"in flight", "ready", "parked"})
        self.assertLessEqual(max(e["args"]["blocks"] for e in events if e["ph"] == "C"), 8)
        stops = [e for e in events if e["ph"] == "i"]
        self.assertEqual([(e["name"], e["args"]["block"]) for e in stops], [("stop", 40)])
        names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
        self.assertEqual(names[0], "worker 0")
        self.assertLessEqual(set(ends), set(names))
        self.assertEqual(len({e["pid"] for e in events}), 1)

    def test_a_timeline_keeps_the_last_events_and_says_how_many_are_lost(self):
        pipeline = workpool.Pipeline(self.pool, timeline_events=10)
        pipeline.source(numbers(500)).run()
        timeline = json.loads(pipeline.timeline())
        shown = [e for e in timeline["traceEvents"] if e["ph"] == "X"]
        lost = timeline["otherData"]["events_lost"]
        self.assertEqual(len(shown) + lost, 501)
        self.assertEqual(pipeline.statistics().timeline_events_lost, lost)
        self.assertEqual(max(e["args"]["block"] for e in shown), 500)
        without = self.pipeline().source(numbers(1))
        without.run()
        with self.assertRaises(workpool.InvalidState):
            without.timeline()
        with self.assertRaises(workpool.InvalidArgument):
            workpool.Pipeline(self.pool, timeline_events=-1)

    def test_times_of_workers_add_up(self):
        pipeline = self.pipeline().source(numbers(300)).stage(lambda block: None)
        pipeline.run()
        workers = self.pool.worker_statistics()
        self.assertEqual(len(workers), self.pool.workers)
        for worker in workers:
            parts = worker.busy_ns + worker.blocked_ns + worker.engine_ns + worker.idle_ns
            self.assertAlmostEqual(parts, worker.wall_ns, delta=worker.wall_ns * 0.02)
            self.assertFalse(worker.is_host_thread)
        self.assertGreaterEqual(sum(worker.calls for worker in workers), 601)

    def test_times_of_all_calls_are_taken_where_asked_for(self):
        for level, timed in (("times", 100), ("off", 0)):
            pipeline = workpool.Pipeline(self.pool, 7, statistics=level)
            pipeline.source(numbers(100)).stage(lambda block: None).run()
            whole = pipeline.statistics()
            stage = whole.stages[1]
            self.assertEqual((stage.calls, stage.timed_calls), (100, timed))
            self.assertEqual(stage.busy_ns > 0, timed > 0)
            self.assertLessEqual(stage.call_min_ns, stage.call_p50_ns)
            self.assertLessEqual(stage.call_p50_ns, stage.call_p99_ns)
            self.assertLessEqual(stage.call_p99_ns, stage.call_max_ns)
            self.assertEqual(whole.bottleneck_stage is None, timed == 0)
            self.assertEqual(whole.carried + whole.handed_over, 200)
            self.assertEqual(whole.bytes_in, whole.bytes_out)
            pipeline.destroy()
        with self.assertRaises(workpool.InvalidArgument):
            workpool.Pipeline(self.pool, statistics="all")

    def test_progress_is_called_on_the_waiting_thread(self):
        gate, seen = Gate(), []

        def progress(statistics):
            seen.append((threading.get_ident(), statistics.blocks_out))
            gate.open()  # the run cannot end before the first call

        pipeline = self.pipeline().source([b""] * 5).stage(lambda block: gate.pass_through())
        pipeline.run(progress)
        self.assertGreaterEqual(len(seen), 2)
        self.assertEqual({ident for ident, _ in seen}, {threading.get_ident()})
        self.assertEqual(seen[-1][1], 5)

    def test_what_progress_raises_ends_the_run(self):
        def progress(statistics):
            raise LookupError("enough")

        pipeline = self.pipeline().source(lambda block: None)
        with self.assertRaisesRegex(LookupError, "enough"):
            pipeline.run(progress)
        self.assertFalse(pipeline.running)

    def test_nothing_can_be_asked_before_the_start(self):
        pipeline = self.pipeline()
        for call in (pipeline.wait, pipeline.statistics, pipeline.outcome, pipeline.cancel,
                     pipeline.stop, pipeline.flush, lambda: pipeline.errors, pipeline.submit):
            with self.assertRaisesRegex(workpool.InvalidState, "not started"):
                call()
        pipeline.close()

    def test_representations_tell_the_state(self):
        pipeline = self.pipeline().source([b""]).stage(lambda block: seen.append(repr(block)))
        seen = []
        self.assertIn("1 stages, not running", repr(pipeline))
        pipeline.run()
        self.assertEqual(seen, ["<workpool.Block 0>"])


class Building(Case):
    def test_wrong_arguments_are_refused_at_once(self):
        for limit in (0, -1, 65_537):
            with self.assertRaisesRegex(workpool.InvalidArgument, "limit must be"):
                workpool.Pipeline(self.pool, limit)
        with self.assertRaisesRegex(workpool.InvalidArgument, "needs a pool"):
            workpool.Pipeline(None)
        pipeline = self.pipeline()
        with self.assertRaisesRegex(workpool.InvalidArgument, "kind must be one of parallel"):
            pipeline.stage(print, "sideways")
        with self.assertRaisesRegex(workpool.InvalidArgument, "limit for parallel stages"):
            pipeline.stage(print, "serial", max_concurrency=2)
        with self.assertRaisesRegex(TypeError, "a stage is a callable, not int"):
            pipeline.stage(5)
        with self.assertRaisesRegex(TypeError, "a stage is a callable, not bytes"):
            pipeline.sink(b"")

    def test_a_pipeline_has_one_source_one_sink_and_is_fixed_by_its_start(self):
        pipeline = self.pipeline().source([b""])
        with self.assertRaisesRegex(workpool.InvalidState, "a source already"):
            pipeline.source([b""])
        pipeline.sink(lambda block: None)
        with self.assertRaisesRegex(workpool.InvalidState, "a sink already"):
            pipeline.sink(lambda block: None)
        with self.assertRaisesRegex(workpool.InvalidState, "the sink is the last stage"):
            pipeline.stage(lambda block: None)
        with self.assertRaisesRegex(workpool.InvalidState, "has no results"):
            pipeline.start(results=True)
        pipeline.run()
        with self.assertRaisesRegex(workpool.InvalidState, "after its start"):
            pipeline.stage(lambda block: None)
        pipeline.destroy()
        with self.assertRaisesRegex(workpool.InvalidState, "was destroyed"):
            pipeline.start()

    def test_too_many_stages_are_refused(self):
        pipeline = self.pipeline().source([b""])
        for _ in range(63):
            pipeline.stage(lambda block: None)
        with self.assertRaisesRegex(workpool.InvalidArgument, "at most 62 stages"):
            pipeline.run()

    def test_a_running_pipeline_cannot_start(self):
        pipeline = self.pipeline().source(lambda block: None)
        pipeline.start()
        with self.assertRaisesRegex(workpool.InvalidState, "is running"):
            pipeline.start()


if __name__ == "__main__":
    unittest.main()
