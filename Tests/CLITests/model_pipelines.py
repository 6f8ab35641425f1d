#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random pipelines of all steps, compared with step_model.py: files, tables, reports and exit code.

    model_pipelines.py [--count N] [--seed S]      each pipeline has its own seed, which is told on a failure
"""

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import step_model
from support import WPOOL, environment, fastq

RUNS = [["--serial"], ["-j", "1"], ["-j", "2"], ["-j", "8"]]
BARCODES = {"bc": {"AC": "x", "GG": "y", "CA": "x"}, "wild": {"RC": "p", "TN": "q"}, "two": {"A": "m", "C": "n", "T": "m"}}
TEXTS = ("location", "string")
FLAGS = ("location", "string", "bool")
ALL = FLAGS + ("numeric",)


class Maker:
    """Makes steps that are right as far as it can be known."""

    def __init__(self, source):
        self.source = source
        self.segments = ["a", "b", "c"][:source.choice([1, 1, 2, 2, 3])]
        self.steps, self.kinds, self.forgotten, self.several = [], {}, set(), set()
        self.files = self.demultiplexed = 0

    def label(self, kind, several=False):
        label = f"t{len(self.kinds) + 1}"
        self.kinds[label] = kind
        if several:
            self.several.add(label)
        return label

    def alive(self, *kinds):
        return [label for label, kind in self.kinds.items() if kind in kinds and label not in self.forgotten]

    def tag(self, *kinds):
        labels = self.alive(*kinds)
        return self.source.choice(labels) if labels else None

    def some(self, labels, most=2):
        return self.source.sample(labels, min(len(labels), self.source.randint(1, most)))

    def add(self, action, **keys):
        keys = {key.rstrip("_"): value for key, value in keys.items() if value is not None}
        self.steps.append((action, keys))
        return True

    def step(self):
        """Adds a step that finds something rather more often than another."""
        while True:
            name = self.source.choice(FINDERS if self.source.random() < 0.35 else STEPS)
            if name in RARE and self.source.random() < 0.75:
                continue
            if getattr(self, name)():
                return

    # What steps have in common.

    def segment(self):
        return self.source.choice(self.segments)

    def segment_or_all(self):
        return self.source.choice(self.segments + ["all"])

    def condition(self):
        label = self.tag(*FLAGS)
        if label and self.source.random() < 0.3:
            return self.source.choice(["", "!"]) + label
        return None

    def place(self):
        """A source of a region and the kind of tag that it makes."""
        label = self.tag(*TEXTS)
        tags = [("tag:" + label, self.kinds[label])] * 2 if label else []
        return self.source.choice(
            [(self.segment(), "location"), (self.segment(), "location"), ("name:" + self.segment(), "string")] + tags)

    def edit(self, action, **keys):
        return self.add(action, segment=self.segment(), if_tag=self.condition(), **keys)

    def find(self, action, several=False, **keys):
        return self.add(action, segment=self.segment(), out_label=self.label("location", several), **keys)

    def calculate(self, action, segment=0, **keys):
        return self.add(
            action, segment=self.segment_or_all() if segment == 0 else segment, out_label=self.label("numeric"), **keys)

    def of(self, kinds, action, key="in_label", **keys):
        label = self.tag(*kinds)
        return label and self.add(action, **{key: label}, **keys)

    # Edits.

    def CutStart(self):
        return self.edit("CutStart", n=self.source.randint(1, 9))

    def CutEnd(self):
        return self.edit("CutEnd", n=self.source.randint(1, 9))

    def Truncate(self):
        return self.edit("Truncate", n=self.source.randint(0, 30))

    def Prefix(self):
        return self.edit("Prefix", seq="aCN", qual="I!~")

    def Postfix(self):
        return self.edit("Postfix", seq="aCN", qual="I!~")

    def ConvertQuality(self):
        one, other = self.source.choice([
            ("sanger", "solexa"), ("sanger", "illumina1.3"), ("illumina1.8", "solexa"),
            ("solexa", "sanger"), ("solexa", "illumina1.3"), ("illumina1.3", "solexa"), ("illumina1.3", "sanger")])
        return self.add("ConvertQuality", from_=one, to=other)

    def ReverseComplement(self):
        return self.edit("ReverseComplement")

    def Rename(self):
        return self.add(
            "Rename", search=self.source.choice(["r([0-9]+)", "c", "/([12])( .*)?$", "(?P<x>c[0-9])|z", "q*"]),
            replacement=self.source.choice(
                ["<$1>", "$0$0", "${1}_{{READ_INDEX}}", "$$x$x", "n{{READ_INDEX}}"]))

    def Swap(self):
        if len(self.segments) < 2:
            return False
        one, other = self.source.sample(self.segments, 2)
        return self.add("Swap", segment_a=one, segment_b=other, if_tag=self.condition())

    def Lowercase(self):
        label = self.tag(*TEXTS)
        target = self.source.choice([self.segment(), "all", "name:" + self.segment(), "name:all"] + (
            ["tag:" + label] if label else []))
        return self.add(self.source.choice(["Lowercase", "Uppercase"]), target=target, if_tag=self.condition())

    def TrimAtTag(self):
        labels = [label for label in self.alive("location") if label not in self.several]
        return labels and self.add(
            "TrimAtTag", in_label=self.source.choice(labels), direction=self.source.choice(["start", "end"]),
            keep_tag=self.source.choice([True, False]))

    def MergeReads(self):
        if len(self.segments) < 2:
            return False
        one, other = self.source.sample(self.segments, 2)
        strategy = self.source.choice(["as_is", "concatenate"])
        return self.add(
            "MergeReads", segment1=one, segment2=other, algorithm="fastp", min_overlap=self.source.randint(5, 9),
            max_mismatch_rate=self.source.choice([0.0, 0.1, 0.25]), max_mismatch_count=self.source.randint(0, 3),
            reverse_complement_segment2=self.source.choice([True, False]), no_overlap_strategy=strategy,
            concatenate_spacer="NNN" if strategy == "concatenate" else None,
            out_label=self.source.choice([None, 1]) and self.label("bool"))

    def StoreTagInSequence(self):
        return self.of(["location"], "StoreTagInSequence", ignore_missing=self.source.random() < 0.8)

    def ReplaceTagWithLetter(self):
        return self.of(["location"], "ReplaceTagWithLetter", letter=self.source.choice(["X", "n"]))

    # Filters and checks.

    def Head(self):
        return self.add("Head", n=self.source.randint(0, 40))

    def Skip(self):
        return self.add("Skip", n=self.source.randint(0, 40))

    def FilterSample(self):
        return self.add("FilterSample", p=self.source.choice([0.1, 0.7, 0.999]), seed=self.source.randint(0, 10 ** 6))

    def FilterReservoirSample(self):
        return self.add("FilterReservoirSample", n=self.source.randint(1, 20), seed=self.source.randint(0, 9))

    def FilterEmpty(self):
        return self.add("FilterEmpty", segment=self.segment_or_all())

    def FilterByTag(self):
        return self.of(FLAGS, "FilterByTag", keep_or_remove=self.source.choice(["keep", "remove"]))

    def FilterByNumericTag(self):
        low = self.source.choice([None, self.source.randint(0, 20), 0.5])
        high = self.source.randint(5, 30) if low is None else self.source.choice([None, 30])
        return self.of(["numeric"], "FilterByNumericTag", min_value=low, max_value=high,
                       keep_or_remove=self.source.choice(["keep", "remove"]))

    def ValidateReadPairing(self):
        return len(self.segments) > 1 and self.add("ValidateReadPairing", sample_stride=self.source.randint(1, 9))

    def ValidateName(self):
        return len(self.segments) > 1 and self.add(
            "ValidateName", sample_stride=self.source.randint(1, 9),
            readname_end_char=self.source.choice(["/", "/", " ", None]))

    def ValidateSeq(self):
        return self.add("ValidateSeq", segment=self.segment_or_all(),
                        allowed=self.source.choice(["ACGTNacgtnRX", "ACGTN", "ACGT"]))

    def ValidateQuality(self):
        return self.add("ValidateQuality", segment=self.segment_or_all(),
                        encoding=self.source.choice(["sanger", "illumina1.8", "solexa"]))

    def ValidateAllReadsSameLength(self):
        label = self.tag(*TEXTS)
        return self.add("ValidateAllReadsSameLength", source=self.source.choice(
            [self.segment_or_all(), "name:" + self.segment(), "name:all"] + (["tag:" + label] * 3 if label else [])))

    # What makes tags.

    def ExtractIUPAC(self):
        return self.find(
            "ExtractIUPAC", anchor=self.source.choice(["left", "right", "anywhere"]),
            search=self.source.choice(["AC", "RN", "GGT", "ACGTN", "W", ["GGG", "AC"], ["NNNNN", "A"]]),
            max_mismatches=self.source.randint(0, 2))

    def ExtractIUPACWithIndel(self):
        return self.find(
            "ExtractIUPACWithIndel", anchor=self.source.choice(["left", "right", "anywhere"]),
            search=self.source.choice(["ACGT", "GGTACC", "RNYA", "A", "TTTTTTTT"]),
            max_mismatches=self.source.choice([None, 0, 1, 2, 5]), max_indel_bases=self.source.choice([None, 0, 1, 2, 4]),
            max_total_edits=self.source.choice([None, 0, 1, 3]))

    def ExtractIUPACSuffix(self):
        search = self.source.choice(["ACGT", "AAAAAA", "GGTACCAA"])
        return self.find("ExtractIUPACSuffix", search=search, min_length=self.source.randint(1, len(search)),
                         max_mismatches=self.source.randint(0, 2))

    def ExtractRegex(self):
        if self.source.random() < 0.3:
            search, replacement = self.source.choice(
                [("r([0-9])", "$1"), ("c[0-6]", None), ("/(?P<x>[12])", "${x}${x}y"), ("q", "$0")])
            return self.add("ExtractRegex", search=search, replacement=replacement, source="name:" + self.segment(),
                            out_label=self.label("string"))
        search, replacement = self.source.choice(
            [("A(C|G)+", "$1"), ("G{2,}", None), ("T(?P<n>.)T", "<$n>"), ("^$", None), ("(A)|(C)", "$1$2$1"), ("N*", None)])
        return self.add("ExtractRegex", search=search, replacement=replacement, source=self.segment(),
                        out_label=self.label("location"))

    def ExtractRegion(self):
        place, kind = self.place()
        return self.add(
            "ExtractRegion", source=place, start=self.source.randint(-6, 6), len=self.source.randint(0, 6),
            anchor=self.source.choice(["start", "end", "left", "right"]), out_label=self.label(kind))

    def ExtractRegions(self):
        places = [self.place() for _ in range(self.source.randint(1, 3))]
        regions = [{"source": place, "start": self.source.randint(-6, 6), "length": self.source.randint(0, 6),
                    "anchor": self.source.choice(["start", "end"])} for place, _ in places]
        kind = "location" if all(kind == "location" for _, kind in places) else "string"
        return self.add("ExtractRegions", regions=regions, out_label=self.label(kind, len(places) > 1))

    def ExtractLowQualityStart(self):
        return self.find(self.source.choice(["ExtractLowQualityStart", "ExtractLowQualityEnd"]),
                         min_qual=self.source.choice(["0", 64, "I"]))

    def ExtractRegionsOfLowQuality(self):
        return self.find("ExtractRegionsOfLowQuality", True, min_quality=self.source.choice(["0", 64, "I"]),
                         min_length=self.source.randint(1, 3))

    def ExtractPolyTail(self):
        return self.find(
            self.source.choice(["ExtractPolyTail", "ExtractLongestPolyX"]), base=self.source.choice("ACGTN.."),
            min_length=self.source.randint(2, 5), max_mismatch_rate=self.source.choice([0.0, 0.1, 0.25, 0.5]),
            max_consecutive_mismatches=self.source.randint(0, 3))

    def Calc(self):
        return self.calculate(self.source.choice(["CalcLength", "CalcNCount", "CalcGCContent", "CalcComplexity"]))

    def CalcBaseContent(self):
        relative = self.source.choice([None, True, False])
        return self.calculate(
            "CalcBaseContent", bases_to_count=self.source.choice(["gc", "A", "NT"]), relative=relative,
            bases_to_ignore=None if relative is False else self.source.choice([None, "N", "na"]))

    def CalcQualifiedBases(self):
        return self.calculate("CalcQualifiedBases", threshold=self.source.choice(["0", 64]), operator=self.source.choice(
            ["above", "worse", ">", "gt", "below", "better", "<", "lt", "above_or_equal", "worse_or_equal", ">=", "gte",
             "below_or_equal", "better_or_equal", "<=", "lte"]))

    def CalcExpectedError(self):
        return self.calculate("CalcExpectedError", self.source.choice([None, self.segment_or_all()]),
                              aggregate=self.source.choice(["sum", "max"]))

    def CalcKmers(self):
        return self.calculate(
            "CalcKmers", filename=self.source.choice(["other.fq", ["other.fq", "more.fa"]]), k=self.source.randint(2, 6),
            count_reverse_complement=self.source.choice([True, False]), min_count=self.source.choice([None, 2, 3]))

    def ConvertRegionsToLength(self):
        label = self.tag("location")
        return label and self.add("ConvertRegionsToLength", in_label=label, out_label=self.label("numeric"))

    def EvalExpression(self):
        pick, number = self.source.choice, self.source.randint
        atoms = [str(number(0, 9)), "2.5", "read_no", "len_" + self.segment()]
        atoms += self.alive(*ALL) + ["len_" + label for label in self.alive(*TEXTS)]

        def formula(depth):
            form = number(0, 12)
            if depth == 0 or form < 3:
                return pick(atoms)
            if form < 10:
                operator = pick(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "and", "or"])
                return f"{formula(depth - 1)} {operator} {formula(depth - 1)}"
            if form == 10:
                return f"({formula(depth - 1)})"
            if form == 11:
                return pick(["!", "-"]) + pick(atoms[3:])
            if number(0, 1):
                return f"{pick(['min', 'max'])}({formula(depth - 1)}, {formula(depth - 1)})"
            return f"{pick(['abs', 'floor', 'ceil', 'int', 'sign', 'round'])}({formula(depth - 1)})"
        kind = pick(["numeric", "bool"])
        return self.add("EvalExpression", expression=formula(3), result_type=kind, out_label=self.label(kind))

    def TagDuplicates(self):
        label, rate = self.tag(*TEXTS), self.source.choice([0, 0, 0.01, 0.2])
        place = self.source.choice([self.segment_or_all(), "name:" + self.segment(), "name:all"] + (
            ["tag:" + label] * 2 if label else []))
        return self.add(
            "TagDuplicates", source=place, false_positive_rate=rate, seed=self.source.randint(1, 99) if rate else None,
            initial_filter_capacity=self.source.randint(1, 60) if rate else None, out_label=self.label("bool"))

    def TagOtherFile(self):
        place, _ = self.place()
        if place.startswith("name:") and any(action == "StoreTagInComment" for action, _ in self.steps):
            return False
        return self.add(
            "TagOtherFile", filename=self.source.choice(["other.fq", "more.fa"]), source=place, false_positive_rate=0,
            other_readname_end_character=self.source.choice([None, " "]), out_label=self.label("bool"))

    def HammingCorrect(self):
        label = self.tag("location")
        return label and self.add(
            "HammingCorrect", in_label=label, barcodes=self.source.choice(["bc", "wild"]),
            max_hamming_distance=self.source.randint(1, 2), on_no_match=self.source.choice(["remove", "empty", "keep"]),
            out_label=self.label("location", True))

    def ConcatTags(self):
        labels = self.alive(*TEXTS)
        if len(labels) < 2:
            return False
        labels = self.source.sample(labels, self.source.randint(2, min(3, len(labels))))
        kind = "location" if all(self.kinds[label] == "location" for label in labels) else "string"
        return self.add(
            "ConcatTags", in_labels=labels, separator=self.source.choice([None, "+"]),
            on_missing=self.source.choice(["merge_present", "set_missing"]), out_label=self.label(kind, True))

    def ForgetTag(self):
        label = self.tag(*ALL)
        self.forgotten.add(label)
        return label and self.add("ForgetTag", in_label=label)

    def ForgetAllTags(self):
        self.forgotten |= set(self.kinds)
        return self.add("ForgetAllTags")

    # What uses them.

    def StoreTagInComment(self):
        return self.of(ALL, "StoreTagInComment", segment=self.source.choice([None, self.segment_or_all()]),
                       comment_separator=self.source.choice([None, "#"]),
                       comment_insert_char=self.source.choice([None, "/", "z"]),
                       region_separator=self.source.choice([None, "-+"]))

    def StoreTagLocationInComment(self):
        return self.of(["location"], "StoreTagLocationInComment",
                       segment=self.source.choice([None, self.segment_or_all()]),
                       comment_separator=self.source.choice([None, "#"]),
                       comment_insert_char=self.source.choice([None, "/"]))

    def infix(self):
        self.files += 1
        return f"f{self.files}"

    def StoreTagsInTable(self):
        labels = self.alive(*ALL)
        return labels and self.add(
            "StoreTagsInTable", infix=self.infix(), region_separator=self.source.choice([None, "+"]),
            in_labels=self.source.choice([None, self.some(labels, 5)]))

    def StoreTagInFastQ(self):
        label = self.tag("location")
        if not label or any(a == "StoreTagInFastQ" and keys["in_label"] == label for a, keys in self.steps):
            return False
        return self.add(
            "StoreTagInFastQ", in_label=label, format=self.source.choice([None, "fasta"]),
            comment_tags=self.source.choice([None, self.some(self.alive(*ALL))]),
            comment_location_tags=self.source.choice([None, [], self.some(self.alive("location"))]),
            region_separator=self.source.choice([None, "+"]))

    def QuantifyTag(self):
        return self.of(["location"], "QuantifyTag", infix=self.infix(), region_separator=self.source.choice([None, "+"]))

    def Inspect(self):
        return self.add("Inspect", n=self.source.randint(0, 30), segment=self.segment_or_all(), infix=self.infix())

    def Report(self):
        labels = self.alive(*ALL)
        return self.add(
            "Report", name=self.infix(), count=self.source.choice([None, False]),
            length_distribution=self.source.choice([True, False]), base_statistics=self.source.choice([True, False]),
            count_oligos=self.source.choice([None, ["ACG", "A"]]),
            count_oligos_segment=self.source.choice([None, self.segment_or_all()]),
            tag_histograms=self.some(labels) if labels else None)

    def Demultiplex(self):
        label = self.tag(*FLAGS)
        if not label or self.demultiplexed == 2:
            return False
        self.demultiplexed += 1
        if self.kinds[label] == "bool":
            return self.add("Demultiplex", in_label=label)
        return self.add("Demultiplex", in_label=label, barcodes=self.source.choice(list(BARCODES)),
                        output_unmatched=self.source.choice([True, False]))

    def show_all(self):
        """All that is known of each read in the end."""
        if self.alive(*ALL):
            self.add("StoreTagsInTable", infix="last")
        for label in self.alive("location"):
            self.add("StoreTagLocationInComment", in_label=label, comment_separator="&", comment_insert_char=";")

    def text(self, inputs, blocks, output):
        lines = ["[input]"] + [f"{name} = {toml(value)}" for name, value in inputs.items()]
        for action, keys in self.steps:
            lines += ["[[step]]", f"action = '{action}'"]
            lines += [f"{key} = {toml(value)}" for key, value in keys.items()]
        for name in sorted({keys["barcodes"] for _, keys in self.steps if "barcodes" in keys}):
            lines += [f"[barcodes.{name}]"] + [f"{code} = '{stream}'" for code, stream in BARCODES[name].items()]
        lines += ["[output]", "prefix = 'x'"] + [f"{key} = {toml(value)}" for key, value in output.items()]
        if any(action == "Report" for action, _ in self.steps):
            lines.append("report_json = true")
        return "\n".join(lines + ["[options]", f"block_size = {blocks}", ""])


STEPS = [name for name in vars(Maker) if name[0].isupper()]
FINDERS = [name for name in STEPS if name.startswith("Extract")] + ["TagDuplicates", "EvalExpression"]
RARE = {"ValidateReadPairing", "ValidateName", "ValidateSeq", "ValidateQuality", "ValidateAllReadsSameLength",
        "ForgetAllTags", "ConvertQuality", "Head"}


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(v)}" for key, v in value.items()) + "}"
    return json.dumps(value)


def reads(source, segments):
    """Read sets with empty reads, runs of one base, overlapping mates and duplicates."""
    longest, letters = source.choice([8, 25, 60]), source.choice(["ACGT", "ACGTN", "ACGTacgtNR"])
    made = []
    for index in range(source.choice([0, 1, 5, 30, 80])):
        parts = []
        for segment in range(segments):
            length = 0 if source.random() < 0.08 else source.randint(1, longest)
            base = source.choice("ACGT") if source.random() < 0.3 else None
            bases = "".join(base if base and source.random() < 0.85 else source.choice(letters) for _ in range(length))
            quality = "".join(source.choice("!#(/0:>?@FIPh~") for _ in range(length))
            parts.append([f"r{index}/{min(segment + 1, 2)} c{index % 7} z", bases, quality])
        if segments > 1 and len(parts[0][1]) >= 5 and source.random() < 0.3:
            mate = list(parts[0][1][-source.randint(3, len(parts[0][1])):])
            for _ in range(source.randint(0, 2)):
                mate[source.randrange(len(mate))] = source.choice("ACGT")
            mate = "".join(mate)
            parts[1][1] = step_model.complement(mate) if source.random() < 0.7 else mate
            parts[1][2] = "".join(source.choice("!+/0?@I") for _ in mate)
        if made and source.random() < 0.3:
            for part, other in zip(parts, source.choice(made)):
                part[1:] = other[1:]
        made.append([tuple(part) for part in parts])
    return made


def inputs(source, maker, made):
    """The `input` table, the bytes of its files, and the reads of each file."""
    split = source.randint(0, len(made)) if source.random() < 0.3 else len(made)
    parts = [made[:split], made[split:]] if split < len(made) else [made]

    def file(name, number, records):
        packs = source.random() < 0.3
        name = f"in_{name}_{number}.fq" + (".gz" if packs else "")
        data[name] = gzip.compress(fastq(records), 1) if packs else fastq(records)
        return name
    data, table = {}, {}
    if len(maker.segments) > 1 and source.random() < 0.3:
        table["all_reads"] = [file("all", n, (r for read in part for r in read)) for n, part in enumerate(parts)]
        table["interleaved"] = maker.segments
    else:
        for index, name in enumerate(maker.segments):
            table[name] = [file(name, n, (read[index] for read in part)) for n, part in enumerate(parts)]
    return table, data, parts


def outputs(source, maker):
    forms = [{}, {}, {}, {"compression": "gzip"}, {"format": "fasta"}, {"chunk_size": source.randint(1, 30)},
             {"compression": "gzip", "compression_level": 0, "chunk_size": 7}]
    if len(maker.segments) > 1:
        forms.append({"interleave": source.sample(maker.segments, 2)})
    return source.choice(forms)


def is_near(one, other):
    """Whether two numbers, or values that hold numbers, differ in their last digits at most."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_near(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_near, one, other))
    if one == other:
        return True
    try:
        return abs(float(one) - float(other)) <= 1e-9 * max(1, abs(float(other)))
    except (TypeError, ValueError):
        return False


