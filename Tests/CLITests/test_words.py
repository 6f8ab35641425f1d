# SPDX-License-Identifier: MIT
"""What the program says: help, versions, wrong command lines, progress, tables, reports."""

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
import threading

from support import PROJECT, TIMEOUT, WPOOL, Case, environment, fastq, reads

RECORDS = reads(500, seed=10)
BASES = sum(len(r[1]) for r in RECORDS)


class Words(Case):
    def setUp(self):
        super().setUp()
        self.input = self.write("in.fq", fastq(RECORDS))

    # Help and versions

    def test_the_version_is_that_of_the_header(self):
        header = (PROJECT / "include/workpool.h").read_text()
        numbers = [re.search(rf"define WP_VERSION_{part} (\d+)", header).group(1)
                   for part in ("MAJOR", "MINOR", "PATCH")]
        text = self.ok("version").decode()
        self.assertTrue(text.startswith(f"wpool {'.'.join(numbers)}\n"), text)
        self.assertRegex(text, r"\ncodecs: zlib [\d.]+, zstd [\d.]+(, (libdeflate|isa-l) [\d.]+)*\n$")
        self.assertEqual(self.ok("--version").decode(), text)

    def test_help_is_data(self):
        for args in (["--help"], ["help"], ["-h"], []):
            text = self.ok(*args).decode()
            for command in ("process", "list-steps", "completions", "version", "141"):
                self.assertIn(command, text)
        for args in (["process", "--help"], ["help", "process"]):
            text = self.ok(*args).decode()
            for flag in ("--mate", "--interleaved", "--output", "--step", "--command-ok",
                         "--max-workers", "--max-bytes", "--zstd-window", "--report-json", "--dry-run"):
                self.assertIn(flag, text)

    def test_steps_are_listed(self):
        names = [step["name"] for step in json.loads(self.ok("list-steps", "--json"))]
        for name in ("Head", "Skip", "CutStart", "ValidateName", "FilterSample"):
            self.assertIn(name, names)
        text = self.ok("list-steps").decode()
        for name in names:
            self.assertRegex(text, rf"(?m)^{name}\b.*: ")

    def test_completions_are_scripts(self):
        for shell in "bash", "fish", "zsh":
            script = self.ok("completions", shell)
            self.assertIn(b"report-json", script)
            if shutil.which(shell):
                subprocess.run([shell, "-n"], input=script, check=True)
        self.fails(2, "completions", "csh")

    # Wrong command lines

    def test_wrong_command_lines_end_with_2_and_write_nothing(self):
        for args in (
            ["process"], ["process", "in.fq", "--none"], ["nothing"], ["process", "in.toml"],
            ["process", "in.fq", "-j", "0"], ["process", "in.fq", "-j", "1025"],
            ["process", "in.fq", "-j", "x"], ["process", "in.fq", "--serial", "-j", "2"],
            ["process", "in.fq", "--max-blocks", "0"], ["process", "in.fq", "--max-blocks", "65537"],
            ["process", "in.fq", "--max-bytes", "0"], ["process", "in.fq", "--max-bytes", "1X"],
            ["process", "in.fq", "--block-size", "0"], ["process", "in.fq", "--block-bytes", "1K"],
            ["process", "--lines", "in.fq", "--block-bytes", "1X"],
            ["process", "--lines", "in.fq", "--block-bytes", "0"],
            ["process", "--lines", "in.fq", "--block-bytes", "99999999999G"],
            ["process", "--lines", "in.fq", "--block-bytes", "1K", "--block-size", "2"],
            ["process", "--lines", "in.fq", "--delimiter", "x"],
            ["process", "in.fq", "--delimiter", "xx"], ["process", "in.fq", "--record-bytes", "0"],
            ["process", "--lines", "in.fq", "--mate", "in.fq"],
            ["process", "in.fq", "--mate", "in.fq"],
            ["process", "in.fq", "--mate", "a", "--mate", "b"],
            ["process", "in.fq", "--mate", "a", "--interleaved"],
            ["process", "-", "--mate", "-"], ["process", "in.fq", "--interleaved", "--block-size", "3"],
            ["process", "in.fq", "-o", "a", "-o", "b"],
            ["process", "in.fq", "--interleaved", "-o", "a", "-o", "b", "-o", "c"],
            ["process", "in.fq", "--interleaved", "-o", "{segment}", "-o", "b"],
            ["process", "in.fq", "-o", ""], ["process", ""],
            ["process", "in.fq", "-o", "a.gz", "--level", "10"],
            ["process", "in.fq", "-o", "a.zst", "--level", "0"],
            ["process", "in.fq", "-o", "a.fq", "--level", "1"],
            ["process", "in.fq", "--compression", "xz"],
            ["process", "in.fq", "-o", "a.bam"], ["process", "in.fq", "--trailing", "x"],
            ["process", "in.fq", "--zstd-window", "3G"], ["process", "in.fq", "--progress", "x"],
            ["process", "in.fq", "--progress-fd", "77"], ["process", "in.fq", "-q", "-v"],
            ["process", "--lines", "in.fq", "--step", "CutStart n=1"],
        ):
            with self.subTest(args=args):
                ended = self.fails(2, *args)
                self.assertEqual(ended.out, b"")
                for line in ended.err.splitlines():
                    self.assertTrue(line.startswith("wpool: "), ended)
                self.assertEqual(self.names(), ["in.fq"])

    def test_the_environment_is_checked_too(self):
        for name, value in (("WPOOL_MAX_WORKERS", "x"), ("WPOOL_PROGRESS", "x")):
            self.fails(2, "process", "in.fq", env=environment(**{name: value}), says=name)

    def test_a_flag_wins_over_the_environment(self):
        self.ok("process", "in.fq", "-j", "1", "--progress", "none",
                env=environment(WPOOL_MAX_WORKERS="x", WPOOL_PROGRESS="x"))
        self.ok("process", "in.fq", "--report-json", "r.json", "-j", "3",
                env=environment(WPOOL_MAX_WORKERS="2"))
        self.assertEqual(json.loads((self.folder / "r.json").read_text())["workers"], 3)
        self.ok("process", "in.fq", "--report-json", "s.json", env=environment(WPOOL_MAX_WORKERS="2"))
        self.assertEqual(json.loads((self.folder / "s.json").read_text())["workers"], 2)

    def test_all_that_is_wrong_with_steps_is_listed(self):
        ended = self.fails(
            2, "process", "in.fq", "-o", "out.fq", "--step", "Truncat n=1", "--step", "Head",
            "--step", "CutStart n=0 x=1", "--step", "CalcLength out_label=never",
            says=["step 1", "Truncate", "step 2 (Head)", "step 3 (CutStart): n", "unknown key x",
                  "step 4 (CalcLength)"])
        self.assertGreaterEqual(len(ended.err.splitlines()), 5)
        ended = self.fails(
            2, "process", "in.fq", "--step", "Head n", "--step", "Head 'n=1", says=["step 1", "step 2"])
        self.assertEqual(len(ended.err.splitlines()), 2)
        self.assertEqual(self.names(), ["in.fq"])

    # A run told

    def test_a_dry_run_writes_nothing(self):
        text = self.ok(
            "process", "in.fq", "-o", "out.fq.gz", "--step", "Head n=1", "--step", "CutEnd n=1", "-n",
            "--report-json", "r.json").decode()
        for word in ("plain FASTQ", "Head: serial", "CutEnd: parallel", "out.fq.gz", "level 4", "blocks"):
            self.assertIn(word, text)
        self.assertEqual(self.names(), ["in.fq"])
        self.fails(1, "process", "none.fq", "-n", says="none.fq")
        self.fails(2, "process", "in.fq", "-o", "in.fq", "-n", says="in.fq")

    def test_the_table_of_a_run(self):
        ended = self.wpool(
            "process", "in.fq", "-o", "out.fq", "--stats", "--step", "CalcLength out_label=n", "--step",
            "FilterByNumericTag in_label=n min_value=40 keep_or_remove=keep")
        self.assertEqual((ended.code, ended.out), (0, b""))
        kept = sum(len(r[1]) >= 40 for r in RECORDS)
        self.assertRegex(ended.err, rf"reads +500 +{kept} ")
        self.assertRegex(ended.err, rf"bases +{BASES:,} ")
        self.assertRegex(ended.err, rf"2 FilterByNumericTag +500 +{kept} ")
        self.assertRegex(ended.err, r"MB/s")
        self.assertRegex(ended.err, r"(?m)^write +1 +1 ")
        self.assertEqual(len(re.findall(r"(?m) \*$", ended.err)), 1)
        self.assertRegex(ended.err, r"(?m)^worker +calls +busy +blocked +engine +idle +time$")
        self.assertRegex(ended.err, r"(?m)^0 +\d+ ")
        self.assertLessEqual(max(map(len, ended.err.splitlines())), 100)

    def test_the_table_is_never_too_wide(self):
        command = "sed 's/a/a/' # " + "a very long command " * 10
        ended = self.wpool("process", "--lines", "in.fq", "-o", "o.gz", "--stats", "--command", command)
        self.assertEqual(ended.code, 0, ended)
        self.assertLessEqual(max(map(len, ended.err.splitlines())), 100)
        serial = self.wpool("process", "in.fq", "-o", "s", "--stats", "--serial")
        self.assertNotIn("worker", serial.err)

    def test_a_timeline_of_a_run_shows_every_call(self):
        for mode in (["-j", "2"], ["--serial"]):
            self.ok("process", "in.fq", "-o", "out.fq.gz", "--timeline", "t.json", "--report-json", "r.json",
                    "--block-size", "10", "--allow-overwrite", "--step", "Head n=300", *mode)
            timeline = json.loads((self.folder / "t.json").read_text())
            report = json.loads((self.folder / "r.json").read_text())
            calls = [e for e in timeline["traceEvents"] if e["ph"] == "X"]
            for index, stage in enumerate(report["stages"]):
                own = [e for e in calls if e["args"]["stage"] == index]
                self.assertEqual(len(own), stage["calls"])
                self.assertEqual({e["name"] for e in own} or {stage["name"]}, {stage["name"]})
            self.assertEqual(timeline["otherData"]["events_lost"], 0)
            ends = {}
            for event in calls:
                self.assertGreaterEqual(event["ts"] + 1e-6, ends.get(event["tid"], 0))
                ends[event["tid"]] = event["ts"] + event["dur"]
            self.assertIn("stop", {e["name"] for e in timeline["traceEvents"] if e["ph"] == "i"})
            for worker in report["worker_times"]:
                parts = sum(worker[k + "_seconds"] for k in ("busy", "blocked", "engine", "idle"))
                self.assertAlmostEqual(parts, worker["wall_seconds"], delta=0.02 * parts)
        self.assertEqual(self.names(), ["in.fq", "out.fq.gz", "r.json", "t.json"])

    def test_a_timeline_of_a_failure_is_written_too(self):
        path = self.write("bad.fq", fastq(RECORDS) + b"@cut")
        self.fails(1, "process", path, "-o", "out.fq", "--timeline", "t.json")
        timeline = json.loads((self.folder / "t.json").read_text())
        self.assertIn("error", {e["name"] for e in timeline["traceEvents"] if e["ph"] == "i"})

    def test_a_timeline_replaces_no_input_and_no_output(self):
        for name in ("in.fq", "o.fq", "r.json"):
            self.fails(2, "process", "in.fq", "-o", "o.fq", "--report-json", "r.json", "--timeline", name)
        self.write("old.json", b"old")
        self.fails(1, "process", "in.fq", "-o", "o.fq", "--timeline", "old.json", says="old.json")
        self.assertEqual(self.names(), ["in.fq", "old.json"])

    def test_the_table_of_a_run_over_lines(self):
        ended = self.wpool("process", "--lines", "in.fq", "-o", "o", "--stats", "--step", "Head n=7")
        self.assertEqual(ended.code, 0)
        self.assertRegex(ended.err, r"(?m)^records +2,000 +7 ")
        self.assertRegex(ended.err, r"(?m)^1 Head +2,000 +7$")
        self.assertNotIn("bases", ended.err)

    def test_a_report_of_a_run(self):
        self.ok("process", "in.fq", "-o", "out.fq.gz", "--report-json", "r.json", "--step", "Head n=100",
                "--block-size", "10", "-j", "2")
        report = json.loads((self.folder / "r.json").read_text())
        self.assertEqual(report["status"], "ok")
        self.assertEqual(report["exit_code"], 0)
        self.assertIsNone(report["error"])
        self.assertTrue(report["stopped_early"])
        self.assertEqual(report["reads"], {"in": 100, "out": 100})
        self.assertEqual(report["steps"][0]["name"], "Head")
        self.assertEqual(report["steps"][0]["reads_out"], 100)
        self.assertEqual(report["inputs"][0]["codec"], "plain")
        (output,) = report["outputs"]
        self.assertEqual(output["bytes"], len(fastq(RECORDS[:100])))
        self.assertEqual(output["packed_bytes"], os.path.getsize(self.path("out.fq.gz")))
        self.assertEqual(self.names(), ["in.fq", "out.fq.gz", "r.json"])

    def test_a_limit_of_bytes_changes_no_output(self):
        self.ok("process", "in.fq", "-o", "a.fq", "--block-size", "7", "-j", "3")
        for size in "1", "2K", "1G":
            self.ok("process", "in.fq", "-o", "b.fq", "--block-size", "7", "-j", "3", "--max-bytes", size,
                    "--allow-overwrite", "--report-json", "r.json")
            self.assertEqual(
                (self.folder / "b.fq").read_bytes(), (self.folder / "a.fq").read_bytes())
        report = json.loads((self.folder / "r.json").read_text())
        self.assertEqual(report["limits"]["max_bytes"], 1 << 30)
        self.assertIn("1G in blocks", self.ok("process", "in.fq", "-n").decode())
        self.assertIn("16M in blocks", self.ok("process", "in.fq", "-n", "--max-bytes", "16M").decode())

    def test_a_report_of_a_failure(self):
        path = self.write("bad.fq", fastq(RECORDS) + b"@cut")
        self.fails(1, "process", path, "-o", "out.fq", "--report-json", "r.json")
        report = json.loads((self.folder / "r.json").read_text())
        self.assertEqual(report["status"], "failed")
        self.assertEqual(report["exit_code"], 1)
        self.assertIn("bad.fq", report["error"]["path"])
        self.assertIn("501", report["error"]["text"])

    def test_notes_can_be_silenced(self):
        path = self.write("none.fq", b"")
        ended = self.wpool("process", path)
        self.assertEqual((ended.code, ended.out), (0, b""))
        self.assertRegex(ended.err, r"^wpool: note: .*none.fq.*\n$")
        self.ok("process", path, "-q")

    def test_more_notes_can_be_had(self):
        ended = self.wpool("process", "in.fq", "-o", "out.fq.gz", "-v")
        self.assertEqual(ended.code, 0)
        self.assertRegex(ended.err, r"note: in.fq: plain")
        self.assertRegex(ended.err, r"note: out.fq.gz: ")

    def test_progress_in_lines(self):
        ended = self.wpool("process", "in.fq", "-o", "out.fq", "--progress", "plain")
        self.assertRegex(ended.err.splitlines()[-1], r"^wpool: 500 reads, .*MB/s")
        ended = self.wpool(
            "process", "in.fq", "-o", "o2.fq", env=environment(WPOOL_PROGRESS="json"))
        last = json.loads(ended.err.splitlines()[-1])
        self.assertTrue(last["end"])
        self.assertEqual((last["reads"], last["bases"]), (500, BASES))
        self.assertEqual(last["bytes"], len(fastq(RECORDS)))

    def test_progress_on_a_descriptor(self):
        read, write = os.pipe()
        self.ok("process", "in.fq", "-o", "out.fq", "--progress", "json", "--progress-fd", str(write),
                pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as file:
            self.assertTrue(json.loads(file.read().splitlines()[-1])["end"])

    def on_terminal(self, columns, command, until):
        """Runs with a bar on a terminal of so many columns; the file `gate` can be read once `until` is
        true of what has been shown. Returns the exit code and all that was shown."""
        outer, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        gate = self.fifo("gate")
        process = subprocess.Popen(
            [WPOOL, "process", "in.fq", "-o", "out.fq", "-j", "2", "--block-size", "50", "--max-blocks",
             "4", "--command", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=inner, env=environment(),
            cwd=self.folder)
        os.close(inner)
        patience = threading.Timer(TIMEOUT, process.kill)
        patience.start()
        shown, is_open = b"", False
        while True:
            try:
                piece = os.read(outer, 4096)
            except OSError:
                break
            shown += piece
            if not is_open and until(shown):
                is_open = True
                open(gate, "wb").close()
        os.close(outer)
        code = process.wait()
        patience.cancel()
        os.unlink(gate)
        if os.path.exists(self.path("out.fq")):
            os.unlink(self.path("out.fq"))
        return code, shown.decode()

    def test_a_bar_is_drawn_again_and_again_in_the_width_there_is(self):
        hold = "cat; if [ $WPOOL_BLOCK -eq 3 ]; then cat gate; fi"
        for columns in (120, 60, 24, 2):
            code, shown = self.on_terminal(columns, hold, lambda shown: shown.count(b"\r") >= 3)
            self.assertEqual(code, 0)
            lines = shown.split("\r")
            self.assertGreaterEqual(len(lines), 4)
            for line in lines:
                self.assertLessEqual(len(line.strip("\n")), columns - 1, lines)
            self.assertTrue(shown.endswith("\n"))
            if columns >= 60:
                self.assertRegex(shown, r"\r\[#*-*\]  [0-9]+ reads  .* MB/s  [0-9]+ %")
                self.assertRegex(lines[-2], r"^500 reads  .* MB/s  [0-9]+:[0-9]{2} *$")

    def test_a_bar_vanishes_before_a_message(self):
        fail = "cat; if [ $WPOOL_BLOCK -eq 3 ]; then cat gate; exit 3; fi"
        code, shown = self.on_terminal(80, fail, lambda shown: shown.count(b"\r") >= 2)
        self.assertNotEqual(code, 0)
        self.assertRegex(shown, r"\r +\rwpool: ")
        message = shown[shown.rindex("\rwpool: ") + 1:]
        self.assertNotIn("\r", message.replace("\r\n", ""))

    def test_a_bar_on_a_terminal_and_only_there(self):
        outer, inner = pty.openpty()
        done = subprocess.run(
            [os.path.abspath(os.environ.get("WPOOL", str(PROJECT / "build/bin/wpool"))), "process",
             self.input, "-o", self.path("out.fq")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=inner, env=environment(), timeout=60)
        os.close(inner)
        shown = b""
        try:
            while True:
                piece = os.read(outer, 4096)
                if not piece:
                    break
                shown += piece
        except OSError:
            pass
        os.close(outer)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"\r500 reads", shown)
        self.assertTrue(shown.endswith(b"\n"))
        self.ok("process", "in.fq", "-o", "out2.fq")
