# SPDX-License-Identifier: MIT
"""The record of a run: resume after a crash, damage, up-to-date checks, and what reads it."""

import json
import os
import random
import signal
import subprocess
import xml.dom.minidom

from jobs import JobCase, Run
from test_jobs import STAY, job
from support import WPOOL, environment


class Resume(JobCase):
    def killed(self, text, *args, until):
        """A run that is killed with SIGKILL once a file is there."""
        process = self.begin(self.jobs(text), *args)
        self.wait_for(lambda: self.exists(until), until)
        process.kill()
        process.wait()
        return self.runs()[-1]

    def orphans(self, run):
        return [l["pgid"] for l in run.lines if l.get("type") == "spawn" and self.is_alive(l["pgid"])]

    def test_a_killed_run_goes_on_where_it_was(self):  # J25
        once = "echo $WPOOL_JOB_ID >> ran; test $WPOOL_JOB_ID != j10 || {{ {}; }}".format(
            "test -e again || { touch j10.began; exec sleep 1000; }")
        text = "".join(job(f"j{i:02}", once) for i in range(20))
        run = self.killed(text, until="j10.began")
        self.assertEqual(run.started, [f"j{i:02}" for i in range(11)])
        (orphan,) = self.orphans(run)
        path = self.path("jobs.toml")

        refused = self.fails(2, "run", path, "--resume", says=[f"{orphan} (j10)", run.id])
        self.assertEqual(len(self.runs()), 1, refused)
        self.assertEqual(self.wpool("status", run.id).out.decode().split("\n")[0].split(":")[1].split(",")[0],
                         " interrupted")

        # One that is done, but was changed since then, runs again.
        self.jobs(text.replace('id = "j03"\nrun = "', 'id = "j03"\nrun = "true; '))
        self.write("again", b"")
        second = self.run_again(path, "--resume", run.id, "--orphans", "kill")
        self.assertFalse(self.is_alive(orphan))
        self.assertIn("changed since then: j03", self.last.err)
        self.assertEqual(second.started, ["j03"] + [f"j{i}" for i in range(10, 20)])
        self.assertEqual(second.how("j00"), "SKIPPED resumed")
        self.assertEqual(self.counts(), (11, 9, 0, 0, 0))
        self.assertEqual(second.lines[0]["resumes"], run.id)
        ran = (self.folder / "ran").read_text().split()
        self.assertEqual(sorted(ran), sorted([f"j{i:02}" for i in range(20)] + ["j03", "j10"]))

        # Everything is done now.
        third = self.run_again(path, "--resume")
        self.assertEqual((third.started, self.counts()), ([], (0, 20, 0, 0, 0)))

    def test_two_cannot_resume_at_once_and_there_is_nothing_to_unlock(self):  # J25
        text = job("a") + job("b", "test -e first && exec sleep 1000; touch first; " + STAY.format("b"))
        run = self.killed(text, until="b.began")
        for group in self.orphans(run):
            os.killpg(group, signal.SIGKILL)
        (self.folder / "b.began").unlink()
        path = self.path("jobs.toml")
        first = self.begin(path, "--resume", run.id)
        self.wait_for(lambda: len(self.runs()) == 2 and self.runs()[-1].of("b", "job_started"), "start")
        self.fails(2, "run", path, "--resume", run.id, says="is in use")
        self.assertEqual(len(self.runs()), 2)
        first.kill()
        first.wait()
        self.jobs(job("a") + job("b"))
        self.run_again(path, "--resume", run.id)
        self.assertEqual(self.counts(), (1, 1, 0, 0, 0))

    def test_a_run_that_goes_on_cannot_be_resumed(self):
        path = self.jobs(job("a", STAY.format("a")))
        process = self.begin(path)
        self.wait_for(lambda: self.exists("a.began"))
        run = self.runs()[-1]
        self.fails(2, "run", path, "--resume", says=f"is in use by process {process.pid}")
        self.assertIn("running", self.ok("status").decode())
        process.terminate()
        self.assertEqual(process.wait(30), 143)
        self.assertEqual(run.how("a"), "CANCELLED user")

    def test_missing_outputs_and_vanished_jobs(self):
        run = self.run_jobs(job("a", "touch out", outputs=["out"]) + job("b", after=["a"]) + job("c"),
                            "--no-cache")
        (self.folder / "out").unlink()
        second = self.run_jobs(job("a", "touch out", outputs=["out"]) + job("b", after=["a"]),
                               "--no-cache", "--resume")
        # What stands on work that must be done again is done again.
        self.assertEqual(second.started, ["a", "b"])
        self.assertIn("no longer there: c", self.last.err)

    def test_only_what_failed_runs_again(self):
        text = (job("a") + job("b", "test -e good") + job("c", after=["b"]) + job("d", "echo d >> d"))
        self.run_jobs(text, "-k", code=1)
        self.jobs(text + job("new"))
        self.write("good", b"")
        run = self.run_again(self.path("jobs.toml"), "--retry-failed")
        self.assertEqual(run.started, ["b", "c"])
        self.assertEqual([run.how(x) for x in ("a", "d", "new")],
                         ["SKIPPED resumed", "SKIPPED resumed", "SKIPPED filtered"])
        self.fails(2, "run", self.path("jobs.toml"), "--retry-failed", "--resume", says="exclude")
        self.fails(2, "run", self.path("jobs.toml"), "--resume=none", says="no run none")

    def test_values_and_added_jobs_of_what_is_done_are_there_again(self):
        self.write("add", b'{"id": "n", "run": "echo n >> ran", "after": ["a"]}\n')
        text = (job("a", "echo k=v > $WPOOL_OUTPUT; cat add > $WPOOL_SUBMIT")
                + job("b", "test -e good && echo $WPOOL_DEP_a_k >> ran", after=["a"])
                + job("c", "echo c >> ran", after=["added:a", "b"]))
        self.run_jobs(text, code=1)
        self.write("good", b"")
        run = self.run_again(self.path("jobs.toml"), "-k", "--resume")
        self.assertEqual(sorted(run.started)[0:1], ["b"])
        ran = (self.folder / "ran").read_text().split()
        self.assertEqual(sorted(ran), ["c", "n", "v"])

    def test_nothing_is_left_behind_by_a_kill_in_any_moment(self):  # J25
        text = "".join(job(f"j{i:02}", f"echo j{i:02} >> ran") for i in range(40))
        path = self.jobs(text)
        source = random.Random(5)
        process = self.begin(path, "-j2", "-q")
        self.wait_for(lambda: len(self.runs()) == 1)
        for round in range(4):
            want = source.randrange(8, 16) * (round + 1)
            self.wait_for(lambda: process.poll() is not None or self.exists("ran") and
                          (self.folder / "ran").read_text().count("\n") >= min(want, 38))
            process.kill()
            process.wait()
            run = self.runs()[-1]
            done = {e["job"] for e in run.events
                    if e["event"] in ("job_finished", "job_skipped") and e["state"] in ("COMPLETED", "SKIPPED")}
            process = self.begin(path, "-j2", "-q", "--resume", run.id, "--orphans", "wait")
            self.wait_for(lambda: process.poll() is not None or len(self.runs()) == round + 2)
            self.wait_for(lambda: process.poll() is not None or any(
                e["event"] == "job_started" for e in self.runs()[-1].events))
            self.assertFalse(done & set(self.runs()[-1].started))
        self.assertEqual(process.wait(30), 0)
        ran = (self.folder / "ran").read_text().split()
        self.assertEqual(set(ran), {f"j{i:02}" for i in range(40)})
        # Only what ran when it was killed ran twice.
        self.assertLessEqual(len(ran), 40 + 4 * 2)


