# SPDX-License-Identifier: MIT
"""Several runs in one folder: which one is meant, runs in jobs of runs, and their records' end."""

from jobs import JobCase
from support import WPOOL
from test_jobs import job

FLAKY = "test -e {0}.good"


class LastRuns(JobCase):
    def test_resume_means_the_last_run_of_the_same_file(self):
        one = self.jobs(job("a") + job("b", FLAKY.format("b")), "one.toml")
        two = self.jobs(job("x") + job("y", FLAKY.format("y")), "two.toml")
        self.run_again(one, "-k", code=1)
        self.run_again(two, "-k", code=1)
        run = self.run_again(one, "-k", "--resume", "last", code=1)
        self.assertEqual(run.started, ["b"])
        (self.folder / "b.good").touch()
        run = self.run_again(one, "--resume")
        self.assertEqual(run.started, ["b"])
        self.assertNotIn("no longer there", self.last.err)
        run = self.run_again(two, "--retry-failed", code=1)
        self.assertEqual(run.started, ["y"])
        self.fails(2, "run", self.jobs(job("z"), "three.toml"), "--resume",
                   says=["there is no run of", "three.toml in .wpool/runs"])

    def test_the_same_file_by_another_path_is_the_same(self):
        (self.folder / "sub").mkdir()
        self.jobs(job("a") + job("b", FLAKY.format("b")))
        self.run_again("jobs.toml", "-k", code=1)
        (self.folder / "b.good").touch()
        self.assertEqual(self.run_again(self.path("jobs.toml"), "--resume").started, ["b"])

    def test_each_and_lines_can_be_resumed(self):
        each = ["each", "-k", "-q"]
        command = ["--", "sh", "-c", "echo $1; test -e $1.good", "sh", ":::", "a", "b"]
        self.assertEqual(self.wpool(*each, *command).code, 1)
        self.wpool("run", "--lines", "-", stdin=b"true\n")
        (self.folder / "a.good").touch()
        self.assertEqual(self.wpool(*each, "--resume", *command).out, b"a\nb\n")
        (self.folder / "b.good").touch()
        ended = self.wpool(*each, "--resume", *command)
        self.assertEqual((ended.code, ended.out), (0, b"b\n"))
        ended = self.wpool(*each, "--retry-failed", *command)
        self.assertEqual((ended.code, self.counts(ended)), (0, (0, 2, 0, 0, 0)))


class Nesting(JobCase):
    def setUp(self):
        super().setUp()
        self.jobs(job("in", "echo $WPOOL_JOB_ID"), "inner.toml")
        self.outer = self.jobs(job("out", f"{WPOOL} run inner.toml -q; mkdir -p $WPOOL_LOG_DIR/own/folder; "
                                          "touch $WPOOL_LOG_DIR/own/.hidden; ln -s / $WPOOL_LOG_DIR/own/root"), "outer.toml")

    def test_a_run_in_a_run_has_a_record_beside_it(self):
        for args, folder in (([], ".wpool/runs"), (["--log-dir", "logs"], "logs")):
            ended = self.wpool("run", self.outer, "-q", *args)
            self.assertEqual((ended.code, ended.out), (0, b"in\n"))
            listed = self.ok("runs", *args).decode().splitlines()[1:]
            self.assertEqual([line.split()[-1].split("/")[-1] for line in listed], ["outer.toml", "inner.toml"])
            # The last run is the one that somebody began, not one of its jobs.
            status = self.ok("status", *args).decode()
            self.assertIn("\nout ", status)
            self.assertEqual(self.ok("logs", "last", "out", *args), b"in\n")

    def test_all_that_jobs_have_put_there_goes_with_a_record(self):
        self.run_again(self.outer, "-q")
        self.assertEqual(self.ok("clean", "--keep-runs", "0"), b"")
        self.assertEqual(list((self.folder / ".wpool/runs").iterdir()), [])
        self.assertTrue(self.exists("/usr"))
