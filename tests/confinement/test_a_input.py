# SPDX-License-Identifier: Apache-2.0
"""Section A: the standard streams: what a command can do to what its input comes from, and what it gets where they are closed."""
import itertools
import json
import os
import pty
import select
import shlex
import socket
import termios
import unittest

import wardenv_testing as t
from battery import Battery, both, fingerprint

LAUNCHER = os.path.join(os.path.dirname(os.path.realpath(t.WARDENV)), "wardenv-launcher")
INHERIT = ("--stdin", "inherit")
EVIL = "\x1b]0;owned\x07"
COMBINATIONS = [some for count in (1, 2, 3) for some in itertools.combinations((0, 1, 2), count)]


def without(fds, argv):
    """A shell's command that starts `argv` with these descriptors closed."""
    return ["/bin/sh", "-c", shlex.join(argv) + "".join(f" {fd}>&-" for fd in fds)]


class ClosedStreams(Battery):
    """The next socket gets the number of a closed stream. The launcher's would be the way out: whoever has it says what is run, and where."""

    def setUp(self):
        self.control = t.Scratch()
        self.addCleanup(self.control.remove)

    def attack(self, scratch, marker):
        """Says into a file of the workspace what came of it, as the streams are what is closed."""
        answer = scratch.path("answer")
        script = f"exec {shlex.join([scratch.binary, 'order_launcher', 'nonce', marker])} > {shlex.quote(answer)}"
        return ["/bin/sh", "-c", script], answer

    def check(self, scratch, argv, answer, marker, refused=False):
        done = t.execute(argv, scratch.user, env=t.environment(scratch.user, scratch.state), cwd=scratch.workspace)
        self.assertFalse(os.path.exists(marker), "a command ran outside of the sandbox")
        if refused:
            self.assertEqual(done.returncode, 125, done)
            self.assertFalse(os.path.exists(answer), "it was refused, and ran")
            return
        text = open(answer).read()
        self.assertIn("NONCE nonce", text, done)
        self.assertIn("RESULT denied", text)
        self.assertEqual(done.returncode, 0, done)
        os.remove(answer)

    def check_all(self, who, program):
        scratch = self.scratch(who)
        marker = os.path.join(scratch.root, "escaped")
        obeyed = self.control.probe_outside("order_launcher", marker, LAUNCHER)
        self.assertEqual(obeyed.result, "allowed", obeyed)
        os.remove(marker)
        command, answer = self.attack(scratch, marker)
        for closed in COMBINATIONS:
            for inherits in (False, True):
                with self.subTest(closed=closed, inherits=inherits):
                    self.check(scratch, without(closed, [*program(scratch, inherits), "--", *command]), answer, marker, refused=inherits and 0 in closed)

    def check_run(self, who, *options):
        self.check_all(who, lambda scratch, inherits: [t.WARDENV, "run", *scratch.options(*options, "--stdin", "inherit" if inherits else "null")])

    @both
    def test_the_launcher_takes_no_orders_from_inside(self, who):
        self.check_run(who)

    @both
    def test_nor_where_the_run_is_judged(self, who):
        """There the log, the stores and a hook's streams are opened before."""
        policy = os.path.join(self.control.root, "policy.json")
        self.control.write(policy, json.dumps({
            "version": "1", "default": "deny", "tools": {"run_in_venv": {"profile": "reader"}}, "profiles": {"reader": {"stdin": "inherit"}},
            "hooks": [{"name": "yes", "event": "before_run", "run": ["/bin/sh", "-c", "cat > /dev/null; echo '{\"decision\": \"allow\"}'"]}]}), mode=0o644)
        os.chmod(self.control.root, 0o755)
        self.check_run(who, "--policy", policy)

    @both
    def test_nor_with_a_proxy(self, who):
        self.check_run(who, "--allow-host", "host.example")

    @both
    def test_nor_where_the_library_is_used(self, who):
        """wardenv-walls does nothing about its streams itself."""
        self.check_all(who, lambda scratch, inherits: [t.WALLS, "--walls", "all", "--workspace", scratch.workspace, *(["--stdin-inherit"] if inherits else [])])

    @both
    def test_the_launcher_obeys_nobody_but_who_started_it(self, who):
        scratch = self.scratch(who)
        marker = scratch.path("marker")
        self.assertEqual(scratch.probe_outside("order_launcher", marker, LAUNCHER, user=scratch.user).result, "allowed")
        os.remove(marker)
        self.assert_denied(scratch.probe_outside("order_launcher", marker, LAUNCHER, "by a child", user=scratch.user))
        self.assertFalse(os.path.exists(marker))

    @both
    def test_what_a_command_writes_is_lost_loudly(self, who):
        scratch = self.scratch(who)
        begin = [t.WARDENV, "run", *scratch.options(), "--", "/bin/sh", "-c"]

        def run(closed, script):
            return t.execute(without(closed, [*begin, script]), scratch.user, env=t.environment(scratch.user, scratch.state))

        for closed in COMBINATIONS:
            with self.subTest(closed=closed):
                self.assertEqual(run(closed, "exit 7").returncode, 7, "where nothing is written, nothing is lost")
                for fd in (1, 2):
                    done = run(closed, f"echo written >&{fd}; exit 0")
                    self.assertEqual(done.returncode, 125 if fd in closed else 0, done)
        done = run((0, 2), "printf 12345678 >&2; sleep 0.2; echo alive")
        self.assertEqual((done.returncode, done.stdout), (125, b"alive\n"), "output goes nowhere but where it belongs")