class Damage(JobCase):
    def done(self, lines):
        """Jobs that a journal shows as done, to whoever believes all of its whole lines."""
        return {e["job"] for e in lines if e.get("state") in ("COMPLETED", "SKIPPED")}

    def resumable(self, data):
        """What `status` says of a journal."""
        folder = self.folder / ".wpool/runs/damaged"
        folder.mkdir(exist_ok=True)
        (folder / "run.jsonl").write_bytes(data)
        ended = self.wpool("status", "damaged", "--json")
        self.assertIn(ended.code, (0, 2), ended)
        if ended.code == 2:
            self.assertIn("journal", ended.err)
            return set()
        return {j["id"] for j in json.loads(ended.out)["jobs"] if j["state"] in ("COMPLETED", "SKIPPED")}

    def test_a_journal_cut_anywhere_is_read(self):  # J26
        run = self.run_jobs(job("a") + job("b", "exit 3") + job("c", after=["b"]), "-k", code=1)
        data = (run.folder / "run.jsonl").read_bytes()
        ends = [0] + [i + 1 for i, byte in enumerate(data) if byte == 10]
        # Around every line's ends, and here and there between.
        cuts = {c for e in ends for c in (e - 1, e, e + 1, e + 20) if 0 <= c <= len(data)}
        for cut in sorted(cuts | set(range(0, len(data), 37))):
            whole = data[:cut].split(b"\n")[:-1]
            self.assertEqual(self.resumable(data[:cut]), self.done(map(json.loads, whole)), cut)

    def test_flipped_bits_finish_no_job(self):  # J26
        run = self.run_jobs(job("a") + job("b", "exit 3") + job("c", after=["b"]), "-k", code=1)
        data = (run.folder / "run.jsonl").read_bytes()
        source = random.Random(26)
        for _ in range(150):
            place = source.randrange(len(data))
            damaged = bytearray(data)
            damaged[place] ^= 1 << source.randrange(8)
            self.assertLessEqual(self.resumable(bytes(damaged)), {"a"}, place)
        for noise in (b"", b"\n\n", b"\0" * 100, b"[" * 5000 + b"\n", data[5:] + data, bytes(range(256)) * 9):
            self.assertLessEqual(self.resumable(noise), {"a"})

    def test_a_record_that_cannot_be_written_ends_with_3(self):
        path = self.jobs(job("a", "touch ran"))
        self.write("file", b"")
        self.fails(3, "run", path, "--log-dir", "file/runs", says="file/runs")
        self.assertFalse(self.exists("ran"))

    def test_a_full_disk_ends_the_run(self):
        # The journal may have so many bytes and no more.
        text = "".join(job(f"j{i}", "true") for i in range(200))
        path = self.jobs(text)
        command = f"ulimit -f 40; exec {WPOOL} run {path} -q"
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, capture_output=True,
                              env=environment(), timeout=60)
        self.assertEqual(done.returncode, 3, done)
        self.assertIn(b"the record cannot be kept", done.stderr)
        run = self.runs()[-1]
        self.assertLess(len(run.started), 200)


