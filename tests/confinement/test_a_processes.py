# SPDX-License-Identifier: Apache-2.0
"""Section A: descriptors, the terminal, other processes."""
import fcntl
import hashlib
import os
import pty
import socket
import subprocess
import unittest

import wardenv_testing as t
from battery import Attack, Battery, REFUSED, both, tests_of

TIOCSTI, TIOCLINUX = 0x5412, 0x541C
LAUNCHER = os.path.join(os.path.dirname(os.path.realpath(t.WARDENV)), "wardenv-launcher")
O_RDONLY, O_RDWR = 0, 2


def other(name, act, *arguments, **more):
    """An act on another process: outside on a victim of ours, inside on init."""
    return Attack(f"init_{name}", (act, "1", *arguments), control=(act, "{victim}", *arguments), **more)


@tests_of([
    other("ptrace", "ptrace", call="ptrace", denials=frozenset(REFUSED)),
    other("vm_read", "vm_read", call="process_vm_readv", denials=frozenset(REFUSED)),
    other("vm_write", "vm_write", call="process_vm_writev", denials=frozenset(REFUSED)),
    other("pidfd_getfd", "pidfd_getfd", call="pidfd_getfd", denials=frozenset(REFUSED)),
    other("memory", "proc_open", "mem", O_RDWR),
    other("memory_read", "proc_open", "mem", O_RDONLY),
    other("environment", "proc_open", "environ", O_RDONLY),
    other("program", "proc_open", "exe", O_RDONLY),
    other("root", "proc_open", "root/etc/passwd", O_RDONLY),
    other("working_folder", "proc_open", "cwd/.", O_RDONLY),
    other("descriptors", "proc_open", "fd", O_RDONLY),
    other("maps", "proc_open", "auxv", O_RDONLY),
    other("mount_namespace", "proc_open", "ns/mnt", O_RDONLY),
    other("clear_refs", "proc_open", "clear_refs", 1),
])
class OtherProcesses(Battery):
    @both
    def test_victim_of_the_host_is_out_of_reach(self, who):
        scratch = self.scratch(who)
        for act in (("kill", 0), ("ptrace",), ("vm_read",), ("pidfd_getfd",), ("proc_open", "mem", 2), ("signal_by_owner",)):
            with self.subTest(act=act[0]):
                victim = self.victim(scratch.user)
                control = scratch.probe_outside(act[0], victim.pid, *act[1:])
                self.assertEqual(control.result, "allowed", control.text)
                victim = self.victim(scratch.user)
                self.assert_denied(scratch.probe(act[0], victim.pid, *act[1:]))
                self.assertIsNone(victim.poll(), "the victim is dead")

    @both
    def test_sweep_finds_nobody(self, who):
        scratch, neighbour = self.scratch(who), self.scratch(who)
        self.assertEqual(scratch.probe_outside("kill_sweep").result, "allowed")
        token = t.nonce()
        other_sandbox = t.start_outside([t.WARDENV, "run", *neighbour.options(), "--", neighbour.binary, "sleep", token], neighbour.user)
        self.addCleanup(t.stop, other_sandbox)
        self.assertTrue(t.eventually(lambda: t.processes_with(token)), "the other sandbox did not start")
        self.assert_denied(scratch.probe("kill_sweep"))

    @both
    def test_kill_everything_ends_at_the_sandbox(self, who):
        scratch = self.scratch(who)
        victim = self.victim(t.shared_user())
        if t.IS_ROOT:  # as the ordinary user, and in a namespace of its own: it really kills
            prefix = ["unshare", "--pid", "--fork", "setpriv", f"--reuid={t.shared_user().uid}", f"--regid={t.shared_user().gid}", "--clear-groups"]
            os.chmod(scratch.root, 0o755)
            control = scratch.probe_outside("kill_everything", prefix=prefix, cwd="/") if who == "root" else None
            self.assertTrue(control is None or control.result == "allowed", control)
        answer = scratch.probe("kill_everything")
        self.assertTrue(answer.began, answer.run)
        self.assertNotEqual(answer.result, "broken", answer.text)
        self.assertIsNone(victim.poll(), "a process of the host was killed")
        self.assertEqual(answer.run.report["outcome"], "exited", answer.run)