class Input(Battery):
    def open(self, path, flags):
        fd = os.open(path, flags)
        self.addCleanup(os.close, fd)
        return fd

    def terminal(self):
        """Raw, and without echo: what its other side shows was written."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        settings = termios.tcgetattr(slave)
        settings[1] &= ~termios.OPOST
        settings[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        return master, slave

    def shown(self, master):
        return os.read(master, 65536) if select.select([master], [], [], 0)[0] else b""

    @both
    def test_a_terminal_is_not_written_to(self, who):
        scratch = self.scratch(who)
        master, slave = self.terminal()
        for act in ("write", "write_again"):
            with self.subTest(act=act):
                control = scratch.probe_outside("input", act, EVIL, stdin=slave)
                self.assertEqual((control.result, self.shown(master)), ("allowed", EVIL.encode()), control)
                answer = scratch.probe("input", act, EVIL, stdin=slave, options=INHERIT)
                self.assertTrue(answer.began, answer.run)
                self.assertEqual(self.shown(master), b"", "it drives the terminal")

    @both
    def test_a_terminal_is_not_set(self, who):
        scratch = self.scratch(who)
        _, slave = self.terminal()
        before = termios.tcgetattr(slave)
        self.assertEqual(scratch.probe_outside("input", "settings", stdin=slave).result, "allowed")
        self.assertNotEqual(termios.tcgetattr(slave), before)
        termios.tcsetattr(slave, termios.TCSANOW, before)
        self.assert_denied(scratch.probe("input", "settings", stdin=slave, options=INHERIT))
        self.assertEqual(termios.tcgetattr(slave), before)

    @both
    def test_a_file_stays_as_it_is(self, who):
        scratch = self.scratch(who)
        path = scratch.write(os.path.join(scratch.root, "input"), "text", mode=0o600)
        for act in (("chmod",), ("setxattr",), ("utimes",), ("write_again", EVIL)):
            with self.subTest(act=act[0]):
                before = fingerprint(path)
                answer = scratch.probe("input", *act, stdin=self.open(path, os.O_RDONLY), options=INHERIT)
                self.assertTrue(answer.began, answer.run)
                self.assertEqual(fingerprint(path), before, "it was changed through the input")
                control = scratch.probe_outside("input", *act, stdin=self.open(path, os.O_RDONLY))
                self.assertEqual(control.result, "allowed", control)
                self.assertNotEqual(fingerprint(path), before)

    @both
    def test_a_folder_is_refused(self, who):
        """fchdir(2) there would be a way around every mount."""
        scratch = self.scratch(who)
        for path in ("/", scratch.root):
            for flags in (os.O_RDONLY, os.O_PATH):
                folder = self.open(path, flags)
                self.assertEqual(scratch.probe_outside("descriptor_climb", stdin=folder).result, "allowed")
                run = scratch.run([scratch.binary, "descriptor_climb", "n"], *INHERIT, stdin=folder)
                self.assertEqual((run.status, run.report["outcome"]), (125, "setup_failed"), run)
                self.assertIn("standard input", run.report["error"]["message"])

    @both
    def test_what_is_not_open_for_reading_is_refused(self, who):
        scratch = self.scratch(who)
        path = scratch.write("readable", "text")
        run = scratch.run(["/bin/cat"], *INHERIT, stdin=self.open(path, os.O_RDONLY))
        self.assertEqual((run.status, run.text), (0, "text"), run)
        for flags in (os.O_WRONLY, os.O_PATH):
            run = scratch.run(["/bin/cat"], *INHERIT, stdin=self.open(path, flags))
            self.assertEqual((run.status, run.report["outcome"]), (125, "setup_failed"), run)

    @both
    def test_a_socket_is_read_and_nothing_else(self, who):
        scratch = self.scratch(who)
        for inside in (False, True):
            ours, theirs = socket.socketpair()
            self.addCleanup(ours.close)
            self.addCleanup(theirs.close)
            if inside:
                answer = scratch.probe("input", "write", EVIL, stdin=theirs.fileno(), options=INHERIT)
                self.assert_denied(answer)
            else:
                answer = scratch.probe_outside("input", "write", EVIL, stdin=theirs.fileno())
                self.assertEqual(answer.result, "allowed", answer)
            ours.setblocking(False)
            if inside:
                self.assertRaises(BlockingIOError, ours.recv, 64)
            else:
                self.assertEqual(ours.recv(64), EVIL.encode())


if __name__ == "__main__":
    unittest.main()
