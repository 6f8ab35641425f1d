# SPDX-License-Identifier: MIT
"""wpool run: order, failures, stops, time limits, processes."""

import json
import os
import pty
import signal
from pathlib import Path

from jobs import JobCase
from support import WPOOL, environment


def job(id, run="true", **keys):
    text = f'[[job]]\nid = "{id}"\nrun = {json.dumps(run)}\n'
    for key, value in keys.items():
        text += f"{key} = {json.dumps(value)}\n"
    return text


#: Runs until somebody ends it; tells that it has begun.
STAY = "touch {0}.began; exec sleep 1000"


class Order(JobCase):
    def test_without_a_flag_jobs_run_one_by_one_in_the_order_of_the_file(self):  # J1
        text = "".join(job(x, "echo $WPOOL_JOB_ID $WPOOL_SLOT") for x in "dbca")
        for args in ([], ["-j", "1"], ["-j1"]):
            run = self.run_jobs(text, *args)
            self.assertEqual(self.last.out, b"d 0\nb 0\nc 0\na 0\n")
            self.assertEqual(run.started, list("dbca"))
            self.assertEqual("-j" in self.last.err, not args)
        self.assertEqual(self.counts(), (4, 0, 0, 0, 0))

    def test_as_many_jobs_run_at_once_as_there_are_workers(self):  # J1
        # Each waits until all four are there.
        wait = "touch $WPOOL_JOB_ID; while ! [ -e a -a -e b -a -e c -a -e d ]; do sleep 0.01; done"
        run = self.run_jobs("".join(job(x, wait) for x in "abcd"), "-j", "4")
        self.assertEqual({e["slot"] for e in run.events if e["event"] == "job_started"}, {0, 1, 2, 3})
        self.assertEqual(run.summary["metrics"]["peak_running"], 4)

    def test_the_number_of_workers_comes_from_flag_or_environment(self):  # J29
        text = "".join(job(x) for x in "abcdef")
        path = self.jobs(text)

        def peak(*args, **env):
            run = self.run_again(path, *args, env=environment(**env))
            return run.lines[0]["slots"]

        self.assertEqual(peak(WPOOL_MAX_WORKERS="4"), 4)
        self.assertEqual(peak("-j", "2", WPOOL_MAX_WORKERS="4"), 2)
        self.assertEqual(peak("-j", "auto", SLURM_CPUS_PER_TASK="3"), 3)
        self.assertEqual(peak("-j", "0", WPOOL_CPUS="5"), 5)
        self.fails(2, "run", path, env=environment(WPOOL_MAX_WORKERS="abc"), says="WPOOL_MAX_WORKERS=abc")
        self.fails(2, "run", path, "-j", "abc", says="abc")
        capped = self.jobs("[limits]\nmax_workers = 2\n" + text, "capped.toml")
        self.assertEqual(self.run_again(capped, "-j", "4").lines[0]["slots"], 2)

    def test_a_stage_may_have_fewer_workers(self):  # J29
        # Each notes how many of the stage are there, and stays a moment.
        note = "mkdir on-$WPOOL_JOB_ID; ls -d on-* | wc -l; sleep 0.05; rmdir on-$WPOOL_JOB_ID"
        text = "".join(job(x, note) for x in "abcdef")
        stage = '[[stage]]\nname = "s"\nmax_workers = {}\njobs = ["*"]\n'
        for cap, workers, most in ((2, 4, 2), (4, 2, 2)):
            run = self.run_jobs(text + stage.format(cap), "-j", str(workers))
            self.assertLessEqual(max(map(int, self.last.out.split())), most)
            self.assertEqual(run.summary["metrics"]["peak_running"], most)

    def test_every_edge_is_kept(self):  # J4
        tree = job("n0") + "".join(job(f"n{i}", after=[f"n{(i - 1) // 2}"]) for i in range(1, 50))
        graph = "".join(
            job(f"g{i}", after=sorted({f"g{i // 2}", f"g{i // 3}", f"g{i - 1}"}) if i else [])
            for i in range(25))
        for text, count in ((tree, 50), (graph, 25)):
            run = self.run_jobs(text, "-j", "4")
            self.assertEqual(self.counts(), (count, 0, 0, 0, 0))
            self.assertEqual(sorted(run.started), sorted(set(run.started)))
            for event in run.events:
                if event["event"] == "job_submitted":
                    begin = run.of(event["job"], "job_started")[0]["seq"]
                    for other in event["after"]:
                        self.assertLess(run.end(other)["seq"], begin)

    def test_priorities_go_first(self):
        text = "".join(job(p, priority=p) for p in ("low", "high", "normal", "critical"))
        self.assertEqual(self.run_jobs(text).started, ["critical", "high", "normal", "low"])

    def test_a_stage_begins_when_the_one_before_is_over(self):
        text = job("x", after=["b"]) + (
            '[[stage]]\nname = "one"\njobs = [{id = "a", run = "exit 3"}, {id = "b", run = "true"}]\n'
            '[[stage]]\nname = "none"\njobs = []\n'
            '[[stage]]\nname = "two"\njobs = [{id = "c", run = "true"}, "x"]\n')
        run = self.run_jobs(text, "-k", "-j4", code=1)
        begin = run.of("c", "job_started")[0]["seq"]
        self.assertLess(max(run.end("a")["seq"], run.end("b")["seq"]), begin)
        self.assertEqual(self.counts(), (3, 0, 1, 0, 0))

    def test_failures_of_a_stage_need_not_count(self):
        text = ('[[stage]]\nname = "one"\nstop_on_failure = false\n'
                'jobs = [{id = "a", run = "exit 3"}, {id = "b", run = "true"}]\n'
                '[[stage]]\nname = "two"\njobs = [{id = "c", run = "true"}]\n')
        self.run_jobs(text, code=1)
        self.assertEqual(self.counts(), (2, 0, 1, 0, 0))

    def test_starts_wait_for_memory_and_load(self):
        path = self.jobs(job("a"))
        self.run_again(path, "--memfree", "1K", "--load", "100000")
        self.fails(2, "run", path, "--load", "0", says="--load")
        process = self.begin(path, "--memfree", "1000T")
        self.wait_for(lambda: self.runs() and len(self.runs()) == 2)
        process.terminate()
        self.assertEqual(process.wait(30), 143)
        self.assertEqual(self.runs()[-1].how("a"), "CANCELLED user")

    def test_only_skip_and_targets(self):
        text = job("a") + job("b", after=["a"]) + job("c", after=["b"]) + job("d")
        run = self.run_jobs(text, "--only", "b")
        self.assertEqual((run.started, run.how("c")), (["a", "b"], "SKIPPED filtered"))
        path = self.path("jobs.toml")
        self.assertEqual(self.run_again(path, "b", "d").started, ["a", "b", "d"])
        self.assertEqual(self.run_again(path, "--skip", "[ab]").started, ["c", "d"])
        self.assertEqual(self.counts(), (2, 2, 0, 0, 0))
        self.fails(2, "run", path, "--only", "x", says="no such job")

    def test_dry_run_starts_and_writes_nothing(self):
        path = self.jobs(job("a", "touch ran") + job("b", after=["a"]) + job("c"))
        out = self.ok("run", path, "-n", "--skip", "c").decode().split("\n")
        self.assertEqual([line.split()[:3] for line in out[1:-1]],
                         [["-", "c", "SKIPPED"], ["1", "a", "run"], ["2", "b", "run"]])
        self.assertEqual(self.names(), ["jobs.toml"])
        self.fails(2, "run", self.jobs(job("a", after=["a"])), "-n", says="cycle")