class Incremental(JobCase):
    TEXT = (job("a", "echo a >> ran; sort in.txt > a.txt", inputs=["in.txt"], outputs=["a.txt"])
            + job("b", "echo b >> ran; cp a.txt b.txt", after=["a"], inputs=["a.txt"], outputs=["b.txt"])
            + job("c", "echo c >> ran"))

    def ran(self):
        path = self.folder / "ran"
        names = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return names

    def setUp(self):
        super().setUp()
        self.write("in.txt", b"2\n1\n")
        self.run_jobs(self.TEXT)
        self.assertEqual(self.ran(), ["a", "b", "c"])

    def test_what_is_up_to_date_is_skipped(self):  # J30
        run = self.run_again(self.path("jobs.toml"))
        self.assertEqual(self.ran(), ["c"])
        self.assertEqual(run.how("a"), "SKIPPED up_to_date")
        self.assertEqual(self.counts(), (1, 2, 0, 0, 0))

    def test_touch_runs_nothing_and_a_change_runs_what_it_must(self):
        os.utime(self.folder / "in.txt", ns=(1, 1))
        self.run_again(self.path("jobs.toml"))
        self.assertEqual(self.ran(), ["c"])
        # The output of a is the same as before: b need not run.
        self.write("in.txt", b"1\n2\n")
        run = self.run_again(self.path("jobs.toml"), "--explain")
        self.assertEqual(self.ran(), ["a", "c"])
        self.assertIn("a: runs: input in.txt has changed", self.last.err)
        self.assertIn("b: is up to date", self.last.err)
        self.write("in.txt", b"1\n3\n")
        self.run_again(self.path("jobs.toml"))
        self.assertEqual(self.ran(), ["a", "b", "c"])

    def test_missing_outputs_changed_definitions_and_failures(self):
        (self.folder / "b.txt").unlink()
        self.run_again(self.path("jobs.toml"))
        self.assertEqual(self.ran(), ["b", "c"])
        self.run_jobs(self.TEXT.replace("cp a.txt", "cp  a.txt"))
        self.assertEqual(self.ran(), ["b", "c"])
        self.run_jobs(self.TEXT.replace("id = \"b\"", "priority = 3\nretries = 1\nid = \"b\""))
        self.assertEqual(self.ran(), ["b", "c"])
        self.write("in.txt", b"4\n")
        self.run_again(self.path("jobs.toml"), "--set", "a.run=exit 1", code=1)
        self.ran()
        self.write("in.txt", b"2\n1\n")
        self.run_again(self.path("jobs.toml"))
        self.assertIn("a", self.ran())

    def test_a_killed_attempt_leaves_its_outputs_incomplete(self):
        self.write("in.txt", b"9\n")
        process = self.begin(self.path("jobs.toml"), "--set", "a.run=echo 9 > a.txt; touch began; exec sleep 1000")
        self.wait_for(lambda: self.exists("began"))
        process.kill()
        process.wait()
        for line in self.runs()[-1].lines:
            if line.get("type") == "spawn":
                os.killpg(line["pgid"], signal.SIGKILL)
        self.write("in.txt", b"2\n1\n")
        run = self.run_again(self.path("jobs.toml"), "--explain")
        self.assertIn("a: runs: its last attempt did not complete", self.last.err)
        self.assertIn("a", self.ran())

    def test_force_no_cache_and_dry_run(self):
        self.run_again(self.path("jobs.toml"), "--force")
        self.assertEqual(self.ran(), ["a", "b", "c"])
        self.run_again(self.path("jobs.toml"), "--no-cache")
        self.assertEqual(self.ran(), ["a", "b", "c"])
        self.run_again(self.path("jobs.toml"), env=environment(WPOOL_NO_CACHE="1"))
        self.assertEqual(self.ran(), ["a", "b", "c"])
        state = (self.folder / ".wpool/state.jsonl").read_bytes()
        out = self.ok("run", self.path("jobs.toml"), "-n").decode()
        self.assertRegex(out, r"-\s+a\s+SKIPPED\s+is up to date\n")
        self.assertRegex(out, r"1\s+c\s+run")
        self.write("in.txt", b"5\n")
        out = self.ok("run", self.path("jobs.toml"), "-n").decode()
        self.assertRegex(out, r"b\s+run\s+runs, unless what comes from a is the same as before")
        self.assertEqual((self.folder / ".wpool/state.jsonl").read_bytes(), state)
        self.assertEqual(self.ran(), [])

    def test_new_and_lost_input_files_count(self):
        text = job("g", "echo g >> ran", inputs=["in/*.x"])
        (self.folder / "in").mkdir()
        self.write("in/1.x", b"1")
        self.run_jobs(text)
        self.run_again(self.path("jobs.toml"))
        self.assertEqual(self.ran(), ["g"])
        self.write("in/2.x", b"2")
        self.run_again(self.path("jobs.toml"))
        self.assertEqual(self.ran(), ["g"])
        (self.folder / "in/1.x").unlink()
        self.run_again(self.path("jobs.toml"), "--explain")
        self.assertEqual(self.ran(), ["g"])
        self.assertIn("input in/1.x is gone", self.last.err)

    def test_values_of_what_is_skipped_are_known(self):
        text = (job("a", "echo k=$(cat in.txt) > $WPOOL_OUTPUT", inputs=["in.txt"])
                + job("b", "echo got $WPOOL_DEP_a_k", after=["a"]))
        self.write("in.txt", b"seven\n")
        for skipped in (0, 1):
            self.run_jobs(text, "-q")
            self.assertEqual(self.last.out, b"got seven\n")
            self.assertEqual(self.counts()[1], skipped)

    def test_runs_at_once_may_share_the_state(self):
        text = "".join(job(f"j{i}", f"echo {i} > o{i}", inputs=["in.txt"], outputs=[f"o{i}"]) for i in range(20))
        path = self.jobs(text)
        runs = [self.begin(path, "-q", "-j2") for _ in range(3)]
        for process in runs:
            self.assertEqual(process.wait(60), 0)
        self.run_again(path)
        self.assertEqual(self.counts(), (0, 20, 0, 0, 0))
        data = (self.folder / ".wpool/state.jsonl").read_bytes()
        (self.folder / ".wpool/state.jsonl").write_bytes(data[:-5])
        run = self.run_again(path)
        self.assertLessEqual(len(run.started), 1)


