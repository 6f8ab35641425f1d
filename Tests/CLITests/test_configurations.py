# SPDX-License-Identifier: MIT
"""Pipelines in TOML: those of examples/toml against a few lines of Python each, and what is refused."""

import gzip
import hashlib
import json
import os
import shutil
from pathlib import Path

import random_pipelines
import reference
from support import MODES, PROJECT, SMALL, Case, parse

EXAMPLES = PROJECT / "examples" / "toml"
DATA = PROJECT / "examples" / "data"


def records(name):
    return parse(gzip.decompress((DATA / name).read_bytes()))


def text(reads):
    return "".join(f"@{n}\n{s}\n+\n{q}\n" for n, s, q in reads).encode()


def cut(read, *ends):
    return (read[0], read[1][slice(*ends)], read[2][slice(*ends)])


def distance(one, other):
    return sum(a != b for a, b in zip(one, other))


def quality_filter():
    pairs = list(zip(records("sample_1.fastq.gz"), records("sample_2.fastq.gz")))
    pairs = [(cut(a, 140), cut(b, 140)) for a, b in pairs]
    kept = [p for p in pairs if sum(
        sum(10 ** (-(ord(q) - 33) / 10) for q in read[2]) for read in p) < 2]
    return {f"kept_read{i + 1}.fq.gz": text(p[i] for p in kept) for i in range(2)}


def umi():
    def one(read):
        name, _, rest = read[0].partition(" ")
        return (f"{name}_umi={read[1][:8]} {rest}", read[1][8:], read[2][8:])
    return {"umi_read1.fq": text(map(one, records("sample_1.fastq.gz")))}


def adapter():
    def one(read):
        found = [(distance("AGATCGG", read[1][i:i + 7]), i) for i in range(len(read[1]) - 6)]
        best = min(found, default=(9, 0))
        return cut(read, best[1]) if best[0] <= 1 else read
    trimmed = map(one, records("sample_1.fastq.gz"))
    return {"trimmed_read1.fq": text(r for r in trimmed if len(r[1]) >= 40)}


def demultiplex():
    codes = {"A": "A", "C": "C", "G": "G", "T": "T", "N": "ACGTN", "R": "AG", "Y": "CT"}
    streams = {"no-barcode": [], "liver": [], "heart": []}
    barcodes = {"ATAA": "liver", "TTNA": "heart", "CTRY": "liver"}
    for read in records("sample_1.fastq.gz"):
        key = read[1][:2] + read[1][4:6]
        fits = [n for b, n in barcodes.items() if all(x in codes[c] for x, c in zip(key, b))]
        streams[fits[0] if fits else "no-barcode"].append(read)
    return {f"sample_{name}_read1.fq": text(reads) for name, reads in streams.items()}


def dedup():
    seen, kept, count = set(), [], 0
    for pair in zip(records("sample_1.fastq.gz"), records("sample_2.fastq.gz")):
        if pair[0][1][:20] not in seen:
            kept.append(pair)
        seen.add(pair[0][1][:20])
        count += 1
    report = {"molecule_count": count,
              "histogram": {"seen": {"false": len(kept), "true": count - len(kept)}}}
    report["histogram"]["seen"] = {k: v for k, v in report["histogram"]["seen"].items() if v}
    return {"unique_read1.fq": text(p[0] for p in kept), "unique_read2.fq": text(p[1] for p in kept),
            "unique.json": {"pairs": report, "report_order": ["pairs"]}}


def table():
    lines = ["ReadName\tgc\todd"]
    for name, sequence, _ in records("sample_1.fastq.gz")[:500]:
        known = len(sequence) - sequence.count("N")
        gc = (sequence.count("G") + sequence.count("C")) / known * 100
        number = repr(gc)
        lines.append(f"{name.split(' ')[0]}\t{number.removesuffix('.0')}\t{int(gc < 35 or gc > 65)}")
    return {"table_gc.tsv": ("\n".join(lines) + "\n").encode()}


def length_filter():
    kept = [(n, s[:len(q.rstrip("!\"#$%&'()*+,-./01234"))]) for n, s, q in records("sample_1.fastq.gz")]
    return {"long_read1.fasta": "".join(f">{n}\n{s}\n" for n, s in kept if len(s) >= 100).encode()}


def sample():
    numbers = reference.chacha20(42)
    pairs = zip(records("sample_1.fastq.gz"), records("sample_2.fastq.gz"))
    kept = [p for p in pairs if next(numbers) < int(0.1 * 2 ** 64)]
    return {"tenth_interleaved.fq": text(read for pair in kept for read in pair)}


