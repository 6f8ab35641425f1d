# SPDX-License-Identifier: MIT
"""run_io.py --wpool PROGRAM --text FILE [--folder F] [--rounds N] [--only unpack,count,pack] [--venv F] [--megabytes N]

Unpacks and packs the same text with wpool and with the programs of this machine that do the same, in turn
(A B C, A B C, ...), takes medians and prints a table for each kind of file. Every output is compared once with
the text, or read back by another program. Compare numbers of one run only. Last line: how much of the machine
something else used meanwhile; above some per cent, run again.
"""
import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

CPUS = len(os.sched_getaffinity(0))


def shell(command, **more):
    return subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, **more)


def unpackers(path, kind, venv):
    """(program, command); the text goes to standard output."""
    if kind.endswith("zst"):
        yield "zstd", f"zstd -q -dc {path}"
        yield "pzstd", f"pzstd -q -p {CPUS} -dc {path}"
        return
    yield "gzip", f"gzip -dc {path}"
    yield "pigz", f"pigz -dc {path}"
    yield "igzip", f"igzip -dc {path}"
    yield "libdeflate-gunzip", f"libdeflate-gunzip -c {path}"
    yield "rapidgzip", f"{venv}rapidgzip -d -c -f -P {CPUS} {path}"
    if kind == "BGZF":
        yield "bgzip", f"bgzip -dc -@{CPUS} {path}"


def packers(text, form, level):
    """(program, command); the packed bytes go to standard output."""
    if form == "zstd":
        yield "zstd -T", f"zstd -q -T{CPUS} -{level} -c {text}"
        yield "pzstd", f"pzstd -q -p {CPUS} -{level} -c {text}"
        return
    yield "pigz", f"pigz -p {CPUS} -{level} -c {text}"
    yield "bgzip", f"bgzip -@{CPUS} -l {level} -c {text}"
    yield "libdeflate-gzip", f"libdeflate-gzip -{level} -c {text}"
    if level <= 3:
        yield "igzip", f"igzip -{level} -T {CPUS} -c {text}"
    else:
        yield "gzip", f"gzip -{level} -c {text}"


class Bench:
    def __init__(self, options):
        self.options = options
        self.missing = set()
        self.own_cpu = 0.0

    def exists(self, name, command):
        if all(shutil.which(part.split()[0]) for part in command.split("|")):
            return True
        self.missing.add(name)
        return False

    def run(self, command):
        """Wall and CPU seconds."""
        began = time.monotonic()
        with open(os.devnull, "wb") as nothing:
            words = ["bash", "-o", "pipefail", "-c", command] if "|" in command else command.split()
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=nothing)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{command}: exit {process.returncode}")
        cpu = usage.ru_utime + usage.ru_stime
        self.own_cpu += cpu
        return time.monotonic() - began, cpu

    def measure(self, commands):
        found = {name: [] for name, _ in commands}
        for _ in range(self.options.rounds):
            for name, command in commands:
                found[name].append(self.run(command))
        return {name: tuple(map(statistics.median, zip(*times))) for name, times in found.items()}


def digest(command):
    process = subprocess.Popen(["bash", "-o", "pipefail", "-c", command], stdout=subprocess.PIPE)
    sum_ = hashlib.sha256()
    while piece := process.stdout.read(1 << 20):
        sum_.update(piece)
    if process.wait():
        sys.exit(f"{command}: exit {process.returncode}")
    return sum_.hexdigest()


