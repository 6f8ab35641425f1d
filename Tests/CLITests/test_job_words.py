# SPDX-License-Identifier: MIT
"""What wpool run and each say and show: words, formats, timelines, output that cannot be written."""

import json
import os
import re
import signal
import subprocess

from jobs import JobCase
from support import TIMEOUT, WPOOL, environment
from test_jobs import job


class Status(JobCase):
    FORMAT = "<%f/%t %p r%r s%s u%u F%F %o %e %E %w %W %%> "

    def test_a_format_says_what_lines_begin_with(self):
        path = self.jobs(job("a") + job("b", "exit 1") + job("c"))
        for args, env in ((["--status", self.FORMAT], {}), ([], {"WPOOL_STATUS": self.FORMAT})):
            ended = self.wpool("run", path, "-k", *args, env=environment(**env))
            seconds = r"[\d.]+ [\d.]+ [\d.?]+ 0:0\d [\d:?]+"
            for head, text in ((r"0/3 0% r1 s1 u2 F0", "start a"), (r"1/3 33% r0 s1 u2 F0", r"a: ok .*"),
                               (r"2/3 66% r0 s2 u1 F1", r"b: failed .*"), (r"3/3 100% r0 s3 u0 F1", "c: ok .*")):
                self.assertRegex(ended.err, rf"(?m)^wpool: <{head} {seconds} %> {text}$")

    def test_a_bar_has_it_too(self):
        ended = self.wpool("run", self.jobs(job("a", "sleep 0.3")), "--progress", "bar", "--status", "%r of %t!")
        self.assertIn("\r1 of 1!", ended.err)

    def test_a_format_that_is_none_is_refused(self):
        path = self.jobs(job("a"))
        for text in ("%x", "a%", "%"):
            self.fails(2, "run", path, "--status", text, says="--status")
        self.fails(2, "run", path, env=environment(WPOOL_STATUS="%y"), says="WPOOL_STATUS=%y")
        self.assertFalse(self.exists(".wpool"))


class Messages(JobCase):
    def test_a_failed_line_is_told_with_its_command(self):
        ended = self.wpool("run", "--lines", "-", "-k", stdin=b"true\nexit 3\necho " + b"x" * 80 + b"; false\n")
        self.assertRegex(ended.err, r"(?m)^wpool: start 2: exit 3$")
        self.assertRegex(ended.err, r"(?m)^wpool: 2 \(exit 3\) failed \(exit 3\); log: .*/jobs/2\.1\.err$")
        self.assertRegex(ended.err, r"(?m)^wpool: 3 \(echo x{54}…\) failed \(exit 1\)")

    def test_what_could_not_start_says_why_once(self):
        self.run_jobs('[[job]]\nid = "a"\nrun = ["no-such-program"]\n', "-q", code=1)
        self.assertEqual(self.last.err.splitlines()[0],
                         "wpool: a failed: no-such-program: cannot start: No such file or directory")

    def test_sizes_are_told_as_people_write_them(self):
        text = '[limits]\nmemory = "1G"\n' + job("a", memory="4G")
        self.refused(text, "job a asks for 4G of memory, there is 1G")
        self.fails(2, "run", self.path("jobs.toml"), says="; --oversize alone runs it by itself")

    def test_keys_are_listed_once(self):
        ended = self.fails(2, "run", self.jobs(job("a")), "--set", "a.qqqqqq=1", says="keys are ")
        keys = ended.err.split("keys are ")[1].strip().split(", ")
        self.assertEqual(len(keys), len(set(keys)))

    def test_times_of_0_are_refused(self):
        path = self.jobs(job("a"))
        for option in ("--deadline", "--timeout", "--aging"):
            self.fails(2, "run", path, option, "0", says="0")
        self.fails(2, "run", path, env=environment(WPOOL_DEADLINE="0"), says="deadline")

    def test_a_word_behind_resume_that_is_nothing_is_told(self):
        path = self.jobs(job("a"))
        self.run_again(path)
        self.fails(2, "run", path, "--resume", "nope", says="nope: there is no such job, and no such run")


