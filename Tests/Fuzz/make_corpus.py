#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_corpus.py FOLDER: the inputs that fuzzing begins with, made from the edge files and from hand.

`make corpus` merges them into corpus/, which keeps what reaches new code and is checked in.
"""
import gzip
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
READS = "".join(f"@r{i}/1 x\n{'ACGTN'[i % 5] * (i + 1)}\n+\n{'I#5~!'[i % 5] * (i + 1)}\n" for i in range(5))
STEPS = [
    "CutStart n=2 segment=read1", "CutEnd n=1 segment=read1", "Truncate n=3 segment=read1",
    "ReverseComplement segment=read1", "Lowercase target=read1", "Uppercase target=name:read1",
    "Head n=3", "Skip n=2", "FilterSample p=0.5 seed=7", "FilterEmpty segment=all",
    "CalcLength segment=all out_label=a\nFilterByNumericTag in_label=a min_value=2 max_value=4 "
    "keep_or_remove=keep",
    "CalcExpectedError aggregate=sum segment=read1 out_label=e\nFilterByNumericTag in_label=e "
    "max_value=1e-3 keep_or_remove=remove",
    "CalcQualifiedBases threshold='5' op=above segment=read1 out_label=q\n"
    "FilterByNumericTag in_label=q min_value=1 keep_or_remove=keep",
    "ValidateSeq allowed=ACGTN segment=all", "ValidateQuality encoding=sanger segment=all",
    'Head n="3" \'x\'=[1, 2.5e3, true, "a\\"b"] y=\\ z',
]

EXPRESSIONS = [
    "read_no % 3", "len_read1 > 20 && !(tag || 0)", "-a ^ 2 ^ b", "min(1, max[2; e()], log(2, 8))", ".5 + 1e-3 - 3k / 2M",
    "round(0.1, sin(x)) <= atanh(0.5)", "int(ceil(a) - floor(b)) != abs(sign(c))", "1 < 2 == 3 >= 4", "((((1", "print(1)",
]
REPLACEMENTS = [
    ("(A+)(?P<rest>[CG]*)", "$2_${rest}$$1", "TTAAACCGA"), ("^", "$0", "abc"), ("x|(y)", "${1}-$1_", "xyx"),
    ("(?i)a(?=b)", "[$0]", "AbabAB"), ("[[:alpha:]&&x]", "$9", "x"), ("(?:a{1,3}){2}$", "", "aaaa"),
]


def bgzf(data):
    body = zlib.compressobj(1, zlib.DEFLATED, -15)
    packed = body.compress(data) + body.flush()
    head = b"\x1f\x8b\x08\x04" + bytes(4) + b"\0\xff\6\0BC\2\0" + struct.pack("<H", len(packed) + 25)
    return head + packed + struct.pack("<II", zlib.crc32(data), len(data))


def main(folder):
    for target in ("unpack", "seek", "cut", "fastq", "steps", "pack", "expression", "replacement"):
        (folder / target).mkdir(parents=True, exist_ok=True)

    def put(target, name, data):
        (folder / target / name).write_bytes(data)

    with tempfile.TemporaryDirectory() as edges:
        subprocess.run([sys.executable, HERE.parent / "Fixtures/edge_files.py", edges], check=True,
                       stdout=subprocess.DEVNULL)
        for path in sorted(Path(edges).iterdir()):
            data = path.read_bytes() if path.is_file() else b""
            if path.suffix == ".json" or len(data) > 4096:
                continue
            put("unpack", path.name, b"\0" + data)
            if path.suffix in (".fq", ".fastq"):
                put("fastq", path.name, data)
    text = READS.encode()
    small = {
        "member": gzip.compress(text, 6, mtime=0), "stored": gzip.compress(text, 0, mtime=0),
        "members": gzip.compress(text, mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(text, mtime=0),
        "blocks": bgzf(text) + bgzf(b"") + bgzf(text) + bgzf(b""), "mixed": bgzf(text) + gzip.compress(text, mtime=0),
        "zeros": gzip.compress(text, mtime=0) + bytes(7), "more": gzip.compress(text, mtime=0) + b"more",
    }
    for name, data in small.items():
        for choice in (0, 1, 2, 0xfc):
            put("unpack", f"{name}-{choice}", bytes([choice]) + data)
    for kind in range(5):
        for size in (0, 3):
            put("cut", f"{kind}-{size}", bytes([kind, size | 0x70, 4]) + text)
        put("cut", f"{kind}-crlf", bytes([kind, 1, 2]) + text.replace(b"\n", b"\r\n")[:-1])
        put("cut", f"{kind}-blank", bytes([kind, 0x21, 1]) + b"\n\n\0a\0\n")
    blocks = [bgzf(text[:90]), bgzf(text[90:]), bgzf(b""), bgzf(text), bgzf(b"")]
    index = struct.pack("<Q", 2)
    for count in (1, 2):
        index += struct.pack("<QQ", len(b"".join(blocks[:count])), len(text) if count == 2 else 90)
    put("seek", "blocks", bytes([0, 0, 5, 95, 200, 250]) + b"".join(blocks))
    put("seek", "index", bytes([1, len(index), 5, 95, 200, 250]) + index + b"".join(blocks))
    put("seek", "far", bytes([0xa0, 0, 0, 95, 200, 255]) + b"".join(blocks))
    put("seek", "plain", bytes([0, 0, 5, 95, 200, 250]) + text)
    # Frames of one raw block each (RFC 8878), and a seek table of them (zstd seekable format).
    frames = [b"\x28\xb5\x2f\xfd\x20" + bytes([n]) + struct.pack("<I", n << 3 | 1)[:3] + text[:n] for n in (90, 40)]
    table = b"".join(struct.pack("<II", len(frame), n) for frame, n in zip(frames, (90, 40)))
    table += struct.pack("<IBI", 2, 0, 0x8f92eab1)
    put("seek", "frames", bytes([0, 0, 5, 89, 90, 129]) + b"".join(frames))
    put("seek", "table", bytes([0, 0, 5, 89, 90, 129]) + b"".join(frames) + struct.pack("<II", 0x184d2a5e, len(table))
        + table)
    put("fastq", "reads", text)
    put("fastq", "end", text[:-1] + b"\n\n\n")
    runs = "".join(f"@A:1:{1000 + i * 37 % 900}:{i // 3} x\n{'ACGTTGCA' * 5}\n+\n{'F' * i}:,{'F' * (38 - i)}\n" for i in range(12))
    for choice in (0, 1, 63, 130):
        put("pack", f"runs-{choice}", bytes([choice]) + runs.encode())
        put("pack", f"cut-{choice}", bytes([choice]) + runs.encode()[57:-20])
    for index, expression in enumerate(EXPRESSIONS):
        put("expression", str(index), expression.encode())
    for index, lines in enumerate(REPLACEMENTS):
        put("replacement", str(index), "\n".join(lines).encode())
    for index, step in enumerate(STEPS):
        put("steps", f"{index}", step.encode() + b"\n%\n" + text)


main(Path(sys.argv[1]))
