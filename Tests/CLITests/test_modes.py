# SPDX-License-Identifier: MIT
"""What a configuration asks for besides files: times, a benchmark, outputs that fail; and what helps to write one."""

import json
import re
import tomllib

import random_configurations
from support import Case, fastq, reads

STEPS = """
[[step]]
action = 'CalcLength'
segment = 'read1'
out_label = 'n'
[[step]]
action = 'FilterByNumericTag'
in_label = 'n'
min_value = 20
keep_or_remove = 'keep'
[[step]]
action = 'Head'
n = 5000
"""


class Configured(Case):
    def text(self, text):
        self.write("c.toml", text.encode())


class Timing(Configured):
    def test_report_timing_tells_what_each_part_took(self):
        self.write("in.fq", fastq(reads(3000)))
        self.text("[input]\nread1 = 'in.fq'\n" + STEPS
                   + "[output]\nprefix = 'out'\ncompression = 'gzip'\nreport_timing = true\n")
        for mode in (["--serial"], ["-j", "1"], ["-j", "3"]):
            self.ok("process", "c.toml", "--block-size", "100", "--allow-overwrite", *mode)
            times = json.loads((self.folder / "out.timing.json").read_text())
            parts = {part["name"]: part for part in times["parts"]}
            names = [part["name"] for part in times["parts"] if "calls" in part]
            self.assertEqual(names, ["read", "parse", "CalcLength", "FilterByNumericTag", "Head", "encode",
                                     "gather", "pack", "write"])
            self.assertEqual([parts[n].get("step") for n in ("parse", "CalcLength", "Head")], [None, 1, 3])
            self.assertEqual(parts["parse"]["calls"], 30)
            self.assertEqual(parts["parse"]["reads"], 3000)
            self.assertEqual(parts["read"]["reads"], 3000)
            self.assertLess(parts["Head"]["reads"], 3000)
            self.assertAlmostEqual(sum(part["share"] for part in times["parts"]), 1, places=6)
            self.assertGreaterEqual(times["wall_seconds"], 0)
            self.assertIn(times["bottleneck"], names)
            self.assertEqual(times["workers"], 0 if mode == ["--serial"] else int(mode[1]))

    def test_times_alone_are_something_to_do(self):
        self.write("in.fq", fastq(reads(30)))
        self.text("[input]\nread1 = 'in.fq'\n[output]\nprefix = 'out'\noutput = []\n"
                   "report_timing = true\n")
        self.ok("process", "c.toml")
        self.assertEqual(self.names(), ["c.toml", "in.fq", "out.timing.json"])


class Benchmark(Configured):
    def setUp(self):
        super().setUp()
        self.write("in.fq", fastq(reads(300)))
        self.head = "[input]\nread1 = 'in.fq'\n" + STEPS

    def benchmark(self, text):
        self.text(self.head + "[benchmark]\n" + text)

    def test_the_first_block_passes_until_there_were_enough_reads(self):
        self.benchmark("enable = true\nmolecule_count = 1001\n")
        for mode in (["--serial"], ["-j", "2"]):
            for block, wanted in ((300, 1200), (100, 1100), (10_000, 1200)):
                out = self.ok("process", "c.toml", "--block-size", str(block), *mode).decode()
                self.assertRegex(out, rf"^benchmark: {wanted:,} reads in [0-9.]+ s, [0-9,]+ a second\n$")
        self.assertEqual(self.names(), ["c.toml", "in.fq"])

    def test_steps_run_as_always(self):
        self.head = self.head.replace("n = 5000", "n = 10")
        self.benchmark("enable = true\nmolecule_count = 100000\n")
        self.assertIn(b"benchmark: 300 reads", self.ok("process", "c.toml"))

    def test_outputs_and_files_of_steps_are_ignored(self):
        self.head += "[[step]]\naction = 'Inspect'\nn = 3\ninfix = 'i'\nsegment = 'read1'\n[output]\nprefix = 'out'\n"
        self.benchmark("enable = true\nmolecule_count = 5\n")
        self.ok("process", "c.toml")
        self.assertEqual(self.names(), ["c.toml", "in.fq"])

    def test_wrong_benchmarks(self):
        self.benchmark("enable = true\n")
        self.fails(2, "validate", "c.toml", says="molecule_count is missing")
        self.benchmark("enable = true\nmolecule_count = 0\n")
        self.fails(2, "validate", "c.toml", says="molecule_count = 0")
        self.head += "[output]\nprefix = 'out'\n"
        self.benchmark("molecule_count = 5\n")
        self.ok("validate", "c.toml")
        self.fails(2, "process", "c.toml", says="enable is not true")
        self.benchmark("enable = true\nmolecule_count = 5\n")
        self.fails(2, "verify", "c.toml", says="a benchmark writes nothing")
        self.write("in.fq", b"")
        self.fails(1, "process", "c.toml", says="at least one read")