class Streams(JobCase):
    def test_output_that_cannot_be_written_is_told(self):
        with open("/dev/full", "wb") as full:
            for args in (["run", self.jobs(job("a", "echo a"))], ["each", "--", "echo", ":::", "a"]):
                ended = self.wpool(*args, stdout=full)
                self.assertEqual(ended.code, 3)
                self.assertRegex(ended.err, r"standard output: cannot write: .*; what jobs wrote is in \.wpool/runs/")
                self.assertEqual(self.counts(ended), (1, 0, 0, 0, 0))

    def test_no_job_is_lost_when_nobody_reads_the_output(self):
        read, write = os.pipe()
        os.close(read)
        ended = self.wpool("each", "-q", "--", "echo", ":::", "a", "b", stdout=write)
        os.close(write)
        self.assertEqual((ended.code, self.counts(ended)), (141, (2, 0, 0, 0, 0)))

    def test_tags_of_each_are_its_words(self):
        ended = self.wpool("each", "-q", "--tag", "--", "echo", "{1}+{2}", ":::", "a", ":::", "x y")
        self.assertEqual(ended.out, b"a x y\ta+x y\n")


    def test_a_line_that_does_not_end_takes_no_memory(self):
        for form in ("group", "line"):
            limited = ["sh", "-c", 'ulimit -v 600000; exec "$@"', "sh", WPOOL]
            done = subprocess.run(
                [*limited, "each", "-q", "--tag", "--output", form, "--", "head", "-c", "100000000", ":::", "/dev/zero"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder, env=environment(), timeout=TIMEOUT)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout.count(b"\0"), 100_000_000)
            self.assertTrue(done.stdout.startswith(b"/dev/zero\t\0"))


class Figures(JobCase):
    def test_what_a_job_took_is_not_what_this_program_took(self):
        text = job("small", memory="4K") + job("large", "head -c 100000000 /dev/zero | tail -c 90000000 | wc -c", memory="4K")
        run = self.run_jobs(text, "-q")
        self.assertEqual(run.end("small")["peak_memory"], 0)
        self.assertGreater(run.end("large")["peak_memory"], 90_000_000)
        above = self.ok("report").decode().split("more memory than declared\n")[1]
        self.assertEqual([line.split()[0] for line in above.splitlines()[:2]], ["job", "large"])
        self.assertNotIn("small", above)

    def test_outputs_that_did_not_come_are_told(self):
        self.run_jobs(job("a", "touch is", outputs=["is", "is-not", "no*"]), "-q")
        self.assertIn("wpool: warning: a: it completed, and its outputs are not there: is-not, no*\n", self.last.err)


class Timelines(JobCase):
    def test_each_run_has_a_trace_and_a_picture(self):
        run = self.run_jobs("".join(job(x, after=["a"] if x != "a" else []) for x in "abc"), "-j2")
        trace = json.loads((run.folder / "trace.json").read_text())["traceEvents"]
        self.assertEqual(sorted(e["name"] for e in trace if e["ph"] == "X"), ["a", "b", "c"])
        self.assertEqual(sum(e["ph"] == "s" for e in trace), 2)
        self.assertEqual((run.folder / "timeline.svg").read_text().count("<rect"), 3)

    def test_it_is_written_where_it_was_asked_for(self):
        path = self.jobs(job("a"))
        for name in ("t.json", "t.svg"):
            self.run_again(path, "--timeline", name)
            own = {"t.json": "trace.json", "t.svg": "timeline.svg"}[name]
            self.assertEqual((self.folder / name).read_text(), (self.runs()[-1].folder / own).read_text())
        runs = len(self.runs())
        self.fails(2, "run", path, "--timeline", "no/t.svg", says="--timeline no/t.svg: cannot write there")
        self.assertEqual(len(self.runs()), runs)

    def test_no_two_bars_of_a_slot_overlap(self):
        text = "".join(job(f"c{i}", "sleep 0.02") for i in range(6))
        text += "".join(job(f"i{i}", "sleep 0.02", hint="light_io") for i in range(6))
        run = self.run_jobs(text, "-j2", "--io-workers", "2", "-q")
        bars = [e for e in json.loads((run.folder / "trace.json").read_text())["traceEvents"] if e["ph"] == "X"]
        rows = {}
        for bar in bars:
            rows.setdefault((bar["pid"], bar["tid"]), []).append((bar["ts"], bar["ts"] + bar["dur"]))
        self.assertEqual(sum(map(len, rows.values())), 12)
        for row in rows.values():
            row.sort()
            for (_, end), (start, _) in zip(row, row[1:]):
                self.assertLessEqual(end, start + 1)


