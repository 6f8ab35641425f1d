# SPDX-License-Identifier: MIT
"""A pool is a fixed number of threads, its workers. Make one, ask it, close it."""
import workpool

# Pool() has one worker for each CPU that this process may use.
pool = workpool.Pool(workers=3, name="example")
print("a pool of", pool.workers, "workers")
print("the main thread is none of them")  # callbacks find their worker's index in block.worker
print("usable CPUs:", "at least one" if workpool.usable_cpus() >= 1 else "none")

# What the library cannot do is raised: one class for each status of workpool.h.
try:
    workpool.Pool(workers=5000)
except workpool.InvalidArgument as error:
    print("a pool of 5000 workers:", error.name)  # str(error) says more

# Ends the threads. A pool is a context manager too: `with workpool.Pool() as pool:` closes it.
pool.close()
print("destroyed:", "yes" if pool.closed else "no")
