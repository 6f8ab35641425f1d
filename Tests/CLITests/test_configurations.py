# SPDX-License-Identifier: MIT
"""Pipelines in TOML: those of examples/toml against a few lines of Python each, models, and what is refused."""

import gzip
import hashlib
import json
import os
import shutil
from pathlib import Path

import example_outputs
import model_pipelines
import random_pipelines
from support import MODES, PROJECT, SMALL, Case

EXAMPLES = PROJECT / "examples" / "toml"


class Examples(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.folder / "toml"
        shutil.copytree(EXAMPLES, self.folder)
        os.symlink(example_outputs.DATA, self.folder.parent / "data")

    def test_each_writes_what_it_has_to_whatever_the_mode(self):
        for name in example_outputs.EXAMPLES:
            with self.subTest(example=name):
                self.check(name, example_outputs.files(name))

    def check(self, name, expected):
        first = None
        before = set(self.names())
        self.assertIn("valid", self.ok("validate", name + ".toml").decode())
        for mode in MODES:
            self.assertEqual(
                self.ok("process", name + ".toml", "--allow-overwrite", *SMALL, *mode), b"")
            made = {n: (self.folder / n).read_bytes() for n in set(self.names()) - before}
            self.assertEqual(sorted(made), sorted(expected), mode)
            for file, content in expected.items():
                if file.endswith(".gz"):
                    self.assertEqual(gzip.decompress(made[file]), gzip.decompress(content), (file, mode))
                elif not file.endswith(".json"):
                    self.assertEqual(made[file], content, (file, mode))
            first = first or made
            self.assertEqual(made, first, mode)
        for file, content in expected.items():
            self.write(file, content)
        self.assertIn("as expected", self.ok("verify", name + ".toml").decode())

    def test_every_example_is_tested_and_the_readme_shows_one(self):
        self.assertEqual({p.stem for p in EXAMPLES.glob("*.toml")}, set(example_outputs.EXAMPLES))
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

    def test_files_are_what_a_model_in_python_says(self):
        for seed in range(1, 101):
            self.assertFalse(model_pipelines.check(seed), f"model_pipelines.py --seed {seed} --count 1")
