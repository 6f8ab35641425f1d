# SPDX-License-Identifier: MIT
"""Reads the lines of a .gz file, puts them into upper case on all workers at once, and writes them,
in order, to another .gz file. Usage: 2_ordered.py INPUT OUTPUT"""
import sys

import workpool


def upper(block):
    """A parallel stage: several blocks at once, in any order. It returns the new payload."""
    return bytes(block).upper()


lines = 0


def count(block):
    """A serial stage: block 0, then 1, then 2, never two at once; so the sum needs no lock."""
    global lines
    lines += block.meta[0]  # the reader has put the number of its lines there


# Blocks of about 4 KiB, which end with a line; the default is 1 MiB. The output gets its name when
# the `with` is left; after an exception it is removed.
with workpool.Pool() as pool, workpool.open_writer(sys.argv[2], overwrite=True) as writer:
    with workpool.Pipeline(pool) as pipeline:
        pipeline.source(workpool.open_reader(sys.argv[1], bytes_per_block=4096))
        pipeline.stage(upper, "parallel")
        pipeline.stage(count, "serial")
        pipeline.sink(writer)
        pipeline.run()
print(f"{lines} lines, {writer.info.bytes} bytes")
