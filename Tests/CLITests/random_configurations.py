#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Configurations that were damaged at random: `wpool validate` takes or refuses them, and never crashes or hangs.

    random_configurations.py [--count N] [--seed S] [--seconds T]
                             a failure tells its seed and leaves the text in configuration-SEED.toml
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import PROJECT, WPOOL, environment

MARKS = b"[]{}\"'=.,#\n\\09-+eExabc_!:TZ \t\r"
PIECES = [
    b'"""', b"'''", b"[[step]]", b"[[", b"]]", b"\\u00e9", b"\\UFFFFFFFF", b"1e999", b"-nan", b"inf", b"0x7fffffffffffffff",
    b"9223372036854775808", b"1979-05-27T07:32:00Z", b"25:61:61", b"{a={b={c=1}}}", b"[" * 300, b"{a=" * 100, b"a." * 200,
    b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\xc3\x28", b"if_tag = '!'", b"in_label = 5", b"n = -1",
]


def sources():
    texts = [path.read_bytes() for path in sorted((PROJECT / "examples/toml").glob("*.toml"))]
    made = subprocess.run([WPOOL, "template"], env=environment(), capture_output=True, check=True).stdout
    return texts + [made, made.replace(b"# ", b"")]


def damaged(source, texts):
    text = bytearray(source.choice(texts))
    for _ in range(source.randint(1, 8)):
        kind, at = source.random(), source.randrange(len(text) + 1)
        if kind < 0.25:
            del text[at:at + source.choice([1, 1, 2, 9, 100])]
        elif kind < 0.45:
            text[at:at] = bytes(source.choice(MARKS) for _ in range(source.randint(1, 5)))
        elif kind < 0.6:
            text[at:at] = source.choice(PIECES)
        elif kind < 0.75:
            other = source.choice(texts)
            start = source.randrange(len(other))
            text[at:at] = other[start:start + source.randint(1, 80)]
        elif kind < 0.85:
            text[at:at] = bytes(source.randrange(256) for _ in range(3))
        else:
            lines = bytes(text).split(b"\n")
            lines.insert(source.randrange(len(lines)), source.choice(lines))
            text = bytearray(b"\n".join(lines))
    return bytes(text)


def check(seed, texts, folder):
    """What is wrong, or None."""
    text = damaged(random.Random(seed), texts)
    path = folder / "c.toml"
    path.write_bytes(text)
    try:
        ended = subprocess.run([WPOOL, "validate", path], cwd=folder, env=environment(), capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return text, "hangs"
    if ended.returncode not in (0, 2) or (ended.returncode == 2 and not ended.stderr.startswith(b"wpool: ")):
        return text, f"exit code {ended.returncode}: {ended.stderr[-500:].decode(errors='replace')}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    options = parser.parse_args()
    texts = sources()
    failed = done = 0
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory(prefix="wpool-random-") as name:
        for seed in range(options.seed, options.seed + options.count):
            if time.monotonic() > end:
                break
            done += 1
            if problem := check(seed, texts, Path(name)):
                failed += 1
                Path(f"configuration-{seed}.toml").write_bytes(problem[0])
                print(f"seed {seed}: {problem[1]}", flush=True)
    print(f"{done} damaged configurations from seed {options.seed}: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
