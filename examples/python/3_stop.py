# SPDX-License-Identifier: MIT
"""Counts primes until there are 5000: an endless source, and a stage that knows when to stop."""
import workpool

NUMBERS, WANTED = 1000, 5000


def source(block):
    """Would go on for ever: block n stands for the numbers from n * 1000 on."""
    block.meta[0] = block.number * NUMBERS


def count_primes(block):
    numbers = range(max(2, block.meta[0]), block.meta[0] + NUMBERS)
    block.meta[1] = sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in numbers)


total = 0


def add(block):
    global total
    total += block.meta[1]
    # This block is the last one that goes on, whatever other workers have begun meanwhile.
    return workpool.STOP if total >= WANTED else None


with workpool.Pool() as pool, workpool.Pipeline(pool) as pipeline:
    outcome = pipeline.source(source).stage(count_primes).stage(add, "serial").run()
    print(outcome.status, "at block", outcome.number)
    print(total, "primes below", (outcome.number + 1) * NUMBERS)
    print(outcome.delivered, "blocks delivered")
