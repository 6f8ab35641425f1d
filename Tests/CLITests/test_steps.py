# SPDX-License-Identifier: MIT
"""Each step against its few-line reference, in all modes."""

import gzip

import reference as ref
from support import PROJECT, Case, fastq, parse, reads

RECORDS = reads(300, letters="ACGTacgtNRYKMBVDHu.")
PLAIN = reads(300, seed=2)


def length(record):
    return len(record[1])


TABLE = [
    (["Head n=100"], lambda r: ref.head(r, 100)),
    (["Head n=0"], lambda r: []),
    (["Head n=1000"], lambda r: r[:1000]),
    (["Skip n=113"], lambda r: ref.skip(r, 113)),
    (["Skip n=1000"], lambda r: r[1000:]),
    (["Skip n=50", "Head n=100"], lambda r: r[50:150]),
    (["CutStart n=13"], lambda r: ref.cut_start(r, 13)),
    (["CutEnd n=13"], lambda r: ref.cut_end(r, 13)),
    (["CutEnd n=1000"], lambda r: ref.cut_end(r, 1000)),
    (["Truncate n=20"], lambda r: ref.truncate(r, 20)),
    (["Truncate n=0"], lambda r: ref.truncate(r, 0)),
    (["ReverseComplement"], ref.reverse_complement),
    (["Uppercase target=read1"], ref.upper),
    (["Lowercase target=read1"], ref.lower),
    (["Uppercase target=name:"], ref.upper_names),
    (["FilterEmpty"], ref.filter_empty),
    (["CutStart n=40", "FilterEmpty"], lambda r: ref.filter_empty(ref.cut_start(r, 40))),
    (["CalcLength out_label=n",
      "FilterByNumericTag in_label=n min_value=20 max_value=60 keep_or_remove=keep"],
     lambda r: ref.keep(r, length, 20, 60)),
    (["CalcLength out_label=n",
      "FilterByNumericTag in_label=n min_value=20 keep_or_remove=remove"],
     lambda r: ref.keep(r, length, high=20)),
    (["CalcExpectedError aggregate=sum out_label=e",
      "FilterByNumericTag in_label=e max_value=1.5 keep_or_remove=keep"],
     lambda r: ref.keep(r, lambda x: ref.expected_error(x[2]), high=1.5)),
    (["CalcExpectedError aggregate=max out_label=e",
      "FilterByNumericTag in_label=e min_value=0.5 keep_or_remove=keep"],
     lambda r: ref.keep(
         r, lambda x: max((10 ** (-(ord(c) - 33) / 10) for c in x[2]), default=0), 0.5)),
    (["CalcQualifiedBases threshold='P' operator=above_or_equal out_label=q",
      "FilterByNumericTag in_label=q min_value=10 keep_or_remove=keep"],
     lambda r: ref.keep(r, lambda x: sum(c >= "P" for c in x[2]), 10)),
    (["CalcQualifiedBases threshold=80 op='<' out_label=q",
      "FilterByNumericTag in_label=q max_value=10 keep_or_remove=keep"],
     lambda r: ref.keep(r, lambda x: sum(ord(c) < 80 for c in x[2]), high=10)),
    (["FilterSample p=0.3 seed=42"], lambda r: ref.sample(r, 0.3, 42)),
    (["FilterEmpty", "FilterSample p=0.999 seed=9999999999", "Head n=30"],
     lambda r: ref.sample(ref.filter_empty(r), 0.999, 9999999999)[:30]),
    (["ValidateSeq allowed='ACGTacgtNRYKMBVDHu.'"], lambda r: r),
    (["ValidateQuality encoding=sanger"], lambda r: r),
]


def arguments(steps):
    return [word for step in steps for word in ("--step", step)]


class Steps(Case):
    def test_every_step_equals_its_reference(self):
        path = self.write("in.fq", fastq(RECORDS))
        for steps, expected in TABLE:
            with self.subTest(steps=steps):
                self.assertEqual(parse(self.same(path, *arguments(steps))), expected(RECORDS))

    def test_without_a_step_the_input_comes_out(self):
        self.assertEqual(self.same(self.write("in.fq", fastq(RECORDS))), fastq(RECORDS))

    def test_a_wrong_base_fails_naming_the_first_read(self):
        records = [r for r in PLAIN]
        records[37] = ("bad one", "ACNT", "IIII")
        records[200] = ("bad two", "ACNT", "IIII")
        path = self.write("in.fq", fastq(records))
        self.same_failure(
            1, path, "--step", "ValidateSeq allowed=ACGT",
            says=["in.fq", "record 38", "bad one", "'N'"])

    def test_a_wrong_quality_fails_naming_the_read(self):
        records = [(n, s, "I" * len(s)) for n, s, _ in PLAIN]
        records[250] = ("low", "ACGT", "II5I")
        path = self.write("in.fq", fastq(records))
        self.same_failure(
            1, path, "--step", "ValidateQuality encoding=illumina1.3", says=["record 251", "low"])

    def test_an_error_behind_the_stop_is_not_seen(self):
        records = [r for r in PLAIN]
        records[250] = ("bad", "ACNT", "IIII")
        path = self.write("in.fq", fastq(records) + b"@cut")
        steps = ["ValidateSeq allowed=ACGT", "Head n=100"]
        self.assertEqual(parse(self.same(path, *arguments(steps))), records[:100])

    def test_validate_name(self):
        one = reads(50, suffix="/1")
        two = [(name[:-1] + "2", s, q) for name, s, q in one]
        first, second = self.write("1.fq", fastq(one)), self.write("2.fq", fastq(two))
        step = "ValidateName sample_stride=1"
        self.same(first, "--mate", second, "--step", step + " readname_end_char='/'")
        self.same_failure(1, first, "--mate", second, "--step", step, says="record 1")
        two[33] = ("other", "A", "I")
        second = self.write("2.fq", fastq(two))
        self.same_failure(
            1, first, "--mate", second, "--step", step + " readname_end_char=' '",
            says=["2.fq", "record 34", "other"])

    def test_the_samples_of_the_project(self):
        samples = sorted(
            p for p in (PROJECT / "examples/data").glob("*") if p.name.endswith((".fq.gz", ".fastq.gz")))
        if not samples:
            self.skipTest("no examples/data")
        for sample in samples:
            records = parse(gzip.decompress(sample.read_bytes()))
            for steps, expected in TABLE:
                if "ValidateSeq" in steps[0]:
                    continue
                with self.subTest(sample=sample.name, steps=steps):
                    out = self.ok("process", sample, *arguments(steps), "--block-size", "1000")
                    self.assertEqual(parse(out), expected(records))
            serial = self.ok("process", sample, "--step", "Truncate n=30", "--serial")
            for workers in "1", "2", "8":
                out = self.ok("process", sample, "--step", "Truncate n=30", "-j", workers)
                self.assertEqual(serial, out)