class Limits(JobCase):
    def test_the_time_of_a_job_begins_when_it_does(self):
        # Many jobs take a while to be put on record before the first one begins.
        text = '[defaults]\nretries = 0\n' + "".join(job(f"j{i}") for i in range(3000))
        run = self.run_jobs(text, "--only", "j0", "-q")
        start = run.of("j0", "job_started")[0]["t"]
        self.assertGreaterEqual(start, max(e["t"] for e in run.events if e["event"] == "job_submitted"))
        self.assertGreater(start, 0)

    def test_an_oversized_job_has_what_there_is(self):
        run = self.run_jobs(job("a", "echo $WPOOL_CPUS", cpus=9) + job("b"), "-j2", "--oversize", "alone", "-q")
        self.assertEqual(self.last.out, b"2\n")
        self.assertEqual(run.started, ["a", "b"])

    def test_what_does_not_run_asks_for_nothing(self):
        path = self.jobs(job("a", cpus=9, pools={}) + job("b"))
        self.fails(2, "run", path, "-j2", says="job a asks for 9 slots, there are 2")
        self.run_again(path, "-j2", "--only", "b")
        self.run_again(path, "-j2", "--skip", "a")
        self.assertEqual(self.counts(), (1, 1, 0, 0, 0))

    def test_the_order_among_equals_can_be_chosen(self):
        text = (job("lone") + job("root") + job("mid", after=["root"]) + job("leaf", after=["mid"])
                + job("last"))
        self.assertEqual(self.run_jobs(text).started, ["lone", "root", "mid", "leaf", "last"])
        run = self.run_jobs(text, "--order", "depth")
        self.assertEqual(run.started[-2:], ["leaf", "last"])
        # Without times of an earlier run all jobs count the same: the longest way goes first.
        run = self.run_jobs(text, "--order", "critical", "--log-dir", "fresh")
        started = [json.loads(line)["job"]
                   for line in next((self.folder / "fresh").iterdir()).joinpath("run.jsonl").read_text().splitlines()
                   if '"job_started"' in line]
        self.assertEqual(started, ["root", "mid", "lone", "leaf", "last"])

    def test_times_of_the_last_run_make_the_longest_way(self):
        text = job("short") + job("long", "sleep 0.2")
        self.assertEqual(self.run_jobs(text).started, ["short", "long"])
        self.assertEqual(self.run_jobs(text, "--order", "critical").started, ["long", "short"])

    def test_waiting_makes_urgent(self):
        # While the first one runs, the last one has waited for longer than the others are worth.
        text = job("a", "sleep 0.3") + job("b", after=["a"], priority=5) + job("c", after=["a"], priority=5) + job("z")
        self.assertEqual(self.run_jobs(text, "--aging", "10ms").started, ["a", "z", "b", "c"])

    def test_a_signal_to_the_whole_group_is_no_failure_of_a_job(self):
        # As if the signal had come before the job had a group of its own.
        process = self.begin(self.jobs(job("a", "touch began; kill -STOP $$; sleep 1000")))
        def groups():
            return [line["pgid"] for line in self.runs()[-1].lines if line.get("type") == "spawn"]

        self.wait_for(lambda: self.exists("began") and groups())
        group = groups()[0]
        process.send_signal(signal.SIGSTOP)
        os.killpg(group, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        os.killpg(group, signal.SIGCONT)
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.wait(30), 130)
        self.assertEqual(self.runs()[-1].how("a"), "CANCELLED user")


