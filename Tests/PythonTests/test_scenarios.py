# SPDX-License-Identifier: MIT
"""Whole programs, each in an interpreter of its own: forked, ended early, interrupted, failing."""
import gc
import signal
import sys
import textwrap
import traceback
import unittest

import workpool
from support import SECONDS, Case, run_script, start_script

PRELUDE = """
import gc, os, signal, sys, threading, warnings, workpool
warnings.simplefilter("ignore")
def endless(block): return b"x" * 100
def wait_for_threads():
    # A thread that was joined may be seen for a moment.
    while len(os.listdir("/proc/self/task")) > 1: os.sched_yield()
"""


def run(script, *arguments):
    return run_script(PRELUDE + textwrap.dedent(script), *arguments)


class Programs(unittest.TestCase):
    def check(self, script, expected="", code=0):
        """Ends with this code, prints exactly this, and nothing to stderr."""
        ended, printed, errors = run(script)
        self.assertEqual((ended, printed, errors), (code, expected, ""))


class Forked(Programs):
    def test_a_fork_in_the_middle_leaves_the_parent_alone(self):
        self.check("""
            from workpool import Forked
            seen = []
            def sink(block):
                seen.append(block.number)
            def refused(call, *arguments):
                try:
                    call(*arguments)
                except Forked:
                    return True
                return False
            with workpool.Pool(3) as pool, workpool.Pipeline(pool, 8) as pipeline:
                pipeline.stage(lambda block: bytes(block).upper()).sink(sink)
                pipeline.start()
                children = []
                for number in range(300):
                    pipeline.submit(b"data" * 20_000)
                    if number % 100 == 50:
                        child = os.fork()
                        if not child:
                            calls = [(pipeline.submit, b""), (pipeline.flush,), (pipeline.close,),
                                     (pipeline.wait,), (pipeline.stop,), (pipeline.cancel,),
                                     (pipeline.start,), (pipeline.statistics,)]
                            sys.exit(0 if all(refused(*call) for call in calls) else 1)
                        children.append(child)
                pipeline.close()
                print(pipeline.wait().delivered, seen == list(range(300)))
                print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
            """, "300 True\n[0, 0, 0]\n")

    def test_a_child_may_end_by_reaching_the_end(self):
        self.check("""
            pool = workpool.Pool(3)
            pipeline = workpool.Pipeline(pool, 8).source(endless).stage(bytes)
            pipeline.start()
            pushed = workpool.Pipeline(pool)
            pushed.start(results=True)
            pushed.submit(b"1")
            results = pushed.results()
            first = next(results)
            child = os.fork()
            if child:
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            else:
                own = workpool.Pool(2)
                other = workpool.Pipeline(own).source(endless)
                other.start()
                del first
            """, "0\n")

    def test_a_callback_forks(self):
        self.check("""
            codes = []
            def stage(block):
                if block.number % 10 == 5:
                    child = os.fork()
                    if not child:
                        try:
                            pipeline.statistics()
                            os._exit(1)
                        except workpool.Forked:
                            os._exit(7)
                    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            with workpool.Pool(3) as pool, workpool.Pipeline(pool) as pipeline:
                pipeline.source([b""] * 30).stage(stage)
                print(pipeline.run().delivered, codes)
            """, "30 [7, 7, 7]\n")

    def test_processes_run_pipelines_while_the_parent_does(self):
        self.check("""
            import multiprocessing
            def work(count):
                with workpool.Pool(2) as pool, workpool.Pipeline(pool) as pipeline:
                    return pipeline.source([b"x"] * count).stage(bytes).run().delivered
            with workpool.Pool(2) as pool, workpool.Pipeline(pool) as pipeline:
                pipeline.source(endless).stage(bytes)
                pipeline.start()
                with multiprocessing.get_context("fork").Pool(2) as processes:
                    print(processes.map(work, range(6)))
                pipeline.stop()
                print(pipeline.wait().status)
            """, "[0, 1, 2, 3, 4, 5]\nstopped\n")


