#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the unittest files of a folder and closes with a line of counts. A skip is shown; WARDENV_FAIL_ON_SKIP=1 makes it a failure."""
import os
import pathlib
import signal
import sys
import unittest


class Result(unittest.TextTestResult):
    """Also knows which tests were begun."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.begun = set()

    def startTest(self, test):
        super().startTest(test)
        self.begun.add(test.id())


def tests_among(entries):
    """The tests that these results are of, each once, however many of its subtests are there. What sets up a class or module counts as a test."""
    return {getattr(test, "test_case", test).id() for test in entries}


def counts(result):
    """A test failed where anything of it failed, else was skipped where anything of it was skipped, else passed."""
    failed = tests_among([test for test, _ in result.failures + result.errors] + result.unexpectedSuccesses)
    skipped = tests_among([test for test, _ in result.skipped]) - failed
    return len(result.begun - failed - skipped), len(failed), len(skipped)


def hear_signals():
    """Whoever started us in the background has signals ignored, and every program that a test starts would inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main():
    hear_signals()
    folder = pathlib.Path(sys.argv[1]).resolve()
    sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(folder)]
    pattern = sys.argv[2] if len(sys.argv) > 2 else "test_*.py"
    suite = unittest.defaultTestLoader.discover(str(folder), pattern=pattern)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    passed, failed, skipped = counts(result)
    for test, reason in result.skipped:
        print(f"SKIPPED {test}: {reason}")
    print(f"{folder.name}: {passed} passed, {failed} failed, {skipped} skipped")
    strict = os.environ.get("WARDENV_FAIL_ON_SKIP") == "1"
    return 1 if failed or not result.begun or (strict and skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