class OutputsThatFail(Configured):
    def run_with(self, failure, more="", **keys):
        self.write("in.fq", fastq(reads(300)))
        self.text(f"[input]\nread1 = 'in.fq'\n[options.debug_failures]\n{failure}\n"
                   f"[output]\nprefix = 'out'\n{more}")
        return self.same_failure(1, "c.toml", **keys)

    def test_a_full_disk_ends_the_run_and_leaves_nothing_but_the_marker(self):
        for more, name in (("", "out_read1.fq"), ("compression = 'gzip'\n", "out_read1.fq.gz"),
                           ("chunk_size = 10\n", "out_read1.0.fq"), ("compression = 'zstd'\n", "out_read1.fq.zst")):
            self.run_with("fail_output_after_bytes = 100", more, says=[name, "No space left on device"])
            self.assertEqual(self.names(), ["c.toml", "in.fq", "out.incompleted"])

    def test_other_errors(self):
        self.run_with("fail_output_after_bytes = 0\nfail_output_error = 'other'", says="Input/output error")
        self.run_with("fail_output_after_bytes = 9\nfail_output_error = 'raw_os'\nfail_output_raw_os_code = 122",
                      says="Disk quota exceeded")

    def test_a_limit_that_is_not_reached(self):
        self.write("in.fq", fastq(reads(3)))
        self.text("[input]\nread1 = 'in.fq'\n[output]\nprefix = 'out'\n"
                   "[options]\ndebug_failures = {fail_output_after_bytes = 100_000}\n")
        self.ok("process", "c.toml")

    def test_wrong_keys(self):
        for text, says in (("fail_output_error = 'raw_os'\nfail_output_after_bytes = 1", "needs fail_output_raw_os_code"),
                           ("fail_output_error = 'ful'\nfail_output_after_bytes = 1", "none of disk_full"),
                           ("fail_output_error = 'other'", "fail_output_after_bytes is missing"), ("x = 1", "unknown key x")):
            self.text(f"[input]\nread1 = 'in.fq'\n[options.debug_failures]\n{text}\n[output]\nprefix = 'o'\n")
            self.fails(2, "validate", "c.toml", says=says)


class Pages(Configured):
    def test_the_page_holds_the_report_and_needs_nothing_from_elsewhere(self):
        self.write("in.fq", fastq(reads(50)))
        self.text("[input]\nread1 = 'in.fq'\n[[step]]\naction = 'Report'\nname = 'a </script> b'\n"
                  "base_statistics = true\n[output]\nprefix = 'out'\nformat = 'none'\nreport_json = true\n"
                  "report_html = true\n")
        self.ok("process", "c.toml")
        page = (self.folder / "out.html").read_text()
        held = re.search(r'id="report">(.*?)</script>', page, re.S)[1]
        report = json.loads((self.folder / "out.json").read_text())
        self.assertEqual(json.loads(held), report)
        self.assertEqual(report["a </script> b"]["molecule_count"], 50)
        self.assertEqual(re.findall(r"https?://(?!www\.w3\.org/2000/svg)|<link|src=", page), [])

    def test_a_page_alone_will_do(self):
        self.write("in.fq", fastq(reads(5)))
        self.text("[input]\nread1 = 'in.fq'\n[[step]]\naction = 'Report'\nname = 'a'\n[output]\nprefix = 'out'\n"
                  "output = []\nreport_html = true\n")
        self.ok("process", "c.toml")
        self.assertEqual(self.names(), ["c.toml", "in.fq", "out.html"])


class Templates(Configured):
    def test_the_whole_template_is_right_and_so_is_all_that_is_in_comments(self):
        text = self.ok("template").decode()
        self.text(text)
        ended = self.wpool("validate", "c.toml")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("reads_1.fq.gz\" is not there", ended.err)
        tables = tomllib.loads(text)
        self.assertEqual(sorted(tables), ["input", "options", "output", "step"])

    def test_keys_in_comments_are_keys(self):
        for name in ("input", "options", "output", "benchmark"):
            text = self.ok("template", name).decode()
            lines = [re.sub(r"^# (?=\[|\w+ = )", "", line) for line in text.splitlines()]
            made = tomllib.loads("\n".join(lines))
            others = {"input": "", "options": "[input]\na = 'x'\n", "output": "[input]\nread1 = 'x'\nread2 = 'y'\n",
                      "benchmark": "[input]\na = 'x'\n"}[name]
            self.text(others + "\n".join(lines) + ("" if name in ("output", "benchmark") else "\n[output]\nprefix = 'o'\n"))
            self.assertTrue(made[name], name)
            ended = self.wpool("validate", "c.toml")
            self.assertNotIn("unknown key", ended.err)
            self.assertNotIn("is not what is needed", ended.err)

    def test_every_step_has_one_with_all_its_keys(self):
        for step in json.loads(self.ok("list-steps", "--json")):
            text = self.ok("template", step["name"]).decode()
            made = tomllib.loads("\n".join(re.sub(r"^# (?=\w+ = )", "", line) for line in text.splitlines()))
            self.assertEqual([key for key in made["step"][0]], ["action"] + [key["name"] for key in step["keys"]])

    def test_unknown_parts(self):
        self.fails(2, "template", "outptu", says=["no table or step", "output"])
        self.fails(2, "template", "CutSart", says="CutStart")


