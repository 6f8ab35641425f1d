# SPDX-License-Identifier: MIT
"""Inputs and outputs: joined, paired, interleaved, packed, lines and other records."""

import gzip
import os
import random
import shutil
import subprocess

import reference as ref
from support import MODES, SMALL, Case, fastq, parse, reads

ONE = reads(120, seed=3, suffix=" 1")
TWO = reads(120, seed=4, suffix=" 2")
BOTH = [record for pair in zip(ONE, TWO) for record in pair]


def unpacked(path):
    if path.endswith(".gz"):
        with open(path, "rb") as file:
            return gzip.decompress(file.read())
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
    with open(path, "rb") as file:
        return file.read()


class Files(Case):
    def outputs(self, wanted, *args, **more):
        """Runs in all modes into new folders; the decoded files, whose bytes are the same."""
        seen = None
        for number, mode in enumerate(MODES):
            folder = self.folder / f"out{number}"
            folder.mkdir()
            self.assertEqual(self.ok("process", *args, *SMALL, *mode, cwd=folder, **more), b"")
            self.assertEqual(sorted(os.listdir(folder)), sorted(wanted), mode)
            bytes_now = [(folder / name).read_bytes() for name in wanted]
            self.assertEqual(seen or bytes_now, bytes_now, mode)
            seen = bytes_now
        decoded = [unpacked(str(folder / name)) for name in wanted]
        for number in range(len(MODES)):
            shutil.rmtree(self.folder / f"out{number}")
        return decoded

    def test_inputs_are_joined_whatever_their_packing(self):
        text = fastq(ONE)
        plain = self.write("a", text)
        packed = self.write("b", gzip.compress(text[:3000]) + gzip.compress(text[3000:]))
        out = self.same(plain, packed, "-", stdin=text)
        self.assertEqual(out, text * 3)

    def test_standard_input_and_output_by_name(self):
        self.assertEqual(self.ok("process", "-", "-o", "-", stdin=fastq(ONE)), fastq(ONE))

    def test_suffixes_say_the_packing(self):
        path = self.write("in.fq", fastq(ONE))
        names = ["out.fq", "out.fq.gz", "out.fq.bgz"]
        names += ["out.fq.zst"] if shutil.which("zstd") else []
        for name in names:
            with self.subTest(name=name):
                (decoded,) = self.outputs([name], path, "-o", name) if not name.endswith(
                    ".bgz") else [self.bgz(path)]
                self.assertEqual(decoded, fastq(ONE))

    def bgz(self, path):
        self.ok("process", path, "-o", "x.bgz")
        return gzip.decompress((self.folder / "x.bgz").read_bytes())

    def test_compression_and_level_can_be_said(self):
        path = self.write("in.fq", fastq(ONE))
        sizes = []
        for level in "0", "1", "9":
            packed = self.ok("process", path, "--compression", "gzip", "--level", level)
            self.assertEqual(gzip.decompress(packed), fastq(ONE))
            self.assertEqual(packed[12:14], b"BC")
            sizes.append(len(packed))
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.ok("process", path, "--compression", "plain", "-o", "named.gz")
        self.assertEqual((self.folder / "named.gz").read_bytes(), fastq(ONE))

    def test_fasta_goes_out_and_in(self):
        path = self.write("in.fq", fastq(ONE))
        wanted = "".join(f">{name}\n{bases}\n" for name, bases, _ in ONE).encode()
        for name in "o.fa", "o.fasta.gz", "o.fna.zst":
            self.ok("process", path, "-o", name)
            self.assertEqual(self.ok("cat", name), wanted)
        self.assertEqual(self.same(path, "--format", "fasta"), wanted)
        self.ok("process", path, "-o", "p.fa", "--format", "fastq")
        self.assertEqual((self.folder / "p.fa").read_bytes(), fastq(ONE))
        self.assertEqual(self.same("o.fa", "--format", "fasta", "--fasta-fake-quality", "I"), wanted)
        self.assertEqual(self.same("o.fa", "--fasta-fake-quality", "I"),
                         fastq((n, s, "I" * len(s)) for n, s, _ in ONE))
        self.fails(1, "process", "o.fa", says=["o.fa", "FASTA", "fasta_fake_quality"])
        self.fails(2, "process", path, "-o", "o.bam", says="BAM")
        self.fails(2, "process", "--lines", path, "--format", "fasta", says="--format")
        self.fails(2, "process", "o.fa", "--fasta-fake-quality", "II", says="fasta-fake-quality")

    def test_block_size_changes_no_byte(self):
        path = self.write("in.fq", fastq(reads(3000, seed=5)))
        one = self.ok("process", path, "--compression", "gzip")
        for size in "1", "7", "1000":
            two = self.ok("process", path, "--compression", "gzip", "--block-size", size)
            self.assertEqual(one, two)

    def test_an_output_of_nothing_is_valid(self):
        path = self.write("in.fq", fastq(ONE))
        self.assertEqual(
            self.outputs(["o.fq.gz"], path, "-o", "o.fq.gz", "--step", "Head n=0"), [b""])
        self.assertEqual(self.outputs(["o.fq"], path, "-o", "o.fq", "--step", "Head n=0"), [b""])

    # Pairs

    def pair(self):
        return self.write("1.fq", fastq(ONE)), self.write("2.fq.gz", gzip.compress(fastq(TWO)))

    def test_mates_come_out_interleaved(self):
        one, two = self.pair()
        self.assertEqual(self.same(one, "--mate", two), fastq(BOTH))
        self.assertEqual(self.outputs(["o.fq"], one, "--mate", two, "-o", "o.fq"), [fastq(BOTH)])

    def test_mates_come_out_in_two_files(self):
        one, two = self.pair()
        for out in (["-o", "o_read1.fq", "-o", "o_read2.fq"], ["-o", "o_{segment}.fq"]):
            decoded = self.outputs(["o_read1.fq", "o_read2.fq"], one, "--mate", two, *out)
            self.assertEqual(decoded, [fastq(ONE), fastq(TWO)])

    def test_one_file_and_standard_output(self):
        one, two = self.pair()
        self.assertEqual(
            self.ok("process", one, "--mate", two, "-o", "-", "-o", "b.fq"), fastq(ONE))
        self.assertEqual((self.folder / "b.fq").read_bytes(), fastq(TWO))

    def test_interleaved_input_is_taken_apart(self):
        path = self.write("in.fq", fastq(BOTH))
        self.assertEqual(self.same(path, "--interleaved"), fastq(BOTH))
        decoded = self.outputs(
            ["a.fq.gz", "b.fq.gz"], path, "--interleaved", "-o", "a.fq.gz", "-o", "b.fq.gz")
        self.assertEqual(decoded, [fastq(ONE), fastq(TWO)])

    def test_steps_work_on_a_segment_or_on_all(self):
        one, two = self.pair()
        expected = [r for pair in zip(ONE, ref.truncate(TWO, 5)) for r in pair]
        self.assertEqual(
            parse(self.same(one, "--mate", two, "--step", "Truncate n=5 segment=read2")), expected)
        kept = [r for a, b in zip(ONE, TWO) if len(a[1]) + len(b[1]) >= 60 for r in (a, b)]
        steps = ["--step", "CalcLength out_label=n segment=all", "--step",
                 "FilterByNumericTag in_label=n min_value=60 keep_or_remove=keep"]
        self.assertEqual(parse(self.same(one, "--mate", two, *steps)), kept)

    def test_several_pairs_are_joined(self):
        one, two = self.pair()
        self.assertEqual(
            self.same(one, one, "--mate", two, "--mate", two), fastq(BOTH) * 2)

    def test_a_missing_mate_fails_naming_both_files(self):
        one = self.write("1.fq", fastq(ONE))
        two = self.write("2.fq", fastq(TWO[:-1]))
        self.same_failure(1, one, "--mate", two, says=["1.fq", "2.fq", "120", "119"])
        self.same_failure(1, two, "--mate", one, says=["1.fq", "2.fq", "120", "119"])

    def test_a_missing_mate_is_not_made_up_for_by_the_next_file(self):
        one = self.write("1.fq", fastq(ONE))
        two = self.write("2.fq", fastq(TWO[:-1]))
        more = self.write("3.fq", fastq(TWO[-1:] + TWO))
        self.same_failure(1, one, one, "--mate", two, "--mate", more, says=["1.fq", "2.fq"])

    def test_an_odd_interleaved_stream_fails(self):
        self.same_failure(1, self.write("in.fq", fastq(BOTH[:-1])), "--interleaved", says="in.fq")

    def test_names_that_are_no_pair_fail(self):
        two = [("x" + n[1:-3] + "zz" + n[-1], s, q) for n, s, q in TWO]
        self.same_failure(
            1, self.write("1.fq", fastq(ONE)), "--mate", self.write("2.fq", fastq(two)),
            says="2.fq")

    # Lines and other records

    def test_lines_come_out_as_they_were(self):
        source = random.Random(1)
        for text in (b"", b"a", b"a\n", b"\n\n\n", b"a\r\nb",
                     b"".join(bytes(source.choices(range(256), k=source.randint(0, 200))) + b"\n"
                              for _ in range(2000))):
            path = self.write("in.txt", gzip.compress(text))
            for size in (["--block-size", "3"], ["--block-bytes", "1K"], []):
                outs = set()
                for mode in MODES:
                    ended = self.wpool("process", "--lines", path, *size, *mode)
                    self.assertEqual(ended.code, 0, ended)
                    outs.add(ended.out)
                self.assertEqual(outs, {text})

    def test_steps_count_lines(self):
        lines = [b"line %d\n" % i for i in range(500)]
        path = self.write("in.txt", b"".join(lines))
        steps = ["--step", "Skip n=100", "--step", "FilterSample p=0.5 seed=7", "--step", "Head n=50"]
        expected = b"".join(ref.sample(lines[100:], 0.5, 7)[:50])
        self.assertEqual(self.same("--lines", path, *steps), expected)

    def test_a_sample_of_lines_keeps_each_a_line(self):
        path = self.write("in", b"1\n2\n3\n4\n5")
        for seed in range(20):
            out = self.same("--lines", path, "--step", f"FilterReservoirSample n=3 seed={seed}")
            self.assertEqual(len(set(out.split())), 3, out)
            self.assertIn(out.count(b"\n"), (2, 3))
            self.assertTrue(all(len(line) == 1 for line in out.split()), out)
        self.fails(2, "process", "--lines", path, "--step", "FilterEmpty", says="needs reads")

    def test_records_that_end_with_another_byte(self):
        records = [b"a\nb;", b";", b"c" * 300 + b";"] * 40
        path = self.write("in", b"".join(records))
        self.assertEqual(
            self.same("--delimiter", ";", path, "--step", "Skip n=50"), b"".join(records[50:]))
        zero = self.write("zero", b"".join(records).replace(b";", b"\0"))
        self.assertEqual(
            self.same("--delimiter", "\\0", zero, "--step", "Head n=50"),
            b"".join(records[:50]).replace(b";", b"\0"))

    def test_records_of_a_fixed_size(self):
        data = bytes(range(256)) * 7
        path = self.write("in", data)
        self.assertEqual(
            self.same("--record-bytes", "16", path, "--step", "Skip n=3"), data[48:])
        self.same_failure(1, "--record-bytes", "15", path, says="in")

    def test_a_record_longer_than_the_limit_fails(self):
        path = self.write("in.fq", fastq(ONE) + b"@long\n" + b"A" * 5000 + b"\n+\n" + b"I" * 5000)
        self.same_failure(1, path, "--max-record", "4K", says=["in.fq", "121"])
        self.same(path, "--max-record", "16K")

    def test_long_lines_pass(self):
        text = b"x" * 3_000_000 + b"\n" + b"y\n"
        self.assertEqual(self.same("--lines", self.write("in", text)), text)

    def test_a_fifo_is_read_once(self):
        fifo = self.fifo("in.fifo")
        thread = self.feed(fifo, gzip.compress(fastq(ONE)))
        self.assertEqual(self.ok("process", fifo), fastq(ONE))
        thread.join(10)

    def test_a_fifo_is_written_directly(self):
        fifo = self.fifo("out.fq")
        process = self.start("process", self.write("in.fq", fastq(ONE)), "-o", fifo)
        with open(fifo, "rb") as file:
            self.assertEqual(file.read(), fastq(ONE))
        self.assertEqual(process.wait(30), 0)
        self.assertEqual(self.names(), ["in.fq", "out.fq"])
