#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `wpool run` costs beside xargs and GNU parallel, in turn: a `true` for each line, and jobs in a row.

    run_jobs.py --wpool build/bin/wpool [--jobs 500] [--rounds 5] [--folder /dev/shm]

The budget is 1.5 ms a job at -j 2, and less than 2 % more than a plain loop for jobs of 10 ms or more.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wpool", required=True)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where runs are recorded and lines lie")
    options = parser.parse_args()
    wpool = os.path.abspath(options.wpool)
    folder = tempfile.mkdtemp(prefix="wpool-bench-", dir=options.folder)
    try:
        measure(options, wpool, folder)
    finally:
        shutil.rmtree(folder)


def measure(options, wpool, folder):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WPOOL")}

    def write(name, line, count):
        with open(os.path.join(folder, name), "w") as file:
            file.write((line + "\n") * count)

    def seconds(command):
        begin = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, shell=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - begin

    def table(title, peers, per, unit):
        times = {name: [] for name in peers}
        for _ in range(options.rounds):
            for name, command in peers.items():
                times[name].append(seconds(command) / per * 1000)
        base = statistics.median(next(iter(times.values())))
        print(f"\n{title}\n{'':24}{'median':>10}{'least':>10}{'most':>10}{'ratio':>8}  {unit}")
        for name, all in times.items():
            middle = statistics.median(all)
            print(f"{name:24}{middle:10.3f}{min(all):10.3f}{max(all):10.3f}{middle / base:8.2f}")

    write("true", "true", options.jobs)
    peers = {
        "xargs -P2 sh -c": "xargs -P2 -I{} sh -c '{}' < true",
        "wpool run --lines -j2": f"{wpool} run --lines true -j2 -q",
        "wpool, --sync none": f"{wpool} run --lines true -j2 -q --sync none",
        "wpool each -j2": f"{wpool} each -j2 -q -- true {{}} < true",
    }
    if shutil.which("parallel"):
        peers["GNU parallel -j2"] = "parallel -j2 < true"
    else:
        print("without GNU parallel: apt-get install parallel")
    table(f"{options.jobs} times `true`, two at once", peers, options.jobs, "ms a job")

    count = max(20, options.jobs // 2)
    write("sleep", "sleep 0.02", count)
    table(f"{count} jobs of 20 ms, one by one",
          {"sh loop": "while read line; do sh -c \"$line\"; done < sleep",
           "wpool run --lines -j1": f"{wpool} run --lines sleep -j1 -q"}, count, "ms a job")


main()