class Failures(JobCase):
    FETCH = (job("fetch", "echo broken >&2; exit 3") + job("clean", after=["fetch"])
             + job("load", after=["clean"]) + job("other"))

    def test_dependents_of_a_failure_are_cancelled_with_the_chain(self):  # J8
        run = self.run_jobs(self.FETCH, "-k", code=1)
        self.assertEqual(run.how("fetch"), "FAILED exit 3")
        self.assertEqual(run.how("clean"), "CANCELLED dependency")
        self.assertEqual(run.end("load")["chain"], ["fetch", "clean", "load"])
        self.assertEqual(run.how("other"), "COMPLETED none")
        self.assertEqual(self.counts(), (1, 0, 1, 0, 2))
        self.assertIn("fetch failed (exit 3); log: .wpool/runs/", self.last.err)
        self.assertIn("    broken\n", self.last.err)
        self.assertIn("because fetch failed (exit 3): clean, load", self.last.err)
        summary = run.summary
        self.assertEqual(
            (summary["success"], summary["total"], summary["succeeded"], summary["failed"]),
            (False, 4, 1, 1))
        self.assertEqual(summary["failures"], [{"job_id": "fetch", "error": "failed (exit 3): broken"}])
        self.assertNotIn("stopped_early", summary)

    def test_a_failure_stops_what_has_not_begun(self):  # J10
        text = (job("bad", "while ! [ -e slow.began ]; do sleep 0.01; done; exit 1")
                + job("slow", "touch slow.began; while ! grep -q 'CANCELLED.*stop' .wpool/runs/*/run.jsonl; "
                              "do sleep 0.01; done") + job("third"))
        run = self.run_jobs(text, "-j", "2", code=1)
        self.assertEqual([run.how(x) for x in ("bad", "slow", "third")],
                         ["FAILED exit 1", "COMPLETED none", "CANCELLED stop"])
        self.assertEqual(run.end("third")["root"], "bad")
        self.assertTrue(run.summary["stopped_early"])

    def test_a_failure_may_end_what_runs(self):  # J10
        text = (job("bad", "while ! [ -e slow.began ]; do sleep 0.01; done; exit 1")
                + job("slow", STAY.format("slow")) + job("third"))
        run = self.run_jobs(text, "-j", "2", "--fail-fast", "now", code=1)
        self.assertEqual(run.how("slow"), "CANCELLED stop")
        self.assertEqual(run.end("slow")["signals"], ["SIGTERM"])

    def test_it_stops_at_the_nth_failure(self):  # J11
        text = "".join(job(f"f{i}", "exit 1") for i in range(10))
        run = self.run_jobs(text, "-k", "--max-failures", "3", "-j", "1", code=1)
        self.assertEqual(run.started, ["f0", "f1", "f2"])
        run = self.run_jobs(text, "-k", code=1)
        self.assertEqual(len(run.started), 10)
        run = self.run_again(self.path("jobs.toml"), code=1, env=environment(WPOOL_KEEP_GOING="1"))
        self.assertEqual(len(run.started), 10)
        run = self.run_jobs("stop_on_failure = false\n" + text, code=1)
        self.assertEqual(len(run.started), 10)

    def test_always_failure_and_allowed_failures(self):  # J12
        text = (job("a", "exit 1") + job("b", after=["a"]) + job("c", when="always", after=["a", "b"])
                + job("d", when="failure", after=["a"]))
        run = self.run_jobs(text, code=1)
        self.assertEqual([run.how(x) for x in "bcd"],
                         ["CANCELLED dependency", "COMPLETED none", "COMPLETED none"])
        run = self.run_jobs(job("a", "exit 1", allow_failure=True) + job("b", after=["a"])
                            + job("c") + job("d", when="failure", after=["c"]))
        self.assertEqual([run.how(x) for x in "abd"],
                         ["FAILED exit 1", "COMPLETED none", "SKIPPED filtered"])
        self.assertEqual(self.counts(), (2, 1, 0, 0, 0))
        self.assertTrue(run.summary["success"])

    def test_retries_are_further_attempts(self):  # J13
        flaky = "echo $WPOOL_ATTEMPT >> tries; test $WPOOL_ATTEMPT -ge 3"
        run = self.run_jobs(job("a", flaky, retries=2, retry_delay="20ms") + job("b"))
        self.assertEqual((self.folder / "tries").read_text(), "1\n2\n3\n")
        # While it waited, the other one ran.
        self.assertEqual(run.started, ["a", "b", "a", "a"])
        for again, begin in zip(run.of("a", "job_retrying"), run.of("a", "job_started")[1:]):
            self.assertGreaterEqual(begin["t"], again["t"] + 20_000_000)
        self.assertEqual(len(run.summary["jobs"][0]["attempts"]), 3)
        run = self.run_jobs(job("a", "exit 1") + job("b", "exit 127"), "-k", "--retries", "1", code=1)
        self.assertEqual(run.started, ["a", "a", "b"])
        run = self.run_jobs(job("a", "exit 1", retry_on=["signal"], retries=3), code=1)
        self.assertEqual(run.started, ["a"])

    def test_a_timeout_ends_the_attempt_with_its_whole_group(self):
        text = job("a", "trap '' TERM; sleep 1000 & echo $! > pid; while :; do sleep 0.01; done",
                   timeout="1s", kill_grace="50ms")
        run = self.run_jobs(text, code=1)
        self.assertEqual(run.how("a"), "TIMEOUT timeout")
        self.assertEqual(run.end("a")["signals"], ["SIGTERM", "SIGKILL"])
        self.assertFalse(self.is_alive(int((self.folder / "pid").read_text())))
        self.assertEqual(self.counts(), (0, 0, 0, 1, 0))

    def test_the_time_of_a_job_and_of_the_run_may_be_over(self):
        run = self.run_jobs(job("a", "exit 1", retries=1000, retry_delay="20ms", deadline="100ms"), code=1)
        self.assertEqual(run.how("a"), "TIMEOUT deadline")
        run = self.run_jobs(job("a", "sleep 1000") + job("b"), "--deadline", "0.1", code=1)
        self.assertEqual([run.how(x) for x in "ab"], ["CANCELLED run_deadline"] * 2)

    def test_what_cannot_be_started_says_why(self):
        run = self.run_jobs(job("a", ["/no/such/program"], retries=3) + job("b", cwd="none"), "-k", code=1)
        self.assertEqual(run.how("a"), "FAILED spawn 2")
        self.assertIn("/no/such/program: cannot start: No such file", self.last.err)
        self.assertEqual(run.how("b"), "FAILED spawn 2")
        self.assertEqual(run.started, ["a", "b"])

    def test_signals_are_told(self):
        run = self.run_jobs(job("a", "kill -SEGV $$"), code=1)
        self.assertEqual(run.how("a"), f"FAILED signal {int(signal.SIGSEGV)}")
        self.assertIn("SIGSEGV", self.last.err)


