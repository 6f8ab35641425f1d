# SPDX-License-Identifier: MIT
"""Steps of a workflow with hints about what they need, a token for all of them and their progress: `train`
would go on for ever, but somebody has seen enough."""
import itertools

import workpool


def read():
    return "3 tables"


def parse():
    for table in range(1, 4):
        workpool.current_job().progress(table, 3)


def train():
    """Works until it shall stop, and looks now and then whether it shall."""
    step = workpool.current_job()
    for number in itertools.count(1):
        step.check()
        if number <= 2:
            step.progress(number)


def report():
    pass


enough = workpool.Token()


def watch(event):
    """On a thread of its own, one event after the other."""
    of = f" of {event.count}" if event.count > 0 else ""
    print(f"{event.job_id}: {event.item}{of}")
    if (event.job_id, event.item) == ("train", 2):
        enough.cancel()


# An I/O slot of its own: who waits for a disk keeps nobody from computing.
with workpool.JobPool(max_parallel_jobs=2, io_slots=1) as jobs:
    subscriber = jobs.subscribe(watch, ["job_progress"])
    steps = [jobs.submit_job(read, job_id="read", hint="light_io")]
    steps.append(jobs.submit_job(parse, job_id="parse", dependencies=steps[-1:], hint="heavy_cpu"))
    steps.append(jobs.submit_job(train, job_id="train", dependencies=steps[-1:], hint="heavy_cpu",
                                 token=enough))
    steps.append(jobs.submit_job(report, job_id="report", dependencies=steps[-1:], when="always"))
    jobs.wait_all()
    jobs.unsubscribe(subscriber)  # has been told of everything then
    for step in steps:
        print(f"{step.id:<8} {step.state}")
