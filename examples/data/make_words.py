# SPDX-License-Identifier: MIT
"""Makes words.txt.gz: 20,000 lines such as "17 plum", one of which has no number."""
import gzip
import pathlib

WORDS = """apple banana cherry date elder fig grape hazel
           iris juniper kiwi lemon mango nut olive plum""".split()

state, lines = 1, []
for number in range(20_000):
    state = (state * 1_103_515_245 + 12_345) % 2**31
    lines.append(f"{'x' if number == 13_217 else ''}{number} {WORDS[state >> 27]}\n")
packed = gzip.compress("".join(lines).encode(), mtime=0)
pathlib.Path(__file__).with_name("words.txt.gz").write_bytes(packed)