class Processes(JobCase):
    def test_what_a_job_leaves_behind_is_killed(self):  # J15
        run = self.run_jobs(job("a", "sleep 1000 & echo $! > pid; echo out"))
        self.assertFalse(self.is_alive(int((self.folder / "pid").read_text())))
        self.assertEqual(run.how("a"), "COMPLETED none")
        self.assertIn("left processes behind, which were killed", run.of("a", "warning")[0]["text"])
        self.assertIn("warning: a: left processes behind", self.last.err)

    def test_it_may_stay(self):
        for rule in ("warn", "leave"):
            run = self.run_jobs(job("a", "sleep 1000 & echo $! > pid", on_leftover=rule))
            process = int((self.folder / "pid").read_text())
            self.assertTrue(self.is_alive(process))
            os.kill(process, signal.SIGKILL)
            self.assertEqual(len(run.of("a", "warning")), rule == "warn")

    def test_a_process_that_left_its_group_is_killed_at_the_end(self):
        run = self.run_jobs(job("a", "setsid sh -c 'echo $$ > pid; exec sleep 1000' & "
                                     "while ! [ -s pid ]; do sleep 0.01; done"))
        process = int((self.folder / "pid").read_text())
        self.assertFalse(self.is_alive(process))
        self.assertIn(f"process {process} left its group", run.of("a", "warning")[0]["text"])
        run = self.run_jobs(job("a", "rm -f pid; setsid sh -c 'echo $$ > pid; exec sleep 1000' & "
                                     "while ! [ -s pid ]; do sleep 0.01; done", on_leftover="leave"))
        process = int((self.folder / "pid").read_text())
        self.assertTrue(self.is_alive(process))
        os.kill(process, signal.SIGKILL)

    def test_logs_have_a_file_for_each_attempt(self):  # J27
        text = (job("a/b", "echo one $WPOOL_ATTEMPT; echo err >&2; exit 1", retries=1)
                + job("a_b", "echo two"))
        run = self.run_jobs(text, "-k", code=1)
        names = sorted(p.name for p in (run.folder / "jobs").iterdir())
        self.assertEqual(len(names), 6)
        self.assertRegex(names[0], r"^a_b-[0-9a-f]{8}\.1\.err$")
        safe = names[0].split(".")[0]
        self.assertEqual(run.log(f"{safe}.1.out"), "one 1\n")
        self.assertEqual(run.log(f"{safe}.2.out"), "one 2\n")
        self.assertEqual(run.log("a_b.1.out"), "two\n")
        self.assertEqual(self.ok("logs", run.id, "a/b"), b"one 2\n")
        self.assertEqual(self.ok("logs", "last", "a/b", "--attempt", "1", "--errors"), b"err\n")
        self.assertEqual(self.ok("logs", run.id[:20], "a_b", "-f"), b"two\n")
        self.fails(2, "logs", run.id, "a-b", says="no job")
        # A function on record, in another program, has lines of its own and no output.
        (run.folder / "jobs/a_b.1.out").rename(run.folder / "jobs/a_b.1.log")
        self.assertEqual(self.ok("logs", run.id, "a_b"), b"two\n")

    def test_output_is_on_disk_before_the_end(self):  # J27
        process = self.begin(self.jobs(job("a", "echo words; touch began; exec sleep 1000")))
        self.wait_for(lambda: self.exists("began"))
        process.kill()
        process.wait()
        run = self.runs()[-1]
        self.assertEqual(run.log("a.1.out"), "words\n")

    def test_ctrl_c_ends_what_runs_and_cancels_the_rest(self):  # J12
        text = (job("a", STAY.format("a")) + job("b", after=["a"]) + job("c")
                + job("z", "touch z.ran", when="always", after=["a"]))
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            for name in ("a.began", "z.ran"):
                (self.folder / name).unlink(missing_ok=True)
            process = self.begin(self.jobs(text))
            self.wait_for(lambda: self.exists("a.began"))
            process.send_signal(number)
            self.assertEqual(process.wait(30), code)
            run = self.runs()[-1]
            self.assertEqual([run.how(x) for x in "abcz"],
                             ["CANCELLED user"] + [run.how("b"), "CANCELLED user", "COMPLETED none"])
            self.assertEqual(run.end("b")["state"], "CANCELLED")
            self.assertTrue(self.exists("z.ran"))

    def test_the_second_ctrl_c_kills(self):
        text = (job("a", "trap '' TERM; touch a.began; while :; do sleep 0.01; done")
                + job("z", "touch z.ran", when="always", after=["a"]))
        process = self.begin(self.jobs(text))
        self.wait_for(lambda: self.exists("a.began"))
        process.send_signal(signal.SIGINT)
        self.wait_for(lambda: b"once more" in os.read(process.stderr.fileno(), 65536))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 130)
        run = self.runs()[-1]
        self.assertEqual(run.end("a")["signals"], ["SIGTERM", "SIGKILL"])
        self.assertFalse(self.exists("z.ran"))

    def test_sigquit_kills_at_once(self):
        text = (job("a", "trap '' TERM QUIT; touch a.began; while :; do sleep 0.01; done") + job("b", after=["a"])
                + job("z", "touch z.ran", when="always", after=["a"]))
        process = self.begin(self.jobs(text))
        self.wait_for(lambda: self.exists("a.began"))
        process.send_signal(signal.SIGQUIT)
        self.assertEqual(process.wait(30), 131)
        run = self.runs()[-1]
        self.assertEqual(run.how("a"), "CANCELLED user")
        self.assertEqual(run.end("a")["signals"], ["SIGTERM", "SIGKILL"])
        self.assertFalse(self.exists("z.ran"))

    def state(self, process):
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]

    def test_ctrl_z_stops_the_jobs_too(self):
        process = self.begin(self.jobs(
            job("a", "echo $$ > new; mv new pid; until [ -e go ]; do sleep 0.01; done") + job("b", after=["a"])))
        self.wait_for(lambda: self.exists("pid"))
        child = int((self.folder / "pid").read_text())
        process.send_signal(signal.SIGTSTP)
        self.assertTrue(os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1]))
        self.wait_for(lambda: self.state(child) == "T")
        (self.folder / "go").touch()
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.wait(30), 0)
        self.assertEqual(self.runs()[-1].how("b"), "COMPLETED none")

    def test_ctrl_z_in_a_console_job_gives_the_terminal_back(self):
        path = self.jobs(
            job("a", "echo $$ > new; mv new pid; read word; echo \"got $word\" > got", console=True)
            + job("c", "echo $$ > new.c; mv new.c pid.c; until [ -e go ]; do sleep 0.01; done"))
        process, terminal = pty.fork()
        if process == 0:
            try:
                os.chdir(self.folder)
                os.execve(WPOOL, [WPOOL, "run", str(path), "-j", "2", "--progress", "none"], environment())
            finally:
                os._exit(127)
        self.addCleanup(os.close, terminal)
        self.addCleanup(self.kill_group, process)
        self.wait_for(lambda: self.exists("pid") and self.exists("pid.c"))
        jobs = [int((self.folder / name).read_text()) for name in ("pid", "pid.c")]
        self.wait_for(lambda: os.tcgetpgrp(terminal) == jobs[0])
        os.write(terminal, b"\x1a")
        self.assertTrue(os.WIFSTOPPED(os.waitpid(process, os.WUNTRACED)[1]))
        self.assertEqual(os.tcgetpgrp(terminal), process)
        for each in jobs:
            self.wait_for(lambda: self.state(each) == "T")
        (self.folder / "go").touch()
        os.kill(process, signal.SIGCONT)
        self.wait_for(lambda: os.tcgetpgrp(terminal) == jobs[0])
        os.write(terminal, b"words\n")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), 0)
        self.assertEqual((self.folder / "got").read_text(), "got words\n")

    def test_console_jobs_have_the_programs_own_streams(self):
        run = self.run_jobs(job("a", "cat; echo err >&2", console=True), stdin=b"typed\n")
        self.assertEqual(self.last.out, b"typed\n")
        self.assertIn("err\n", self.last.err)
        self.assertEqual(list((run.folder / "jobs").iterdir()), [])


