#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the wpool program, against the binary that WPOOL names.

Usage: run_cli_tests.py [-v] [PATTERN ...]

A pattern is a part of `module.Class.test`. Prints the failures and `N passed, N failed`.
"""

import sys
import time
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

import support  # noqa: E402


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


class Result(unittest.TestResult):
    passed = 0
    isVerbose = False

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        if self.isVerbose:
            print(f"{time.monotonic() - self.began:7.2f} s  {test.id()}", flush=True)

    def addSuccess(self, test):
        self.passed += 1

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.tell(subtest, self.failures if issubclass(error[0], AssertionError) else self.errors)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.tell(test, self.failures)

    def addError(self, test, error):
        super().addError(test, error)
        self.tell(test, self.errors)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped {test.id()}: {reason}", flush=True)

    def tell(self, test, where):
        print(f"FAILED {test}\n{where[-1][1]}", flush=True)


def main():
    words = sys.argv[1:]
    result = Result()
    result.isVerbose = "-v" in words
    patterns = [w for w in words if w != "-v"]
    if not Path(support.WPOOL).exists():
        print(f"no program at {support.WPOOL}; set WPOOL", file=sys.stderr)
        return 2
    found = unittest.defaultTestLoader.discover(str(FOLDER), pattern="test_*.py")
    chosen = unittest.TestSuite(
        test for test in tests_of(found)
        if not patterns or any(p in test.id() for p in patterns))
    chosen.run(result)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.passed} passed, {failed} failed")
    return 1 if failed or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main())
