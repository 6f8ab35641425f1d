# SPDX-License-Identifier: MIT
"""Every step in plain Python, read by read, written from what the steps are to do and not from how they do it.

model_pipelines.py compares `wpool process` with it.
"""

import itertools
import math
from decimal import Decimal
import re
import struct

COMPLEMENT = str.maketrans("ACGTURYKMBVDHacgturykmbvdh", "TGCAAYRMKVBHDtgcaayrmkvbhd")
IUPAC = {"A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT",
         "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": None}
RANGES = {"sanger": (33, 126), "illumina1.8": (33, 126), "solexa": (59, 126), "illumina1.3": (64, 126)}
M64 = 2 ** 64 - 1


class Fails(Exception):
    """A run that ends with 1."""


class Region:
    def __init__(self, segment, start, length, copy):
        self.segment, self.start, self.length, self.copy = segment, start, length, copy

    def __repr__(self):
        return f"{self.segment}:{self.start}+{self.length}={self.copy}"


class Location:
    def __init__(self, regions, lost=False):
        self.regions, self.lost = regions, lost

    def text(self, separator="_"):
        return separator.join(r.copy for r in self.regions)

    def copy(self):
        return Location([Region(r.segment, r.start, r.length, r.copy) for r in self.regions], self.lost)


class Read:
    def __init__(self, parts):
        self.names = [p[0] for p in parts]
        self.bases = [p[1] for p in parts]
        self.quality = [p[2] for p in parts]
        self.tags = {}
        self.stream = ""

    def locations(self):
        return [t for t in self.tags.values() if isinstance(t, Location) and not t.lost]


# Numbers

