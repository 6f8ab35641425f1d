# SPDX-License-Identifier: MIT
"""Each step in a few lines: (name, sequence, quality) records in, records out."""

import struct

COMPLEMENT = str.maketrans("ACGTURYKMBVDHacgturykmbvdh", "TGCAAYRMKVBHDtgcaayrmkvbhd")


def head(records, n):
    return records[:n]


def skip(records, n):
    return records[n:]


def cut_start(records, n):
    return [(name, s[n:], q[n:]) for name, s, q in records]


def cut_end(records, n):
    return [(name, s[:max(len(s) - n, 0)], q[:max(len(q) - n, 0)]) for name, s, q in records]


def truncate(records, n):
    return [(name, s[:n], q[:n]) for name, s, q in records]


def reverse_complement(records):
    return [(name, s[::-1].translate(COMPLEMENT), q[::-1]) for name, s, q in records]


def upper(records):
    return [(name, s.upper(), q) for name, s, q in records]


def lower(records):
    return [(name, s.lower(), q) for name, s, q in records]


def upper_names(records):
    return [(" ".join([name.split(" ")[0].upper()] + name.split(" ")[1:]), s, q)
            for name, s, q in records]


def filter_empty(records):
    return [r for r in records if r[1]]


def expected_error(quality):
    total = 0.0
    for letter in quality:
        total += 10 ** (-(ord(letter) - 33) / 10)
    return total


def keep(records, value, low=float("-inf"), high=float("inf")):
    return [r for r in records if low <= value(r) < high]


def sample(records, p, seed):
    numbers = chacha20(seed)
    limit = int(p * 2**64)
    return [r for r in records if next(numbers) < limit]


def chacha20(seed):
    """64-bit numbers: 20 rounds, block counter from 0, nonce 0, key = seed and 24 zero bytes."""
    key = struct.unpack("<8I", struct.pack("<Q24x", seed))
    constants = struct.unpack("<4I", b"expand 32-byte k")
    counter = 0

    def quarter(x, a, b, c, d):
        for one, two, three, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[one] = (x[one] + x[two]) & 0xFFFFFFFF
            mixed = x[three] ^ x[one]
            x[three] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF

    while True:
        start = [*constants, *key, counter & 0xFFFFFFFF, counter >> 32, 0, 0]
        x = list(start)
        for _ in range(10):
            for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                               (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                quarter(x, a, b, c, d)
        words = [(one + other) & 0xFFFFFFFF for one, other in zip(x, start)]
        for index in range(0, 16, 2):
            yield words[index] | words[index + 1] << 32
        counter += 1
