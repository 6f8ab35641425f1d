# SPDX-License-Identifier: MIT
"""Records of jobs in Python: what is kept, and going on from it."""
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest

import support
import workpool
from workpool import JobPool, RunRecord


def fail():
    raise ValueError("no net")


class Records(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.runs = os.path.join(self.folder.name, "runs")
        self.calls = []

    def add(self, a, b):
        self.calls.append((a, b))
        return {"sum": a + b}

    def run_all(self, second, **options):
        with JobPool(1, record_to=self.runs, **options) as jobs:
            first = jobs.submit_job(self.add, 1, 2, job_id="first", definition="1")
            last = jobs.submit_job(second, job_id="second", dependencies=[first], definition="1")
            jobs.wait_all()
            return jobs.run_folder, first, first.result(), last.state

    def test_what_was_done_is_not_done_again_and_has_its_value(self):
        folder, first, value, state = self.run_all(fail)
        self.assertEqual((value, state), ({"sum": 3}, "FAILED"))
        with RunRecord(self.runs) as record:
            known = {job.id: job for job in record}
        self.assertEqual(known["first"].state, "COMPLETED")
        self.assertEqual((known["second"].state, known["second"].reason), ("FAILED", "exception"))
        self.assertIn("no net", known["second"].error)
        self.assertFalse(known["second"].interrupted)

        _, first, value, state = self.run_all(list, resume_from=self.runs)
        self.assertEqual((value, state), ({"sum": 3}, "COMPLETED"))
        self.assertEqual(self.calls, [(1, 2)])

    def test_without_an_earlier_run_there_is_nothing_to_resume(self):
        _, _, value, _ = self.run_all(list, resume_from=self.runs)
        self.assertEqual(value, {"sum": 3})
        with self.assertRaises(workpool.NotFound):
            RunRecord(self.runs, "nobody")

    def test_other_arguments_are_another_definition(self):
        for arguments, calls in (((1, 2), 1), ((1, 2), 1), ((1, 3), 2)):
            with JobPool(1, record_to=self.runs, resume_from=self.runs) as jobs:
                # A bound method looks different in each process: name what counts.
                job = jobs.submit_job(
                    self.add, *arguments, job_id="add", definition=f"add {arguments}"
                )
                self.assertEqual(job.result(), {"sum": sum(arguments)})
            self.assertEqual(len(self.calls), calls)

    def test_what_jobs_say_is_in_their_logs(self):
        def say():
            workpool.current_job().log("half", "warning", phase="load", data={"done": 0.5})

        with JobPool(1, record_to=self.runs, run_id="mine") as jobs:
            jobs.submit_job(say, job_id="say").result()
            folder = jobs.run_folder
        self.assertEqual(os.path.basename(folder), "mine")
        with open(os.path.join(folder, "jobs", "say.1.log")) as log:
            self.assertRegex(log.read(), r'^\[20.*Z\] \[WARNING\] \[load\] half {"done":0.5}\n$')
        with self.assertRaises(workpool.Exists):
            JobPool(1, record_to=self.runs, run_id="mine")

    def test_a_value_that_cannot_be_kept_fails_the_job(self):
        with JobPool(1, record_to=self.runs) as jobs:
            job = jobs.submit_job(lambda: lambda: None)
            job.wait()
            self.assertEqual((job.state, job.reason), ("FAILED", "exception"))

    def test_a_killed_program_loses_nothing_that_was_done(self):
        program = textwrap.dedent("""
            import sys, os, signal, workpool
            def work(n):
                if n == 5 and sys.argv[2] == "dies":
                    os.kill(os.getpid(), signal.SIGKILL)
                print(n, flush=True)
                return n * n
            with workpool.JobPool(1, record_to=sys.argv[1], resume_from=sys.argv[1]) as jobs:
                made = [
                    jobs.submit_job(work, n, job_id=str(n),
                                    dependencies=[str(n - 1)] if n else [])
                    for n in range(10)
                ]
                print([job.result() for job in made])
        """)
        command = [sys.executable, "-c", program, self.runs]
        dead = subprocess.run(command + ["dies"], capture_output=True, text=True, timeout=60)
        self.assertEqual(dead.returncode, -signal.SIGKILL)
        self.assertEqual(dead.stdout.split(), list("01234"))
        after = subprocess.run(command + ["lives"], capture_output=True, text=True, timeout=60)
        self.assertEqual(after.stderr, "")
        self.assertEqual(
            after.stdout.splitlines(), list("56789") + [str([n * n for n in range(10)])]
        )


if __name__ == "__main__":
    unittest.main()
