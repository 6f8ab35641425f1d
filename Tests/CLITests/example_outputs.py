#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the pipelines of examples/toml have to write, in a few lines of Python each, without wpool.

    example_outputs.py FOLDER      writes it all there, beside the configurations, for `wpool verify`
"""

import gzip
import json
import sys
from pathlib import Path

import reference
from support import PROJECT, parse

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


#: By the name of the configuration.
EXAMPLES = {f.__name__: f for f in (
    quality_filter, umi, adapter, demultiplex, dedup, table, length_filter, sample, quality_report)}


def files(name):
    """The bytes of each file that an example writes."""
    made = {}
    for file, content in EXAMPLES[name]().items():
        data = json.dumps(content).encode() if file.endswith(".json") else content
        made[file] = gzip.compress(data) if file.endswith(".gz") else data
    return made


if __name__ == "__main__":
    for example in EXAMPLES:
        for file, data in files(example).items():
            (Path(sys.argv[1]) / file).write_bytes(data)
