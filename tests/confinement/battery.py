# SPDX-License-Identifier: Apache-2.0
"""The battery: attacks as a table, each made into tests.

An Attack is one act of the probe program. Its positive control runs the act without a sandbox, as root, and has to succeed (or
to fail of something that shows that the kernel got as far as doing it). Only then do the tests inside count: as root and as an
ordinary user, and for each wall that the attack does not need, once more with that wall taken away.

What holds an attack is said by `held_by`: MOUNTS stands for namespaces, mounts and the missing capabilities, which are always
there; an attack held by SECCOMP alone is not tried without the filter.
"""
import dataclasses
import os
import unittest

import wardenv_testing as t

MOUNTS, SECCOMP = "mounts", "seccomp"
ALL, NO_SECCOMP, NO_LANDLOCK = "all", "no-seccomp", "no-landlock"
ROOT, USER = "root", "user"
REFUSED = {"EPERM", "EACCES"}
OWN_MOUNTS = ("unshare", "--mount", "--propagation", "private")  # for controls that mount: a namespace of their own


@dataclasses.dataclass(frozen=True)
class Attack:
    name: str
    act: tuple                       # the probe's act and arguments; {ws} and what `prepare` returns are filled in
    control: tuple | None = None     # the act of the positive control where it differs
    reached: frozenset = frozenset()  # errno names of the control that show that the kernel tried; else it must be allowed
    held_by: str = MOUNTS
    call: str | None = None          # a violation that names this system call has to be in the report
    denials: frozenset = frozenset()  # errno or signal names that are right inside; any if empty
    prefix: tuple = ()               # put before the control's command
    options: tuple = ()              # for `wardenv run`
    prepare: object = None           # function of a Scratch: makes files, returns names for the act's arguments
    unchanged: str | None = None     # a path that the attack inside must not change in any way


def fill(arguments, names):
    return [str(argument).format_map(names) for argument in arguments]


def fingerprint(path):
    """Everything about a file that an attack could change: what, whose, when, and which file it is."""
    status = os.lstat(path)
    entries = sorted(os.listdir(path)) if os.path.isdir(path) else None
    content = open(path, "rb").read() if os.path.isfile(path) else None
    attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    return (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_mtime_ns, entries, content, attributes)


class Battery(unittest.TestCase):
    """Base of the tests: scratch folders that go away, and what an attack inside is judged by."""
    controls = {}

    def scratch(self, who):
        scratch = t.Scratch(t.shared_user() if who == USER else None)
        self.addCleanup(scratch.remove)
        return scratch

    def victim(self, user=None):
        """A process of the host that waits to be attacked."""
        process = t.start_outside([t.PROBE, "sleep", "victim"], user)
        self.addCleanup(t.stop, process)
        while b"DATA pid" not in process.stdout.readline():
            self.assertIsNone(process.poll(), "the victim did not start")
        return process

    def names(self, attack, scratch):
        names = {"ws": scratch.workspace, "probe": scratch.binary}
        return names | ((attack.prepare(scratch) or {}) if attack.prepare else {})

    def check_control(self, attack):
        """Once per attack: attempts it outside."""
        if attack.prefix and not t.IS_ROOT:
            self.skipTest("the positive control needs root: it makes a namespace")
        if attack.name not in self.controls:
            scratch = self.scratch(ROOT)
            names = self.names(attack, scratch)
            if "{victim}" in str(attack.control):
                names["victim"] = self.victim().pid
            Battery.controls[attack.name] = scratch.probe_outside(*fill(attack.control or attack.act, names), prefix=attack.prefix)
        answer = Battery.controls[attack.name]
        self.assertTrue(answer.began, f"the control did not begin: {answer}")
        if answer.result == "denied" and answer.why in attack.reached:
            return answer
        if not t.IS_ROOT and answer.result == "denied":
            self.skipTest(f"the positive control needs root: {answer.why}")
        self.assertEqual(answer.result, "allowed", f"the positive control failed: {answer.text}{answer.run}")
        return answer

    def assert_denied(self, answer, attack=None, control=None):
        self.assertTrue(answer.began, f"no nonce: it did not run\n{answer.run}")
        self.assertEqual(answer.result, "denied", f"{answer.text}\n{answer.run}")
        if control and control.result == "denied":
            self.assertNotEqual(answer.why, control.why, "the same refusal as without a sandbox shows nothing")
        if attack and attack.denials:
            self.assertIn(answer.why, attack.denials)

    def assert_violation(self, answer, call):
        named = [violation["what"] for violation in answer.run.report["violations"]]
        self.assertTrue(any(what.split("(")[0] == call for what in named), f"{call} is not among the violations {named}")

    def attempt(self, attack, who, walls):
        control = self.check_control(attack)
        scratch = self.scratch(who)
        arguments = fill(attack.act, self.names(attack, scratch))
        path = attack.unchanged and attack.unchanged.format_map({"ws": scratch.workspace})
        before = path and fingerprint(path)
        if walls == ALL:
            scratch.run(["/usr/bin/true"])   # what it keeps for those that follow is what most runs are made with
            answer = scratch.probe(*arguments, options=attack.options)
        else:
            answer = scratch.probe_walls(walls, *arguments, options=["--read-only"] if "read-only" in attack.options else [])
        if walls == NO_SECCOMP:
            self.assertEqual((answer.run.report or {}).get("enforced", {}).get("seccomp"), False, "the wall is still there")
            attack = dataclasses.replace(attack, denials=frozenset(), call=None)
        if walls == NO_LANDLOCK:
            self.assertEqual((answer.run.report or {}).get("enforced", {}).get("landlock_abi"), 0, "the wall is still there")
        self.assert_denied(answer, attack, control)
        if attack.call:
            self.assert_violation(answer, attack.call)
        if path:
            self.assertEqual(fingerprint(path), before, "it was refused, and changed something all the same")


def variants(attack):
    people = (ROOT, USER) if t.IS_ROOT else (USER,)
    walls = (ALL, NO_LANDLOCK) if attack.held_by == SECCOMP else (ALL, NO_LANDLOCK, NO_SECCOMP)
    return [(who, wall) for who in people for wall in walls]


def _make_test(attack, who, walls):
    def test(self):
        self.attempt(attack, who, walls)
    return test


def tests_of(attacks):
    """Class decorator: one test for each attack, person and wall that is left standing."""
    def decorate(case):
        for attack in attacks:
            for who, walls in variants(attack):
                name = f"test_{attack.name}__{who}__{walls}".replace("-", "_").replace(".", "_").replace("/", "_")
                assert not hasattr(case, name), name
                setattr(case, name, _make_test(attack, who, walls))
        return case
    return decorate


def both(function):
    """A test method of (self, who): becomes a test as root and one as an ordinary user."""
    def test(self):
        for who in (ROOT, USER) if t.IS_ROOT else (USER,):
            with self.subTest(who=who):
                function(self, who)
    test.__doc__ = function.__doc__
    return test
