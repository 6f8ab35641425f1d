# SPDX-License-Identifier: MIT
"""SIGINT and SIGTERM: the run ends soon, cleans up, and says so by its exit code."""

import os
import signal

from support import MODES, Case, fastq, reads

TEXT = fastq(reads(2000, seed=8, longest=100))


class Signals(Case):
    def running(self, *args, mode=("-j", "2"), name="in.fifo"):
        """A run that has read from its FIFO, and the FIFO's other end."""
        fifo = self.path(name)
        if os.path.exists(fifo):
            os.remove(fifo)  # it may still hold what the last run has not read
        os.mkfifo(fifo)
        process = self.start("process", fifo, *args, "--block-size", "100", *mode)
        # Opening waits for the reader. More than a pipe holds goes only if it is read.
        descriptor = os.open(fifo, os.O_WRONLY)
        self.addCleanup(os.close, descriptor)
        self.assertGreater(len(TEXT), 1 << 17)
        sent = 0
        while sent < len(TEXT):
            sent += os.write(descriptor, TEXT[sent:])
        return process, descriptor

    def ended(self, process, code):
        self.assertEqual(process.wait(20), code)
        self.assertEqual(process.stdout.read(), b"")
        message = process.stderr.read().decode()
        self.assertRegex(message, r"^wpool: [^\n]*\n$")

    def test_a_run_that_waits_for_input_ends(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            for mode in MODES:
                process, _ = self.running("-o", "out.fq", mode=mode)
                process.send_signal(number)
                self.ended(process, code)
                self.assertEqual(self.names(), ["in.fifo", "out.fq.incompleted"], mode)

    def test_a_run_with_endless_input_ends(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process, descriptor = self.running("-o", "out.fq.gz")
            process.send_signal(number)
            try:
                while process.poll() is None:
                    os.write(descriptor, TEXT)
            except BrokenPipeError:
                pass
            self.ended(process, code)
            self.assertEqual(self.names(), ["in.fifo", "out.fq.gz.incompleted"])

    def test_a_run_whose_input_nobody_opened_ends(self):
        # The second input is opened when the first has ended.
        self.fifo("late.fifo")
        process, descriptor = self.running("late.fifo", "-o", "out.fq", name="first.fifo")
        process.send_signal(signal.SIGINT)
        self.ended(process, 130)

    def test_a_run_whose_output_nobody_reads_ends(self):
        self.fifo("out.fifo")
        path = self.write("in.fq", TEXT)
        # A program that sleeps in a full pipe: nobody reads what it has opened.
        process = self.start("process", path, "-o", "out.fifo")
        descriptor = os.open(self.path("out.fifo"), os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        self.assertTrue(os.read(descriptor, 1))
        process.send_signal(signal.SIGTERM)
        self.ended(process, 143)

    def test_a_failure_after_a_signal_is_the_signal(self):
        process, descriptor = self.running("-o", "out.fq")
        process.send_signal(signal.SIGTERM)
        self.ended(process, 143)

    def test_the_second_signal_ends_at_once(self):
        told = self.fifo("told.fifo")
        process = self.start(
            "process", self.write("in.fq", TEXT), "-o", "out.fq", "--command",
            "trap '' TERM; echo $$ > told.fifo; exec sleep 1000", "-j", "1", "--max-blocks", "1")
        with open(told) as file:
            child = int(file.read())
        try:
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            self.assertIn(process.wait(20), (130, 143))
            parts = [n for n in self.names() if n.endswith(".part")]
            self.assertEqual(len(parts), 1, self.names())
        finally:
            os.kill(child, signal.SIGKILL)
        # What it left is the next run's to remove.
        self.ok("process", "in.fq", "-o", "out.fq")
        self.assertEqual(self.names(), ["in.fq", "out.fq", "told.fifo"])

    def test_a_child_that_ignores_the_end_is_ended(self):
        told = self.fifo("told.fifo")
        process = self.start(
            "process", self.write("in.fq", TEXT), "-o", "out.fq", "--command",
            "trap '' TERM; echo $$ > told.fifo; exec sleep 1000", "-j", "1", "--max-blocks", "1")
        with open(told) as file:
            child = int(file.read())
        process.send_signal(signal.SIGINT)
        self.ended(process, 130)
        self.assertRaises(ProcessLookupError, os.kill, child, 0)
        self.assertEqual(self.names(), ["in.fq", "out.fq.incompleted", "told.fifo"])

    def test_an_ignored_interrupt_stays_ignored(self):
        fifo = self.fifo("in.fifo")
        process = self.start(
            "process", fifo, "-o", "out.fq",
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        with open(fifo, "wb") as file:
            process.send_signal(signal.SIGINT)
            file.write(TEXT)
        self.assertEqual(process.wait(20), 0)
        self.assertEqual((self.folder / "out.fq").read_bytes(), TEXT)
