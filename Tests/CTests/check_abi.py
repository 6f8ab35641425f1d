# SPDX-License-Identifier: MIT
"""check_abi.py HEADER LIBRARY DLOPEN_TIME: what the shipped library shows to the outside.

The names declared in the header and the names exported are the same; soname, needed libraries,
`-z nodelete` and size are as promised. Prints how long loading takes: the median of fresh processes.
"""
import ctypes
import os
import re
import statistics
import subprocess
import sys

ALWAYS = {"libc", "libz", "libzstd", "libnettle"}
SOMETIMES = {"libm", "ld-linux-x86-64", "ld-linux-aarch64"}
CODECS = {"libdeflate": "libdeflate", "isa-l": "libisal", "pcre2": "libpcre2-8"}  # name in wp_build_info(): library
MOST_BYTES = 2_350_000
PROCESSES = 15

header, library, dlopen_time = sys.argv[1:]
results = []


def check(sentence, problems):
    problems = sorted(problems)
    results.append(not problems)
    print(f"{'ok  ' if not problems else 'FAIL'} {sentence}")
    for problem in problems:
        print(f"       {problem}")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


text = open(header, encoding="utf-8").read()
declared = set(re.findall(r"^WP_API\b[^;]*?\b(wp_\w+)\(", text, re.M))
version = ".".join(re.findall(r"^#define WP_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", text, re.M))

symbols = [line.split() for line in output("nm", "-D", "--defined-only", "--extern-only", library).splitlines()]
exported = {name.split("@")[0] for _, kind, name in symbols if kind != "A"}
nodes = {name for _, kind, name in symbols if kind == "A"}
dynamic = output("readelf", "-dW", library)
needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)

check(f"each of the {len(declared)} declared functions is exported",
      declared - exported if declared else ["the header declares nothing"])
check("nothing else is exported", exported - declared)
check("the only version node is WORKPOOL_0", nodes ^ {"WORKPOOL_0"})
check("the soname is libworkpool.so.0", set(re.findall(r"\(SONAME\).*\[(.*)\]", dynamic)) ^ {"libworkpool.so.0"})
build_info = ctypes.CDLL(os.path.abspath(library)).wp_build_info
build_info.restype = ctypes.c_char_p
info = build_info().decode()
stems = {re.sub(r"\.so\.\d+$", "", name) for name in needed}
wanted = ALWAYS | {library for name, library in CODECS.items() if f" {name} " in info}
check(f"it needs nothing but libc, libm and the codecs it names: {info} ({' '.join(needed)})",
      wanted ^ (stems - SOMETIMES))
check("it stays loaded (NODELETE)", [] if re.search(r"\(FLAGS_1\).*NODELETE", dynamic) else ["flag missing"])
check("it carries no search path", re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic))
check("its stack is not executable",
      re.findall(r"GNU_STACK.*RWE.*", output("readelf", "-lW", library)))
size = os.path.getsize(library)
check(f"it has {size} bytes, fewer than {MOST_BYTES}", [] if size < MOST_BYTES else [f"{size - MOST_BYTES} too many"])
names = {os.path.basename(library), "libworkpool.so.0", f"libworkpool.so.{version}"}
folder = os.path.dirname(library)
check("its three names lie side by side", [n for n in names if not os.path.exists(os.path.join(folder, n))])

times = [int(output(dlopen_time, library)) / 1000 for _ in range(PROCESSES)]
print(f"     dlopen takes {statistics.median(times):.0f} us"
      f" ({min(times):.0f} to {max(times):.0f}, {PROCESSES} processes)")
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(not all(results))