def difference(name, found, wanted):
    lines, others = found.split("\n"), wanted.split("\n")
    for number, (line, other) in enumerate(zip(lines + [None] * len(others), others + [None]), 1):
        same = line == other
        if not same and name.endswith(".tsv") and line is not None and other is not None:
            same = is_near(line.split("\t"), other.split("\t"))
        if not same:
            return f"{name} line {number}: {line!r} instead of {other!r}"
    return None


def compare(folder, ended, run, wanted):
    """What differs from what the model says."""
    if ended.returncode != wanted["exit code"]:
        return f"exit code {ended.returncode} instead of {wanted['exit code']} ({wanted.get('why')}): {ended.stderr}"
    if ended.returncode:
        return None
    found = {p.name: p.read_bytes() for p in folder.glob("x*") if p.name != "x.json"}
    found = {name: (gzip.decompress(data) if name.endswith(".gz") else data).decode("latin-1")
             for name, data in found.items()}
    if sorted(found) != sorted(wanted["files"]):
        return f"files {sorted(found)} instead of {sorted(wanted['files'])}"
    for name, text in wanted["files"].items():
        problem = difference(name, found[name], text)
        if problem:
            return problem
    if (folder / "x.json").exists():
        report = json.loads((folder / "x.json").read_text())
        for step in run.steps:
            if isinstance(step, step_model.Report) and not is_near(report[step.k["name"]], step.json()):
                return f"report {step.k['name']}: {report[step.k['name']]} instead of {step.json()}"
    return None