def words(seed):
    key = struct.unpack("<8I", struct.pack("<Q24x", seed))
    constants = struct.unpack("<4I", b"expand 32-byte k")
    for counter in itertools.count():
        start = [*constants, *key, counter & 0xFFFFFFFF, counter >> 32, 0, 0]
        x = list(start)
        for _ in range(10):
            for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                               (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                for p, q, r, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                    x[p] = (x[p] + x[q]) & 0xFFFFFFFF
                    m = x[r] ^ x[p]
                    x[r] = ((m << turn) | (m >> (32 - turn))) & 0xFFFFFFFF
        yield from ((p + q) & 0xFFFFFFFF for p, q in zip(x, start))


def next64(source):
    low = next(source)
    return low | next(source) << 32


def uniform(source, low, high):
    r = high - low + 1
    m = next(source) * r
    result, x = m >> 32, m & 0xFFFFFFFF
    if x > 2 ** 32 - r:
        again = next(source) * r
        if x + (again >> 32) >= 2 ** 32:
            result += 1
    return low + result


def siphash13(data):
    v0, v1, v2, v3 = 0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261, 0x7465646279746573

    def rotl(x, b):
        return ((x << b) | (x >> (64 - b))) & M64

    def rounds(n):
        nonlocal v0, v1, v2, v3
        for _ in range(n):
            v0 = (v0 + v1) & M64; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
            v2 = (v2 + v3) & M64; v3 = rotl(v3, 16) ^ v2
            v0 = (v0 + v3) & M64; v3 = rotl(v3, 21) ^ v0
            v2 = (v2 + v1) & M64; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
    whole = len(data) // 8 * 8
    for i in range(0, whole, 8):
        m = int.from_bytes(data[i:i + 8], "little")
        v3 ^= m
        rounds(1)
        v0 ^= m
    m = int.from_bytes(data[whole:], "little") | (len(data) & 255) << 56
    v3 ^= m
    rounds(1)
    v0 ^= m
    v2 ^= 255
    rounds(3)
    return v0 ^ v1 ^ v2 ^ v3


class Exact:
    def __init__(self):
        self.items = set()

    def seen(self, parts):
        item = "".join(parts)
        was = item in self.items
        self.items.add(item)
        return was


class Cuckoo:
    def __init__(self, rate, seed, capacity, one=False):
        self.rate, self.capacity, self.one = rate, capacity, one
        self.source = words(seed)
        self.filters = []
        self.grow()

    def grow(self):
        k = len(self.filters)
        bits = math.ceil(math.log2(2 ** (k + 1) / self.rate) + 3)
        wanted = max(1, -(-self.capacity * 2 ** k // 4))
        buckets = 1 << (wanted - 1).bit_length()
        self.filters.append((bits, buckets, {}, set()))

    @staticmethod
    def places(h, bits, buckets):
        f = h >> (64 - bits)
        i0 = h & (buckets - 1)
        return f, i0, (i0 ^ siphash13(struct.pack("<Q", f))) & (buckets - 1)

    def seen(self, parts):
        data = b"" if self.one else struct.pack("<Q", len(parts))
        for p in parts:
            data += struct.pack("<Q", len(p)) + p.encode("latin-1")
        h = siphash13(data)
        for bits, buckets, table, exceptions in self.filters:
            f, i0, i1 = self.places(h, bits, buckets)
            if f and (f in table.get(i0, []) or f in table.get(i1, [])):
                return True
            if (f, min(i0, i1)) in exceptions:
                return True
        bits, buckets, table, exceptions = self.filters[-1]
        f, i0, i1 = self.places(h, bits, buckets)
        if f == 0:
            exceptions.add((0, min(i0, i1)))
            return False
        for i in (i0, i1):
            bucket = table.setdefault(i, [0] * 4)
            if 0 in bucket:
                bucket[bucket.index(0)] = f
                return False
        i = i0 if next(self.source) >> 31 else i1
        p = i
        for _ in range(512):
            slot = uniform(self.source, 0, 3)
            bucket = table.setdefault(i, [0] * 4)
            f, bucket[slot] = bucket[slot], f
            p = i
            i = (i ^ siphash13(struct.pack("<Q", f))) & (buckets - 1)
            bucket = table.setdefault(i, [0] * 4)
            if 0 in bucket:
                bucket[bucket.index(0)] = f
                return False
        exceptions.add((f, min(p, i)))
        self.grow()
        return False


def covered(value):
    if isinstance(value, str):
        return len(value)
    return 0 if value.lost else sum(r.length for r in value.regions)


def comment_number(x):
    if not math.isfinite(x):
        return "NaN" if math.isnan(x) else str(x)
    if x == int(x):
        return str(max(-2 ** 63, min(2 ** 63 - 1, int(x))))
    if 1e-3 <= abs(x) <= 1e6:
        return f"{x:.4f}"
    else:
        mantissa, exponent = f"{x:.4e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    text = text.rstrip("0")
    return text.removesuffix(".")


def table_number(x):
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    text = repr(float(x))
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


# Steps, by their names. A block goes through `block`; `end` gives what a step has held back.

class Step:
    sees_all = False

    def __init__(self, run, keys, index):
        self.run_, self.k, self.index = run, keys, index
        self.segments = run.segments
        self.start()

    def start(self):
        pass

    def seg(self, key="segment"):
        name = self.k.get(key)
        return 0 if name is None else self.segments.index(name)

    def segs(self, key="segment", default=None):
        name = self.k.get(key, default)
        if name is not None and name.lower() == "all":
            return list(range(len(self.segments)))
        return [self.seg(key)]

    def applies(self, read):
        tag = self.k.get("if_tag")
        if tag is None:
            return True
        value = read.tags[tag.lstrip("!")]
        is_on = value is not None and value is not False
        return is_on != tag.startswith("!")

    def block(self, reads):
        out = []
        for read in reads:
            if self.keep(read):
                out.append(read)
        return out

    def keep(self, read):
        if self.applies(read):
            self.change(read)
        return True

    def change(self, read):
        raise NotImplementedError

    def end(self):
        return []

    def files(self):
        return {}

    def head(self, name):
        return name.split(self.run_.comment, 1)[0]


def cut_start(read, s, n):
    read.bases[s], read.quality[s] = read.bases[s][n:], read.quality[s][n:]
    for location in read.locations():
        for r in location.regions:
            if r.segment == s:
                if r.start < n:
                    location.lost = True
                r.start -= n


def lose_beyond(read, s):
    for location in read.locations():
        if any(r.segment == s and r.start + r.length > len(read.bases[s]) for r in location.regions):
            location.lost = True


def keep_first(read, s, n):
    read.bases[s], read.quality[s] = read.bases[s][:n], read.quality[s][:n]


class CutStart(Step):
    def change(self, read):
        cut_start(read, self.seg(), self.k["n"])


class CutEnd(Step):
    def keep(self, read):
        s = self.seg()
        if self.applies(read):
            keep_first(read, s, max(0, len(read.bases[s]) - self.k["n"]))
        lose_beyond(read, s)
        return True


class Truncate(Step):
    def keep(self, read):
        if self.applies(read):
            keep_first(read, self.seg(), self.k["n"])
        lose_beyond(read, self.seg())
        return True


class Prefix(Step):
    def change(self, read):
        s = self.seg()
        read.bases[s] = self.k["seq"] + read.bases[s]
        read.quality[s] = self.k["qual"] + read.quality[s]
        for location in read.locations():
            for r in location.regions:
                if r.segment == s:
                    r.start += len(self.k["seq"])


class Postfix(Step):
    def change(self, read):
        s = self.seg()
        read.bases[s] += self.k["seq"]
        read.quality[s] += self.k["qual"]


def check_quality(read, segments, encoding):
    low, high = RANGES[encoding]
    for s in segments:
        if any(not low <= ord(q) <= high for q in read.quality[s]):
            raise Fails("quality")


def away(x):
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


class ConvertQuality(Step):
    def start(self):
        one, other = (("sanger" if e == "illumina1.8" else e) for e in (self.k["from"], self.k["to"]))
        low, high = RANGES[other]
        base, target = ({"sanger": 33, "solexa": 64, "illumina1.3": 64}[e] for e in (one, other))
        self.table = {}
        for c in range(RANGES[one][0], RANGES[one][1] + 1):
            q = c - base
            if other == "solexa":
                p = 10 ** (q / 10) - 1
                to = low if p <= 0 else away(10 * math.log10(p)) + 64
            elif one == "solexa":
                to = away(10 * math.log10(10 ** (q / 10) + 1)) + target
            else:
                to = q + target
            self.table[chr(c)] = chr(max(low, min(high, to)))

    def change(self, read):
        check_quality(read, range(len(self.segments)), self.k["from"])
        for s in range(len(self.segments)):
            read.quality[s] = "".join(self.table[q] for q in read.quality[s])


def complement(text):
    return text[::-1].translate(COMPLEMENT)


class ReverseComplement(Step):
    def change(self, read):
        s = self.seg()
        read.bases[s], read.quality[s] = complement(read.bases[s]), read.quality[s][::-1]
        for location in read.locations():
            for r in location.regions:
                if r.segment == s:
                    r.start = len(read.bases[s]) - r.start - r.length
                    r.copy = complement(r.copy)


def python_regex(text):
    return re.compile(text.replace("(?-u)", ""), 0)


def expand(match, replacement):
    def one(m):
        if m[0] == "$$":
            return "$"
        name = m[1] or m[2]
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except (IndexError, re.error):
            return ""
    return re.sub(r"\$\$|\$\{([^}]*)\}|\$([A-Za-z0-9_]+)", one, replacement)


class Rename(Step):
    def start(self):
        self.regex, self.number = python_regex(self.k["search"]), 0

    def change(self, read):
        for s in range(len(self.segments)):
            read.names[s] = self.regex.sub(lambda m: expand(m, self.k["replacement"]), read.names[s])
            read.names[s] = read.names[s].replace("{{READ_INDEX}}", str(self.number))
        self.number += 1


class Swap(Step):
    def change(self, read):
        a, b = (self.seg("segment_a"), self.seg("segment_b")) if "segment_a" in self.k else (0, 1)
        for values in read.names, read.bases, read.quality:
            values[a], values[b] = values[b], values[a]
        for location in (t for t in read.tags.values() if isinstance(t, Location)):
            for r in location.regions:
                r.segment = {a: b, b: a}.get(r.segment, r.segment)


class Lowercase(Step):
    turn = staticmethod(str.lower)

    def keep(self, read):
        target = self.k["target"]
        if target.startswith("tag:"):
            value = read.tags[target[4:]]
            if isinstance(value, Location):
                for r in value.regions:
                    r.copy = self.turn(r.copy)
        elif self.applies(read):
            if target.startswith("name:"):
                which = target[5:]
                chosen = range(len(self.segments)) if which.lower() == "all" else [
                    self.segments.index(which) if which else 0]
                for s in chosen:
                    head, *rest = read.names[s].split(self.run_.comment, 1)
                    read.names[s] = self.run_.comment.join([self.turn(head), *rest])
            else:
                for s in self.segs("target"):
                    read.bases[s] = self.turn(read.bases[s])
        return True


class Uppercase(Lowercase):
    turn = staticmethod(str.upper)


class TrimAtTag(Step):
    def change(self, read):
        location = read.tags[self.k["in_label"]]
        if location is None:
            return
        if location.lost:
            raise Fails("lost")
        if len(location.regions) != 1:
            raise Fails("several regions")
        r = location.regions[0]
        s, length = r.segment, len(read.bases[r.segment])
        first, last = min(r.start, length), min(r.start + r.length, length)
        others = [t for t in read.locations() if t is not location]
        if self.k["direction"] == "start":
            n = first if self.k["keep_tag"] else last
            read.bases[s], read.quality[s] = read.bases[s][n:], read.quality[s][n:]
            for other in others:
                for o in other.regions:
                    if o.segment == s:
                        other.lost |= o.start < n
                        o.start -= n
            if self.k["keep_tag"]:
                r.start = 0
            else:
                location.lost = True
        else:
            n = last if self.k["keep_tag"] else first
            keep_first(read, s, n)
            for other in others:
                other.lost |= any(o.segment == s and o.start + o.length > n for o in other.regions)
            if not self.k["keep_tag"]:
                location.lost = True


class MergeReads(Step):
    def change(self, read):
        k = self.k
        a, b = self.seg("segment1"), self.seg("segment2")
        s1, q1, s2, q2 = read.bases[a], read.quality[a], read.bases[b], read.quality[b]
        if k["reverse_complement_segment2"]:
            s2, q2 = s2[::-1].translate(str.maketrans("ACGTacgt", "TGCAtgca")), q2[::-1]
        found = self.overlap(s1, s2)
        if "out_label" in k:
            read.tags[k["out_label"]] = found is not None
        if found is not None:
            offset, o = found
            x, y = max(offset, 0), max(-offset, 0)
            bases, quality = [], []
            for i in range(o):
                one, two = (s1[x + i], q1[x + i]), (s2[y + i], q2[y + i])
                if one[0] != two[0] and ord(two[1]) >= 63 and ord(one[1]) <= 47:
                    one = two
                bases.append(one[0])
                quality.append(one[1])
            bases, quality = "".join(bases), "".join(quality)
            if offset > 0:
                bases = s1[:offset] + bases + s2[o:]
                quality = q1[:offset] + quality + q2[o:]
            read.bases[a], read.quality[a] = bases, quality
        elif k["no_overlap_strategy"] == "concatenate":
            spacer = k["concatenate_spacer"]
            char = k.get("spacer_quality_char", 33)
            char = chr(char) if isinstance(char, int) else char
            read.bases[a], read.quality[a] = s1 + spacer + s2, q1 + char * len(spacer) + q2
        else:
            return
        read.bases[b] = read.quality[b] = ""

    def overlap(self, s1, s2):
        k = self.k
        n1, n2, least = len(s1), len(s2), k["min_overlap"]
        for offset in range(0, max(0, n1 - least)):
            o = min(n1 - offset, n2)
            if self.accept(s1[offset:offset + o], s2[:o], o):
                return offset, o
        offset = 0
        while offset > -(n2 - least):
            o = min(n1, n2 + offset)
            if self.accept(s1[:o], s2[-offset:-offset + o], o):
                return offset, o
            offset -= 1
        return None

    def accept(self, one, two, o):
        limit = min(self.k["max_mismatch_count"], math.floor(self.k["max_mismatch_rate"] * o))
        wrong, seen = 0, 0
        for x, y in zip(one, two):
            seen += 1
            if x != y:
                wrong += 1
                if wrong > limit and seen <= 50:
                    break
        return wrong <= limit or seen > 50


class StoreTagInSequence(Step):
    def change(self, read):
        location = read.tags[self.k["in_label"]]
        ignore = self.k.get("ignore_missing", False)
        if location is None:
            return
        if location.lost:
            if ignore:
                return
            raise Fails("lost")
        grew = False
        for r in location.regions:
            bases, quality = read.bases[r.segment], read.quality[r.segment]
            if r.start < 0 or r.start + r.length > len(bases):
                raise Fails("outside")
            old = quality[r.start:r.start + r.length]
            if len(r.copy) != r.length:
                if not old:
                    new = "B" * len(r.copy)
                else:
                    mean = (2 * sum(map(ord, old)) + len(old)) // (2 * len(old))
                    new = chr(mean) * len(r.copy)
                grew = len(r.copy) > r.length
            else:
                new = old
            read.bases[r.segment] = bases[:r.start] + r.copy + bases[r.start + r.length:]
            read.quality[r.segment] = quality[:r.start] + new + quality[r.start + r.length:]
        if grew:
            for other in read.locations():
                other.lost = True


class ReplaceTagWithLetter(Step):
    def change(self, read):
        location = read.tags[self.k["in_label"]]
        if location is None:
            return
        if location.lost:
            raise Fails("lost")
        for r in location.regions:
            bases = read.bases[r.segment]
            if r.start < 0 or r.start + r.length > len(bases):
                raise Fails("outside")
            read.bases[r.segment] = bases[:r.start] + self.k["letter"] * r.length + bases[r.start + r.length:]


class Head(Step):
    def start(self):
        self.counts = {}

    def keep(self, read):
        self.counts[read.stream] = self.counts.get(read.stream, 0) + 1
        return self.counts[read.stream] <= self.k["n"]

    def is_done(self):
        return all(self.counts.get(s, 0) >= self.k["n"] for s in self.run_.streams_at(self.index))


class Skip(Head):
    def keep(self, read):
        return not super().keep(read)

    is_done = None


class FilterSample(Step):
    def start(self):
        self.source, self.limit = words(self.k["seed"]), int(self.k["p"] * 2 ** 64)

    def keep(self, read):
        return next64(self.source) < self.limit


class FilterReservoirSample(Step):
    def start(self):
        self.source, self.slots, self.counts = words(self.k["seed"]), {}, {}

    def keep(self, read):
        c = self.counts[read.stream] = self.counts.get(read.stream, 0) + 1
        slots, n = self.slots.setdefault(read.stream, []), self.k["n"]
        if c <= n:
            slots.append(read)
        else:
            j = uniform(self.source, 1, c)
            if j <= n:
                slots[j - 1] = read
        return False

    def end(self):
        order = sorted(self.slots, key=lambda s: (s != "no-barcode", s))
        return [read for s in order for read in self.slots[s]]


class FilterEmpty(Step):
    def keep(self, read):
        return any(read.bases[s] for s in self.segs())


class FilterByTag(Step):
    def keep(self, read):
        value = read.tags[self.k["in_label"]]
        return (value is not None and value is not False) == (self.k["keep_or_remove"] == "keep")


class FilterByNumericTag(Step):
    def keep(self, read):
        x = read.tags[self.k["in_label"]]
        inside = self.k.get("min_value", -math.inf) <= x and (
            "max_value" not in self.k or x < self.k["max_value"])
        return inside == (self.k["keep_or_remove"] == "keep")


class ValidateReadPairing(Step):
    def start(self):
        self.number = 0

    def keep(self, read):
        if self.number % self.k.get("sample_stride", 1000) == 0:
            for name in read.names[1:]:
                if len(name) != len(read.names[0]) or sum(a != b for a, b in zip(name, read.names[0])) > 1:
                    raise Fails("names")
        self.number += 1
        return True


class ValidateName(ValidateReadPairing):
    def keep(self, read):
        if self.number % self.k.get("sample_stride", 1000) == 0:
            end, first = self.k.get("readname_end_char"), read.names[0]
            if not all(read.names):
                raise Fails("empty")
            for name in read.names[1:]:
                if name != first and not (
                        end is not None and end in name and end in first and
                        name.split(end)[0] == first.split(end)[0]):
                    raise Fails("names")
        self.number += 1
        return True


class ValidateSeq(Step):
    def change(self, read):
        if any(set(read.bases[s]) - set(self.k["allowed"]) for s in self.segs()):
            raise Fails("base")


class ValidateQuality(Step):
    def change(self, read):
        check_quality(read, self.segs(), self.k["encoding"])


class Source(Step):
    """A step with a source: segment, all, tag: or name:."""
    key = "source"

    def parts(self, read):
        source = self.k[self.key]
        if source.startswith("tag:"):
            value = read.tags[source[4:]]
            if value is None:
                return None
            return [r.copy for r in value.regions] if isinstance(value, Location) else [value]
        if source.startswith("name:"):
            which = source[5:]
            if which.lower() == "all":
                return list(read.names)
            return [self.head(read.names[self.segments.index(which) if which else 0])]
        return [read.bases[s] for s in self.segs(self.key)]


class ValidateAllReadsSameLength(Source):
    def start(self):
        self.length = None

    def change(self, read):
        parts = self.parts(read)
        if parts is None:
            return
        source = self.k["source"]
        if source.lower() == "name:all":
            parts = [self.head(p) for p in parts]
        value = read.tags.get(source[4:]) if source.startswith("tag:") else None
        if isinstance(value, Location):
            length = covered(value)
        else:
            length = sum(map(len, parts))
        if self.length not in (None, length):
            raise Fails("length")
        self.length = length


def fits(letter, base):
    """A pattern letter and a base of the read."""
    codes = IUPAC[letter]
    return codes is None or base.upper() in codes or letter == base


class ExtractIUPAC(Step):
    def change(self, read):
        s = self.seg()
        bases, k = read.bases[s], self.k
        read.tags[k["out_label"]] = None
        patterns = k["search"] if isinstance(k["search"], list) else [k["search"]]
        for pattern in patterns:
            last = len(bases) - len(pattern)
            if last < 0:
                continue
            starts = {"left": [0], "right": [last], "anywhere": range(last + 1)}[k["anchor"]]
            found = min((sum(not fits(p, b) for p, b in zip(pattern, bases[i:])), i) for i in starts)
            if found[0] <= k["max_mismatches"]:
                i, n = found[1], len(pattern)
                read.tags[k["out_label"]] = Location([Region(s, i, n, bases[i:i + n])])
                return


class ExtractIUPACWithIndel(Step):
    def change(self, read):
        s, k = self.seg(), self.k
        bases, pattern = read.bases[s].upper(), k["search"].upper()
        read.tags[k["out_label"]] = None
        if not bases:
            return
        n, m = len(pattern), len(bases)
        free_start, free_end = k["anchor"] in ("right", "anywhere"), k["anchor"] in ("left", "anywhere")
        score = [[0] * (m + 1) for _ in range(n + 1)]
        came = [[""] * (m + 1) for _ in range(n + 1)]
        for i in range(n + 1):
            for j in range(m + 1):
                if i == 0 and j == 0:
                    continue
                if j == 0:
                    score[i][0], came[i][0] = -i, "up"
                elif i == 0:
                    score[0][j], came[0][j] = (0, "") if free_start else (-j, "left")
                else:
                    good = 1 if compatible(pattern[i - 1], bases[j - 1]) else -1
                    best, way = score[i - 1][j - 1] + good, "diagonal"
                    if score[i - 1][j] - 1 > best:
                        best, way = score[i - 1][j] - 1, "up"
                    if score[i][j - 1] - 1 > best:
                        best, way = score[i][j - 1] - 1, "left"
                    score[i][j], came[i][j] = best, way
        end = m
        if free_end:
            top = max(score[n])
            if top > score[n][m]:
                end = score[n].index(top)
        i, j, wrong, indels = n, end, 0, 0
        while i > 0 or (j > 0 and came[i][j]):
            way = came[i][j]
            if way == "diagonal":
                wrong += pattern[i - 1] != bases[j - 1]
                i, j = i - 1, j - 1
            elif way == "up":
                indels += 1
                i -= 1
            else:
                indels += 1
                j -= 1
        most, indel = k.get("max_mismatches", 0), k.get("max_indel_bases", 0)
        if wrong > most or indels > indel or wrong + indels > k.get("max_total_edits", most + indel):
            return
        first, last = j, end
        read.tags[k["out_label"]] = Location([Region(s, first, last - first, read.bases[s][first:last])])


def compatible(letter, base):
    return letter == "N" or letter == base or base in "ACGT" and base in IUPAC[letter]


class ExtractIUPACSuffix(Step):
    def change(self, read):
        s, k = self.seg(), self.k
        bases, search = read.bases[s], k["search"]
        read.tags[k["out_label"]] = None
        for n in range(min(len(search), len(bases)), k["min_length"] - 1, -1):
            if sum(a != b for a, b in zip(bases[-n:], search)) <= k["max_mismatches"]:
                at = len(bases) - n
                read.tags[k["out_label"]] = Location([Region(s, at, n, bases[at:])])
                return


class ExtractRegex(Step):
    def start(self):
        self.regex = python_regex(self.k["search"])

    def change(self, read):
        source, label = self.k["source"], self.k["out_label"]
        is_name = source.startswith("name:")
        which = source[5:] if is_name else source
        s = self.segments.index(which) if which else 0
        match = self.regex.search(read.names[s] if is_name else read.bases[s])
        read.tags[label] = None
        if match:
            text = expand(match, self.k.get("replacement", "$0"))
            read.tags[label] = text if is_name else Location(
                [Region(s, match.start(), match.end() - match.start(), text)])


class ExtractRegions(Step):
    def regions(self):
        return self.k["regions"]

    def change(self, read):
        found = []
        for region in self.regions():
            one = self.one(read, region)
            if one is None:
                read.tags[self.k["out_label"]] = None
                return
            found.append(one)
        if all(isinstance(f, Region) for f in found):
            read.tags[self.k["out_label"]] = Location(found)
        else:
            read.tags[self.k["out_label"]] = "".join(
                f.copy if isinstance(f, Region) else f for f in found)

    def one(self, read, region):
        source, start = region["source"], region["start"]
        length = region["len"] if "len" in region else region["length"]
        at_end = region["anchor"] in ("end", "right")
        segment = None
        if source.startswith("tag:"):
            value = read.tags[source[4:]]
            if value is None:
                return None
            if isinstance(value, Location):
                if value.lost:
                    raise Fails("lost")
                r = value.regions[0]
                first = r.start + (r.length if at_end else 0) + start
                text, segment = read.bases[r.segment], r.segment
            else:
                text, first = value, start + (len(value) if at_end else 0)
        elif source.startswith("name:"):
            text = read.names[self.segments.index(source[5:]) if source[5:] else 0]
            first = start + (len(text) if at_end else 0)
        else:
            segment = self.segments.index(source)
            text = read.bases[segment]
            first = start + (len(text) if at_end else 0)
        if first < 0 or first >= len(text) or first + length > len(text):
            return None
        part = text[first:first + length]
        return part if segment is None else Region(segment, first, length, part)


class ExtractRegion(ExtractRegions):
    def regions(self):
        return [self.k]


def byte(value):
    return value if isinstance(value, int) else ord(value)


class ExtractLowQualityStart(Step):
    def change(self, read):
        s, low = self.seg(), byte(self.k["min_qual"])
        n = 0
        while n < len(read.quality[s]) and ord(read.quality[s][n]) < low:
            n += 1
        read.tags[self.k["out_label"]] = Location([Region(s, 0, n, read.bases[s][:n])]) if n else None


class ExtractLowQualityEnd(Step):
    def change(self, read):
        s, low = self.seg(), byte(self.k["min_qual"])
        n = 0
        length = len(read.quality[s])
        while n < length and ord(read.quality[s][length - 1 - n]) < low:
            n += 1
        at = length - n
        read.tags[self.k["out_label"]] = Location([Region(s, at, n, read.bases[s][at:])]) if n else None


class ExtractRegionsOfLowQuality(Step):
    def change(self, read):
        s, low = self.seg(), byte(self.k["min_quality"])
        marks = "".join("x" if ord(q) < low else "-" for q in read.quality[s])
        found = [Region(s, m.start(), len(m[0]), read.bases[s][m.start():m.end()])
                 for m in re.finditer("x+", marks) if len(m[0]) >= self.k["min_length"]]
        read.tags[self.k["out_label"]] = Location(found) if found else None


class ExtractPolyTail(Step):
    def change(self, read):
        s = self.seg()
        bases = read.bases[s]
        best = 0
        for letter in "AGCTN" if self.k["base"] == "." else self.k["base"]:
            best = max(best, self.longest(bases, letter))
        at = len(bases) - best
        read.tags[self.k["out_label"]] = Location([Region(s, at, best, bases[at:])]) if best else None

    def longest(self, bases, letter):
        best, wrong, row = 0, 0, 0
        for n, base in enumerate(reversed(bases), 1):
            if base == letter:
                row = 0
                if n >= self.k["min_length"] and wrong / n <= self.k["max_mismatch_rate"]:
                    best = n
            else:
                wrong += 1
                row += 1
                if wrong / len(bases) > self.k["max_mismatch_rate"] or row > self.k["max_consecutive_mismatches"]:
                    break
        return best


class ExtractLongestPolyX(Step):
    def change(self, read):
        s = self.seg()
        bases, best = read.bases[s], (0, 0)
        for letter in "ACGT" if self.k["base"] == "." else self.k["base"]:
            found = self.longest(bases, letter)
            if found[0] and (-found[0], found[1]) < (-best[0], best[1]):
                best = found
        n, at = best
        read.tags[self.k["out_label"]] = Location([Region(s, at, n, bases[at:at + n])]) if n else None

    def longest(self, bases, letter):
        k, best = self.k, (0, 0)
        for start in range(0, len(bases) - k["min_length"]):
            wrong = row = 0
            for at in range(start, len(bases)):
                if bases[at] == letter:
                    row = 0
                else:
                    wrong += 1
                    row += 1
                    if row >= k["max_consecutive_mismatches"]:
                        break
                n = at - start + 1
                if n >= k["min_length"] and wrong / n <= k["max_mismatch_rate"] and n > best[0]:
                    best = (n, start)
                if wrong / (len(bases) - start) > k["max_mismatch_rate"]:
                    break
        return best


class Calc(Step):
    def change(self, read):
        segments = self.segs(default="all") if type(self) is CalcExpectedError else self.segs()
        read.tags[self.k["out_label"]] = float(self.value(
            "".join(read.bases[s] for s in segments), "".join(read.quality[s] for s in segments),
            [read.bases[s] for s in segments]))


class CalcLength(Calc):
    def value(self, bases, quality, parts):
        return len(bases)


class CalcNCount(Calc):
    def value(self, bases, quality, parts):
        return bases.upper().count("N")


class CalcGCContent(Calc):
    def value(self, bases, quality, parts):
        bases = bases.upper().replace("N", "")
        return 100 * (bases.count("G") + bases.count("C")) / len(bases) if bases else 0


class CalcComplexity(Calc):
    def value(self, bases, quality, parts):
        pairs = [pair for part in parts for pair in zip(part, part[1:])]
        return sum(a != b for a, b in pairs) / len(pairs) if pairs else 0


class CalcBaseContent(Calc):
    def value(self, bases, quality, parts):
        bases = bases.upper()
        count = sum(b in self.k["bases_to_count"].upper() for b in bases)
        if not self.k.get("relative", True):
            return count
        ignored = self.k.get("bases_to_ignore", "").upper()
        kept = [b for b in bases if b not in ignored]
        count = sum(b in self.k["bases_to_count"].upper() for b in kept)
        return 100 * count / len(kept) if kept else 0


class CalcQualifiedBases(Calc):
    def value(self, bases, quality, parts):
        t = byte(self.k["threshold"])
        test = {"above": lambda q: q > t, "worse": lambda q: q > t, ">": lambda q: q > t, "gt": lambda q: q > t,
                "below": lambda q: q < t, "better": lambda q: q < t, "<": lambda q: q < t, "lt": lambda q: q < t,
                "above_or_equal": lambda q: q >= t, "worse_or_equal": lambda q: q >= t, ">=": lambda q: q >= t,
                "gte": lambda q: q >= t, "below_or_equal": lambda q: q <= t, "better_or_equal": lambda q: q <= t,
                "<=": lambda q: q <= t, "lte": lambda q: q <= t}[self.k["operator"].lower()]
        return sum(test(ord(q)) for q in quality)


class CalcExpectedError(Calc):
    def value(self, bases, quality, parts):
        if any(not 33 <= ord(q) <= 126 for q in quality):
            raise Fails("quality")
        values = [10 ** (-(ord(q) - 33) / 10) for q in quality]
        return max(values, default=0) if self.k["aggregate"] == "max" else sum(values)


class CalcKmers(Calc):
    def start(self):
        k, counts = self.k["k"], {}
        for bases in self.run_.other_sequences(self.k["filename"]):
            bases = bases.upper()
            for i in range(len(bases) - k + 1):
                w = bases[i:i + k]
                if set(w) <= set("ACGT"):
                    counts[w] = counts.get(w, 0) + 1
                    if self.k["count_reverse_complement"]:
                        counts[complement(w)] = counts.get(complement(w), 0) + 1
        self.known = {w for w, n in counts.items() if n >= self.k.get("min_count", 1)}

    def value(self, bases, quality, parts):
        k = self.k["k"]
        return sum(p[i:i + k].upper() in self.known for p in parts for i in range(len(p) - k + 1))


class ConvertRegionsToLength(Step):
    def change(self, read):
        value = read.tags[self.k["in_label"]]
        read.tags[self.k["out_label"]] = 0.0 if value is None else float(
            sum(len(r.copy) if value.lost else r.length for r in value.regions))


class EvalExpression(Step):
    def start(self):
        self.number = 0
        self.tree = parse_expression(self.k["expression"])

    def change(self, read):
        def variable(name):
            if name == "read_no":
                return float(self.number)
            if name in read.tags:
                value = read.tags[name]
                if isinstance(value, (bool, float)):
                    return float(value)
                return float(value is not None)
            what = name.removeprefix("len_")
            if what in self.segments:
                return float(len(read.bases[self.segments.index(what)]))
            value = read.tags[what]
            if value is None:
                return 0.0
            return float(covered(value))
        x = evaluate(self.tree, variable)
        read.tags[self.k["out_label"]] = abs(x) > 2 ** -52 if self.k["result_type"] == "bool" else x
        self.number += 1


LEVELS = [["||", "or"], ["&&", "and"], ["==", "!=", "<=", ">=", "<", ">"], ["+"], ["-"], ["*"], ["/"], ["%"]]


def parse_expression(text):
    tokens = re.findall(r"\d+\.?\d*|\.\d+|[A-Za-z_]\w*|\|\||&&|[=!<>]=|[-+*/%^()<>!,;]", text)
    tree, rest = parse_level(tokens, 0)
    assert not rest, rest
    return tree


def parse_level(tokens, level):
    if level == len(LEVELS):
        return parse_power(tokens)
    tree, tokens = parse_level(tokens, level + 1)
    while tokens and tokens[0] in LEVELS[level]:
        operator = tokens[0]
        other, tokens = parse_level(tokens[1:], level + 1)
        tree = (operator, tree, other)
    return tree, tokens


def parse_power(tokens):
    tree, tokens = parse_one(tokens)
    if tokens and tokens[0] == "^":
        other, tokens = parse_power(tokens[1:])
        tree = ("^", tree, other)
    return tree, tokens


def parse_one(tokens):
    first, rest = tokens[0], tokens[1:]
    if first in "+-!":
        tree, rest = parse_one(rest)
        return ("unary" + first, tree), rest
    if first == "(":
        tree, rest = parse_level(rest, 0)
        assert rest[0] == ")"
        return tree, rest[1:]
    if first[0].isdigit() or first[0] == ".":
        return float(first), rest
    if rest and rest[0] == "(":
        values, rest = [], rest[1:]
        while rest[0] != ")":
            value, rest = parse_level(rest[1:] if rest[0] in ",;" else rest, 0)
            values.append(value)
        return ("call", first, values), rest[1:]
    return first, rest


def evaluate(tree, variable):
    if isinstance(tree, float):
        return tree
    if isinstance(tree, str):
        return variable(tree)
    operator = tree[0]
    if operator == "call":
        v = [evaluate(t, variable) for t in tree[2]]
        if any(map(math.isnan, v)):
            return math.nan
        if tree[1] in ("floor", "ceil", "int", "round") and math.isinf(v[-1]):
            return v[-1]
        return {"min": min, "max": max, "abs": abs, "floor": lambda x: float(math.floor(x)),
                "ceil": lambda x: float(math.ceil(x)), "int": lambda x: float(math.trunc(x)),
                "sign": lambda x: math.copysign(1, x) if x else 1.0,
                "round": lambda *a: float(away(a[0])) if len(a) == 1 else away(a[1] / a[0]) * a[0]}[tree[1]](*v)
    a = evaluate(tree[1], variable)
    if operator.startswith("unary"):
        return {"+": a, "-": -a, "!": float(abs(a) <= 8 * 2 ** -52)}[operator[5:]]
    is_zero = abs(a) <= 8 * 2 ** -52
    if operator in ("&&", "and"):
        return a if is_zero else evaluate(tree[2], variable)
    if operator in ("||", "or"):
        return evaluate(tree[2], variable) if is_zero else a
    b = evaluate(tree[2], variable)
    close = abs(a - b) <= 8 * 2 ** -52
    return {"^": lambda: a ** b, "%": lambda: math.nan if not b or math.isinf(a) else math.fmod(a, b),
            "/": lambda: a * (1 / b if b else math.copysign(math.inf, b)),
            "*": lambda: a * b, "-": lambda: a + -b, "+": lambda: a + b,
            "==": lambda: float(close), "!=": lambda: float(not close), "<": lambda: float(a < b),
            "<=": lambda: float(a <= b), ">": lambda: float(a > b), ">=": lambda: float(a >= b)}[operator]()


class TagDuplicates(Source):
    def start(self):
        self.sets = {}

    def parts(self, read):
        value = super().parts(read)
        source = self.k["source"]
        if value is not None and source.startswith("tag:"):
            value = ["\xff".join(value)]
        return value

    def change(self, read):
        parts, rate = self.parts(read), self.k["false_positive_rate"]
        if parts is None:
            read.tags[self.k["out_label"]] = False
            return
        if read.stream not in self.sets:
            if rate == 0:
                made = Exact()
            else:
                streams = len(self.run_.streams_at(self.index))
                capacity = self.k["initial_filter_capacity"]
                if streams > 1:
                    streams += "no-barcode" not in self.run_.streams_at(self.index)
                    capacity = math.ceil(1.5 * capacity / streams)
                made = Cuckoo(rate, self.k["seed"], capacity)
            self.sets[read.stream] = made
        read.tags[self.k["out_label"]] = self.sets[read.stream].seen(parts)


class TagOtherFile(Source):
    def start(self):
        end, self.known = self.k.get("other_readname_end_character"), set()
        for name, bases in self.run_.other_records(self.k["filename"]):
            if self.k["source"].startswith("name:"):
                self.known.add(name.split(end)[0] if end else name)
            else:
                self.known.add(bases)

    def change(self, read):
        parts = self.parts(read)
        if parts is not None and self.k["source"].startswith("tag:"):
            parts = ["\xff".join(parts)]
        read.tags[self.k["out_label"]] = parts is not None and parts[0] in self.known


class HammingCorrect(Step):
    def start(self):
        self.codes = self.run_.barcodes[self.k["barcodes"]]
        self.wild = any(set(c) - set("ACGT_") for c in self.codes)

    def correct(self, text):
        if text in self.codes:
            return text
        for code in self.codes:
            if len(code) == len(text):
                wrong = sum((not fits(c, t) if self.wild and c in IUPAC else c != t) for c, t in zip(code, text))
                if wrong <= self.k["max_hamming_distance"]:
                    return code
        return None

    def change(self, read):
        value, how = read.tags[self.k["in_label"]], self.k["on_no_match"]

        def one(text):
            found = self.correct(text)
            if found is None:
                return {"remove": None, "empty": "", "keep": text}[how]
            return found
        if value is None:
            new = None
        elif isinstance(value, str):
            new = one(value)
        else:
            new = value.copy()
            for r in new.regions:
                r.copy = one(r.copy)
            new.regions = [r for r in new.regions if r.copy is not None]
            new = new if new.regions else None
        read.tags[self.k["out_label"]] = new


class ConcatTags(Step):
    def change(self, read):
        values = [read.tags[label] for label in self.k["in_labels"]]
        present = [v for v in values if v is not None]
        if not present or len(present) < len(values) and self.k["on_missing"] == "set_missing":
            new = None
        elif all(isinstance(v, Location) for v in present):
            new = Location([r for v in present for r in v.copy().regions], any(v.lost for v in present))
        else:
            new = self.k.get("separator", "").join(
                v.text("") if isinstance(v, Location) else v for v in present)
        read.tags[self.k["out_label"]] = new


class ForgetTag(Step):
    def change(self, read):
        del read.tags[self.k["in_label"]]


class ForgetAllTags(Step):
    def change(self, read):
        read.tags.clear()


def tag_text(value, separator="_", number=comment_number):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return number(value)
    return value.text(separator) if isinstance(value, Location) else value


def location_text(value, segments):
    if value is None or value.lost:
        return ""
    return ",".join(f"{segments[r.segment]}:{r.start}-{r.start + r.length}" for r in value.regions)


def insert_comment(name, label, text, separator, insert):
    if separator in text or insert in text:
        raise Fails("separator in value")
    head, *rest = name.split(insert, 1)
    return insert.join([f"{head}{separator}{label}={text}", *rest])


class StoreTagInComment(Step):
    def change(self, read):
        self.store(read, self.k["in_label"], tag_text(
            read.tags[self.k["in_label"]], self.k.get("region_separator", "_")))

    def store(self, read, label, text):
        for s in self.segs(default="all"):
            read.names[s] = insert_comment(read.names[s], label, text, self.k.get("comment_separator", "|"),
                                           self.k.get("comment_insert_char", " "))


class StoreTagLocationInComment(StoreTagInComment):
    def change(self, read):
        label = self.k["in_label"]
        self.store(read, label + "_location", location_text(read.tags[label], self.segments))


class StreamFile(Step):
    """A file for each stream."""
    sees_all = True
    header = ""

    def start(self):
        self.text = {s: self.header for s in self.run_.streams_at(self.index)}

    def add(self, read, text):
        if read.stream in self.text:
            self.text[read.stream] += text

    def files(self):
        return {self.name(s): text for s, text in self.text.items()}


def field(text):
    return '"' + text.replace('"', '""') + '"' if set(text) & set('\t"\r\n') else text


class StoreTagsInTable(StreamFile):
    def start(self):
        self.labels = self.k.get("in_labels") or sorted(self.run_.live_at(self.index))
        self.header = "\t".join(["ReadName"] + self.labels) + "\n"
        super().start()

    def name(self, stream):
        parts = [self.run_.prefix, self.k.get("infix", ""), stream]
        return "_".join(p for p in parts if p) + ".tsv"

    def change(self, read):
        values = [tag_text(read.tags[l], self.k.get("region_separator", "_"), table_number) for l in self.labels]
        self.add(read, "\t".join(map(field, [self.head(read.names[0])] + values)) + "\n")


class StoreTagInFastQ(StreamFile):
    def name(self, stream):
        parts = [self.run_.prefix, "tag." + self.k["in_label"], stream]
        return "_".join(p for p in parts if p) + (".fasta" if self.k.get("format") == "fasta" else ".fq")

    def change(self, read):
        label, k = self.k["in_label"], self.k
        value = read.tags[label]
        if value is None:
            return
        separator = k.get("region_separator", "_")
        bases = ""
        for r in value.regions:
            bases += (separator if bases else "") + r.copy
        if not bases:
            return
        name = read.names[value.regions[0].segment]
        one, two = k.get("comment_separator", "|"), k.get("comment_insert_char", " ")
        for tag in k.get("comment_tags", []):
            name = insert_comment(name, tag, tag_text(read.tags[tag], separator), one, two)
        for tag in k.get("comment_location_tags", [label]):
            text = location_text(read.tags[tag], self.segments)
            if text:
                name = insert_comment(name, tag + "_location", text, one, two)
        self.add(read, f">{name}\n{bases}\n" if k.get("format") == "fasta"
                 else f"@{name}\n{bases}\n+\n{'~' * len(bases)}\n")


class QuantifyTag(StreamFile):
    def start(self):
        self.counts = {s: {} for s in self.run_.streams_at(self.index)}

    def change(self, read):
        value = read.tags[self.k["in_label"]]
        if value is not None and read.stream in self.counts:
            text, counts = value.text(self.k.get("region_separator", "_")), self.counts[read.stream]
            counts[text] = counts.get(text, 0) + 1

    def files(self):
        files = {}
        for s, counts in self.counts.items():
            name = "_".join(p for p in [self.run_.prefix, self.k["infix"], s] if p) + ".qr.json"
            order = sorted(counts.items(), key=lambda c: (-c[1], c[0].lower(), c[0]))
            lines = ",\n".join(f'  "{t}": {n}' for t, n in order)
            files[name] = "{\n" + lines + "\n}" if lines else "{}"
        return files


class Inspect(Step):
    def start(self):
        self.count, self.text = 0, ""

    def keep(self, read):
        if self.count < self.k["n"]:
            self.count += 1
            streams = self.run_.streams_at(self.index)
            more = f" Demultiplex={read.stream}" if read.stream in streams and streams != [""] else ""
            for s in self.segs():
                self.text += f"@{read.names[s]}{more}\n{read.bases[s]}\n+\n{read.quality[s]}\n"
        return True

    def files(self):
        which = "interleaved" if self.k["segment"] == "all" else self.k["segment"]
        return {"_".join([self.run_.prefix, self.k["infix"], which]) + ".fq": self.text}


class Demultiplex(Step):
    def start(self):
        self.any = self.came = False
        if "barcodes" in self.k:
            codes = self.run_.barcodes[self.k["barcodes"]]
            self.names = sorted(set(codes.values()))
            if self.k["output_unmatched"]:
                self.names.append("no-barcode")
        else:
            self.names = [self.k["in_label"] + "=false", self.k["in_label"] + "=true"]

    def keep(self, read):
        value = read.tags[self.k["in_label"]]
        self.came = True
        if "barcodes" not in self.k:
            part = self.k["in_label"] + ("=true" if value else "=false")
            self.any = True
        else:
            codes, part = self.run_.barcodes[self.k["barcodes"]], None
            if value is not None:
                key = value.text("_") if isinstance(value, Location) else value
                if key in codes:
                    part = codes[key]
                else:
                    for code, name in codes.items():
                        if len(code) == len(key) and all(
                                (fits(c, t) if c in IUPAC else c == t) for c, t in zip(code, key)):
                            part = name
                            break
            self.any |= part is not None
            if part is None:
                part = "no-barcode" if self.k["output_unmatched"] else "\0"
        if "\0" in read.stream + part:
            read.stream = "\0"
        else:
            read.stream = "_".join(p for p in [read.stream, part] if p)
        return True

    def finish(self):
        if self.came and not self.any:
            raise Fails("no read matched")


def whole(x):
    if math.isnan(x):
        return "0"
    return str(max(-2 ** 63, min(2 ** 63 - 1, away(x)))) if math.isfinite(x) else str(
        2 ** 63 - 1 if x > 0 else -2 ** 63)


class Report(Step):
    sees_all = True

    def start(self):
        self.reads = {}
        k = self.k
        if k.get("duplicate_count_per_read") or k.get("duplicate_count_per_fragment"):
            self.duplicates = {}

    def change(self, read):
        data = self.reads.setdefault(read.stream, {"count": 0, "lengths": {}, "base": {}, "oligos": {}, "histogram": {}})
        data["count"] += 1
        k = self.k
        for s, segment in enumerate(self.segments):
            n = len(read.bases[s])
            lengths = data["lengths"].setdefault(segment, {})
            lengths[n] = lengths.get(n, 0) + 1
            b = data["base"].setdefault(segment, {"total": 0, "q20": 0, "q30": 0, "gc": 0, "curve": [],
                                                  "counts": {x: [] for x in "acgtn"}})
            b["total"] += n
            for i, (base, q) in enumerate(zip(read.bases[s].upper(), read.quality[s])):
                if i == len(b["curve"]):
                    b["curve"].append(0.0)
                    for x in "acgtn":
                        b["counts"][x].append(0)
                b["q20"] += ord(q) >= 53
                b["q30"] += ord(q) >= 63
                b["gc"] += base in "GC"
                b["curve"][i] += 10 ** (-(ord(q) - 33) / 10)
                b["counts"][base.lower() if base in "ACGT" else "n"][i] += 1
        for oligo in k.get("count_oligos", []):
            where = self.segs("count_oligos_segment", "all")
            hits = sum(oligo in read.bases[s] for s in where)
            data["oligos"][oligo] = data["oligos"].get(oligo, 0) + hits
        for label in k.get("tag_histograms", []):
            value = read.tags[label]
            if isinstance(value, bool):
                key = "true" if value else "false"
            elif isinstance(value, float):
                key = whole(value)
            elif value is None:
                key = ""
            else:
                key = value.text("_") if isinstance(value, Location) else value
            h = data["histogram"].setdefault(label, {})
            h[key] = h.get(key, 0) + 1

    def json(self):
        k, streams = self.k, self.run_.streams_at(self.index)
        out = {}
        for stream in streams:
            data = self.reads.get(stream, {"count": 0, "lengths": {}, "base": {}, "oligos": {}, "histogram": {}})
            into = out.setdefault(stream, {}) if stream else out
            if k.get("count", True):
                into["molecule_count"] = data["count"]
            for segment in self.segments:
                if k.get("length_distribution"):
                    lengths = data["lengths"].get(segment, {})
                    into.setdefault(segment, {})["length_distribution"] = [
                        lengths.get(n, 0) for n in range(max(lengths, default=-1) + 1)]
                if k.get("base_statistics"):
                    b = data["base"].get(segment, {"total": 0, "q20": 0, "q30": 0, "gc": 0, "curve": [],
                                                   "counts": {x: [] for x in "acgtn"}})
                    into.setdefault(segment, {})["base_statistics"] = {
                        "total_bases": b["total"], "q20_bases": b["q20"], "q30_bases": b["q30"], "gc_bases": b["gc"],
                        "expected_errors_from_quality_curve": b["curve"], "per_position_counts": b["counts"]}
            if k.get("count_oligos"):
                there = out.setdefault("count_oligos", {})
                there = there.setdefault(stream, {}) if stream else there
                there.update({o: data["oligos"].get(o, 0) for o in k["count_oligos"]})
            if k.get("tag_histograms"):
                there = out.setdefault("histogram", {})
                there = there.setdefault(stream, {}) if stream else there
                for label in k["tag_histograms"]:
                    both = {"false": 0, "true": 0} if self.run_.kind_of[label] == "bool" else {}
                    there[label] = both | data["histogram"].get(label, {})
        return out


class Run:
    """A pipeline over records. `steps` are (action, keys)."""

    prefix = "x"
    comment = " "

    def __init__(self, segments, steps, barcodes, others, kinds, output):
        self.segments, self.barcodes, self.others, self.kind_of = segments, barcodes, others, kinds
        self.output = output
        self.plan = steps
        self.steps = []
        for index, (action, keys) in enumerate(steps):
            self.steps.append(globals()[action](self, keys, index))

    def files(self):
        """The text of each file, by name; `output` is the configuration's."""
        files = {}
        is_fasta = self.output.get("format") == "fasta"

        def text(read, s):
            if is_fasta:
                return f">{read.names[s]}\n{read.bases[s]}\n"
            return f"@{read.names[s]}\n{read.bases[s]}\n+\n{read.quality[s]}\n"
        if "interleave" in self.output:
            names = {"interleaved": [self.segments.index(s) for s in self.output["interleave"]]}
        else:
            names = {segment: [s] for s, segment in enumerate(self.segments)}
        for stream, reads in self.kept.items():
            for name, which in names.items():
                base = "_".join(p for p in [self.prefix, stream, name] if p)
                records = ["".join(text(read, s) for s in which) for read in reads]
                self.add_chunks(files, base, ".fasta" if is_fasta else ".fq", records)
        for step in self.steps:
            files.update(step.files())
        return files

    def add_chunks(self, files, base, suffix, records):
        size = self.output.get("chunk_size")
        suffix += {"gzip": ".gz", "zstd": ".zst"}.get(self.output.get("compression"), "")
        if not size:
            files[base + suffix] = "".join(records)
            return
        last = len(records) // size
        for n in range(last + 1):
            number = str(n).zfill(len(str(last)))
            files[f"{base}.{number}{suffix}"] = "".join(records[n * size:(n + 1) * size])

    def other_records(self, name):
        return self.others[name]

    def other_sequences(self, names):
        return [b for n in ([names] if isinstance(names, str) else names) for _, b in self.others[n]]

    def streams_at(self, index):
        streams = [""]
        for step in self.steps[:index]:
            if isinstance(step, Demultiplex):
                streams = ["_".join(p for p in (s, n) if p) for s in streams for n in step.names]
        return streams

    def live_at(self, index):
        live = set()
        for action, keys in self.plan[:index]:
            if action == "ForgetTag":
                live.discard(keys["in_label"])
            elif action == "ForgetAllTags":
                live.clear()
            elif "out_label" in keys:
                live.add(keys["out_label"])
        return live

    def run(self, files, block):
        """files: of each, for each molecule, (name, bases, quality) of each segment."""
        self.kept = {s: [] for s in self.streams_at(len(self.steps))}
        limit = len(self.steps)
        for records in files:
            reads = [Read(r) for r in records]
            for at in range(0, len(reads), block):
                if limit:
                    limit = self.pass_(reads[at:at + block], 0, limit)
        for index, step in enumerate(self.steps):
            late = step.end()
            if late:
                self.pass_(late, index + 1, len(self.steps))
        for step in self.steps:
            if isinstance(step, Demultiplex):
                step.finish()

    def pass_(self, reads, first, limit):
        after = limit
        for index in range(first, limit):
            step = self.steps[index]
            reads = step.block(reads)
            is_late = any(isinstance(s, FilterReservoirSample) for s in self.steps[:index])
            if type(step) is Head and not is_late and step.is_done():
                stop = max((i + 1 for i in range(index) if self.steps[i].sees_all), default=0)
                after = min(after, stop)
        if limit == len(self.steps):
            for read in reads:
                if read.stream in self.kept:
                    self.kept[read.stream].append(read)
        return after
