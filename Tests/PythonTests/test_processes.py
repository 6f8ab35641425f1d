# SPDX-License-Identifier: MIT
"""Jobs in worker processes, batches as jobs, events in other words."""
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

import workpool
from workpool import Batch, JobPool


def add(a, b=0):
    return a + b


def where(_number):
    return os.getpid()


def fail(text):
    raise LookupError(text)


class Odd(Exception):
    """Cannot be made again from what it was pickled to."""

    def __init__(self, a, b):
        super().__init__(a)


def fail_oddly():
    raise Odd(1, 2)


def die(path, times):
    """Takes its process down, the first ``times`` times."""
    with open(path, "a") as marks:
        marks.write("x")
    if os.path.getsize(path) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def stay(path):
    with open(path, "w") as told:
        told.write(str(os.getpid()))
    while True:
        time.sleep(1000)


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


class Processes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "marks")

    def test_functions_run_in_a_few_other_processes_and_none_is_left(self):
        with JobPool(2, executor_type="process") as jobs:
            made = [jobs.submit_job(where, n) for n in range(10)]
            workers = {job.result() for job in made}
            self.assertEqual(jobs.submit_job(add, 2, kwargs={"b": 3}).result(), 5)
        self.assertNotIn(os.getpid(), workers)
        self.assertLessEqual(len(workers), 2)
        self.assertFalse([worker for worker in workers if is_there(worker)])

    def test_what_cannot_be_sent_is_a_type_error_at_submit(self):
        with JobPool(1, executor_type="process") as jobs:
            for fn, args in ((lambda: 1, ()), (self.setUp, ()), (add, (lambda: 1,))):
                with self.assertRaises(TypeError):
                    jobs.submit_job(fn, *args)
            self.assertEqual(jobs.get_status()["total_processed"], 0)

    def test_exceptions_come_back(self):
        with JobPool(1, executor_type="process") as jobs:
            with self.assertRaisesRegex(LookupError, "no net") as raised:
                jobs.submit_job(fail, "no net").result()
            self.assertIn("in fail", str(raised.exception.__cause__))
            with self.assertRaisesRegex(RuntimeError, "Odd"):
                jobs.submit_job(fail_oddly).result()
            self.assertEqual(jobs.submit_job(add, 1).result(), 1)

    def test_a_job_that_loses_its_worker_runs_again_but_not_for_ever(self):
        with JobPool(1, executor_type="process") as jobs:
            self.assertEqual(jobs.submit_job(die, self.path, 2).result(), "alive")
            with self.assertRaisesRegex(workpool.WorkerLost, "3 workers lost: SIGKILL, SIGKILL"):
                jobs.submit_job(die, self.path, 1000).result()
            self.assertEqual(jobs.get_metrics()["crashes"], 2 + 3)
            self.assertEqual(jobs.submit_job(add, 1).result(), 1)

    def test_a_time_limit_and_a_cancel_end_the_process(self):
        with JobPool(1, executor_type="process", grace=20) as jobs:
            late = jobs.submit_job(stay, self.path, timeout=2)
            self.assertTrue(late.wait(60))
            self.assertEqual(late.state, "TIMEOUT")
            if os.path.exists(self.path):  # it had come so far
                with open(self.path) as told:
                    self.assertFalse(is_there(int(told.read())))
                os.unlink(self.path)
            os.mkfifo(self.path)
            endless = jobs.submit_job(stay, self.path)
            with open(self.path) as told:
                process = int(told.read())
            self.assertTrue(endless.cancel())
            self.assertTrue(endless.wait(60))
            self.assertEqual(endless.state, "CANCELLED")
            self.assertFalse(is_there(process))

    def test_functions_of_the_program_itself(self):
        program = os.path.join(self.folder.name, "program.py")
        with open(program, "w") as text:
            text.write(textwrap.dedent("""
                import os, workpool
                class Point:
                    def __init__(self, x): self.x = x
                def double(point): return Point(2 * point.x)
                if __name__ == "__main__":
                    with workpool.JobPool(2, executor_type="process") as jobs:
                        print(jobs.submit_job(double, Point(4)).result().x)
            """))
        done = subprocess.run(
            [sys.executable, program], capture_output=True, text=True, timeout=60
        )
        self.assertEqual((done.stdout, done.stderr), ("8\n", ""))


