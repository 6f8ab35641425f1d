# SPDX-License-Identifier: MIT
"""Runs test suites one after the other, each as `make test-NAME`, and adds up what they report.

A suite's numbers are the lines "… N passed, N failed" of its programs, or the closing line of
`swift test` or `unittest`. The exit status of a suite decides: a suite that fails without saying
so counts as one failure. What a suite that failed said of it is repeated at the end, and for a Swift
program that did not end by itself, which tests were under way.
"""
import os
import re
import subprocess
import sys
import time

PASSED_FAILED = re.compile(r"(\d+) passed, (\d+) failed\s*$")
SWIFT = re.compile(r"Test run with (\d+) tests? .*?(?:(passed)|failed after [\d.]+ seconds with (\d+))")
UNITTEST = re.compile(r"^Ran (\d+) tests? in ")
UNITTEST_BAD = re.compile(r"^FAILED \((.*)\)")
TROUBLE = re.compile(r"^(FAIL|ERROR): |✘|Fatal error|\berror: |\*\*\* |Sanitizer|^FAILED?\b")
SWIFT_TEST = re.compile(r"^(?:◇|✔|✘) Test (?!case |run )(.*?) (started\.|passed|failed)")
SHOWN = 30  # lines of trouble a suite, each of at most WIDTH characters
WIDTH = 400


def count(line, total):
    if m := PASSED_FAILED.search(line):
        total[0] += int(m[1])
        total[1] += int(m[2])
    elif m := SWIFT.search(line):
        failed = min(int(m[1]), int(m[3] or 0))  # issues, at least one per failed test
        total[0] += int(m[1]) - failed
        total[1] += failed
    elif m := UNITTEST.search(line):
        total[0] += int(m[1])
    elif m := UNITTEST_BAD.search(line):
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", m[1]))
        total[0] -= bad
        total[1] += bad


def run(suite):
    total, start, trouble, under_way = [0, 0], time.monotonic(), [], {}
    command = [os.environ.get("MAKE", "make"), "--no-print-directory", "test-" + suite]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace")
    for line in child.stdout:
        print(line, end="", flush=True)
        count(line, total)
        if TROUBLE.search(line):
            trouble.append(line.rstrip()[:WIDTH])
        if m := SWIFT_TEST.search(line):
            under_way[m[1][:WIDTH]] = m[2] == "started."
    if child.wait() and not total[1]:
        total[1] = 1
    elif not child.returncode and not sum(total):
        total[0] = 1
    trouble = trouble[:SHOWN] if child.returncode else []
    if child.returncode and (names := [name for name, is_under_way in under_way.items() if is_under_way]):
        trouble.append("under way at the end: " + ", ".join(names))
    return total, child.returncode, time.monotonic() - start, trouble


def main(suites):
    rows = []
    for suite in suites:
        print(f"\n===== {suite} =====", flush=True)
        rows.append((suite, *run(suite)))
    for suite, _, _, _, trouble in rows:
        for line in trouble:
            print(f"{suite}: {line}")
    print(f"\n{'suite':<12}{'passed':>8}{'failed':>8}{'seconds':>9}")
    for suite, (passed, failed), _, seconds, _ in rows:
        print(f"{suite:<12}{passed:>8}{failed:>8}{seconds:>9.0f}")
    passed, failed = (sum(row[1][i] for row in rows) for i in (0, 1))
    print(f"all suites: {passed} passed, {failed} failed")
    return 1 if failed or any(row[2] for row in rows) else 0


sys.exit(main(sys.argv[1:]))
