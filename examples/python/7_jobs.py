# SPDX-License-Identifier: MIT
"""Jobs that depend on each other: fetch and clean three sources, load them all, report whatever
happened. One source is not there: what depends on it is cancelled and says why; the rest goes on.

    7_jobs.py [PICTURE]        with matplotlib, draws the timeline to that file
"""
import sys

import workpool


def fetch(source):
    if source == "b":
        # It would not be there the next time either.
        raise workpool.NoRetry("source b is not there")
    return source


def clean():
    """The first attempt fails; the second one, a little later, does not."""
    if workpool.current_job().attempt == 1:
        raise OSError("not yet")


def draw(bars, path):
    try:
        import matplotlib
    except ImportError:
        print("without matplotlib there is no picture", file=sys.stderr)
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    colours = {"COMPLETED": "tab:green", "FAILED": "tab:red"}
    for bar in bars:
        pyplot.barh(bar["slot"], bar["duration"], left=bar["start_time"], edgecolor="black",
                    color=colours.get(bar["state"], "tab:gray"))
        pyplot.text(bar["start_time"], bar["slot"], bar["id"], fontsize=6)
    pyplot.xlabel("seconds")
    pyplot.ylabel("slot")
    pyplot.savefig(path)


with workpool.JobPool(max_parallel_jobs=2) as jobs:
    graph = [jobs.submit_job(fetch, s, job_id=f"fetch-{s}") for s in "abc"]
    cleaned = [
        jobs.submit_job(clean, job_id=f"clean-{s}", dependencies=[f"fetch-{s}"], max_retries=2,
                        retry_delay=0.01)
        for s in "abc"
    ]
    load = jobs.submit_job(print, job_id="load", dependencies=cleaned)
    report = jobs.submit_job(len, "x", job_id="report", dependencies=[load], when="always")
    jobs.wait_all()
    for job in [*graph, *cleaned, load, report]:
        cause = job.cause_text
        print(f"{job.id:<8} {job.state:<10} attempts {job.attempts}{', ' * bool(cause)}{cause}")
    if len(sys.argv) > 1:
        draw(jobs.export_timeline(), sys.argv[1])
