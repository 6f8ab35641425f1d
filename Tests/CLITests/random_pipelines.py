#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random pipelines over random reads: files, messages and exit code are the same for every number of workers.

    random_pipelines.py [--count N] [--seed S]      each pipeline has its own seed, which is told on a failure
"""

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from support import WPOOL, environment, fastq, reads

RUNS = [["--serial"], ["-j", "1"], ["-j", "2"], ["-j", "8"]]


class Maker:
    """Makes the text of one configuration that is right as far as it can be known."""

    def __init__(self, source):
        self.source = source
        self.segments = ["a", "b", "c"][:source.choice([1, 1, 2, 3])]
        self.tags = {"location": [], "string": [], "numeric": [], "bool": []}
        self.steps = []
        self.files = 0
        self.reports = 0
        self.is_demultiplexed = False

    def label(self, kind):
        label = f"{kind[0]}{len(self.steps)}"
        self.tags[kind].append(label)
        return label

    def tag(self, *kinds):
        labels = [label for kind in kinds for label in self.tags[kind]]
        if not labels:
            return None
        return self.source.choice(labels)

    def add(self, action, **keys):
        self.steps.append((action, {k.rstrip("_"): v for k, v in keys.items() if v is not None}))

    def step(self):
        pick, number = self.source.choice, self.source.randint
        segment = pick(self.segments)
        condition = self.tag("bool", "location") if number(0, 3) == 0 else None
        if condition and number(0, 1):
            condition = "!" + condition
        makers = [
            lambda: self.add(pick(["CutStart", "CutEnd"]), n=number(1, 5), segment=segment,
                             if_tag=condition),
            lambda: self.add("Truncate", n=number(0, 40), segment=segment, if_tag=condition),
            lambda: self.add(pick(["Prefix", "Postfix"]), seq="ACN", qual="III", segment=segment,
                             if_tag=condition),
            lambda: self.add("ReverseComplement", segment=segment, if_tag=condition),
            lambda: self.add(pick(["Lowercase", "Uppercase"]), target=segment, if_tag=condition),
            lambda: len(self.segments) > 1 and self.add(
                "Swap", segment_a=self.segments[0], segment_b=self.segments[1], if_tag=condition),
            lambda: self.add("Head", n=number(0, 60)),
            lambda: self.add("Skip", n=number(0, 20)),
            lambda: self.add("FilterSample", p=0.7, seed=number(0, 9)),
            lambda: self.add("FilterReservoirSample", n=number(1, 20), seed=number(0, 9)),
            lambda: self.add("FilterEmpty", segment=pick(self.segments + ["all"])),
            lambda: self.add("ValidateAllReadsSameLength", source=segment) if number(0, 9) == 0 else None,
            lambda: self.add("ExtractIUPAC", search=pick(["AC", "RN", "GGT"]), segment=segment,
                             anchor=pick(["left", "right", "anywhere"]), max_mismatches=number(0, 1),
                             out_label=self.label("location")),
            lambda: self.add("ExtractRegion", source=segment, start=number(-3, 3), len=number(1, 4),
                             anchor=pick(["start", "end"]), out_label=self.label("location")),
            lambda: self.add("ExtractRegion", source="name:" + segment, start=0, len=number(1, 3),
                             anchor="start", out_label=self.label("string")),
            lambda: self.add("ExtractLowQualityEnd", min_qual="P", segment=segment,
                             out_label=self.label("location")),
            lambda: self.add("ExtractRegionsOfLowQuality", min_quality="H", min_length=2,
                             segment=segment, out_label=self.label("location")),
            lambda: self.add(pick(["CalcLength", "CalcNCount", "CalcGCContent"]), segment=segment,
                             out_label=self.label("numeric")),
            lambda: self.add("EvalExpression", expression=pick(
                ["read_no % 3", f"len_{segment} > 20", f"len_{segment} % 4 - 1"]),
                result_type=(kind := pick(["numeric", "bool"])), out_label=self.label(kind)),
            lambda: self.add("TagDuplicates", source=pick(self.segments + ["all"]), seed=3,
                             false_positive_rate=pick([0, 0.05]), out_label=self.label("bool")),
            lambda: (tag := self.tag("location")) and self.add(
                "ConvertRegionsToLength", in_label=tag, out_label=self.label("numeric")),
            lambda: (tag := self.tag("bool", "location", "string")) and self.add(
                "FilterByTag", in_label=tag, keep_or_remove=pick(["keep", "remove"])),
            lambda: (tag := self.tag("numeric")) and self.add(
                "FilterByNumericTag", in_label=tag, min_value=number(0, 20), keep_or_remove="remove"),
            lambda: (tag := self.tag("location")) and self.add(
                "TrimAtTag", in_label=tag, direction=pick(["start", "end"]),
                keep_tag=pick([True, False])),
            lambda: (tag := self.tag("location")) and self.add(
                "StoreTagInSequence", in_label=tag, ignore_missing=number(0, 4) > 0),
            lambda: (tag := self.tag("location", "string", "numeric", "bool")) and self.add(
                "StoreTagInComment", in_label=tag, segment=segment),
            lambda: (tag := self.tag("location")) and self.add(
                "StoreTagLocationInComment", in_label=tag, segment=segment),
            lambda: self.file("Inspect", n=number(0, 30), segment=pick(self.segments + ["all"])),
            lambda: (tag := self.tag("location")) and self.file("QuantifyTag", in_label=tag),
            lambda: any(self.tags.values()) and self.file("StoreTagsInTable"),
            self.report,
            lambda: (tag := self.tag("bool")) and not self.is_demultiplexed and self.demultiplex(tag),
        ]
        pick(makers)()

    def file(self, action, **keys):
        self.files += 1
        self.add(action, infix=f"f{self.files}", **keys)

    def report(self):
        self.reports += 1
        self.add("Report", name=f"r{self.reports}", base_statistics=True, length_distribution=True,
                 duplicate_count_per_read=self.source.random() < 0.5,
                 tag_histograms=[t] if (t := self.tag("numeric", "bool", "location")) else [])

    def demultiplex(self, tag):
        self.is_demultiplexed = True
        self.add("Demultiplex", in_label=tag)

    def text(self):
        for _ in range(self.source.randint(1, 9)):
            self.step()
        if any(self.tags.values()):
            self.add("ForgetAllTags")
        lines = ["[input]"] + [f"{name} = 'in_{name}.fq'" for name in self.segments]
        for action, keys in self.steps:
            lines += ["[[step]]", f"action = '{action}'"]
            lines += [f"{key} = {self.value(value)}" for key, value in keys.items()]
        lines += ["[output]", "prefix = 'OUT/x'"]
        if self.reports:
            lines.append("report_json = true")
        more = self.source.choice(["", "compression = 'gzip'", "compression = 'zstd'", "chunk_size = 7",
                                   "format = 'fasta'", "output_hash_uncompressed = true"])
        return "\n".join(lines + [more, "[options]", "accept_duplicate_files = true", ""])

    def value(self, value):
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, list):
            return "[" + ", ".join(map(self.value, value)) + "]"
        return repr(value)


def outcome(folder, text, blocks, mode):
    """What a run leaves, without what names the run itself."""
    name = "".join(mode)
    (folder / "c.toml").write_text(text.replace("OUT", "out"))
    ended = subprocess.run(
        [WPOOL, "process", "c.toml", "--block-size", str(blocks), "--max-blocks", "5", *mode],
        cwd=folder, env=environment(), capture_output=True, timeout=600)
    made = folder / "out"
    files = {p.name: p.read_bytes() for p in sorted(made.iterdir())} if made.exists() else {}
    for path in made.iterdir() if made.exists() else ():
        path.unlink()
    return {"exit code": ended.returncode, "stderr": ended.stderr, "stdout": ended.stdout, **files}, name


def check(seed):
    """What differs, or nothing."""
    source = random.Random(seed)
    maker = Maker(source)
    text = maker.text()
    with tempfile.TemporaryDirectory(prefix="wpool-random-") as name:
        folder = Path(name)
        count = source.choice([0, 1, 7, 60, 150])
        for index, segment in enumerate(maker.segments):
            made = reads(count, seed=seed * 10 + index, longest=40, letters="ACGTN")
            (folder / f"in_{segment}.fq").write_bytes(fastq(made))
        blocks = source.choice([1, 2, 7, 1000])
        if maker.is_demultiplexed or "Reservoir" in text:
            blocks = max(blocks, 2)
        first, _ = outcome(folder, text, blocks, RUNS[0])
        problems = []
        if first["exit code"] not in (0, 1):
            problems.append(f"exit code {first['exit code']}: {first['stderr'].decode()}")
        for mode in RUNS[1:]:
            other, name = outcome(folder, text, blocks, mode)
            problems += [f"{name}: {key}: {other.get(key)!r} instead of {first.get(key)!r}"[:600]
                         for key in sorted(first.keys() | other.keys())
                         if first.get(key) != other.get(key)]
        return problems and [f"seed {seed}, blocks of {blocks}, {count} reads", text, *problems]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = 0
    for seed in range(options.seed, options.seed + options.count):
        problems = check(seed)
        if problems:
            failed += 1
            print("\n".join(problems), flush=True)
        if (seed - options.seed) % 500 == 499:
            print(f"to seed {seed}: {failed} differ", file=sys.stderr, flush=True)
    print(f"{options.count} pipelines from seed {options.seed}: {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