def quality_report():
    def lanes(values):
        longest = max(map(len, values))
        return [[v[i] for v in values if i < len(v)] for i in range(longest)]

    def one(reads):
        qualities = [ord(q) - 33 for r in reads for q in r[2]]
        lengths = [len(r[1]) for r in reads]
        bases = lanes([r[1].upper() for r in reads])
        counts = {b: [lane.count(b.upper()) for lane in bases] for b in "acgt"}
        counts["n"] = [len(lane) - sum(counts[b][i] for b in "acgt") for i, lane in enumerate(bases)]
        return {
            "length_distribution": [lengths.count(n) for n in range(max(lengths) + 1)],
            "base_statistics": {
                "total_bases": len(qualities), "q20_bases": sum(q >= 20 for q in qualities),
                "q30_bases": sum(q >= 30 for q in qualities),
                "gc_bases": sum(counts["g"]) + sum(counts["c"]),
                "expected_errors_from_quality_curve": [
                    sum(10 ** (-(ord(q) - 33) / 10) for q in lane) for lane in lanes([r[2] for r in reads])],
                "per_position_counts": counts}}
    mates = [records(f"sample_{i}.fastq.gz") for i in (1, 2)]
    adapter = "AGATCGGAAGAGC"
    return {"quality.json": {"all": {
        "molecule_count": len(mates[0]), "read1": one(mates[0]), "read2": one(mates[1]),
        "count_oligos": {adapter: sum(adapter in r[1] for reads in mates for r in reads)}},
        "report_order": ["all"]}}


