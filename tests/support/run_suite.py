#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the unittest files of a folder and closes with a line of counts. A skip is shown; WARDENV_FAIL_ON_SKIP=1 makes it a failure."""
import os
import pathlib
import sys
import unittest


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(folder)]
    pattern = sys.argv[2] if len(sys.argv) > 2 else "test_*.py"
    suite = unittest.defaultTestLoader.discover(str(folder), pattern=pattern)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    for test, reason in result.skipped:
        print(f"SKIPPED {test}: {reason}")
    print(f"{folder.name}: {result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    strict = os.environ.get("WARDENV_FAIL_ON_SKIP") == "1"
    return 1 if failed or result.testsRun == 0 or (strict and skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
