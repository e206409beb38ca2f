#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs CPython's own regression suite outside and inside, as an ordinary user, and compares test by test.

  cpython.py                     the modules of SHORT: a minute or two
  cpython.py --modules M [M...]  these
  cpython.py --all               every module: about half an hour on two cores
  cpython.py --by root …         root starts wardenv, in the workspace of an ordinary user, beside that user's run outside: where control
                                 groups are root's only, the list is another one

What passes outside and does not pass inside must be a line of cpython_known.txt, and no line of it may name what passes on both sides.
A module that differs in a way that is not listed is run a second time on both sides; what then agrees was chance
and is only printed.
Needs Debian's libpython3.11-testsuite. WARDENV_BIN names the program.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import sys
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import wardenv_testing as testing  # noqa: E402  (found by the line before)

PYTHON = "/usr/bin/python3.11"
KNOWN = HERE / "cpython_known.txt"
INSIDE = ["--no-venv", "--timeout", "40m", "--memory", "2G", "--cpu", "2", "--processes", "256", "--tmp-size", "1G",
          "--output-limit", "16M"]
SHORT = ["test_os", "test_posix", "test_posixpath", "test_shutil", "test_tempfile", "test_glob", "test_stat", "test_fcntl", "test_mmap",
         "test_pty",
         "test_epoll", "test_subprocess", "test_socket", "test_dbm", "test_locale",
         "test_zoneinfo", "test_ctypes", "test_resource", "test_pwd", "test_grp", "test_spwd", "test_thread", "test_fork1", "test_wait3",
         "test_import",
         "test_context", "test_site", "test_pipes"]
# Left out on both sides: the refused socket makes a thread of theirs write into regrtest's protocol, and all of the module counts
# as crashed.
IGNORED = ["*UDPLITE*"]
# Modules whose tests' names don't begin with `test.NAME`.
PACKAGES = {"ctypes": "test_ctypes", "distutils": "test_distutils", "lib2to3": "test_lib2to3", "unittest": "test_unittest",
            "idlelib": "test_idle", "tkinter": "test_tk"}

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
    ignored = [word for pattern in IGNORED for word in ("-i", pattern)]
    return [PYTHON, "-m", "test", f"-j{jobs}", "--timeout", "400", *ignored, "--junit-xml", f"{where}/{report}", *modules]


def run_side(scratch, side, modules, jobs, seconds, starter):
    """Runs the modules on one side. Whatever it comes to is in the Results; a run that did not reach its end says so."""
    report = f"{side}.xml"
    pathlib.Path(scratch.path(report)).unlink(missing_ok=True)
    command = regrtest(modules, scratch.workspace, jobs, report)
    folder = scratch.folder(side)
    if side == "inside":
        command = [testing.WARDENV, "run", *INSIDE, "--workspace", scratch.workspace, "--cwd", folder, "--", *command]
    user = starter if side == "inside" else scratch.user
    done = testing.execute(command, user, timeout=seconds, env=testing.environment(user, scratch.state), cwd=folder)
    text = (done.stdout + done.stderr).decode(errors="replace")
    results = Results(read_summary(text), text=text, whole="== Tests result:" in text)
    if os.path.exists(scratch.path(report)):
        results.passed, results.skipped = read_tests(scratch.path(report))
    return results


