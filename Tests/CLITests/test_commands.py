# SPDX-License-Identifier: MIT
"""--command: an external filter for every block."""

from support import SMALL, Case, fastq, parse, reads

LINES = [b"%d line %s\n" % (i * 7919 % 1000, b"x" * (i % 50)) for i in range(1000)]
TEXT = b"".join(LINES)
RECORDS = reads(200, seed=9)


class Commands(Case):
    def lines(self):
        return self.write("in.txt", TEXT)

    def test_each_block_is_sorted_and_order_is_kept(self):
        expected = b"".join(b"".join(sorted(LINES[i:i + 8])) for i in range(0, 1000, 8))
        out = self.same("--lines", self.lines(), "--command", "LC_ALL=C sort")
        self.assertEqual(out, expected)

    def test_commands_follow_each_other(self):
        out = self.same(
            "--lines", self.lines(), "--command", "sed 's/line/LINE/'", "--command", "tr L l")
        self.assertEqual(out, TEXT.replace(b"line", b"lINE"))

    def test_a_command_follows_the_steps_of_reads(self):
        path = self.write("in.fq", fastq(RECORDS))
        out = self.same(path, "--step", "Truncate n=10", "--command", "cat")
        self.assertEqual(parse(out), [(n, s[:10], q[:10]) for n, s, q in RECORDS])
        packed = self.ok("process", path, "--command", "paste - - - -", "-o", "out.tsv.gz")
        self.assertEqual(packed, b"")

    def test_exit_codes_can_be_allowed(self):
        args = ["--lines", self.lines(), "--command", "grep '^7'"]
        self.same_failure(1, *args, says=["grep", "status 1"])
        out = self.same(*args, "--command-ok", "0,1")
        self.assertEqual(out, b"".join(l for l in LINES if l.startswith(b"7")))

    def test_a_failing_command_is_told_with_its_last_words(self):
        self.same_failure(
            1, "--lines", self.lines(), "--command", "cat; echo boom >&2; exit 3",
            says=["exit 3", "status 3", "boom"])

    def test_the_first_failing_block_is_named(self):
        ended = self.same_failure(
            1, "--lines", self.lines(), "--command",
            "test $WPOOL_BLOCK -lt 50 || { echo \"at $WPOOL_BLOCK\" >&2; exit 9; }; cat",
            says=["status 9", "at 50"])
        self.assertEqual(ended.out, b"".join(LINES[:400]))

    def test_a_command_ended_by_a_signal_is_told(self):
        self.fails(
            1, "process", "--lines", self.lines(), "--command", "kill -9 $$", says="signal 9")

    def test_a_command_that_is_not_there(self):
        self.fails(
            1, "process", "--lines", self.lines(), "--command", "no-such-program-here",
            says=["no-such-program-here", "127"])

    def test_a_command_may_close_its_input_early(self):
        out = self.same("--lines", self.lines(), "--command", "head -n 1")
        self.assertEqual(out, b"".join(LINES[::8]))
        big = self.write("big.txt", TEXT * 200)
        out = self.ok(
            "process", "--lines", big, "--block-bytes", "1M", "-j", "2", "--command", "exec true")
        self.assertEqual(out, b"")

    def test_a_command_may_write_before_it_reads(self):
        big = TEXT * 40
        path = self.write("big.txt", big)
        command = "head -c 1000000 /dev/zero | tr '\\0' y; echo; cat"
        for mode in (["--serial"], ["-j", "2"]):
            out = self.ok("process", "--lines", path, "--block-bytes", "4M", "--command", command, *mode)
            self.assertEqual(out, b"y" * 1_000_000 + b"\n" + big)

    def test_a_command_may_talk_without_end(self):
        out = self.ok(
            "process", "--lines", self.lines(), "--block-size", "500", "--command",
            "head -c 1000000 /dev/zero >&2; cat")
        self.assertEqual(out, TEXT)

    def test_a_closed_pipe_ends_programs_in_a_command_as_ever(self):
        out = self.ok(
            "process", "--lines", self.lines(), "--block-size", "500", "--command",
            "(yes; echo $? >&3) 3>&1 2>&1 | head -n 1")
        self.assertEqual(out, b"y\n" * 2)

    def test_a_head_behind_no_command_is_seen_by_steps_only(self):
        out = self.same("--lines", self.lines(), "--step", "Head n=20", "--command", "cat")
        self.assertEqual(out, b"".join(LINES[:20]))

    def test_wrong_combinations(self):
        path = self.write("in.fq", fastq(RECORDS))
        self.fails(
            2, "process", path, "--interleaved", "-o", "a", "-o", "b", "--command", "cat",
            says="--command")
        self.fails(2, "process", path, "--command-ok", "1", says="--command")
        self.fails(2, "process", path, "--command", "cat", "--command-ok", "x")
        self.assertEqual(self.names(), ["in.fq"])