class Talk(JobCase):
    def test_dependents_see_what_a_job_has_put_out(self):
        text = (job("a/1", "echo 'k=v w' >> $WPOOL_OUTPUT; echo k2=x=y >> $WPOOL_OUTPUT; echo no >> $WPOOL_OUTPUT")
                + job("b", "echo \"$WPOOL_DEP_a_1_k|$WPOOL_DEP_a_1_k2\"; cat $WPOOL_DEPS", after=["a/1"])
                + job("c", "echo \"${WPOOL_DEP_a_1_k-none}\"; cat $WPOOL_DEPS", after=["b"]))
        run = self.run_jobs(text)
        self.assertEqual(self.last.out.decode().split("\n")[:2],
                         ["v w|x=y", '{"a/1":{"k":"v w","k2":"x=y"}}'])
        self.assertEqual(self.last.out.decode().split("\n")[2:4], ["none", '{"b":{}}'])
        self.assertEqual(run.end("a/1")["outputs"], {"k": "v w", "k2": "x=y"})

    def test_a_job_sees_who_it_is(self):
        run = self.run_jobs(job("a", "echo $WPOOL_RUN_ID $WPOOL_JOB_ID $WPOOL_ATTEMPT $WPOOL_SLOT $WPOOL_CPUS; "
                                     "test -d $WPOOL_LOG_DIR/jobs", cpus=2), "-j3", "--run-id", "night")
        self.assertEqual(self.last.out, b"night a 1 0 2\n")
        self.assertEqual(run.id, "night")
        self.fails(2, "run", self.path("jobs.toml"), "-j3", "--run-id", "night", says="exists")

    def test_jobs_add_jobs(self):
        add = ("for i in 1 2; do echo \"{\\\"id\\\": \\\"n$i\\\", \\\"run\\\": \\\"echo new $i\\\", "
               "\\\"after\\\": [\\\"a\\\"]}\" >> $WPOOL_SUBMIT; done")
        run = self.run_jobs(job("a", add) + job("b", "echo plain", after=["a"])
                            + job("c", "echo late", after=["added:a"]), "-j1")
        self.assertEqual(self.counts(), (5, 0, 0, 0, 0))
        begin = run.of("c", "job_started")[0]["seq"]
        self.assertLess(max(run.end("n1")["seq"], run.end("n2")["seq"]), begin)
        self.assertEqual(run.of("n1", "job_submitted")[0]["added_by"], "a")
        # Before the end of the one that added them.
        self.assertLess(run.of("n2", "job_submitted")[0]["seq"], run.end("a")["seq"])

    def test_added_jobs_are_taken_all_or_none(self):
        for line, says in (('{"id": "a", "run": "true"}', "twice"), ('{"id": "y"}', "no run"),
                           ("{", "line 2"), ('{"id": "y", "run": "true", "after": ["zz"]}', "zz"),
                           ('{"id": "y", "run": "true", "cpus": 9}', "9")):
            text = ('{"id": "x", "run": "touch ran"}\n' + line + "\n")
            self.write("add", text.encode())
            run = self.run_jobs(job("a", "cat add >> $WPOOL_SUBMIT") + job("b", after=["a"]), code=1)
            self.assertEqual(run.how("a"), "FAILED error", line)
            self.assertIn(says, run.end("a")["text"], line)
            self.assertEqual(self.counts(), (0, 0, 1, 0, 1))
        run = self.run_jobs(job("a", "cat add >> $WPOOL_SUBMIT; exit 1"), code=1)
        self.assertEqual(run.how("a"), "FAILED exit 1")
        self.assertFalse(self.exists("ran"))

    def test_added_jobs_belong_to_the_stage(self):
        text = ('[[stage]]\nname = "one"\njobs = [{id = "a", run = "cat add > $WPOOL_SUBMIT"}]\n'
                '[[stage]]\nname = "two"\njobs = [{id = "z", run = "test -e ran"}]\n')
        self.write("add", b'{"id": "n", "run": "sleep 0.05; touch ran"}\n')
        self.run_jobs(text, "-j4")
        self.assertEqual(self.counts(), (3, 0, 0, 0, 0))

    def test_a_run_in_a_run_takes_what_its_job_has(self):
        from support import WPOOL
        self.write("inner.toml", job("i").encode())
        text = job("a", f"{WPOOL} run inner.toml -j auto --log-dir inner", cpus=3)
        self.run_jobs(text, "-j4")
        inner = next((self.folder / "inner").iterdir())
        self.assertEqual(json.loads((inner / "run.jsonl").read_text().split("\n")[0])["slots"], 3)


