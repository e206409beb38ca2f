# SPDX-License-Identifier: Apache-2.0
"""wardenv approvals: what a person sees, may decide, and what it says otherwise."""
import contextlib
import json
import os
import pty
import select
import shutil
import sqlite3
import stat
import subprocess
import tempfile
import unittest

from wardenv_testing import IS_ROOT, WARDENV, as_user, environment, execute, run_wardenv, shared_user

STORES = os.path.join(os.path.dirname(os.path.realpath(WARDENV)), "wardenv-stores")
CALL = {"tool": "run_in_venv", "arguments": {"command": "rm", "args": ["-r", "build"]}, "grant": "agent", "cwd": "/src/app", "rule": "/tools/run_in_venv"}


class Approvals(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wardenv-approvals-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.state = os.path.join(self.folder, "state")
        self.file = os.path.join(self.state, "approvals.db")

    def wardenv(self, *arguments, **extra):
        return execute([WARDENV, "approvals", *arguments], env=environment(state=self.state, **extra))

    def stores(self, action, call=CALL, *more):
        path = os.path.join(self.folder, "call.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(call, file)
        done = execute([STORES, action, self.file, path, *more])
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode().split()

    def ask(self, call=CALL, timeout=600_000):
        return self.stores("ask", call, str(timeout))[0]

    def test_looking_makes_nothing(self):
        done = self.wardenv("list")
        self.assertEqual((done.returncode, done.stdout), (0, b"nothing waits\n"))
        self.assertEqual(json.loads(self.wardenv("list", "--json").stdout), [])
        self.assertEqual(self.wardenv("approve", "--yes", "x").returncode, 1)
        self.assertFalse(os.path.exists(self.state))

    def test_the_store_is_private(self):
        self.ask()
        self.assertEqual(stat.S_IMODE(os.stat(self.state).st_mode), 0o700)
        for name in os.listdir(self.state):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.state, name)).st_mode), 0o600, name)

    def test_approved_once(self):
        number = self.ask()
        self.assertEqual(self.stores("consume"), ["none"])
        self.assertIn(number, self.wardenv("list").stdout.decode())
        done = self.wardenv("approve", "--yes", number, "--as", "ana")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('runs         "rm" "-r" "build"', done.stdout.decode())
        self.assertEqual(self.stores("consume"), ["taken", number])
        self.assertEqual(self.stores("consume"), ["none"])
        record = json.loads(self.wardenv("show", number, "--json").stdout)
        self.assertEqual((record["state"], record["decided_by"], record["arguments"]), ("consumed", "ana", CALL["arguments"]))
        self.assertEqual(json.loads(self.wardenv("list", "--json").stdout), [])
        self.assertEqual(len(json.loads(self.wardenv("list", "--all", "--json").stdout)), 1)

    def test_who_decided_is_in_the_log(self):
        yes, no = self.ask(), self.ask({**CALL, "cwd": "/elsewhere"})
        self.assertEqual(self.wardenv("approve", "--yes", yes, "--as", "ana").returncode, 0)
        self.assertEqual(self.wardenv("deny", no, "--as", "ben", "--reason", "not there").returncode, 0)
        self.assertEqual(self.wardenv("approve", "--yes", no, "--as", "eve").returncode, 1)   # decides nothing, so it leaves nothing
        done = execute([WARDENV, "audit", "show", "--json"], env=environment(state=self.state))
        events = [record for record in map(json.loads, done.stdout.splitlines()) if record["event"] == "approval"]
        self.assertEqual([(record["details"]["id"], record["details"]["by"], record["decision"], record.get("reason")) for record in events],
                         [(yes, "ana", "allow", None), (no, "ben", "deny", "not there")])
        self.assertEqual([len(record["details"]["fingerprint"]) for record in events], [64, 64])
        self.assertEqual(execute([WARDENV, "audit", "verify"], env=environment(state=self.state)).returncode, 0)

    def test_nothing_is_approved_that_can_not_be_written_down(self):
        number = self.ask()
        os.makedirs(self.state, exist_ok=True)
        log = os.path.join(self.state, "audit")
        with open(log, "w", encoding="utf-8"):
            pass
        self.assertEqual(self.wardenv("approve", "--yes", number).returncode, 125)
        self.assertEqual(self.stores("consume"), ["none"])
        os.unlink(log)
        self.assertEqual(self.wardenv("approve", "--yes", number).returncode, 0)
        self.assertEqual(self.stores("consume"), ["taken", number])

    def test_a_yes_that_comes_too_late_is_taken_back_in_the_log(self):
        number = self.ask()
        denied = lambda: self.assertEqual(self.wardenv("deny", number, "--as", "ben").returncode, 0)
        status, seen = self.answer(number, b"y\n", "--as", "ana", meanwhile=denied)
        self.assertEqual(status, 1, seen)
        self.assertIn(b"it is denied (decided by `ben`)", seen)
        self.assertEqual(self.stores("consume"), ["none"])
        other = self.ask({**CALL, "cwd": "/elsewhere"})
        self.assertEqual(self.answer(other, b"y\n", "--as", "ana")[0], 0)   # the control
        done = execute([WARDENV, "audit", "show", "--json"], env=environment(state=self.state))
        events = [(record["details"]["id"], record["details"]["by"], record["decision"], record.get("reason", "")[:22])
                  for record in map(json.loads, done.stdout.splitlines()) if record["event"] == "approval"]
        self.assertEqual(events, [(number, "ben", "deny", ""), (number, "ana", "allow", ""), (number, "ana", "deny", "not approved after all"), (other, "ana", "allow", "")])
        self.assertEqual(execute([WARDENV, "audit", "verify"], env=environment(state=self.state)).returncode, 0)

    @unittest.skipUnless(IS_ROOT, "needs two users")
    def test_root_decides_for_the_user_whose_state_it_is(self):
        number = self.ask()
        user = shared_user()
        os.chmod(self.folder, 0o755)
        for folder, _, names in os.walk(self.state):
            for path in [folder, *(os.path.join(folder, name) for name in names)]:
                os.chown(path, user.uid, user.gid)
        self.assertEqual(self.wardenv("approve", "--yes", number).returncode, 0)
        for folder, _, names in os.walk(self.state):
            for path in [folder, *(os.path.join(folder, name) for name in names)]:
                self.assertEqual(os.stat(path).st_uid, user.uid, path)

    def test_denied_is_final(self):
        number = self.ask()
        self.assertEqual(self.wardenv("deny", number, "--reason", "not there", "--as", "ana").returncode, 0)
        self.assertEqual(self.stores("consume"), ["none"])
        done = self.wardenv("approve", "--yes", number)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not pending: it is denied (decided by `ana`)", done.stderr.decode())
        self.assertEqual(self.stores("ask", CALL, "1000"), [number, "denied"])
        self.assertIn('"not there"', self.wardenv("show", number).stdout.decode())

    def test_expired_is_not_approved(self):
        number = self.ask(timeout=1)
        other = self.ask({**CALL, "cwd": "/elsewhere"})
        self.assertEqual(self.wardenv("approve", "--yes", number).returncode, 1)
        self.assertEqual(self.stores("consume"), ["none"])
        self.assertEqual(self.wardenv("approve", "--yes", other).returncode, 0)   # the control

    def test_what_hides_is_shown(self):
        number = self.ask({**CALL, "arguments": {"command": "sh", "args": ["-c", "echo \u202eok\u0007\x1b[2K\n  for grant    \"root\""]}})
        text = self.wardenv("show", number).stdout.decode()
        self.assertIn(r"echo \u202eok\u0007\u001b[2K\n  for grant", text)
        self.assertTrue(all(32 <= ord(c) < 127 or c == "\n" for c in text), text)

    def answer(self, number, answer, *options, meanwhile=lambda: None):
        """`approve` at a terminal, where `meanwhile` happens before the person answers: exit status, and what the person saw."""
        ours, theirs = pty.openpty()
        child = subprocess.Popen([WARDENV, "approvals", "approve", number, *options], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(state=self.state))
        os.close(theirs)
        seen = b""
        while select.select([ours], [], [], 30)[0]:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            if not part:
                break
            before, seen = seen, seen + part
            if b"[y/N]" in seen and b"[y/N]" not in before:
                meanwhile()
                os.write(ours, answer)
        os.close(ours)
        return child.wait(30), seen

    def test_a_terminal_is_asked(self):
        for answer, status in ((b"n\n", 1), (b"\n", 1), (b"y\n", 0)):
            number = self.ask()
            ended, seen = self.answer(number, answer)
            self.assertEqual(ended, status, seen)
            self.assertIn(b"Approve exactly this, once?", seen)
        self.assertEqual(self.stores("consume"), ["taken", number])

    def test_without_a_terminal_nothing_is_approved_by_accident(self):
        number = self.ask()
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        os.write(ours, b"y\n")
        for stdin in ({"input": b""}, {"input": b"y\n"}, {"stdin": theirs}):   # nothing to read, an answer that no person gave, a person who does not see
            done = subprocess.run([WARDENV, "approvals", "approve", number], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(state=self.state), **stdin)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(b'runs         "rm" "-r" "build"', done.stdout)
            self.assertIn(b"not approved; it still waits", done.stdout)
            self.assertIn(b"there is no terminal to ask at", done.stderr)
            self.assertIn(b"--yes", done.stderr)
        self.assertEqual(self.stores("consume"), ["none"])
        log = execute([WARDENV, "audit", "show", "--json"], env=environment(state=self.state)).stdout
        self.assertNotIn(b'"approval"', log)
        self.assertEqual(self.wardenv("approve", number, "--yes").returncode, 0)   # the control
        self.assertEqual(self.stores("consume"), ["taken", number])

    def test_a_missing_id_is_named(self):
        for action in ("show", "approve", "deny"):
            done = self.wardenv(action)
            self.assertEqual(done.returncode, 125, done)
            self.assertIn(f"`{action}` needs the ID of an approval", done.stderr.decode())
            self.assertIn("wardenv approvals list", done.stderr.decode())

    def test_options_that_do_not_fit_are_refused(self):
        number = self.ask()
        for arguments in (["approve"], ["list", number], ["frobnicate"], ["show", number, "--all"], ["list", "--reason", "x"], ["deny", number, "--yes"],
                          ["approve", number, "--json"], ["show", number, "other"]):
            done = self.wardenv(*arguments)
            self.assertEqual(done.returncode, 125, arguments)
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertEqual(self.stores("consume"), ["none"])
        self.assertEqual(self.wardenv("--help").returncode, 0)

    def test_a_damaged_store_says_so(self):
        number = self.ask()
        self.assertEqual(self.wardenv("show", number).returncode, 0)
        with contextlib.closing(sqlite3.connect(self.file)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")   # or the store would still be whole in its log
        with open(self.file, "r+b") as file:
            file.write(b"this is no database.")
        done = self.wardenv("approve", "--yes", number)
        self.assertEqual(done.returncode, 125)
        self.assertIn("is damaged", done.stderr.decode())
        self.assertIn("move it away", done.stderr.decode())

    def test_a_record_that_was_changed_is_not_approved(self):
        number = self.ask()
        with sqlite3.connect(self.file) as database:
            database.execute("UPDATE approval SET cwd = '/'")
        database.close()
        done = self.wardenv("approve", "--yes", number)
        self.assertEqual(done.returncode, 125)
        self.assertIn("fingerprint", done.stderr.decode())

    def test_a_folder_that_others_may_write_to_is_refused(self):
        number = self.ask()
        os.chmod(self.state, 0o777)
        done = self.wardenv("approve", "--yes", number)
        self.assertEqual(done.returncode, 125)
        self.assertIn("others may write", done.stderr.decode())
        os.chmod(self.state, 0o700)
        self.assertEqual(self.wardenv("approve", "--yes", number).returncode, 0)

    @unittest.skipUnless(IS_ROOT, "needs two users")
    def test_another_users_folder_is_refused(self):
        number = self.ask()
        user = shared_user()
        for mode in (0o700, 0o755):
            os.chmod(self.folder, 0o755)
            os.chmod(self.state, mode)
            done = subprocess.run([WARDENV, "approvals", "approve", number, "--yes"], capture_output=True, env=environment(user, self.state), **as_user(user))
            self.assertEqual(done.returncode, 125, done.stderr)
            self.assertIn(b"wardenv: ", done.stderr)
            self.assertEqual(done.stderr.count(b"\n"), 1)
        os.chmod(self.state, 0o700)
        self.assertEqual(self.stores("consume"), ["none"])


class ApprovedRuns(unittest.TestCase):
    """Attacks of a caller that got one approval: another workspace, environment or program under the same words."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wardenv-approvals-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.policy = os.path.join(self.folder, "policy.json")
        with open(self.policy, "w", encoding="utf-8") as file:
            json.dump({"version": "1", "default": "deny", "tools": {"run_in_venv": {"action": "require_approval"}}}, file)
        self.project = os.path.join(self.folder, "big", "proj")
        os.makedirs(self.project)
        with open(os.path.join(self.folder, "big", "secret"), "w", encoding="utf-8") as file:
            file.write("kept")
        self.env = environment(state=os.path.join(self.folder, "state"))

    def run_it(self, options, *command):
        return run_wardenv(["--policy", self.policy, *options], list(command), env=self.env)

    def approved(self, options, *command):
        """Asks, checks that it waits, and approves. What the person was shown."""
        self.assertEqual(self.run_it(options, *command).status, 75)
        waits, = [item for item in json.loads(execute([WARDENV, "approvals", "list", "--json"], env=self.env).stdout) if item["state"] == "pending"]
        done = execute([WARDENV, "approvals", "approve", "--yes", waits["id"]], env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return waits, done.stdout.decode()

    def venv(self, name, text):
        path = os.path.join(self.folder, name)
        subprocess.run(["python3", "-m", "venv", "--without-pip", path], check=True)
        self.program(path, text)
        return path

    def program(self, venv, text):
        path = os.path.join(venv, "bin", "tool")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho {text}\n")
        os.chmod(path, 0o755)
        return path

    def test_another_workspace_waits_anew(self):
        command = ["ls", ".."]
        shown, text = self.approved(["--no-venv", "--workspace", self.project], *command)
        self.assertEqual((shown["workspace"], shown["cwd"], shown["venv"]), (self.project, self.project, ""))
        self.assertIn(f'workspace    "{self.project}"', text)
        self.assertIn('\n    network = "none"\n', text)
        self.assertEqual((shown["granted"]["access"], shown["granted"]["memory"]), ("direct", "512M"))
        wider = self.run_it(["--no-venv", "--workspace", os.path.dirname(self.project), "--cwd", "proj"], *command)
        self.assertEqual(wider.status, 75, wider)
        self.assertNotIn("secret", wider.text)
        again = self.run_it(["--no-venv", "--workspace", self.project], *command)   # the control: what was shown passes
        self.assertEqual(again.status, 0, again)

    def test_standard_input_is_nothing_that_a_person_was_shown(self):
        with open(self.policy, "w", encoding="utf-8") as file:
            json.dump({"version": "1", "default": "deny", "profiles": {"p": {"stdin": "inherit"}},
                       "tools": {"run_in_venv": {"action": "require_approval", "profile": "p"}}}, file)
        plain = ["--no-venv", "--workspace", self.project]
        options = [*plain, "--stdin", "null"]
        run = self.run_it(plain, "sh")
        self.assertEqual((run.status, run.report["decision"]["effect"]), (77, "deny"), run)
        self.assertIn("--stdin null", run.report["decision"]["reason"])
        self.assertEqual(json.loads(execute([WARDENV, "approvals", "list", "--json"], env=self.env).stdout), [])   # nobody is asked in vain
        self.approved(options, "sh")
        argv = [WARDENV, "run", "--policy", self.policy, *plain, "--", "sh"]
        with open(os.path.join(self.folder, "input"), "w+b") as file:
            file.write(b"touch ran; echo SEEN")
            file.seek(0)
            done = execute(argv, env=self.env, stdin=file)
        self.assertEqual((done.returncode, b"SEEN" in done.stdout), (77, False), done)
        self.assertFalse(os.path.exists(os.path.join(self.project, "ran")))
        self.assertEqual(self.run_it(options, "sh").status, 0)   # the control: what was approved, with no input

    def test_another_environment_waits_anew(self):
        first, second = self.venv("v2", "FIRST"), self.venv("v3", "SECOND")
        options = ["--workspace", self.project, "--venv"]
        shown, _ = self.approved([*options, first], "tool")
        self.assertEqual((shown["venv"], shown["program"]), (first, os.path.join(first, "bin", "tool")))
        link = os.path.join(self.folder, "link")
        for other in ([*options, second], ["--workspace", self.project, "--no-venv"]):
            run = self.run_it(other, "tool")
            self.assertIn(run.status, (75, 127), run)
            self.assertNotIn("SECOND", run.text)
        os.symlink(second, link)
        self.assertEqual(self.run_it([*options, link], "tool").status, 75)
        self.assertEqual(self.run_it([*options, first], "tool").text, "FIRST\n")   # the control

    def test_another_program_of_the_name_waits_anew(self):
        venv = self.venv("v", "BEFORE")
        options = ["--workspace", self.project, "--venv", venv]
        self.approved(options, "tool")
        self.program(venv, "AFTER")
        run = self.run_it(options, "tool")
        self.assertEqual(run.status, 75, run)
        self.assertNotIn("AFTER", run.text)
        self.approved(options, "tool")
        self.assertEqual(self.run_it(options, "tool").text, "AFTER\n")   # the control

    def test_another_file_at_the_path_waits_anew(self):
        path = os.path.join(self.project, "step")

        def write(text):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"#!/bin/sh\necho {text}\n")
            os.chmod(path, 0o755)
        options = ["--no-venv", "--workspace", self.project]
        for command in ("./step", path):
            write("BEFORE")
            shown, text = self.approved(options, command)
            self.assertEqual(shown["program"], path)
            self.assertIn(f'program      "{path}" as "', text)
            write("AFTER")
            run = self.run_it(options, command)
            self.assertEqual(run.status, 75, run)
            self.assertNotIn("AFTER", run.text)
            self.approved(options, command)
            self.assertEqual(self.run_it(options, command).text, "AFTER\n")   # the control


if __name__ == "__main__":
    unittest.main()