def check(seed, runs=None):
    """What differs, or nothing."""
    source = random.Random(seed)
    maker = Maker(source)
    for _ in range(source.randint(2, 10)):
        maker.step()
    maker.show_all()
    made = reads(source, len(maker.segments))
    other = [(f"r{i}/1 x", "".join(source.choice("ACGTacN") for _ in range(source.randint(1, 8)))) for i in range(20)]
    more = [("r1", "ACGT"), ("r5/1 c5 z", "AC")]
    blocks = source.choice([1, 2, 7, 1000])
    table, data, parts = inputs(source, maker, made)
    if "interleaved" in table:
        blocks += blocks % 2
    output = outputs(source, maker)
    text = maker.text(table, blocks, output)
    wanted = {"exit code": 0}
    try:
        others = {"other.fq": other, "more.fa": more}
        run = step_model.Run(maker.segments, maker.steps, BARCODES, others, maker.kinds, output)
        run.run(parts, -(-blocks // len(maker.segments)) if "interleaved" in table else blocks)
        wanted["files"] = run.files()
    except step_model.Fails as failure:
        wanted = {"exit code": 1, "why": failure}
    with tempfile.TemporaryDirectory(prefix="wpool-model-") as name:
        folder = Path(name)
        (folder / "c.toml").write_text(text)
        for file, content in data.items():
            (folder / file).write_bytes(content)
        (folder / "other.fq").write_bytes(fastq((n, s, "I" * len(s)) for n, s in other))
        (folder / "more.fa").write_text("".join(f">{n}\n{s}\n" for n, s in more))
        for mode in runs or [source.choice(RUNS)]:
            ended = subprocess.run([WPOOL, "process", "c.toml", "--allow-overwrite", *mode], cwd=folder,
                                   env=environment(), capture_output=True, text=True, timeout=600)
            problem = compare(folder, ended, run, wanted)
            if problem:
                return [f"seed {seed}, {' '.join(mode)}, {len(made)} reads", text, problem]
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = 0
    for seed in range(options.seed, options.seed + options.count):
        problems = check(seed)
        if problems:
            failed += 1
            print("\n".join(problems), flush=True)
    print(f"{options.count} pipelines from seed {options.seed}: {failed} differ from the model")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