class Words(JobCase):
    def test_events_are_json_lines(self):  # J22
        path = self.jobs("".join(job(x) for x in "abc"))
        ended = self.wpool("run", path, "--progress", "json")
        events = [json.loads(line) for line in ended.err.splitlines()]
        self.assertEqual([e["seq"] for e in events], list(range(1, len(events) + 1)))
        for kind in ("job_started", "job_finished"):
            self.assertEqual([e["job"] for e in events if e["event"] == kind], list("abc"))
        self.assertEqual(events[0]["event"], "run_started")
        self.assertEqual((events[-1]["event"], events[-1]["ok"]), ("run_finished", 3))
        self.assertEqual([{k: v for k, v in e.items() if k != "sum"} for e in self.runs()[-1].events], events)

    def test_events_go_to_a_descriptor(self):
        path = self.jobs(job("a"))
        read, write = os.pipe()
        ended = self.wpool("run", path, "--progress", "json", "--progress-fd", str(write), pass_fds=(write,))
        os.close(write)
        with open(read) as file:
            events = [json.loads(line) for line in file]
        self.assertEqual(events[-1]["event"], "run_finished")
        self.assertEqual(self.counts(ended), (1, 0, 0, 0, 0))
        self.fails(2, "run", path, "--progress-fd", "77", says="--progress-fd 77 is not open")

    def test_plain_lines_tell_starts_and_ends(self):
        self.run_jobs(job("a") + job("b", "exit 2"), "-k", "--progress", "plain", code=1)
        self.assertIn("wpool: start a\n", self.last.err)
        self.assertRegex(self.last.err, r"wpool: \[2/2\] b: failed \(exit 2\) [\d.]+ms\n")
        self.run_jobs(job("a") + job("b"), "-q", "-j1")
        self.assertEqual(self.last.err.count("\n"), 1)

    def test_output_is_grouped_tagged_and_kept_in_order(self):
        # The first one ends last.
        text = (job("a", "echo a1; while ! [ -e b.ended ]; do sleep 0.01; done; printf a2")
                + job("b", "echo b1; echo b2; touch b.ended"))
        run = self.run_jobs(text, "-j2", "--keep-order", "-q")
        self.assertEqual(self.last.out, b"a1\na2b1\nb2\n")
        (self.folder / "b.ended").unlink()
        self.run_again(self.path("jobs.toml"), "-j2", "--keep-order", "--tag", "-q")
        self.assertEqual(self.last.out, b"a\ta1\na\ta2\nb\tb1\nb\tb2\n")
        self.run_again(self.path("jobs.toml"), "--output", "none", "-j2", "-q")
        self.assertEqual(self.last.out, b"")
        self.run_again(self.path("jobs.toml"), "--output", "line", "--tag", "-j2", "-q")
        self.assertEqual(sorted(self.last.out.splitlines()), [b"a\ta1", b"a\ta2", b"b\tb1", b"b\tb2"])

    def test_lines_are_shown_while_a_job_runs(self):
        process = self.begin(self.jobs(job("a", "echo now; exec sleep 1000")), "--output", "line")
        self.assertEqual(os.read(process.stdout.fileno(), 100), b"now\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 143)

    def test_errors_of_jobs_go_to_standard_error(self):
        self.run_jobs(job("a", "echo out; echo err >&2"), "-q")
        self.assertEqual(self.last.out, b"out\n")
        self.assertTrue(self.last.err.startswith("err\nok 1"), self.last)


class Lines(JobCase):
    def test_a_command_in_each_line(self):
        self.write("lines", b"echo one\n\nexit 3\necho 'a  b'\n")
        ended = self.wpool("run", "--lines", "lines", "-k", "-q")
        self.assertEqual((ended.code, ended.out), (1, b"one\na  b\n"))
        self.assertEqual(self.counts(ended), (2, 0, 1, 0, 0))
        self.assertEqual(self.runs()[-1].how("3"), "FAILED exit 3")
        out = self.wpool("run", "--lines", "-", "-j2", "--keep-order", "-q", stdin=b"echo 1\necho 2\n")
        self.assertEqual((out.code, out.out), (0, b"1\n2\n"))
        self.assertEqual(self.wpool("run", "--lines", "-", "-q").code, 0)

    def test_each_runs_a_command_for_each_word(self):
        out = self.wpool("each", "-j2", "--keep-order", "-q", "--", "echo", "<{}>", "{}", ":::", "a b", "$c", "-x")
        self.assertEqual((out.code, out.out), (0, b"<a b> a b\n<$c> $c\n<-x> -x\n"))
        out = self.wpool("each", "-q", "--", "echo", "word", stdin=b"a\nb c\n")
        self.assertEqual((out.code, out.out), (0, b"word a\nword b c\n"))
        self.fails(2, "each", says="no command")
        out = self.wpool("each", "-q", "--retries", "1", "-k", "--", "false", ":::", "a")
        self.assertEqual(out.code, 1)
        self.assertEqual(self.runs()[-1].started, ["1", "1"])
