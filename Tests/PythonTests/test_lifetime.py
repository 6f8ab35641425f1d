# SPDX-License-Identifier: MIT
"""Who is kept by whom, and how things end: garbage, fork, the end of the interpreter."""
import gc
import os
import pathlib
import tempfile
import textwrap
import threading
import unittest
import weakref

import workpool
from support import Case, run_script


class Function:
    """A callback that can be watched."""

    def __call__(self, block):
        return None


class Garbage(Case):
    def test_a_pipeline_keeps_its_callbacks_and_nothing_else_does(self):
        function = Function()
        watch = weakref.ref(function)
        pipeline = workpool.Pipeline(self.pool).source([b""] * 10).stage(function)
        del function
        self.assertIsNotNone(watch())
        pipeline.run()
        pipeline.destroy()
        del pipeline
        gc.collect()
        self.assertIsNone(watch())

    def test_a_pipeline_that_its_own_callback_refers_to_is_collected(self):
        def run():
            pipeline = workpool.Pipeline(self.pool)
            pipeline.source([b""] * 10).stage(lambda block: pipeline and None).run()
            return weakref.ref(pipeline)

        watch = run()
        gc.collect()
        self.assertIsNone(watch())

    def test_a_pipeline_nobody_refers_to_is_cancelled(self):
        function = Function()
        watch = weakref.ref(function)
        pipeline = workpool.Pipeline(self.pool).source(lambda block: None).stage(function)
        pipeline.start()
        del function, pipeline
        gc.collect()
        self.assertIsNone(watch())

    def test_a_pipeline_dropped_in_a_callback_ends_later(self):
        dropped = [workpool.Pipeline(self.pool).source(lambda block: None)]
        dropped[0].start()
        watch = weakref.ref(dropped[0])
        # One worker is enough: it must not wait here for what only it can end.
        self.pipeline().source([b""]).stage(lambda block: dropped.clear(), "serial").run()
        gc.collect()
        self.assertIsNone(watch())
        self.pool.close()
        self.assertTrue(self.pool.closed)

    def test_pools_pipelines_and_tokens_can_go_in_any_order(self):
        for order in ("pool pipeline token", "token pool pipeline", "pipeline pool token"):
            things = {"token": workpool.Token(), "pool": workpool.Pool(2)}
            things["pipeline"] = workpool.Pipeline(things["pool"], token=things["token"])
            things["pipeline"].source(lambda block: None)
            things["pipeline"].start()
            watch = weakref.ref(things["pipeline"])
            for name in order.split():
                del things[name]
            gc.collect()
            self.assertIsNone(watch())

    def test_exceptions_do_not_keep_a_pipeline_for_ever(self):
        def fail(block):
            raise LookupError

        pipeline = workpool.Pipeline(self.pool).source([b""]).stage(fail)
        watch = weakref.ref(pipeline)
        with self.assertRaises(LookupError):
            pipeline.run()
        pipeline.destroy()
        del pipeline
        gc.collect()
        self.assertIsNone(watch())

    def test_a_thousand_pipelines_leave_nothing(self):
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(1000):
            with workpool.Pipeline(self.pool, 4) as pipeline:
                pipeline.source([b"data"]).stage(bytes).run()
        del pipeline
        gc.collect()
        self.assertLess(len(gc.get_objects()) - before, 500)

    def test_the_traceback_of_an_error_in_a_worker_leaves_no_thread_behind(self):
        before = threading.active_count()
        with workpool.Pool(4) as pool:
            with self.assertRaises(ZeroDivisionError):
                workpool.Pipeline(pool).source([b""]).stage(lambda block: 1 // 0).run()
        self.assertEqual(threading.active_count(), before)


class Fork(unittest.TestCase):
    SCRIPT = """
        import os, sys, warnings, workpool
        warnings.simplefilter("ignore")
        pool = workpool.Pool(2)
        pipeline = workpool.Pipeline(pool).source(lambda block: None)
        pushed = workpool.Pipeline(pool)
        pipeline.start()
        pushed.start()
        writer = workpool.open_writer(sys.argv[1])
        child = os.fork()
        if child == 0:
            for call in (pipeline.wait, pipeline.start, pipeline.cancel, pipeline.stop,
                         pipeline.statistics, pushed.submit, pushed.close, pushed.flush,
                         workpool.Pipeline(pool).source([b""]).run):
                try:
                    call()
                    print("went through:", call)
                except workpool.Forked as error:
                    assert error.name == "WP_FORKED"
            with workpool.Pool(2) as new, workpool.Pipeline(new) as another:
                seen = [bytes(result) for result in another.source([b"a", b"b"]).results()]
                print("child:", seen, flush=True)
            pushed.destroy()
            pool.close()
            del pipeline, pushed, pool, writer
            {end}
        _, status = os.waitpid(child, 0)
        print("child ended with", os.WEXITSTATUS(status), os.WIFSIGNALED(status))
        pipeline.stop()
        print("parent:", pipeline.wait().status)
        writer.write(b"whole")
        writer.finish()
        """

    def test_in_a_child_everything_inherited_is_refused_and_new_pools_work(self):
        for end in ("os._exit(7)", "sys.exit(7)"):
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "out")
                code, printed, errors = run_script(self.SCRIPT.replace("{end}", end), path)
                self.assertEqual((code, errors), (0, ""))
                self.assertEqual(printed.splitlines(), [
                    "child: [b'a', b'b']", "child ended with 7 False", "parent: stopped"])
                self.assertEqual(path.read_bytes(), b"whole")

    def test_multiprocessing_by_fork_and_by_spawn(self):
        script = """
            import multiprocessing, sys, warnings, workpool
            warnings.simplefilter("ignore")
            def work(count):
                with workpool.Pool(2) as pool, workpool.Pipeline(pool) as pipeline:
                    return pipeline.source([b"x"] * count).run().delivered
            if __name__ == "__main__":
                with workpool.Pool(2):
                    for method in ("fork", "spawn"):
                        with multiprocessing.get_context(method).Pool(2) as processes:
                            print(processes.map(work, [1, 2, 3]))
            """
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "program.py")
            path.write_text(textwrap.dedent(script))
            code, printed, errors = run_script("""
                import subprocess, sys
                sys.exit(subprocess.run([sys.executable, sys.argv[1]]).returncode)
                """, path)
        self.assertEqual((code, printed.splitlines(), errors), (0, ["[1, 2, 3]"] * 2, ""))


