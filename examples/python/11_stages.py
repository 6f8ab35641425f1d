# SPDX-License-Identifier: MIT
"""Two stages on record: the second one begins when the first one is over. In the first run `load` fails; the
second run goes on from its record, and does only what is not done.

    11_stages.py FOLDER        `wpool status --log-dir FOLDER` shows the last run
"""
import sys

import workpool


def extract():
    workpool.current_job().log("done", phase="extract", data={"rows": 7})
    return "7 rows"


def load(number):
    if number == 1:
        raise workpool.NoRetry("the warehouse is closed")
    return ""


def run(folder, number, earlier=None):
    # No stage begins after a failure.
    with workpool.JobPool(2, record_to=folder, resume_from=earlier, max_failures=1) as jobs:
        # With another definition a job would run again.
        first = [jobs.submit_job(extract, job_id=f"extract-{source}", definition="version 1")
                 for source in "ab"]
        last = jobs.submit_job(load, number, job_id="load", dependencies=first,
                               definition="version 1")
        jobs.wait_all()
        print(f"run {number}")
        for job in [*first, last]:
            result = "" if job.state == "FAILED" else job.result()
            print(f"  {job.id:<9} {job.state:<9} {result}")


folder = sys.argv[1]
run(folder, 1)
with workpool.RunRecord(folder) as record:  # the last run
    for job in record:
        if job.state == "FAILED":
            print(f"{job.id} failed: {job.error.splitlines()[0].split(': ')[-1]}")
    run(folder, 2, record)