def table(title, rows):
    print(f"\n{title}\n")
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        print("| " + " | ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                                for i, (cell, width) in enumerate(zip(row, widths))) + " |")
        if not number:
            print("|" + "|".join("-" * (w + 1) + ("-" if not i else ":") for i, w in enumerate(widths)) + "|")
    sys.stdout.flush()


def unpack(bench, text, size, want):
    folder = bench.options.folder
    made = {
        "single-member gzip": f"gzip -6 -c {text} > {folder}/single.gz",
        "multi-member gzip": f"cd {folder} && split -b 8M {text} part. && for f in part.*; do gzip -6 -c $f; rm $f; "
                             "done > members.gz",
        "BGZF": f"bgzip -@{CPUS} -c {text} > {folder}/blocks.gz",
        "single-frame zst": f"zstd -q -3 -c {text} > {folder}/single.zst",
        "multi-frame zst": f"pzstd -q -3 -p {CPUS} -c {text} > {folder}/frames.zst",
    }
    for kind, command in made.items():
        path = command.split()[-1] if "/" in command.split()[-1] else f"{folder}/members.gz"
        maker = {"BGZF": "bgzip", "single-frame zst": "zstd", "multi-frame zst": "pzstd"}.get(kind, "gzip")
        if not bench.exists(maker, maker):
            continue
        shell(command)
        own = f"{bench.options.wpool} decompress -c -j {CPUS} {path}"
        commands = [("wpool", own), ("wpool -j 1", own.replace(f"-j {CPUS}", "-j 1"))]
        commands += [c for c in unpackers(path, kind, bench.options.venv) if bench.exists(*c)]
        for name, command in commands:
            if digest(command) != want:
                sys.exit(f"{kind}: {name} gives another text")
        found = bench.measure(commands)
        best = min(wall for name, (wall, _) in found.items() if not name.startswith("wpool"))
        rows = [["", "MB/s", "seconds", "CPU s", "its time / wpool's"]]
        for name, (wall, cpu) in found.items():
            rows.append([name, f"{size / wall / 1e6:.0f}", f"{wall:.3f}", f"{cpu:.3f}",
                         f"{wall / found['wpool'][0]:.2f}"])
        table(f"{kind}, {os.path.getsize(path) / 1e6:.1f} MB packed; best other / wpool "
              f"{best / found['wpool'][0]:.2f}", rows)
        os.unlink(path)


def count(bench, text, size, want):
    """Records and bases of FASTQ."""
    path = f"{bench.options.folder}/reads.fq.gz"
    awk = r"mawk 'NR%4==2{b+=length($0)}END{print NR/4,b}'"
    for kind, make in (("single-member gzip", f"gzip -6 -c {text} > {path}"), ("BGZF", f"bgzip -@{CPUS} -c {text} > {path}")):
        if not bench.exists(make.split()[0], make.split()[0]):
            continue
        shell(make)
        commands = [("wpool", f"{bench.options.wpool} count -j {CPUS} {path}")]
        commands += [c for c in (("seqkit stats", f"seqkit stats -T -j {CPUS} {path}"),
                                 ("gzip | mawk", f"gzip -dc {path} | {awk}"),
                                 ("igzip | mawk", f"igzip -dc {path} | {awk}")) if bench.exists(*c)]
        answers = {name: subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
                   for name, command in commands}
        records = str(int(answers["wpool"].split()[6]))
        for name, answer in answers.items():
            if records not in answer.split():
                sys.exit(f"{name} counts otherwise than wpool: {answer}")
        found = bench.measure(commands)
        rows = [["", "MB/s", "seconds", "CPU s", "its time / wpool's"]]
        for name, (wall, cpu) in found.items():
            rows.append([name, f"{size / wall / 1e6:.0f}", f"{wall:.3f}", f"{cpu:.3f}",
                         f"{wall / found['wpool'][0]:.2f}"])
        table(f"records and bases of {kind}", rows)
        os.unlink(path)


def pack(bench, text, size, want):
    readers = {"gzip": "gzip -dc", "zstd": "zstd -q -dc"}
    for form, level, title in (("gzip", 1, "gzip -1"), ("gzip", 6, "gzip -6"), ("gzip", None, "gzip, defaults"),
                               ("zstd", 1, "zstd -1"), ("zstd", 3, "zstd -3"), ("zstd", None, "zstd, defaults")):
        own = f"{bench.options.wpool} compress -j {CPUS} --format {form} -c {text}"
        commands = [("wpool", own + (f" -{level}" if level else ""))]
        for name, command in packers(text, form, level or (6 if form == "gzip" else 3)):
            if bench.exists(name, command):
                commands.append((name, command))
        sizes = {}
        for name, command in commands:
            packed = f"{bench.options.folder}/packed"
            shell(f"{command} > {packed}")
            sizes[name] = os.path.getsize(packed)
            if shutil.which(readers[form].split()[0]) and digest(f"{readers[form]} < {packed}") != want:
                sys.exit(f"{name}: what it packs is another text")
            os.unlink(packed)
        found = bench.measure(commands)
        rows = [["", "MB/s", "seconds", "CPU s", "packed MB", "its time / wpool's", "its size / wpool's"]]
        for name, (wall, cpu) in found.items():
            rows.append([name, f"{size / wall / 1e6:.0f}", f"{wall:.3f}", f"{cpu:.3f}",
                         f"{sizes[name] / 1e6:.1f}", f"{wall / found['wpool'][0]:.2f}",
                         f"{sizes[name] / sizes['wpool']:.3f}"])
        table(title, rows)


def cpu_times():
    with open("/proc/stat") as file:
        numbers = [int(n) for n in file.readline().split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4], sum(numbers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wpool", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="unpack,count,pack")
    parser.add_argument("--venv", default="", help="folder of rapidgzip, with a slash")
    parser.add_argument("--megabytes", type=int, default=120)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wpool-io-", dir=options.folder) as folder:
        options.folder = folder
        with open(options.text, "rb") as file:
            data = file.read(options.megabytes << 20)
        lines = data.count(b"\n")
        for _ in range(lines % 4 + (not data.endswith(b"\n"))):  # whole records
            data = data[:data.rfind(b"\n", 0, -1) + 1]
        times = max(1, round((options.megabytes << 20) / len(data)))
        text = f"{folder}/text"
        with open(text, "wb") as file:
            for _ in range(times):
                file.write(data)
        want, size = digest(f"cat {text}"), os.path.getsize(text)
        del data
        bench = Bench(options)
        busy, total = cpu_times()
        hertz = os.sysconf("SC_CLK_TCK")
        print(f"{size / 1e6:.0f} MB of text, {CPUS} CPUs, medians of {options.rounds}; from memory to /dev/null")
        for name, part in (("unpack", unpack), ("count", count), ("pack", pack)):
            if name in options.only.split(","):
                part(bench, text, size, want)
        busy_now, total_now = cpu_times()
        print()
        if bench.missing:
            print("not on this machine: " + ", ".join(sorted(bench.missing)))
        # What checks and makes inputs counts as own, too, but is not measured: an upper bound.
        children = os.times()
        own = children.children_user + children.children_system + children.user + children.system
        share = max(0.0, (busy_now - busy) / hertz - own) / ((total_now - total) / hertz)
        print(f"other programs used {100 * share:.0f} % of the machine")


main()
