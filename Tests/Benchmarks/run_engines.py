# SPDX-License-Identifier: MIT
"""run_engines.py FOLDER ENGINE... [--rounds N] [--only overhead,fine,skewed,real] [--seconds S]

Runs every engine on the same workloads in turn (A B C, A B C, ...), takes medians and prints a
table for each workload. Compare numbers of one run only. Last line: how much of the machine
something else used meanwhile; above some per cent, run again.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

LIMITS = ("inline", "split", "ideal")  # no engines: what there is to reach
BLOCK = 65536
CPUS = os.cpu_count()


def cells(codecs):
    """(workload, label, options, blocks per second of inline work)"""
    for shape in ("SPS", "SPPSPPPS"):
        for w in (1, 2, 4):
            yield "overhead", f"{shape} W={w}", dict(shape=shape, workers=w, limit=64), None
    for cost in (1000, 10_000, 100_000):
        for w in (1, 2):
            yield ("fine", f"{cost // 1000} us W={w}",
                   dict(workers=w, limit=64, cost_ns=cost), 1e9 / cost)
    for w, limit in ((2, 4), (2, 16), (2, 64), (4, 64)):
        yield ("skewed", f"lognormal W={w} L={limit}",
               dict(workers=w, limit=limit, cost_ns=20_000, dist="lognormal"), 1e9 / 20_000)
    for codec in codecs:
        for w in (1, 2):
            yield ("real", f"{codec} -1 W={w}", dict(workers=w, limit=16, codec=codec),
                   {"zlib": 1500, "libdeflate": 3500, "isal": 6000}[codec])


def is_wanted(engine, workload, workers):
    if engine == "inline":
        return workers == 1 or workload == "skewed"
    if engine == "split":
        return workload in ("fine", "real") and workers > 1
    return engine != "ideal" or workload == "skewed"


class Bench:
    def __init__(self, options):
        self.options = options
        self.rate = max(float(self.output("inline", "--calibrate")) for _ in range(3))
        self.own_cpu = 0.0

    def output(self, engine, *words):
        path = os.path.join(self.options.folder, engine)
        done = subprocess.run([path, *map(str, words)], capture_output=True, text=True, timeout=300)
        if done.returncode not in (0, 1) or not done.stdout:
            sys.exit(f"{path} {words}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def run(self, engine, workload, given, blocks):
        words = ["--workload", workload, "--rate", self.rate, "--blocks", int(blocks)]
        for key, value in given.items():
            words += ["--" + key.replace("_", "-"), value]
        if workload == "real":
            words += ["--input", os.path.join(self.options.folder, "reads.fastq")]
        result = json.loads(self.output(engine, *words))
        if not result["ok"]:
            sys.exit(f"{engine} {words}: blocks out of order or lost: {result}")
        return result

    def measure(self, todo):
        """{(cell, engine): [result, ...]}"""
        found, blocks = {}, {}
        for number in range(self.options.rounds):
            for i, (workload, _, given, per_second) in enumerate(todo):
                for engine in self.options.engines:
                    if not is_wanted(engine, workload, given["workers"]):
                        continue
                    key = i, engine
                    if key not in blocks and per_second:
                        blocks[key] = per_second * self.options.seconds
                    elif key not in blocks:  # as many as take so long
                        probe = self.run(engine, workload, given, 20_000)
                        blocks[key] = max(20_000, 2e13 * self.options.seconds / probe["elapsed_ns"])
                    found.setdefault(key, []).append(self.run(engine, workload, given, blocks[key]))
            print(f"round {number + 1} of {self.options.rounds}", file=sys.stderr)
        return found


def table(title, head, rows):
    print(f"\n{title}\n")
    rows = [head, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for k, row in enumerate(rows):
        print("| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w)
                                for i, (c, w) in enumerate(zip(row, widths))) + " |")
        if not k:
            print("|" + "|".join("-" * (w + 1) + ("-" if not i else ":") for i, w in enumerate(widths)) + "|")


def report(todo, found, engines, rounds):
    def ns(i, engine):
        results = found.get((i, engine))
        return results and statistics.median(r["elapsed_ns"] / r["blocks"] for r in results)

    def spread(i, engine):
        times = [r["elapsed_ns"] / r["blocks"] for r in found[i, engine]]
        return f" ±{50 * (max(times) - min(times)) / statistics.median(times):.0f}%"

    def inline(i):
        same = [k for k, cell in enumerate(todo) if cell[0] == todo[i][0] and ns(k, "inline")
                and {**cell[2], "workers": 0} == {**todo[i][2], "workers": 0}]
        return ns(same[0], "inline")

    peers = [e for e in engines if e not in LIMITS and e != "wpool"]
    ratios = [f"wpool/{e}" for e in peers]
    for workload in dict.fromkeys(cell[0] for cell in todo):
        rows = []
        for i, (_, label, given, _) in enumerate(todo):
            if todo[i][0] != workload:
                continue
            workers, alone, split = given["workers"], inline(i), ns(i, "split")
            shown = [e for e in engines if e not in LIMITS]
            if workload == "overhead":
                title = "overhead: ns per block, empty stages"
                head = ["", "inline", *shown]
                row = [f"{alone:.0f}", *(f"{ns(i, e):.0f}{spread(i, e)}" for e in shown)]
            elif workload == "fine":
                title = "fine: efficiency (inline time / workers / time)"
                head = ["", "inline ns", "split", *shown]
                row = [f"{alone:.0f}", f"{alone / workers / split:.2f}" if split else "",
                       *(f"{alone / workers / ns(i, e):.2f}{spread(i, e)}" for e in shown)]
            elif workload == "skewed":
                title = "skewed: efficiency against a free engine (most blocks in flight)"
                head = ["", "ideal ns", *shown]
                best = max(ns(i, "ideal") * alone / given["cost_ns"], alone / min(workers, CPUS))
                row = [f"{best:.0f}", *(f"{best / ns(i, e):.2f} "
                       f"({max(r['most_in_flight'] for r in found[i, e])})" for e in shown)]
            else:
                title = "real: MB/s of FASTQ text in, gzip members of 64 KiB out"
                head = ["", "inline", "split", *shown]
                row = [f"{BLOCK * 1000 / alone:.0f}", f"{BLOCK * 1000 / split:.0f}" if split else "",
                       *(f"{BLOCK * 1000 / ns(i, e):.0f}{spread(i, e)}" for e in shown)]
            rows.append([label, *row, *(f"{ns(i, 'wpool') / ns(i, e):.2f}" for e in peers)])
        table(f"{title}; median of {rounds}, ± half the range; ratios of time, below 1: wpool is faster",
              head + ratios, rows)


def busy_s():
    """CPU time used on this machine, time stolen by its host included."""
    fields = open("/proc/stat", encoding="ascii").readline().split()[1:9]
    user, nice, system, _, _, irq, soft, steal = map(int, fields)
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("engines", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="work in one run")
    parser.add_argument("--only", default="overhead,fine,skewed,real")
    options = parser.parse_args()
    bench = Bench(options)
    codecs = bench.output("inline", "--codecs").split()
    todo = [cell for cell in cells(codecs) if cell[0] in options.only.split(",")]
    start, busy = time.monotonic(), busy_s()
    own = sum(os.times()[2:4])
    found = bench.measure(todo)
    wall = time.monotonic() - start
    foreign = max(0, busy_s() - busy - (sum(os.times()[2:4]) - own)) / wall / CPUS
    report(todo, found, options.engines, options.rounds)
    print(f"\n{platform.machine()}, {CPUS} CPUs, {bench.rate:.2f} iterations per ns; {wall:.0f} s,"
          f" in which something else used {foreign:.1%} of the machine")


main()
