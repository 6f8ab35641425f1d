# SPDX-License-Identifier: MIT
"""Text comes in pieces that end anywhere; a splitter makes a block of every line, also of those that
lie in several pieces."""
import workpool

TEXT = (
    b"one block in,\nany number out\n\nin order,\nand numbered anew\n"
    b"a long line lies in more than two of the pieces that come in\nthe last line has no end"
)
PIECE = 16

begun = b""  # of a line whose rest comes with the next piece: pieces come one after the other


def cut_lines(piece):
    global begun
    *lines, begun = (begun + bytes(piece)).split(b"\n")
    yield from lines


def last_line():
    if begun:
        yield begun


def show(block):
    print(f"line {block.number} ends in piece {block.source_number}: {bytes(block).decode()}")


with workpool.Pool() as pool, workpool.Pipeline(pool) as pipeline:
    pipeline.source(TEXT[begin:begin + PIECE] for begin in range(0, len(TEXT), PIECE))
    pipeline.split(cut_lines, finish=last_line)
    pipeline.stage(lambda block: bytes(block).upper())
    pipeline.sink(show)
    pipeline.run()
    splitter = pipeline.statistics().stages[1]
    print(f"{splitter.blocks_in} pieces, {splitter.blocks_out} lines")