class Ended(Programs):
    """What is left open when a program ends keeps it neither from ending nor from being quiet."""

    def test_with_everything_open(self):
        self.check("""
            pool = workpool.Pool(4)
            token = workpool.Token()
            running = workpool.Pipeline(pool, token=token).source(endless).stage(bytes)
            running.start()
            pushed = workpool.Pipeline(pool)
            pushed.start()
            pushed.submit(b"y" * 100_000)
            pulled = workpool.Pipeline(pool, 4).source(endless)
            results = pulled.results()
            held = [next(results), next(results)]
            built = workpool.Pipeline(pool).source(endless)
            """)

    def test_by_an_exit_in_a_callback_that_is_waited_for(self):
        self.check("""
            def stage(block):
                if block.number == 20:
                    sys.exit(5)
            pipeline = workpool.Pipeline(workpool.Pool(3)).source(endless).stage(stage)
            pipeline.run()
            """, code=5)

    def test_by_os_exit_in_a_callback(self):
        self.check("""
            pipeline = workpool.Pipeline(workpool.Pool(3)).source(endless)
            pipeline.stage(lambda block: os._exit(6) if block.number == 20 else None)
            pipeline.run()
            """, code=6)

    def test_by_an_end_while_callbacks_sleep_in_python(self):
        self.check("""
            import time
            begun = threading.Event()
            def stage(block):
                begun.set()
                time.sleep(0.01)
            pipeline = workpool.Pipeline(workpool.Pool(8)).source(endless).stage(stage)
            pipeline.start()
            begun.wait()
            """)

    def test_with_a_callback_that_never_ends(self):
        for loop in ("threading.Event().wait()", "while True: pass"):
            self.check(f"""
                workpool._pool._PATIENCE = 0.1
                begun = threading.Event()
                def stage(block):
                    begun.set()
                    {loop}
                pool = workpool.Pool(2)
                pipeline = workpool.Pipeline(pool).source(endless).stage(stage)
                pipeline.start()
                begun.wait()
                """)

    def test_with_a_thread_that_goes_on_using_a_pool(self):
        self.check("""
            pool = workpool.Pool(2)
            begun = threading.Event()
            def work():
                for _ in range(50):
                    workpool.Pipeline(pool).source([b"x"] * 20).stage(bytes).run()
                    begun.set()
                print("done", flush=True)
            threading.Thread(target=work).start()
            begun.wait()
            """, "done\n")

    def test_with_threads_that_wait_in_every_call(self):
        self.check("""
            pool = workpool.Pool(2)
            gate = threading.Event()
            running = workpool.Pipeline(pool).source(endless)
            running.start()
            full = workpool.Pipeline(pool, 1).stage(lambda block: gate.wait() and None)
            full.start()
            full.submit()
            empty = workpool.Pipeline(pool)
            empty.start(results=True)
            ready = threading.Barrier(5)
            def wait(call, *arguments):
                ready.wait()
                try:
                    call(*arguments)
                except workpool.WorkpoolError:
                    pass
            for call in ((running.wait,), (full.submit,), (full.flush,), (next, empty.results())):
                threading.Thread(target=wait, args=call, daemon=True).start()
            ready.wait()
            gate.set()
            """)

    def test_in_any_order_of_what_goes(self):
        self.check("""
            import itertools
            for order in itertools.permutations(("pool", "pipeline", "token", "results", "held")):
                things = {"pool": workpool.Pool(2), "token": workpool.Token()}
                things["pipeline"] = workpool.Pipeline(things["pool"], 4, token=things["token"])
                things["pipeline"].source(endless).stage(bytes)
                things["results"] = things["pipeline"].results()
                things["held"] = next(things["results"]).data[:3]
                for name in order:
                    del things[name]
                gc.collect()
            wait_for_threads()
            print(threading.active_count(), workpool._handles._left_over)
            """, "1 []\n")