class Examples(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.folder / "toml"
        shutil.copytree(EXAMPLES, self.folder)
        os.symlink(DATA, self.folder.parent / "data")

    def written(self, prefix):
        return {p.name: p.read_bytes() for p in self.folder.glob(prefix + "*")
                if p.suffix != ".toml"}

    def check(self, example):
        name = example.__name__
        expected = example()
        first = None
        self.assertIn("valid", self.ok("validate", name + ".toml").decode())
        for mode in MODES:
            self.assertEqual(
                self.ok("process", name + ".toml", "--allow-overwrite", *SMALL, *mode), b"")
            packed = self.written(next(iter(expected)).split("_")[0].split(".")[0])
            self.assertEqual(sorted(packed), sorted(expected), mode)
            for file, content in packed.items():
                found = gzip.decompress(content) if file.endswith(".gz") else content
                if not file.endswith(".json"):
                    self.assertEqual(found, expected[file], (file, mode))
            first = first or packed
            self.assertEqual(packed, first, mode)
        for file, content in expected.items():
            if file.endswith(".json"):
                content = json.dumps(content).encode()
            self.write(file, gzip.compress(content) if file.endswith(".gz") else content)
        self.assertIn("as expected", self.ok("verify", name + ".toml").decode())

    def test_pairs_with_few_expected_errors_are_kept(self):
        self.check(quality_filter)

    def test_a_umi_goes_into_the_name(self):
        self.check(umi)

    def test_an_adapter_is_cut_off(self):
        self.check(adapter)

    def test_reads_are_dealt_out_by_two_barcodes(self):
        self.check(demultiplex)

    def test_duplicates_are_counted_and_removed(self):
        self.check(dedup)

    def test_tags_are_written_as_a_table(self):
        self.check(table)

    def test_short_reads_go(self):
        self.check(length_filter)

    def test_a_sample_is_taken(self):
        self.check(sample)

    def test_qualities_are_reported(self):
        self.check(quality_report)

    def test_every_example_is_tested_and_the_readme_shows_one(self):
        names = {p.stem for p in EXAMPLES.glob("*.toml")}
        self.assertEqual(
            names, {f.__name__ for f in (
                quality_filter, umi, adapter, demultiplex, dedup, table, length_filter, sample,
                quality_report)})
        self.assertIn((EXAMPLES / "umi.toml").read_text(), (PROJECT / "README.md").read_text())


INPUT = '[input]\nread1 = "in.fq"\n'
OUTPUT = '[output]\nprefix = "out"\n'


class Refused(Case):
    def refused(self, configuration, *says):
        self.write("c.toml", configuration.encode())
        before = self.names()
        for command in ("validate", "process"):
            ended = self.fails(2, command, "c.toml", says=says)
        self.assertEqual(self.names(), before)
        return ended.err.splitlines()

    def test_everything_wrong_is_told_at_once_in_the_order_of_the_text(self):
        lines = self.refused(
            INPUT + '[[step]]\naction = "ExtractIUPAC"\nsearch = "AGTC"\nanchor = "rihgt"\n'
            'max_mismatches = 1\nout_label = "a"\n\n[[step]]\naction = "Hed"\nn = 1\n'
            "[output]\nprefix = 'out'\ncompresion = 'gzip'\n")
        self.assertEqual(lines[0], (
            'wpool: c.toml:6: step 1 (ExtractIUPAC): anchor = "rihgt" is none of left, right, '
            'anywhere; nearest: "right"'))
        self.assertEqual(lines[1:], [
            'wpool: c.toml:8: step 1 (ExtractIUPAC): no step uses the tag "a"',
            'wpool: c.toml:11: step 2 (Hed): there is no such step; nearest: "Head"',
            'wpool: c.toml:15: [output]: unknown key compresion; nearest: "compression"'])

    def test_keys_match_in_any_case_and_with_or_without_separators(self):
        self.write("in.fq", b"@r\nACGT\n+\nIIII\n")
        self.write("c.toml", (
            "[INPUT]\nread1 = 'in.fq'\n[[Transform]]\nAction = 'cut-start'\nN = 1\n"
            "[Output]\nPrefix = 'out'\nIX_Separator = '.'\n").encode())
        self.ok("process", "c.toml")
        self.assertEqual(Path(self.path("out.read1.fq")).read_bytes(), b"@r\nCGT\n+\nIII\n")

    def test_wrong_tables_are_named_with_their_line(self):
        for configuration, says in [
            ("", "[input] is missing"),
            ("input = 'x'\n" + OUTPUT, "c.toml:1: input = \"x\" is not what is needed: a table"),
            (INPUT, "there is nothing to do"),
            (INPUT + OUTPUT + "[outptu]\n", 'unknown key outptu; nearest: "output"'),
            (INPUT + "read2 = 7\n" + OUTPUT, "c.toml:3: [input]: read2 = 7 is not what is needed"),
            (INPUT + "read2 = 'in.fq'\n" + OUTPUT, 'read2: "in.fq" is there twice, also in read1'),
            (INPUT + "read2 = ['a', 'b']\n" + OUTPUT, "read2 has 2 files, read1 has 1"),
            (INPUT + OUTPUT + "output = ['reda1']\n", 'no segment; segments are read1; nearest: "read1"'),
            (INPUT + OUTPUT + "compression_level = 3\n", "compression_level = 3: the output is not"),
            (INPUT + OUTPUT + "report_json = true\n", "report_json = true needs a Report step"),
            (INPUT + OUTPUT + "[barcodes.b]\n", "[barcodes.b]: at least one barcode is needed"),
            (INPUT + OUTPUT + "[options]\nblock_size = 0\n", "block_size = 0 is not what is needed"),
            ("[input]\na = 'x'\ninterleaved = ['b', 'c']\n[options]\nblock_size = 3\n" + OUTPUT,
             "block_size = 3 must be even"),
            (INPUT + OUTPUT + "prefix = 'x'\n", "c.toml:5: this is no TOML"),
            (INPUT + OUTPUT + "[=x]\n", "c.toml:5: this is no TOML"),
            (INPUT + OUTPUT + "a = [}, 1]\n", "c.toml:5: this is no TOML"),
            (INPUT + OUTPUT + "[[ [a]]\n", "c.toml:5: this is no TOML"),
            (INPUT + OUTPUT + "a = 'b\0'\n", "is not UTF-8 text"),
        ]:
            with self.subTest(says):
                self.refused(configuration, says)

    def test_flags_that_say_the_same_are_refused(self):
        self.write("c.toml", (INPUT + OUTPUT).encode())
        self.fails(2, "process", "c.toml", "--step", "Head n=1", says="--step and a configuration")

    def test_an_input_is_no_output_and_existing_files_stay(self):
        self.write("in.fq", b"@r\nA\n+\nI\n")
        self.write("c.toml", b"[input]\nread1 = 'in.fq'\n[output]\nprefix = 'in'\nsuffix = 'fq'\n")
        os.symlink("in.fq", self.path("in_read1.fq"))
        self.fails(2, "process", "c.toml", "--allow-overwrite", says="is the input in.fq")
        os.unlink(self.path("in_read1.fq"))
        self.write("in_read1.fq", b"old")
        self.fails(1, "process", "c.toml", says="exists already")
        self.assertEqual(Path(self.path("in_read1.fq")).read_bytes(), b"old")

    def test_the_only_configuration_of_a_folder_is_found(self):
        self.write("in.fq", b"@r\nA\n+\nI\n")
        self.write("other.toml", b"x = 1\n")
        self.write("c.toml", (INPUT + OUTPUT).encode())
        ended = self.wpool("process")
        self.assertEqual((ended.code, ended.err), (0, "wpool: note: the configuration is c.toml\n"))
        self.write("d.toml", (INPUT + OUTPUT).encode())
        self.fails(2, "process", says="several configurations in this folder: c.toml, d.toml")


class Streams(Case):
    def test_stdin_interleaved_to_stdout(self):
        self.write("c.toml", (
            "[input]\nreads = '--stdin--'\ninterleaved = ['b', 'a']\n[[step]]\naction = 'Swap'\n"
            "[output]\nprefix = 'x'\nstdout = true\n").encode())
        given = b"@r1\nAC\n+\nII\n@r2\nG\n+\nJ\n" * 3
        swapped = b"@r2\nG\n+\nJ\n@r1\nAC\n+\nII\n" * 3
        self.assertEqual(self.same("c.toml", stdin=given), swapped)
        self.assertEqual(self.names(), ["c.toml"])

    def test_fasta_is_read_with_a_quality_and_written(self):
        self.write("a.fa", b"".join(b">r%d x\nAC\nGT\n" % i for i in range(50)))
        self.write("b.fa.gz", gzip.compress(b">last\nA"))
        options = "[input.options]\nfasta_fake_quality = 'B'\n"
        configuration = "[input]\nread1 = ['a.fa', 'b.fa.gz']\n%s[output]\nprefix = 'x'\n%s"
        self.write("c.toml", (configuration % (options, "")).encode())
        expected = b"".join(b"@r%d x\nACGT\n+\nBBBB\n" % i for i in range(50)) + b"@last\nA\n+\nB\n"
        for mode in MODES:
            self.ok("process", "c.toml", "--allow-overwrite", *SMALL, *mode)
            self.assertEqual(Path(self.path("x_read1.fq")).read_bytes(), expected, mode)
        self.write("c.toml", (configuration % (options, "format = 'fasta'\n")).encode())
        self.ok("process", "c.toml")
        self.assertEqual(
            Path(self.path("x_read1.fasta")).read_bytes(),
            b"".join(b">r%d x\nACGT\n" % i for i in range(50)) + b">last\nA\n")
        self.write("c.toml", (configuration % ("", "")).encode())
        self.fails(1, "process", "c.toml", "--allow-overwrite", says="a.fa: holds FASTA, not FASTQ")

    def test_outputs_in_chunks_have_equally_many_digits(self):
        self.write("in.fq", b"".join(b"@r%d\nAC\n+\nII\n" % i for i in range(40)))
        for count, names in [(15, "012"), (20, "012"), (4, [f"{i:02}" for i in range(11)])]:
            for mode in MODES:
                folder = f"{count}{mode[-1]}"
                self.write("c.toml", (
                    INPUT + f"[output]\nprefix = '{folder}/out'\nchunk_size = {count}\n"
                    "compression = 'gzip'\n").encode())
                self.ok("process", "c.toml", *SMALL, *mode)
                found = sorted(p.name for p in Path(self.path(folder)).iterdir())
                self.assertEqual(found, [f"out_read1.{n}.fq.gz" for n in names])
                texts = [gzip.decompress((Path(self.path(folder)) / n).read_bytes()) for n in found]
                self.assertEqual(
                    [t.count(b"\n") // 4 for t in texts],
                    [min(count, max(0, 40 - i * count)) for i in range(len(names))])
                self.assertEqual(b"".join(texts), Path(self.path("in.fq")).read_bytes())

    def test_unequal_counts_name_both_files(self):
        self.write("a.fq", b"@r\nA\n+\nI\n" * 3)
        self.write("b.fq", b"@r\nA\n+\nI\n" * 2)
        self.write("c.toml", (
            "[input]\nread1 = 'a.fq'\nread2 = 'b.fq'\n[output]\nprefix = 'x'\n").encode())
        ended = self.fails(1, "process", "c.toml", says=["b.fq", "a.fq", "2 records"])
        self.assertEqual(self.names(), ["a.fq", "b.fq", "c.toml", "x.incompleted"])
        self.assertNotIn("\n\n", ended.err)

    def test_a_step_that_sees_all_goes_on_behind_a_stop(self):
        self.write("in.fq", b"".join(b"@r%d\nAC\n+\nII\n" % i for i in range(100)))
        self.write("c.toml", (INPUT + (
            "[[step]]\naction = 'Report'\nname = 'all'\n[[step]]\naction = 'Head'\nn = 9\n"
            "[[step]]\naction = 'Inspect'\nn = 50\ninfix = 'seen'\n"
            "[output]\nprefix = 'out'\nreport_json = true\noutput_hash_uncompressed = true\n")).encode())
        for mode in MODES:
            self.ok("process", "c.toml", "--allow-overwrite", *SMALL, *mode)
            report = json.loads(Path(self.path("out.json")).read_bytes())
            self.assertEqual(report["all"], {"molecule_count": 100})
            reads = Path(self.path("out_read1.fq")).read_bytes()
            self.assertEqual(reads.count(b"\n"), 36)
            self.assertEqual(Path(self.path("out_seen_read1.fq")).read_bytes(), reads)
            self.assertEqual(
                Path(self.path("out_read1.fq.uncompressed.sha256")).read_text(),
                hashlib.sha256(reads).hexdigest())


class RandomPipelines(Case):
    def test_files_and_messages_do_not_depend_on_the_workers(self):
        for seed in range(1, 31):
            self.assertFalse(random_pipelines.check(seed), f"random_pipelines.py --seed {seed} --count 1")