class Exit(unittest.TestCase):
    """The interpreter ends while workers run: it neither hangs nor crashes."""

    PROGRAM = """
        import os, sys, threading, workpool
        begun = threading.Event()
        def stage(block):
            if block.number == 50:
                begun.set()
        pool = workpool.Pool(3)
        pipeline = workpool.Pipeline(pool).source(lambda block: b"data").stage(stage)
        """

    def end(self, how, prepare="pipeline.start()"):
        parts = (self.PROGRAM, prepare, "begun.wait()", how)
        return run_script("\n".join(textwrap.dedent(part) for part in parts))

    def test_by_reaching_the_end(self):
        self.assertEqual(self.end(""), (0, "", ""))

    def test_by_sys_exit(self):
        self.assertEqual(self.end("sys.exit(3)"), (3, "", ""))

    def test_by_os_exit(self):
        self.assertEqual(self.end("os._exit(4)"), (4, "", ""))

    def test_by_an_exception(self):
        code, _, errors = self.end("raise LookupError('the end')")
        self.assertEqual((code, errors.splitlines()[-1]), (1, "LookupError: the end"))

    def test_with_a_run_that_a_thread_waits_for(self):
        prepare = """
            def wait():
                try:
                    pipeline.wait()
                except workpool.Cancelled:
                    pass
            pipeline.start()
            threading.Thread(target=wait, daemon=True).start()
            """
        self.assertEqual(self.end("", prepare), (0, "", ""))

    def test_with_results_in_hand(self):
        prepare = "results = pipeline.results(); kept = [next(results) for _ in range(60)]"
        self.assertEqual(self.end("part = kept[-1].data[:1]", prepare), (0, "", ""))

    def test_with_a_writer_that_is_not_finished(self):
        with tempfile.TemporaryDirectory() as folder:
            prepare = f"pipeline.sink(workpool.open_writer({folder + '/out'!r})).start()"
            self.assertEqual(self.end("", prepare), (0, "", ""))
            self.assertEqual([n for n in os.listdir(folder) if not n.endswith(".incompleted")], [])

    def test_many_times(self):
        for _ in range(5):
            self.assertEqual(self.end("del pool"), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
