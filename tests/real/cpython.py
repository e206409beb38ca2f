#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs CPython's own regression suite outside and inside, as an ordinary user, and compares test by test.

  cpython.py                     the modules of SHORT: about a minute and a half
  cpython.py --modules M [M...]  these
  cpython.py --all               every module: about twenty minutes on two cores

What passes outside and does not pass inside must be a line of cpython_known.txt, and every line of it that names a module that ran
must still be true. A module that differs is run a second time on both sides; what then agrees was chance and is only printed.
Needs Debian's libpython3.11-testsuite. WARDENV_BIN names the program.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import wardenv_testing as testing  # noqa: E402  (found by the line before)

PYTHON = "/usr/bin/python3.11"
KNOWN = HERE / "cpython_known.txt"
INSIDE = ["--no-venv", "--timeout", "40m", "--memory", "2G", "--cpu", "2", "--processes", "256", "--tmp-size", "1G", "--output-limit", "16M"]
SHORT = ["test_os", "test_posix", "test_posixpath", "test_pathlib", "test_shutil", "test_tempfile", "test_glob", "test_stat", "test_fcntl",
         "test_mmap", "test_pty", "test_selectors", "test_epoll", "test_poll", "test_pipes", "test_subprocess", "test_socket", "test_ipaddress",
         "test_sqlite3", "test_dbm", "test_zipfile", "test_tarfile", "test_locale", "test_zoneinfo", "test_ctypes", "test_resource",
         "test_pwd", "test_grp", "test_thread", "test_threading", "test_queue", "test_contextvars", "test_import", "test_cmd_line", "test_site",
         "test_ssl", "test_fork1", "test_wait3", "test_signal"]

# Headings of regrtest's summary, and what the modules below them came to.
HEADINGS = [(re.compile(r"^\d+ tests? failed"), "failed"), (re.compile(r"^\d+ tests? altered the execution environment"), "altered"),
            (re.compile(r"^\d+ tests? skipped"), "skipped"), (re.compile(r"^\d+ tests? run no tests"), "empty"),
            (re.compile(r"^\d+ tests? omitted"), "omitted")]


@dataclasses.dataclass
class Results:
    """What one run of regrtest came to. `modules` holds those that did not simply pass; `tests` the names that passed, and skipped."""
    modules: dict = dataclasses.field(default_factory=dict)
    passed: set = dataclasses.field(default_factory=set)
    skipped: set = dataclasses.field(default_factory=set)
    whole: bool = False      # regrtest came to its own end
    text: str = ""

    def state(self, module):
        return self.modules.get(module, "passed")


def read_summary(text):
    """Module -> state, from the summary at the end. Names stand indented below their heading."""
    modules, state = {}, None
    summary = text.rpartition("== Tests result:")[2]
    for line in summary.splitlines():
        if line.startswith("    ") and state:
            modules.update((name, state) for name in line.split())
        elif line and not line.startswith(" "):
            state = next((value for pattern, value in HEADINGS if pattern.match(line)), None)
    return modules


def read_tests(path):
    """Names of the tests that passed and that were skipped, from the JUnit file. A failed subtest leaves an entry without a name."""
    passed, skipped = set(), set()
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        children = {child.tag for child in case}
        if case.get("name") and not children & {"failure", "error", "skipped"}:
            passed.add(case.get("name"))
        elif "skipped" in children:
            skipped.add(case.get("name"))
    return passed, skipped


def regrtest(modules, where, jobs, report):
    return [PYTHON, "-m", "test", f"-j{jobs}", "--timeout", "400", "--junit-xml", f"{where}/{report}", *modules]


def run_side(scratch, side, modules, jobs, seconds):
    """Runs the modules on one side. Whatever it comes to is in the Results; a run that did not reach its end says so."""
    report = f"{side}.xml"
    pathlib.Path(scratch.path(report)).unlink(missing_ok=True)
    command = regrtest(modules, scratch.workspace, jobs, report)
    folder = scratch.folder(side)
    if side == "inside":
        command = [testing.WARDENV, "run", *INSIDE, "--workspace", scratch.workspace, "--cwd", folder, "--", *command]
    done = testing.execute(command, scratch.user, timeout=seconds, env=testing.environment(scratch.user, scratch.state), cwd=folder)
    text = (done.stdout + done.stderr).decode(errors="replace")
    results = Results(read_summary(text), text=text, whole="== Tests result:" in text)
    if os.path.exists(scratch.path(report)):
        results.passed, results.skipped = read_tests(scratch.path(report))
    return results


