# SPDX-License-Identifier: MIT
"""paired_reads.py PAIRS OUT_1 OUT_2 [SEED]: the same paired reads for the same arguments, anywhere.

Reads of 151 bases with the names, lengths, qualities (four bins, worse towards the end) and faults
of a short-read sequencer: inserts as short as a read, so that the second read repeats the first and
both run into the adapter; bases changed as the qualities say; some N; some reads trimmed short.
`.gz` names are compressed without time stamp. examples/data/sample_{1,2}.fastq.gz are
`paired_reads.py 10000 sample_1.fastq.gz sample_2.fastq.gz`.
"""
import gzip
import sys

MASK = (1 << 64) - 1
LENGTH = 151
GENOME = 40_000
ADAPTERS = ("AGATCGGAAGAGCACACGTCTGAACTCCAGTCAC", "AGATCGGAAGAGCGTCGTGTAGGGAAAGAGTGT")
BINS = "F:,#"  # qualities 37, 25, 11, 2
ERROR = {"F": 2, "#": 7500, ",": 790, ":": 32}  # chances in 10,000
COMPLEMENT = str.maketrans("ACGT", "TGCA")


class Random:
    """splitmix64: a few lines give the same numbers in every language."""

    def __init__(self, seed):
        self.state = seed

    def below(self, count):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return (z ^ z >> 31) % count


def qualities(random, length, is_poor):
    state, out = 0, []
    for i in range(length):
        worse = (60 if is_poor else 4) + (30 if is_poor else 6) * i // length
        if state == 0 and random.below(1000) < worse:
            state = 1 + (random.below(10) < 4)
        elif state and random.below(100) < (30 if is_poor else 62):
            state = 0
        out.append(BINS[state])
    return "".join(out)


def read(random, bases, adapter, is_poor):
    length = LENGTH if random.below(50) else 25 + random.below(LENGTH - 25)
    bases = (bases + adapter + "G" * LENGTH)[:length]
    quality = list(qualities(random, length, is_poor))
    bases = [random_base(random) if random.below(10_000) < ERROR[q] else b
             for b, q in zip(bases, quality)]
    if random.below(200) == 0:
        at = random.below(length)
        bases[at], quality[at] = "N", "#"
    return "".join(bases), "".join(quality)


def random_base(random):
    return "ACGT"[random.below(4)]


def pairs(count, seed):
    random = Random(seed)
    genome = "".join("GCAT"[random.below(2) if random.below(100) < 43 else 2 + random.below(2)]
                     for _ in range(GENOME))
    y = 1000
    for i in range(count):
        y += random.below(20)
        insert = 40 + sum(random.below(140) for _ in range(4))
        at = random.below(GENOME - insert)
        forward = genome[at:at + insert]
        backward = forward.translate(COMPLEMENT)[::-1]
        if random.below(2):
            forward, backward = backward, forward
        is_poor = random.below(20) == 0
        name = f"@WP001:12:HSAMPLE:1:{1101 + i // 2000}:{1000 + random.below(31000)}:{y}"
        yield [f"{name} {m + 1}:N:0:ACGTACGT\n{s}\n+\n{q}\n"
               for m, (s, q) in enumerate((read(random, forward, ADAPTERS[0], is_poor),
                                           read(random, backward, ADAPTERS[1], is_poor)))]


def create(path):
    raw = open(path, "wb")
    return gzip.GzipFile("", "wb", 9, raw, 0) if path.endswith(".gz") else raw


def main(count, first, second, seed=1):
    with create(first) as one, create(second) as two:
        for a, b in pairs(int(count), int(seed)):
            one.write(a.encode())
            two.write(b.encode())


main(*sys.argv[1:])