class PrintedConfigurations(Configured):
    def test_it_does_the_same(self):
        self.write("a b.fq", fastq(reads(50)))
        self.write("m.fq", fastq(reads(50, seed=2)))
        steps = ["--step", "Truncate n=9 segment=read1", "--step",
                 "ExtractRegex search='^(A)\\\\w' replacement=$1 source=read2 out_label=r", "--step",
                 "StoreTagInComment in_label=r segment=read1"]
        flags = ["a b.fq", "--mate", "m.fq", *steps]
        text = self.ok("process", *flags, "-o", "x.fq", "--print-config").decode()
        self.assertEqual(self.names(), ["a b.fq", "m.fq"])
        self.text(text)
        self.ok("process", "c.toml")
        self.ok("process", *flags, "-o", "y.fq")
        self.assertEqual((self.folder / "x_interleaved.fq").read_bytes(), (self.folder / "y.fq").read_bytes())

    def test_streams_and_packing(self):
        text = self.ok("process", "-", "--interleaved", "--compression", "gzip", "--level", "3", "--print-config").decode()
        self.assertEqual(tomllib.loads(text), {
            "input": {"reads": "--stdin--", "interleaved": ["read1", "read2"]},
            "output": {"prefix": "output", "stdout": True, "compression": "gzip", "compression_level": 3}})

    def test_what_has_no_configuration(self):
        self.fails(2, "process", "--lines", "x", "--print-config", says="--print-config is for reads")
        self.text("[input]\na = 'x'\n[output]\nprefix = 'o'\n")
        self.fails(2, "process", "c.toml", "--print-config", says="--print-config is for reads")


class Warnings(Configured):
    def warns(self, text, *says, files=("in.fq",)):
        for name in files:
            self.write(name, b"")
        self.text(text)
        ended = self.wpool("validate", "c.toml")
        self.assertEqual(ended.code, 0, ended)
        lines = ended.err.splitlines()
        self.assertEqual(len(lines), len(says), lines)
        for line, words in zip(lines, says):
            self.assertTrue(line.startswith("wpool: c.toml: warning: "), line)
            self.assertIn(words, line)

    def test_nothing_to_warn_of(self):
        self.warns("[input]\na = 'in.fq'\n[output]\nprefix = 'o'\n")

    def test_inputs_that_are_not_there(self):
        self.warns("[input]\na = ['no.fq', 'in.fq']\n[[step]]\naction = 'TagOtherFile'\nfilename = 'other.fq'\n"
                   "source = 'a'\nfalse_positive_rate = 0.0\nseed = 1\nout_label = 't'\n[[step]]\naction = 'ForgetAllTags'\n"
                   "[output]\nprefix = 'o'\n", '"no.fq" is not there', '"other.fq" is not there')

    def test_outputs_with_one_name(self):
        self.warns("[input]\na = 'in.fq'\n[[step]]\naction = 'Inspect'\nn = 1\ninfix = 'x'\nsegment = 'a'\n"
                   "[[step]]\naction = 'Inspect'\nn = 1\ninfix = 'x'\nsegment = 'a'\n[output]\nprefix = 'o'\n",
                   "is written by step 1 (Inspect) and by step 2 (Inspect)")
        self.warns("[input]\na = 'o_a.fq'\n[output]\nprefix = 'o'\n", "is an input too", files=["o_a.fq"])

    def test_keys_without_effect(self):
        self.warns("[input]\na = 'in.fq'\n[input.options]\nthreads_per_segment = 2\n[options]\nbuffer_size = 5\n"
                   "[output]\nprefix = 'o'\ncompression_threads = 3\n",
                   "buffer_size", "compression_threads", "threads_per_segment")

    def test_letters_that_count_as_mismatches(self):
        self.warns("[input]\na = 'in.fq'\n[[step]]\naction = 'ExtractIUPACWithIndel'\nsearch = 'ACN'\nsegment = 'a'\n"
                   "anchor = 'left'\nout_label = 't'\n[[step]]\naction = 'ForgetAllTags'\n[output]\nprefix = 'o'\n",
                   "counts as a mismatch")


class Damage(Configured):
    def test_damaged_configurations_are_taken_or_refused(self):
        texts = random_configurations.sources()
        for seed in range(150):
            self.assertIsNone(random_configurations.check(seed, texts, self.folder), f"seed {seed}")