class Many(JobCase):
    def test_patterns_among_many_jobs(self):
        # Each pattern is looked up among the ids that begin like it.
        text = "".join(job(f"a{i}") for i in range(3000)) + "".join(job(f"b{i}", after=[f"a{i}*"]) for i in range(3000))
        out = self.ok("check", self.jobs(text)).decode()
        self.assertIn("jobs: 6000\n", out)
        graph = self.ok("graph", self.path("jobs.toml")).decode()
        edges = len(re.findall(r"-> ", graph))
        # A number has as many beginnings as digits.
        self.assertEqual(edges, sum(len(str(i)) for i in range(3000)))
        self.assertIn('"a2999" -> "b2999"', graph)
        self.assertIn('"a1234" -> "b12"', graph)
        self.assertNotIn('"a12" -> "b1234"', graph)


class Each(JobCase):
    def printed(self, *args, **more):
        return self.ok("each", "-n", "--", *args, **more).decode().splitlines()

    def test_parts_of_words(self):
        self.assertEqual(self.printed("x", "{}", "{.}", "{/}", "{//}", "{/.}", "{#}", "{x}", ":::", "a/b.c.d", "e", "/f", "g.h/i"),
                         ["x a/b.c.d a/b.c b.c.d a b.c 1 '{x}'", "x e e e . e 2 '{x}'", "x /f /f f / f 3 '{x}'",
                          "x g.h/i g.h/i i g.h i 4 '{x}'"])

    def test_each_word_of_a_list_with_each_of_another(self):
        self.assertEqual(self.printed("x", "{1}-{2/}", "{}", ":::", "a", "b", ":::", "c/d", "e"),
                         ["x a-d a c/d", "x a-e a e", "x b-d b c/d", "x b-e b e"])
        self.assertEqual(self.printed("x", ":::", "a", ":::", "b"), ["x a b"])
        self.assertEqual(self.printed("x", "<{}>", ":::", "a", ":::", "b"), ["x '<a b>'"])
        self.assertEqual(self.printed("x", ":::", "a", ":::"), [])
        self.fails(2, "each", "--", "x", "{3}", ":::", "a", ":::", "b", says="{3} needs 3 lists of words; there are 2")

    def test_words_may_end_with_nul(self):
        self.assertEqual(self.ok("each", "-0", "-n", "--", "x", stdin=b"a b\0c\nd\0"), b"x 'a b'\nx 'c\nd'\n")

    def test_a_word_that_is_no_text_is_refused(self):
        # It would be another file's name.
        self.fails(2, "each", "--", "ls", stdin=b"a\nb\xff\n", says="line 2 is not UTF-8 text")
        self.fails(2, "each", "--", "ls", ":::", os.fsdecode(b"b\xff"), says="not UTF-8 text")
        self.fails(2, "run", "--lines", "-", stdin=b"ls b\xff\n", says="line 1 is not UTF-8 text")
        self.assertFalse(self.exists(".wpool"))


class Completions(JobCase):
    def complete(self, *words, place):
        words = ("wpool",) + words
        return self.ok("---completion", words[1], "--", place, len(words) - 1, len(words[-1]), *words).decode().split("\n")

    def test_runs_and_jobs_are_completed(self):
        self.run_jobs(job("fetch") + job("clean"), "--run-id", "first")
        self.run_again(self.path("jobs.toml"), "--run-id", "second")
        self.assertEqual(self.complete("status", "", place="positional@0")[:3], ["last", "second", "first"])
        self.assertEqual(self.complete("logs", "first", "", place="positional@1")[:2], ["fetch", "clean"])
        self.assertEqual(self.complete("run", "jobs.toml", "", place="positional@1")[:2], ["fetch", "clean"])
        self.assertEqual(self.complete("run", "jobs.toml", "--only", "", place="--only")[:2], ["fetch", "clean"])
        self.assertEqual(self.complete("run", "jobs.toml", "--resume", "", place="--resume")[:2], ["last", "second"])
        for shell in ("bash", "fish", "zsh"):
            script = self.ok("completions", shell).decode()
            for word in ("---completion", "order", "keep-going", "retry-failed"):
                self.assertIn(word, script)