class Shards(JobCase):
    TEXT = "".join(job(f"a{i}", f"echo v={i} > $WPOOL_OUTPUT; echo {i} >> ran-a; test ! -e bad || exit {i % 7}")
                   + job(f"b{i}", f"echo {i} >> ran-b", after=[f"a{i}"]) for i in range(12)) + (
        job("sum", "echo $WPOOL_DEP_a3_v; cat $WPOOL_DEPS", after=[f"a{i}" for i in range(12)], gather=True)
        + job("tell", "echo told", after=["sum"]) + job("fine", "echo fine", gather=True))

    def shards(self, path, code=0):
        for i in range(3):
            self.run_again(path, "-k", "--shard", f"{i}/3", "--log-dir", "shards", code=code, q=None)

    def run_again(self, *args, q=None, **more):
        ended = self.wpool("run", *args, "-q", **{k: v for k, v in more.items() if k != "code"})
        self.assertIn(ended.code, more.get("code") if isinstance(more.get("code"), tuple) else (more.get("code", 0),), ended)
        self.last = ended
        return ended

    def test_parts_make_the_whole(self):
        path = self.jobs(self.TEXT)
        sizes = [int(line.split()[-1]) for line in self.ok("check", path, "--shards", "3").decode().split("\n")
                 if line.startswith(("shard", "gather"))]
        self.assertEqual((sum(sizes[:3]), sizes[3]), (24, 3))
        self.assertTrue(all(size % 2 == 0 for size in sizes[:3]), sizes)
        self.shards(path)
        for name in ("ran-a", "ran-b"):
            self.assertEqual(sorted(map(int, (self.folder / name).read_text().split())), list(range(12)))
        # The split does not depend on the order of the file.
        blocks = self.TEXT.split("[[job]]\n")[1:]
        other = self.jobs("".join("[[job]]\n" + block for block in reversed(blocks)), "other.toml")
        one = self.ok("run", path, "-n", "--shard", "1/3").decode().split("\n")
        two = self.ok("run", other, "-n", "--shard", "1/3").decode().split("\n")
        names = lambda lines: {line.split()[1] for line in lines if " run" in line}
        self.assertEqual(names(one), names(two))
        report = self.ok("report", "--merge", "shards/*/run.jsonl", "--trace", "all.json").decode()
        self.assertEqual([line.split(":")[0] for line in report.split("\n")[:3]],
                         ["shard 0/3", "shard 1/3", "shard 2/3"])
        self.assertIn("success rate: 1.000", report)
        bars = [e for e in json.loads((self.folder / "all.json").read_text())["traceEvents"] if e["ph"] == "X"]
        self.assertEqual(len(bars), 24)
        self.assertLessEqual({e["pid"] for e in bars}, {0, 1, 2})
        self.run_again(path, "--shard", "gather", "--merge", "shards/*/run.jsonl")
        self.assertTrue(self.last.out.startswith(b'3\n{"a0":{"v":"0"}'), self.last)
        self.assertEqual(sorted(self.last.out.split(b"\n")[2:4]), [b"fine", b"told"])
        self.assertEqual(self.counts(), (3, 24, 0, 0, 0))

    def test_a_missing_shard_is_named(self):
        path = self.jobs(self.TEXT)
        self.run_again(path, "--shard", "0/3", "--log-dir", "shards")
        self.run_again(path, "--log-dir", "shards", env=environment(WPOOL_SHARD="2/3"))
        self.fails(2, "run", path, "--shard", "gather", "--merge", "shards/*/run.jsonl", says="missing: 1/3")
        self.fails(2, "run", path, "--shard", "gather", "--merge", "none/*", says="no record")
        self.fails(2, "run", path, "--shard", "gather", says="belong together")
        self.fails(2, "run", path, "--shard", "3/3", says="3/3")

    def test_a_failure_in_a_shard_cancels_what_gathers(self):
        path = self.jobs(self.TEXT)
        self.write("bad", b"")
        self.shards(path, code=(0, 1))
        self.run_again(path, "--shard", "gather", "--merge", "shards/*/run.jsonl", code=1)
        run = self.runs()[-1]
        self.assertEqual(run.end("tell")["chain"], ["a1", "sum", "tell"])
        self.assertEqual(run.how("a1"), "FAILED exit 1")
        self.assertEqual(run.how("fine"), "COMPLETED none")