WORKER = "import workpool; workpool.worker_main(lambda n: 1 / (n - 3) if n < 10 else n)"


class BatchJobs(unittest.TestCase):
    def setUp(self):
        self.batch = Batch([sys.executable, "-c", WORKER], workers=1, batch_size=5, log="/dev/null")

    def test_a_batch_is_a_job_whose_result_is_a_list(self):
        with JobPool(1) as jobs:
            kinds = []
            jobs.subscribe(lambda event: kinds.append(event.kind))
            old = []
            jobs.subscribe(lambda event: old.append(event.kind), names="modules")
            first = jobs.submit_job(add, 1)
            job = jobs.submit_batch(self.batch, range(10, 22), job_id="b", dependencies=[first])
            self.assertEqual([result.data for result in job.result()], list(range(10, 22)))
        self.assertEqual(kinds.count("item_finished"), 12)
        self.assertEqual((kinds.count("batch_started"), kinds.count("batch_finished")), (3, 3))
        self.assertEqual((old.count("module"), old.count("batch-complete")), (12, 3))
        self.assertEqual(len(old), 15)

    def test_each_item_of_a_batch_on_record_has_a_log(self):
        with tempfile.TemporaryDirectory() as folder, JobPool(1, record_to=folder) as jobs:
            jobs.submit_batch(self.batch, [1, 3], job_id="b")
            jobs.wait_all()
            logs = os.path.join(jobs.run_folder, "jobs", "b.1.items")
            texts = {}
            for name in os.listdir(logs):
                with open(os.path.join(logs, name)) as text:
                    texts[name] = text.read()
            self.assertEqual(sorted(texts), ["0.1.log", "1.1.log"])
            process = self.batch.result(0).process
            self.assertRegex(texts["0.1.log"], rf"Z\] \[INFO\] completed {{\"pid\":{process}}}\n$")
            self.assertIn("[ERROR] failed: ZeroDivisionError", texts["1.1.log"])

    def test_an_item_that_fails_fails_the_job(self):
        with JobPool(1) as jobs:
            job = jobs.submit_batch(self.batch, [1, 2, 3, 4])
            with self.assertRaisesRegex(workpool.JobFailed, "failed"):
                job.result()
            self.assertRegex(job.error, "1 of 4 items failed; item 2: ZeroDivisionError")
            self.assertEqual(self.batch.result(3).data, 1)


class Words(unittest.TestCase):
    def test_events_in_the_words_of_earlier_systems(self):
        told = {"workflow": [], "stages": []}
        with JobPool(1) as jobs:
            for names, kinds in told.items():
                jobs.subscribe(lambda event, kinds=kinds: kinds.append(event.kind), names=names)
            with self.assertRaises(workpool.InvalidArgument):
                jobs.subscribe(print, names="nobody's")
            jobs.submit_job(add, 1, job_id="a")
            jobs.submit_job(fail, "no", job_id="b", dependencies=["a"])
            jobs.submit_job(add, 1, job_id="c", dependencies=["b"])
            jobs.wait_all()
        self.assertEqual(
            told["workflow"], ["started", "completed", "started", "failed", "cancelled"]
        )
        self.assertEqual(
            told["stages"],
            ["stage_start", "job_start", "job_ok", "job_start", "job_fail", "job_fail"],
        )

    def test_progress(self):
        told = []

        def work():
            workpool.current_job().progress(2, 3)

        with JobPool(1) as jobs:
            jobs.subscribe(told.append, ["job_progress"])
            jobs.submit_job(work, job_id="work").result()
        self.assertEqual([(e.job_id, e.item, e.count) for e in told], [("work", 2, 3)])

    def test_another_job_runs_in_the_place_of_an_abandoned_one(self):
        gate = threading.Event()
        with JobPool(1, grace=0.001, replace_abandoned=1) as jobs:
            stuck = jobs.submit_job(gate.wait, timeout=0.001)
            stuck.wait()
            self.assertEqual(stuck.state, "TIMEOUT")
            jobs.submit_job(gate.set).result()
            while jobs.get_status()["abandoned_running"]:
                pass


if __name__ == "__main__":
    unittest.main()
