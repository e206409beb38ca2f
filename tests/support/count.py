#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up what the test programs of one log counted, and closes with one line: N passed, N failed, N skipped."""
import re
import sys

CATCH_ALL = re.compile(r"All tests passed \((\d+) assertions? in (\d+) test cases?\)")
CATCH_SOME = re.compile(r"test cases:\s+(\d+)\s+\|(?:\s+(\d+) passed\s+\|)?\s+(\d+) failed")
PLAIN = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$")


def main():
    passed = failed = skipped = 0
    for line in open(sys.argv[1], errors="replace"):
        if match := CATCH_ALL.search(line):
            passed += int(match.group(2))
        elif match := CATCH_SOME.search(line):
            passed += int(match.group(2) or 0)
            failed += int(match.group(3))
        elif match := PLAIN.search(line):
            passed += int(match.group(1))
            failed += int(match.group(2))
            skipped += int(match.group(3) or 0)
        if "SKIPPED" in line:
            print(line.split(": ", 1)[-1].rstrip())
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