class Reading(JobCase):
    def test_the_same_file_twice_comes_to_the_same(self):  # J30
        text = (job("a", "echo a") + job("b", "exit 4", retries=1) + job("c", after=["b"])
                + job("d", when="always", after=["c"]))

        def summary():
            run = self.run_jobs(text, "-k", code=1)
            seen = run.summary
            for key in ("run", "duration_ms", "metrics"):
                del seen[key]
            for one in seen["jobs"]:
                for attempt in one["attempts"]:
                    for key in ("start_ns", "end_ns", "cpu_ns", "peak_memory"):
                        del attempt[key]
            return seen, self.last.out, run

        first, out, run = summary()
        second, out2, _ = summary()
        self.assertEqual((first, out), (second, out2))
        self.assertEqual(run.summary["jobs"][0]["attempts"][0]["out"], "jobs/a.1.out")

    def test_status_report_and_timeline(self):
        run = self.run_jobs(job("a", "exit 1", memory="1G") + job("b", after=["a"]) + job("c<&>")
                            + job("d", "head -c 90000000 /dev/zero | tail -c 80000000 > big", after=["c<&>"],
                                  memory="1K"), "-k", "-j2", "--timeline", "t.json", code=1)
        status = self.ok("status").decode()
        self.assertIn(f"run {run.id}: finished, ok 2, failed 1, cancelled 1", status)
        report = self.ok("report", run.id).decode()
        for words in ("parallelism factor", "success rate: 0.667", "critical path: c<&> → d",
                      "more memory than declared\njob  declared"):
            self.assertIn(words, report)
        trace = json.loads(self.ok("timeline", run.id, "--trace"))
        self.assertEqual(trace, json.loads((self.folder / "t.json").read_text()))
        bars = [e for e in trace["traceEvents"] if e["ph"] == "X"]
        self.assertEqual({e["name"] for e in bars}, {"a", "c<&>", "d"})
        begin = run.of("d", "job_started")[0]["t"]
        bar = next(e for e in bars if e["name"] == "d")
        self.assertEqual(bar["ts"], begin // 1000)
        self.assertEqual(sorted(e["ph"] for e in trace["traceEvents"] if e["ph"] in "sf"), ["f", "s"])
        picture = xml.dom.minidom.parseString(self.ok("timeline", run.id, "--svg"))
        self.assertEqual(len(picture.getElementsByTagName("rect")), 3)
        self.assertIn("processes 0", self.ok("timeline", run.id).decode())

    def test_runs_are_listed_and_cleaned(self):
        path = self.jobs(job("a"))
        for _ in range(3):
            self.run_again(path)
        ids = [run.id for run in self.runs()]
        listed = self.ok("runs").decode().split("\n")
        self.assertEqual([line.split()[0] for line in listed[1:-1]], ids)
        process = self.begin(self.jobs(job("a", STAY.format("a"))), "--run-id", "0")
        self.wait_for(lambda: self.exists("a.began"))
        self.assertEqual(self.wpool("clean", "--keep-runs", "0").code, 0)
        self.assertEqual([run.id for run in self.runs()], ["0"])
        process.terminate()
        self.assertEqual(process.wait(30), 143)
        self.ok("clean", "--keep-runs", "0")
        self.assertEqual(self.runs(), [])
        self.fails(2, "status", says="there is no run")

    def test_logs_of_an_item_are_those_of_its_attempts(self):
        run = self.run_jobs(job("a/b", "true"))
        (out,) = (run.folder / "jobs").glob("a_b*.1.out")
        items = out.with_suffix(".items")
        items.mkdir()
        for name, text in (("3.1", "one\n"), ("3.2", "two\n"), ("4.1", "other\n")):
            (items / f"{name}.log").write_text(text)
        self.assertEqual(self.ok("logs", "last", "a/b", "--item", "3"), b"one\ntwo\n")
        self.fails(2, "logs", "last", "a/b", "--item", "5", says=["5.1.log: cannot open"])
        self.fails(2, "logs", "last", "a/b", "--item", "3", "-f", says=["--item stands without"])

    def test_logs_can_be_followed(self):
        text = job("a", "echo one; while ! [ -e go ]; do sleep 0.01; done; echo two")
        process = self.begin(self.jobs(text))
        self.wait_for(lambda: self.runs() and self.runs()[-1].of("a", "job_started") and
                      list((self.runs()[-1].folder / "jobs").iterdir()))
        logs = subprocess.Popen([WPOOL, "logs", "last", "a", "-f"], cwd=self.folder, stdout=subprocess.PIPE,
                                env=environment())
        self.addCleanup(logs.kill)
        self.assertEqual(logs.stdout.readline(), b"one\n")
        self.write("go", b"")
        self.assertEqual(logs.communicate(timeout=30)[0], b"two\n")
        self.assertEqual((process.wait(30), logs.returncode), (0, 0))