def run_both(scratch, modules, jobs, seconds, starter):
    """Both sides, beside each other: they share nothing but the machine."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        sides = [pool.submit(run_side, scratch, side, modules, jobs, seconds, starter) for side in ("outside", "inside")]
        outside, inside = (side.result() for side in sides)
    for side, results in (("outside", outside), ("inside", inside)):
        if not results.whole or not results.passed:
            sys.exit(f"cpython: the run {side} did not come to its end\n{results.text[-3000:]}")
    return outside, inside


def module_of(name):
    """"test_os" of "test.test_os.ChownFileTests.test_chown" and of "setUpClass (test.test_os.T)"; a package's tests are its module's."""
    dotted = name.partition("(")[2].rstrip(")") if "(" in name else name
    first, *rest = dotted.split(".")
    if first in PACKAGES:
        return PACKAGES[first]
    return rest[0] if first == "test" and rest else first


def differences(outside, inside):
    """Names of the tests that passed outside and not inside, and of the modules that ran outside and not inside."""
    lost = outside.passed - inside.passed
    told = {module_of(name) for name in lost}
    lost |= {name for name, state in inside.modules.items() if state != outside.state(name) and name not in told}
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


def fits(name, entry):
    return name == entry or (entry.endswith("*") and name.startswith(entry[:-1]))


def matching(name, known):
    return [entry for entry in known if fits(name, entry)]


def is_true_no_more(entry, outside, inside):
    """Whether what a line of the list names passes on both sides. What does not pass outside on this host says nothing."""
    if "." in entry:
        return any(fits(name, entry) for name in outside.passed & inside.passed)
    ran = any(module_of(name) == entry for name in outside.passed | outside.skipped)
    return ran and outside.state(entry) == inside.state(entry)


def judge(lost, known, outside, inside):
    """Lines that say what is wrong: a difference that is not listed, and a listed one that is none."""
    used = {entry for name in lost for entry in matching(name, known)}
    wrong = [f"NEW      {name}" for name in sorted(lost) if not matching(name, known)]
    gone = [entry for entry in sorted(known) if entry not in used and is_true_no_more(entry, outside, inside)]
    return wrong + [f"NO MORE  {entry} ({known[entry]})" for entry in gone]


def holds_with_cgroup(scratch, starter):
    """Whether control groups hold the limits here: without them more is refused."""
    run = testing.run_wardenv(scratch.options(), ["true"], starter, env=testing.environment(starter, scratch.state))
    if run.status != 0:
        sys.exit(f"cpython: wardenv does not run here\n{run}")
    return run.report["enforced"]["memory"].startswith("cgroup")


def applicable(known, with_cgroup):
    """The lines that are true on this host: a reason that begins with `without cgroup:` is none where there is one."""
    return {name: reason for name, reason in known.items() if not (with_cgroup and reason.startswith("without cgroup:"))}


def compare(scratch, modules, jobs, seconds, known, starter):
    """The names that differ, for good: modules that differ in another way than is known are run twice."""
    outside, inside = run_both(scratch, modules, jobs, seconds, starter)
    lost = differences(outside, inside)
    unexpected = {name for name in lost if not matching(name, known)}
    if again := sorted({module_of(name) for name in unexpected}):
        print(f"cpython: once more: {' '.join(again)}", flush=True)
        second = differences(*run_both(scratch, again, jobs, seconds, starter))
        for name in sorted(unexpected - second):
            print(f"BY CHANCE {name}")
        lost -= unexpected - second
    return outside, inside, lost


def keep(folder, outside, inside, lost):
    for side, results in (("outside", outside), ("inside", inside)):
        pathlib.Path(folder, side + ".txt").write_text(results.text)
        pathlib.Path(folder, side + ".passed").write_text("\n".join(sorted(results.passed)) + "\n")
    pathlib.Path(folder, "lost.txt").write_text("\n".join(sorted(lost)) + "\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", nargs="+", default=SHORT)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--jobs", type=int, default=1, help="of each side")
    parser.add_argument("--by", choices=["user", "root"], default="user", help="who starts wardenv")
    parser.add_argument("--keep", help="folder for both sides' output")
    return parser.parse_args()


def main():
    options = parse_arguments()
    # A shell that starts us in the background has SIGINT ignored, which modules of the suite would fail of.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    modules = [] if options.all else options.modules
    if options.by == "root" and not testing.IS_ROOT:
        sys.exit("cpython: --by root needs root")
    scratch = testing.Scratch(testing.shared_user())
    starter = None if options.by == "root" else scratch.user
    try:
        known = applicable(read_known(KNOWN), holds_with_cgroup(scratch, starter))
        outside, inside, lost = compare(scratch, modules, options.jobs, 3000 if options.all else 540, known, starter)
    finally:
        scratch.remove()
    if options.keep:
        keep(options.keep, outside, inside, lost)
    ran = {module_of(name) for name in outside.passed | outside.skipped}
    wrong = judge(lost, known, outside, inside)
    wrong += [f"NOT RUN  {module}" for module in modules if module not in ran and outside.state(module) != "skipped"]
    print("\n".join(wrong))
    print(f"cpython: {len(ran)} modules, {len(outside.passed)} tests pass outside and {len(inside.passed)} inside; "
          f"{len(lost)} differ, {len(wrong)} surprises")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