class Descriptors(Battery):
    def inheritable(self, scratch):
        """One of each kind that has let a sandbox be left."""
        network = os.open("/proc/self/ns/net", os.O_RDONLY)
        memory = os.memfd_create("secret")
        files = [os.open(scratch.root, os.O_RDONLY), os.open("/", os.O_PATH), network, memory, os.pidfd_open(os.getpid())]
        left, right = socket.socketpair()
        files += [left.detach(), right.detach()]
        files.append(fcntl.fcntl(files[0], fcntl.F_DUPFD, 200))
        for fd in files:
            self.addCleanup(os.close, fd)
        return files

    @both
    def test_none_arrives(self, who):
        scratch = self.scratch(who)
        files = self.inheritable(scratch)
        control = scratch.probe_outside("open_descriptors", pass_fds=files)
        self.assertEqual(len(control.data.get("descriptor", [])), len(files), control.text)
        self.assert_denied(scratch.probe("open_descriptors", pass_fds=files))
        self.assert_denied(scratch.probe("open_descriptors", options=["--stdin", "inherit"], pass_fds=files))

    @both
    def test_no_way_up_from_a_descriptor(self, who):
        scratch = self.scratch(who)
        files = self.inheritable(scratch)
        self.assertEqual(scratch.probe_outside("descriptor_climb", pass_fds=files).result, "allowed")
        self.assert_denied(scratch.probe("descriptor_climb", pass_fds=files))

    @both
    def test_working_folder_of_the_caller_is_not_ours(self, who):
        """CVE-2024-21626: a working folder that is outside of the new root."""
        scratch = self.scratch(who)
        scratch.write(os.path.join(scratch.root, "secret"), "secret")
        self.assertEqual(scratch.probe_outside("read", "../secret").result, "allowed")
        self.assertEqual(scratch.probe_outside("read", "secret", cwd=scratch.root).result, "allowed")
        for act in (("read", "../secret"), ("read", "secret"), ("read", "/proc/self/cwd/../secret")):
            self.assert_denied(scratch.probe(*act, cwd=scratch.root))
        files = self.inheritable(scratch)
        run = scratch.run([scratch.binary, "cat", "n", "../secret"], "--cwd", f"/proc/self/fd/{files[0]}", pass_fds=files)
        self.assertEqual(run.status, 125, run)

    @both
    def test_flood_of_descriptors_is_survived(self, who):
        scratch = self.scratch(who)
        self.assertEqual(scratch.probe_outside("descriptor_flood").result, "allowed")
        answer = scratch.probe("descriptor_flood")
        self.assertTrue(answer.began)
        self.assertEqual(answer.result, "allowed", answer.run)
        self.assertEqual(answer.run.report["outcome"], "exited")

    @both
    def test_forged_results_are_only_output(self, who):
        scratch = self.scratch(who)
        files = self.inheritable(scratch)
        control = scratch.probe_outside("forge_frames", 7, pass_fds=files)
        self.assertEqual(control.run.status, 7)
        answer = scratch.probe("forge_frames", 7, pass_fds=files)
        self.assertTrue(answer.began)
        self.assertEqual((answer.run.status, answer.run.report["outcome"], answer.run.report["exit_code"]), (7, "exited", 7))
        self.assertIn('"exit_code": 0', answer.run.report["stdout"])

    @both
    def test_the_launcher_is_as_it_was(self, who):
        """CVE-2019-5736: the program that makes the sandbox, overwritten from inside."""
        scratch = self.scratch(who)
        before = hashlib.sha256(open(LAUNCHER, "rb").read()).digest()
        for act in (("proc_open", 1, "exe", 1), ("proc_open", 1, "exe", 0), ("reopen", "/proc/1/exe"), ("reopen_reader", "/proc/1/exe"), ("append", "/proc/1/exe", "x")):
            self.assert_denied(scratch.probe(*act))
        run = scratch.run(["/proc/1/exe", "--help"])
        self.assertNotEqual(run.status, 0, run)
        self.assertEqual(hashlib.sha256(open(LAUNCHER, "rb").read()).digest(), before)


class Terminal(Battery):
    def terminal(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        return master, slave

    def attempt_terminal(self, who, request, how, reached=()):
        scratch = self.scratch(who)
        _, slave = self.terminal()
        control = scratch.probe_outside("terminal", request, how, stdin=slave)
        if control.why == "EPERM" and not t.IS_ROOT:
            self.skipTest("the positive control needs root")
        self.assertTrue(control.result == "allowed" or control.why in reached, control.text)
        _, slave = self.terminal()
        answer = scratch.probe("terminal", request, how, stdin=slave, options=["--stdin", "inherit"])
        self.assert_denied(answer, control=control)
        self.assert_violation(answer, "ioctl")

    @both
    def test_input_is_not_pushed(self, who):
        for how in ("plain", "high", "controlling"):
            with self.subTest(how=how):
                self.attempt_terminal(who, TIOCSTI, how)

    @both
    def test_console_is_not_driven(self, who):
        for how in ("plain", "high"):
            with self.subTest(how=how):
                self.attempt_terminal(who, TIOCLINUX, how, reached=("ENOTTY",))

    @both
    def test_no_controlling_terminal(self, who):
        scratch = self.scratch(who)
        master, slave = self.terminal()
        self.assertEqual(scratch.probe_outside("open_write", os.ttyname(slave)).result, "allowed")
        for path in (os.ttyname(slave), "/dev/tty", "/dev/console", "/dev/tty0"):
            self.assert_denied(scratch.probe("open_write", path, stdin=slave, options=["--stdin", "inherit"]))

    def shown(self, argv, user):
        """What a program writes to a terminal."""
        master, slave = self.terminal()
        # Raw: the terminal's own translation of line ends is not what is looked at.
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=t.environment(user), **t.as_user(user))
        process.wait(60)
        os.set_blocking(master, False)
        shown = b""
        try:
            while chunk := os.read(master, 65536):
                shown += chunk
        except BlockingIOError:
            pass
        return shown

    @both
    def test_escape_sequences_do_not_reach_the_terminal(self, who):
        scratch = self.scratch(who)
        command = [scratch.binary, "escapes", "n"]
        self.assertIn(b"\x1b]0;owned\x07", self.shown(command, scratch.user))
        shown = self.shown([t.WARDENV, "run", *scratch.options(), "--", *command], scratch.user)
        self.assertIn(b"before", shown)
        self.assertIn(b"after", shown)
        for evil in (b"\x1b", b"\x07", b"\x9b"):
            self.assertNotIn(evil, shown)
        piped = t.run_wardenv(scratch.options(), command, scratch.user, json_report=False)
        self.assertIn(b"\x1b]0;owned\x07", piped.stdout, "what is not a terminal gets the bytes as they are")


if __name__ == "__main__":
    unittest.main()
