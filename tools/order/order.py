#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""order.py MAP PROFILE... > judged.ld: the order in which wardenv-cli's text is linked.

MAP is what the linker said (-Wl,-Map), PROFILE what callgrind saw (--dump-instr=yes) of runs of that very program. Printed is a linker script that
puts the sections that were executed side by side. Sections and files that do not exist are nothing to the linker. See README.md.
"""
import bisect
import re
import sys

SECTION = re.compile(r"^ (\.text\S*)(?:\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S.*))?$")
REST = re.compile(r"^\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S.*)$")

PLAIN = ("unlikely", "startup", "hot", "exit")

# The C library has such functions in a variant for each kind of processor, and callgrind plays one of its own.
VARIANT = re.compile(r"-(avx2|evex|sse2|sse4_1|sse4_2|ssse3)(?=\b|-)")


def sections(path):
    """(begin, end, section, file) of each input section of the text, by address."""
    found = []
    name = None
    for line in open(path):
        line = line.rstrip("\n")
        section = SECTION.match(line)
        if section and section[2] is None:
            name = section[1]
            continue
        place = (section[2], section[3], section[4]) if section else None
        rest = REST.match(line) if name and not section else None
        if rest:
            place = (rest[1], rest[2], rest[3])
        if place and int(place[1], 16) > 0:
            begin = int(place[0], 16)
            found.append((begin, begin + int(place[1], 16), section[1] if section else name, place[2]))
        name = None
    return sorted(found)


def executed(path):
    """The addresses of instructions that were executed: lines of costs begin with them, `calls=` announces a line that is no place of its own."""
    addresses = set()
    for line in open(path):
        if line.startswith("0x"):
            addresses.add(int(line.split(None, 1)[0], 16))
    return addresses


def pattern(section, file):
    """What a linker script calls it: its name, where it is that of a function, else its file."""
    function = re.match(r"\.text\.(?:(?:unlikely|startup|hot|exit)\.)?(\w[\w.]*)$", section)
    if function and function[1] not in PLAIN and "/libc.a(" not in file:
        return f"*({section})"
    member = re.search(r"([^/]+\.a)\(([^)]+)\)$", file)
    if member is None:
        return None
    return f"*{member[1]}:{VARIANT.sub('-*', member[2])}(.text .text.*)"


def by_section(known, addresses):
    """Index of each section that was executed → its pages that were."""
    begins = [item[0] for item in known]
    pages = {}
    for address in addresses:
        index = bisect.bisect_right(begins, address) - 1
        if index >= 0 and address < known[index][1]:
            pages.setdefault(index, set()).add(address >> 12)
    return pages


def is_sparse(begin, end, pages):
    """Whether it takes more room beside the others than it gives: then it costs its own page, wherever it is."""
    return end - begin > 4 * 4096 * len(pages)


def main():
    known = sections(sys.argv[1])
    lines = {}
    for path in sys.argv[2:]:
        for index, pages in sorted(by_section(known, executed(path)).items()):
            begin, end, section, file = known[index]
            line = pattern(section, file)
            if line and not is_sparse(begin, end, pages):
                lines.setdefault(line, end - begin)
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Made by tools/order/order.py: what a judged run executes, side by side, so that few pages are mapped for it. */")
    print("SECTIONS {\n  .text.judged : {")
    for line in lines:
        print(f"    {line}")
    print("  }\n}\nINSERT BEFORE .text;")
    print(f"{len(lines)} sections, {sum(lines.values()) >> 10} KiB", file=sys.stderr)


main()