class Interrupted(unittest.TestCase):
    """SIGINT while the main thread waits in each call that may wait."""

    CALLS = {  # what comes before, the call
        "run": ("pipeline.source(endless).stage(tell)", "pipeline.run()"),
        "wait": ("pipeline.source(endless).stage(tell).start()", "pipeline.wait()"),
        "submit": ("pipeline.stage(tell).start(); pipeline.submit(); pipeline.submit()",
                   "pipeline.submit(b'x' * 100_000)"),
        "numbered": ("pipeline.stage(tell).start(); pipeline.submit(number=1)",
                     "pipeline.submit(b'x' * 100_000, number=1000)"),
        "skip": ("pipeline.stage(tell).start(); pipeline.submit(number=1)", "pipeline.skip(1000)"),
        "results": ("pipeline.stage(tell).start(results=True); pipeline.submit()",
                    "list(pipeline.results())"),
        "flush": ("pipeline.stage(tell).start(); pipeline.submit()", "pipeline.flush()"),
        "serial": ("pipeline = workpool.Pipeline(None, serial=True).source(endless).stage(tell)",
                   "pipeline.run()"),
    }

    def test_every_wait_is_left_and_the_pipeline_cleaned(self):
        for name, (before, call) in self.CALLS.items():
            with self.subTest(name):
                child = start_script(PRELUDE + textwrap.dedent(f"""
                    signal.signal(signal.SIGINT, signal.default_int_handler)
                    about, told = threading.Event(), []
                    def tell(block):
                        about.wait()
                        if not told:
                            told.append(block.number)
                            print("ready", flush=True)
                        while not block.cancelled: pass
                    def main():
                        with workpool.Pool(2) as pool, workpool.Pipeline(pool, 2) as pipeline:
                            {before}
                            about.set()
                            {call}
                    try:
                        main()
                    except KeyboardInterrupt:
                        print("interrupted", flush=True)
                    gc.collect()
                    wait_for_threads()
                    print(workpool._handles._left_over)
                    """))
                with child:
                    self.assertEqual(child.stdout.readline(), "ready\n")
                    child.send_signal(signal.SIGINT)
                    printed, errors = child.communicate(timeout=SECONDS)
                self.assertEqual((printed, errors), ("interrupted\n[]\n", ""))


class Answers(Case):
    """An interrupt that comes together with the library's answer loses nothing."""

    def interrupt_after(self, name):
        """The next wait in slices gives KeyboardInterrupt instead of the answer it got."""
        from workpool import _pipeline

        original = getattr(_pipeline, name)

        def interrupted(*arguments):
            setattr(_pipeline, name, original)
            original(*arguments)
            raise KeyboardInterrupt

        setattr(_pipeline, name, interrupted)
        self.addCleanup(setattr, _pipeline, name, original)

    def test_a_payload_that_was_accepted_stays_lent(self):
        seen = []
        pipeline = self.pipeline(4).sink(lambda block: seen.append(bytes(block)))
        pipeline.start()
        data = bytearray(b"x" * 100_000)
        self.interrupt_after("sliced")
        with self.assertRaises(KeyboardInterrupt):
            pipeline.submit(data)
        pipeline.close()
        pipeline.wait()
        self.assertEqual(seen, [bytes(data)])
        data.clear()  # nobody uses it any more

    def test_a_payload_that_was_refused_comes_back_with_the_pipeline(self):
        pipeline = self.pipeline(4)
        pipeline.start()
        pipeline.stop()
        pipeline.wait()
        data = bytearray(b"x" * 100_000)
        self.interrupt_after("sliced")
        with self.assertRaises(KeyboardInterrupt):
            pipeline.submit(data)
        pipeline.destroy()
        self.doCleanups()
        del pipeline
        gc.collect()
        data.clear()

    def test_what_was_made_is_destroyed(self):
        from workpool._handles import Handle
        from workpool._library import lib

        destroyed = []

        def create(*arguments):
            lib.wp_token_create(*arguments)
            raise KeyboardInterrupt

        def destroy(pointer):
            destroyed.append(pointer)
            return lib.wp_token_destroy(pointer)

        with self.assertRaises(KeyboardInterrupt):
            Handle(create, (None,), destroy)
        gc.collect()
        self.assertEqual([bool(pointer) for pointer in destroyed], [True])
        with self.assertRaises(workpool.InvalidArgument):
            Handle(lib.wp_pool_create, (workpool._library.wp_pool_options(workers=5000),), destroy)
        self.assertEqual(len(destroyed), 1)

    def test_a_result_that_was_read_is_given_back(self):
        pipeline = self.pipeline(2).source([b"x"] * 10)
        results = pipeline.results()
        next(results)
        self.interrupt_after("sliced")
        with self.assertRaises(KeyboardInterrupt):
            next(results)
        self.assertFalse(pipeline.running)
        del results
        pipeline.destroy()
        self.pool.close()
        self.assertEqual(workpool._handles._left_over, [])