def run_both(scratch, modules, jobs, seconds):
    """Both sides, beside each other: they share nothing but the machine."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        sides = [pool.submit(run_side, scratch, side, modules, jobs, seconds) for side in ("outside", "inside")]
        outside, inside = (side.result() for side in sides)
    for side, results in (("outside", outside), ("inside", inside)):
        if not results.whole or not results.passed:
            sys.exit(f"cpython: the run {side} did not come to its end\n{results.text[-3000:]}")
    return outside, inside


def module_of(name):
    """"test_os" of "test.test_os.ChownFileTests.test_chown"; packages (test.test_asyncio.test_x.C.t) count as one."""
    parts = name.split(" ")[-1].strip("()").split(".") if " (" in name else name.split(".")
    return next((part for part in parts if part.startswith("test_")), parts[0])


def differences(outside, inside):
    """Names of the tests that passed outside and not inside, and of the modules that ran outside and not inside."""
    lost = outside.passed - inside.passed
    lost |= {name for name, state in inside.modules.items() if state != outside.state(name) and not any(module_of(test) == name for test in lost)}
    return lost


def read_known(path):
    """Name -> reason. One a line: the name, blanks, the reason; `#` begins a comment; a name may end in `*`."""
    known = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        name, _, reason = line.partition(" ")
        if not reason.strip() or name in known:
            sys.exit(f"{path.name}:{number}: a name once, and a reason")
        known[name] = reason.strip()
    return known


def matching(name, known):
    return [entry for entry in known if name == entry or (entry.endswith("*") and name.startswith(entry[:-1]))]


def judge(lost, known, ran):
    """Lines that say what is wrong. `ran(module)` tells whether a listed name was put to the test."""
    used = {entry for name in lost for entry in matching(name, known)}
    wrong = [f"NEW      {name}" for name in sorted(lost) if not matching(name, known)]
    return wrong + [f"NO MORE  {name} ({known[name]})" for name in sorted(known) if name not in used and ran(module_of(name.rstrip("*")))]


def compare(scratch, modules, jobs, seconds):
    """The names that differ, for good: differing modules are run twice."""
    outside, inside = run_both(scratch, modules, jobs, seconds)
    lost = differences(outside, inside)
    again = sorted({module_of(name) for name in lost})
    if again:
        print(f"cpython: once more: {' '.join(again)}", flush=True)
        second = differences(*run_both(scratch, again, jobs, seconds))
        for name in sorted(lost - second):
            print(f"BY CHANCE {name}")
        lost &= second
    return outside, inside, lost


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", nargs="+", default=SHORT)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--jobs", type=int, default=1, help="of each side")
    parser.add_argument("--keep", help="folder for both sides' output")
    options = parser.parse_args()
    modules = [] if options.all else options.modules
    scratch = testing.Scratch(testing.shared_user())
    try:
        outside, inside, lost = compare(scratch, modules, options.jobs, 3600 if options.all else 500)
    finally:
        scratch.remove()
    if options.keep:
        for side, results in (("outside", outside), ("inside", inside)):
            pathlib.Path(options.keep, side + ".txt").write_text(results.text)
            pathlib.Path(options.keep, side + ".passed").write_text("\n".join(sorted(results.passed)))
        pathlib.Path(options.keep, "lost.txt").write_text("\n".join(sorted(lost)) + "\n")
    ran = {module_of(name) for name in outside.passed} | set(outside.modules)
    wrong = judge(lost, read_known(KNOWN), ran.__contains__)
    print("\n".join(wrong))
    print(f"cpython: {len(ran)} modules, {len(outside.passed)} tests pass outside and {len(inside.passed)} inside; "
          f"{len(lost)} differ, {len(wrong)} of that unexpected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
