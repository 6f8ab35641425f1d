# SPDX-License-Identifier: MIT
"""What goes wrong, and where: a line that is not as it should be, then a file that ends too early.
Usage: 4_errors.py INPUT DAMAGED_INPUT"""
import sys

import workpool


def check(block):
    """Every line must begin with a digit."""
    # meta[1] is the number of lines before this block: the reader has put it there.
    for number, line in enumerate(bytes(block).splitlines(), block.meta[1] + 1):
        if not line[:1].isdigit():
            raise ValueError(f"line {number}: {line.decode()!r} does not begin with a number")


def check_file(pool, path):
    with workpool.Pipeline(pool) as pipeline:
        pipeline.source(workpool.open_reader(path, bytes_per_block=4096), name="read")
        pipeline.stage(check, name="check")
        # The failure of the lowest block counts, however many workers there are, and all blocks
        # before it have been delivered. What the stage raised, the waiting thread gets.
        try:
            pipeline.run()
            print("checked")
        except (ValueError, workpool.WorkpoolError) as error:
            print("failed")
            outcome = pipeline.outcome()
            stage = pipeline.statistics().stages[outcome.stage]
            print(f"block {outcome.number}, stage {outcome.stage} ({stage.name}): {error}")


with workpool.Pool() as pool:
    check_file(pool, sys.argv[1])
    check_file(pool, sys.argv[2])
try:
    workpool.open_reader("no such file")
except workpool.IOFailed as error:
    print(f"{error.name}: {error}")