class Raised(Case):
    """The exception itself, with its traceback, of the lowest failing block."""

    def fail_from(self, first):
        def raise_here(block):
            if block.number >= first:
                raise LookupError(block.number)

        return raise_here

    def check(self, build, number):
        for workers in (1, 2, 8):
            with workpool.Pool(workers) as pool:
                for options in ({}, {"serial": True}):
                    pipeline = workpool.Pipeline(pool, 8, **options)
                    build(pipeline)
                    try:
                        pipeline.run()
                        self.fail("nothing was raised")
                    except LookupError as error:
                        self.assertEqual(error.args, (number,))
                        frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
                        if sys.version_info >= (3, 11):
                            self.assertIn(f"block {number}", error.__notes__[0])
                    self.assertEqual(frames[-1], "raise_here")
                    self.assertEqual(pipeline.outcome().number, number)
                    pipeline.destroy()

    def test_by_a_source(self):
        self.check(lambda pipeline: pipeline.source(self.fail_from(7)), 7)

    def test_by_a_generator(self):
        def generate():
            def raise_here():
                raise LookupError(4)

            yield from [b""] * 4
            raise_here()

        self.check(lambda pipeline: pipeline.source(generate()), 4)

    def test_by_a_stage_of_each_kind(self):
        for kind in ("parallel", "serial", "serial_any_order"):
            def build(pipeline, kind=kind):
                pipeline.source([b""] * 100).stage(bytes).stage(self.fail_from(20), kind)
                pipeline.stage(self.fail_from(50))

            self.check(build, 20)

    def test_by_a_sink(self):
        self.check(
            lambda pipeline: pipeline.source([b""] * 100).stage(bytes).sink(self.fail_from(30)), 30)

    def test_by_the_later_stage_if_its_block_is_lower(self):
        def build(pipeline):
            pipeline.source([b""] * 100).stage(self.fail_from(21)).stage(self.fail_from(20))

        self.check(build, 20)


class ThreadStates(unittest.TestCase):
    def test_a_worker_has_one_thread_state_for_its_life(self):
        """What is local to a thread stays: a new state for each call would lose it."""
        code, printed, errors = run("""
            local, firsts = threading.local(), []
            def stage(block):
                if not hasattr(local, "calls"):
                    firsts.append(threading.get_ident())
                    local.calls = 0
                local.calls += 1
            with workpool.Pool(3) as pool:
                for _ in range(5):
                    workpool.Pipeline(pool).source([b""] * 200).stage(stage).run()
            print(len(firsts) == len(set(firsts)), len(firsts) <= 3)
            """)
        self.assertEqual((code, printed, errors), (0, "True True\n", ""))


if __name__ == "__main__":
    unittest.main()
