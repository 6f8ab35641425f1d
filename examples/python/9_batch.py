# SPDX-License-Identifier: MIT
"""Items dealt out to worker processes that may crash: squares of numbers, computed by processes that this
program starts of itself. One of them dies on the way, and nothing is lost.
"""
import os
import sys

import workpool


def square(item, task):
    if item == 13 and task.attempt == 1:
        os.abort()  # a crash: the item is run again by another worker
    return item * item


if "--worker" in sys.argv:
    workpool.worker_main(square)
    sys.exit()

batch = workpool.Batch([sys.executable, __file__, "--worker"], workers=2, batch_size=4)
for result in batch.run(range(20)):
    crashes = f" (after {result.crashes} crash)" if result.crashes else ""
    print(f"{result.index:2}: {result.state.upper()} {result.data}{crashes}")
