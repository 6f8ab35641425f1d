# SPDX-License-Identifier: MIT
"""Job files: what they may say, and how what is wrong is told."""

import json
import re

from jobs import JobCase


class JobFiles(JobCase):
    def test_a_file_without_jobs_is_good(self):  # J7
        for text in ("", "version = 1\n", "name = 'x'\n[defaults]\nretries = 1\n"):
            self.run_jobs(text)
            self.assertEqual(self.counts(), (0, 0, 0, 0, 0))
        self.assertEqual(self.runs()[-1].summary["total"], 0)

    def test_cycles_are_named_and_nothing_runs(self):  # J5
        job = '[[job]]\nid = "{}"\nrun = "touch ran"\nafter = [{}]\n'
        text = job.format("a", '"b"') + job.format("b", '"c"') + job.format("c", '"a"')
        self.refused(text + job.format("d", ""), "dependency cycle: a -> b -> c -> a")
        self.refused(job.format("a", '"a"'), "dependency cycle: a -> a")
        self.refused(job.format("x", "") + job.format("b", '"a"') + job.format("a", '"b"'),
                     "dependency cycle: b -> a -> b")
        self.assertFalse(self.exists("ran"))

    def test_a_cycle_by_the_order_of_stages_is_named(self):
        self.refused(
            '[[stage]]\nname = "one"\njobs = [{id = "a", run = "true", after = ["b"]}]\n'
            '[[stage]]\nname = "two"\njobs = [{id = "b", run = "true"}]\n',
            "dependency cycle: a -> b -> a")

    def test_unknown_jobs_are_named(self):  # J6
        self.refused('[[job]]\nid = "a"\nrun = "touch ran"\nafter = ["zz"]\n',
                     'jobs.toml:4: job "a": after "zz": there is no job "zz"')
        self.refused('[[job]]\nid = "fetch"\nrun = "true"\n[[job]]\nid = "b"\nrun = "true"\n'
                     'after = ["fetsh"]\n', 'nearest: "fetch"')
        self.refused('[[job]]\nid = "a"\nrun = "true"\nafter = ["x*"]\n', '"x*"')
        self.refused('[[job]]\nid = "a"\nrun = "true"\nafter = ["stage:x"]\n', 'no stage "x"')
        self.assertFalse(self.exists("ran"))

    def test_an_id_twice_is_refused(self):  # J7
        self.refused('[[job]]\nid = "a"\nrun = "true"\n[[job]]\nid = "a"\nrun = "true"\n',
                     'jobs.toml:5: job id "a" is there twice; it is also at line 2')
        self.refused('[[job]]\nid = "a"\nforeach = { n = [1, 2] }\nrun = "echo {n}"\n', "twice")

    def test_unknown_keys_are_told_with_the_line_and_the_nearest_name(self):
        self.refused('[[job]]\nid = "a"\nrun = "true"\nretrys = 2\n',
                     'jobs.toml:4: job "a": unknown key retrys; nearest: "retries"')
        self.refused('verson = 1\n', "jobs.toml:1", 'nearest: "version"')
        self.refused('[limits]\nmemroy = "1G"\n', "jobs.toml:2: [limits]", 'nearest: "memory"')
        self.refused('[defaults]\nid = "x"\n', "[defaults]: unknown key id")
        self.refused('version = 2\n', "version = 2 is not known")

    def test_wrong_values_are_told(self):
        for line, says in [
            ('timeout = "1x"', "1h30m"), ("timeout = 0", "more than 0"), ('memory = "1Q"', "512M"),
            ("retries = -1", "integer from 0"), ('hint = "heavy"', "none of light_cpu"),
            ('when = "sometimes"', "none of success, always, failure"),
            ('priority = "urgent"', "low, normal, high, critical"), ("cpus = 0", "from 1"),
            ('retry_on = ["errors"]', 'nearest: "error"'), ("no_retry_exit = [256]", "0 to 255"),
            ('on_leftover = "kil"', 'nearest: "kill"'), ("run = []", "list of a program"),
            ("pools = { gpu = 1 }", 'pool "gpu"'), ("env = 3", "table of texts"),
            ("foreach = { a = 3 }", "list of texts"), ("console = 1", "true or false"),
        ]:
            run = "" if line.startswith("run") else 'run = "true"\n'
            self.refused(f'[[job]]\nid = "a"\n{run}{line}\n', says, "jobs.toml:" + "34"[bool(run)])
        self.refused("[[job]]\nrun = 'true'\n", "a job has no id")
        self.refused("[[job]]\nid = 'a'\n", "no run")
        self.refused("job = 3\n", "[[job]]")

    def test_all_that_is_wrong_is_told_at_once(self):
        ended = self.refused('[[job]]\nid = "a"\nruns = "true"\n[[job]]\nid = "b[]"\nrun = "true"\n')
        self.assertIn("runs", ended.err)
        ended = self.refused('[[job]]\nid = "a"\nrun = "true"\ntimeout = ""\nmemory = ""\n')
        self.assertEqual(ended.err.count("\n"), 2, ended)

    def test_ids_are_checked(self):
        for bad in ("", "a*", "a,b", "stage:x", "added:y", "x" * 201, "{{", "a\\tb"):
            self.refused(f'[[job]]\nid = "{bad}"\nrun = "true"\n', "id")
        for good in ("ü/ö", "a b", "x" * 200, "."):
            self.ok("check", self.jobs(f'[[job]]\nid = "{good}"\nrun = "true"\n'))

    def test_what_is_no_toml_and_no_json_is_told(self):
        self.refused("[[job]\n", "jobs.toml:1")
        self.refused('{"job": [}', "jobs.json:1: this is no JSON", name="jobs.json")
        self.refused('{"job": [\n {"id": "a", "run": "true", "retrys": 1}]}',
                     "jobs.json:2", 'nearest: "retries"', name="jobs.json")
        self.fails(2, "run", "none.toml", says="none.toml")
        self.fails(2, "run", says="no job file")

    def test_json_has_the_same_shape(self):
        toml = ('version = 1\n[defaults]\nretries = 1\n[[job]]\nid = "a-{n}"\n'
                'foreach = { n = [1, 2] }\nrun = "echo {n}"\n'
                '[[stage]]\nname = "s"\njobs = ["a-*", { id = "b", run = ["echo", "b"] }]\n')
        data = {"version": 1, "defaults": {"retries": 1},
                "job": [{"id": "a-{n}", "foreach": {"n": [1, 2]}, "run": "echo {n}"}],
                "stage": [{"name": "s", "jobs": ["a-*", {"id": "b", "run": ["echo", "b"]}]}]}
        shape = self.ok("graph", self.jobs(toml))
        self.assertEqual(shape, self.ok("graph", self.jobs(json.dumps(data), "jobs.json")))
        one = self.run_jobs(toml)
        other = self.run_again(self.path("jobs.json"))
        self.assertEqual([e.get("hash") for e in one.of("a-1")], [e.get("hash") for e in other.of("a-1")])

    def test_foreach_is_a_product_and_quotes(self):
        (self.folder / "in").mkdir()
        for name in ("b x.gz", "a.gz", "c.txt"):
            (self.folder / "in" / name).write_text("")
        self.write("ids.txt", b"one\ntwo's\n\n")
        self.write("print.sh", b'for x; do printf "<%s>" "$x"; done; echo\n')
        run = self.run_jobs(
            '[[job]]\nid = "{n}-{x}"\nforeach = { x = ["a b", "$c"], n = [1, 2] }\n'
            'run = "sh print.sh {x} {n} {x:raw} {{x} ${HOME:+h} {{{n}}}"\n'
            '[[job]]\nid = "g-{f}"\nforeach = { f = {glob = "in/*.gz"} }\n'
            'run = ["sh", "print.sh", "{f}", "$x", "{{f}"]\n'
            '[[job]]\nid = "l-{f}"\nforeach = { f = {lines = "ids.txt"} }\nrun = "sh print.sh {f}"\n')
        self.assertEqual(run.started[:4], ["1-a b", "2-a b", "1-$c", "2-$c"])
        self.assertEqual(run.started[4:], ["g-in/a.gz", "g-in/b x.gz", "l-one", "l-two's"])
        out = self.last.out.decode().split("\n")
        self.assertEqual(out[0], "<a b><1><a><b><{x}><h><{1}>")
        self.assertEqual(out[2], "<$c><1><{x}><h><{1}>")
        self.assertEqual(out[4:8], ["<in/a.gz><$x><{f}>", "<in/b x.gz><$x><{f}>", "<one>", "<two's>"])

    def test_names_that_no_foreach_gives_are_refused(self):
        self.refused('[[job]]\nid = "a"\nrun = "echo {nam}"\n', "{nam}")
        self.refused('[[job]]\nid = "{name}"\nforeach = {name = ["x"]}\nrun = "echo {nme}"\n',
                     'nearest: "name"')
        self.run_jobs("[[job]]\nid = 'a'\nrun = \"X=1; echo ${X} {}; echo x y | awk '{print $2}'\"\n")
        self.assertEqual(self.last.out, b"1 {}\ny\n")

    def test_an_empty_foreach_is_no_job_and_may_be_waited_for(self):
        run = self.run_jobs(
            '[[job]]\nid = "f-{x}"\nforeach = { x = {glob = "none/*"} }\nrun = "false {x}"\n'
            '[[job]]\nid = "b"\nafter = ["f-*", "f-7"]\nrun = "true"\n'
            '[[stage]]\nname = "s"\njobs = ["f-*"]\n')
        self.assertEqual(run.started, ["b"])
        self.fails(2, "check", self.jobs(
            '[[job]]\nid = "f-{x}"\nforeach = { x = {lines = "none"} }\nrun = "true {x}"\n'),
            says=["jobs.toml", "none"])

    def test_paths_are_those_of_the_files_folder(self):
        (self.folder / "sub").mkdir()
        self.write("sub/in.txt", b"given\n")
        self.jobs('[[job]]\nid = "a"\nstdin = "in.txt"\nrun = "pwd; cat"\n'
                  '[[job]]\nid = "b"\ncwd = ".."\nenv = { A = "1 2", N = 3 }\nrun = "pwd; echo $A$N"\n',
                  "sub/jobs.toml")
        self.run_again("sub/jobs.toml")
        here = str(self.folder.resolve())
        self.assertEqual(self.last.out.decode(), f"{here}/sub\ngiven\n{here}\n1 23\n")

    def test_the_shell_can_be_chosen_and_an_array_needs_none(self):
        self.run_jobs('[[job]]\nid = "a"\nshell = ["/bin/sh", "-e", "-c"]\nrun = "echo $-"\n'
                      '[[job]]\nid = "b"\nrun = ["echo", "a  b", "$HOME", ";"]\n')
        self.assertRegex(self.last.out.decode(), r"^\w*e\w*\na  b \$HOME ;\n$")

    def test_set_changes_a_key_of_a_job(self):
        text = '[[job]]\nid = "a.b"\nrun = "echo $X; exit 3"\n[[job]]\nid = "c"\nrun = "true"\n'
        run = self.run_jobs(text, "--set", "a.b.env.X=hello", "--set", "a.b.allow_failure=true")
        self.assertEqual(self.last.out, b"hello\n")
        self.assertEqual(run.how("a.b"), "FAILED exit 3")
        self.run_again(self.path("jobs.toml"), "--set", "*.run=true")
        path = self.path("jobs.toml")
        self.fails(2, "run", path, "--set", "x.timeout=1", says="no such job")
        self.fails(2, "run", path, "--set", "c.timeot=1", says='nearest: "timeout"')
        self.fails(2, "run", path, "--set", "c.timeout=soon", says="duration")
        self.fails(2, "run", path, "--set", "c", says="JOB.KEY=VALUE")

    def test_requests_that_never_fit_are_refused(self):
        job = '[[job]]\nid = "big"\nrun = "touch ran"\n'
        self.refused('[limits]\nmemory = "1G"\n' + job + 'memory = "2G"\n', "big", "memory")
        self.refused('[limits]\npools = { gpu = 1 }\n' + job + "pools = { gpu = 2 }\n",
                     "big", "asks for 2", "there are 1")
        path = self.jobs(job + "cpus = 3\n")
        self.fails(2, "run", path, "-j2", says=["big", "3", "2"])
        self.assertFalse(self.exists("ran"))
        self.run_again(path, "-j2", "--oversize", "alone")
        self.assertTrue(self.exists("ran"))

    def test_check_tells_the_shape(self):
        path = self.jobs(
            '[[job]]\nid = "a"\nrun = "true"\n[[job]]\nid = "b"\nafter = ["a"]\nrun = "true"\n'
            '[[job]]\nid = "c"\nafter = ["a"]\nrun = "true"\n'
            '[[job]]\nid = "d"\nafter = ["b"]\nrun = "true"\n')
        out = self.ok("check", path).decode()
        self.assertIn("jobs: 4\nwaves: 3\nwidth: 2\ncritical path: a → b → d\n", out)
        self.assertIn('"a" -> "b";', self.ok("graph", path, "--dot").decode())
        self.assertIn("j0 --> j2", self.ok("graph", path, "--mermaid").decode())
        self.assertEqual(self.names(), ["jobs.toml"])

    def test_the_template_is_right_and_so_is_all_that_is_in_comments(self):
        text = self.ok("template", "jobs").decode()
        self.run_jobs(text, "-j2")
        self.assertEqual(self.counts(), (3, 0, 0, 0, 0))
        self.assertEqual((self.folder / "all.txt").read_text(), "mon\ntue\n")
        # Lines of a key or a table in a comment; the others are words.
        whole = re.sub(r"(?m)^# (?=\[|\w+ = )", "", text)
        self.assertGreater(whole.count("\n") - len(re.findall(r"(?m)^#", whole)), text.count("\n") / 2)
        self.ok("check", self.jobs(whole))
        # Every key is there: those that the program lists for a wrong one.
        keys = self.fails(2, "run", self.path("jobs.toml"), "--set", "merge.qqqqqq=1", says="keys are ").err
        for key in keys.split("keys are ")[1].strip().split(", "):
            self.assertRegex(whole, rf"(?m)^{key} = ")

    def test_what_no_program_can_be_given_is_refused(self):
        # A NUL byte would end a text early.
        for key, value in (("run", '"echo \\u0000x"'), ("run", '["echo", "a\\u0000"]'), ("cwd", '"x\\u0000"'),
                           ("stdin", '"x\\u0000"'), ("inputs", '["x\\u0000"]'), ("outputs", '["x\\u0000"]'),
                           ("env", '{ A = "x\\u0000" }'), ("shell", '["sh", "-c\\u0000"]')):
            run = "" if key == "run" else 'run = "true"\n'
            self.refused(f'[[job]]\nid = "a"\n{run}{key} = {value}\n',
                         f'jobs.toml:{3 + bool(run)}: job "a": {key} has a NUL byte')
        self.fails(2, "each", "--", "x", stdin=b"a\0b\n", says="line 1 has a NUL byte; -0")
        self.fails(2, "run", "--lines", "-", stdin=b"echo a\0b\n", says="line 1 has a NUL byte")
