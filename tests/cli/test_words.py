# SPDX-License-Identifier: Apache-2.0
"""What wardenv says when it can't: one line, what is wrong and what to do about it, and nothing in it drives a terminal or looks like another line."""
import contextlib
import os
import pathlib
import pty
import resource
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from wardenv_testing import IS_ROOT, WARDENV, Scratch, environment, eventually, execute, shared_user  # noqa: E402

VENV = ["/usr/bin/python3", "-m", "venv", "--without-pip"]


class WordsTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.scratch.remove)
        self.addCleanup(self.assert_nothing_left)

    def assert_nothing_left(self):
        """No process of ours works in the workspace any more, and no file is there that was not."""
        self.assertTrue(eventually(lambda: not list(self.processes_here())), list(self.processes_here()))
        self.assertLessEqual(set(os.listdir(self.scratch.workspace)), {"probe", ".venv"})

    def processes_here(self):
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{entry}/cwd").startswith(self.scratch.root):
                    yield entry

    def wardenv(self, *arguments, user=None, **more):
        scratch = more.pop("scratch", self.scratch)
        more.setdefault("env", environment(user, scratch.state))
        return execute([WARDENV, *arguments], user, cwd=scratch.workspace, **more)

    def run_it(self, *arguments, **more):
        return self.wardenv("run", *arguments, **more)

    def assert_one_line(self, done, *words, status=125):
        text = done.stderr.decode()
        self.assertEqual(done.returncode, status, text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(text.startswith("wardenv") and text.endswith("\n"), text)
        for word in words:
            self.assertIn(word, text)
        return text

    def assert_says_what_to_do(self, done, *words, status=125):
        what, dash, to_do = self.assert_one_line(done, *words, status=status).partition(" — ")
        self.assertTrue(dash and len(to_do.strip()) > 5, what)


class BadInputTest(WordsTest):
    def test_every_refusal_says_what_to_do(self):
        for arguments, word in [(["--workspace", "/nope"], "/nope"), (["--workspace", ""], "workspace"), (["--workspace", "probe"], "not a folder"),
                                (["--cwd", ".."], "not inside"), (["--cwd", "nope"], "nope"), (["--cwd", "probe"], "not a folder"),
                                (["--policy", "/nope"], "/nope"), (["--policy", "."], "not a regular file"), (["--config", "/nope"], "/nope"),
                                (["--memory", "1"], "512M"), (["--cpu", "0.0001"], "0.01"), (["--tmp-size", "0"], "64M"), (["--tmp-size", "4095"], "64M"),
                                (["--tmp-size", "9223372036854775807"], "64M"), (["--processes", "0"], "64"), (["--env", "PATH=/x"], "PATH")]:
            with self.subTest(arguments=arguments):
                self.assert_says_what_to_do(self.run_it("--no-venv", *arguments, "--", "touch", "ran"), word)
                self.assertFalse(os.path.exists(self.scratch.path("ran")))
        self.assert_says_what_to_do(self.run_it("--no-venv", "--", ""), "no command")

    def test_both_programs_have_the_same_words(self):
        """`wardenv` itself and, where --config is given, wardenv-cli, which is built against another C library."""
        loop, config = (os.path.join(self.scratch.root, name) for name in ("loop", "config.json"))
        os.symlink("loop", loop)
        with open(config, "w", encoding="utf-8") as file:
            file.write("{}")
        for workspace, word in ((loop, "Too many levels of symbolic links"), ("/" + "n" * 300, "File name too long"), ("/dev/null/x", "Not a directory")):
            with self.subTest(word):
                arguments = ["--no-venv", "--workspace", workspace, "--", "true"]
                own, other = self.run_it(*arguments), self.run_it("--config", config, *arguments)
                self.assert_says_what_to_do(own, word)
                self.assertEqual(own.stderr, other.stderr)

    def test_configurations(self):
        for text, word in (("no: yaml", "can't be read as JSON"), ("[]", "can't be read as JSON"), ('{"grant": "a", "grant": "b"}', "can't be read as JSON"),
                           ('{"gran": "a"}', "unknown key `gran`")):
            with self.subTest(text=text):
                path = self.scratch.write(os.path.join(self.scratch.root, "config.json"), text)
                done = self.run_it("--no-venv", "--config", path, "--", "touch", "ran")
                self.assert_says_what_to_do(done, path, word)
                self.assertNotIn(b"arguments of the call", done.stderr)
                self.assertFalse(os.path.exists(self.scratch.path("ran")))

    def test_the_least_cpu_is_a_share_that_the_kernel_takes(self):
        done = self.run_it("--no-venv", "--cpu", "0.01", "--allow-degraded=cpu", "--", "true")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_venvs(self):
        venv = pathlib.Path(self.scratch.path(".venv"))
        subprocess.run([*VENV, str(venv)], check=True)
        for name in ("python", "python3"):
            (venv / "bin" / name).unlink()
        (venv / "bin/python").write_text("not a program")
        self.assert_says_what_to_do(self.run_it("--venv", ".venv", "--", "true"), "not a program")

    def test_a_python_that_can_not_be_reached_is_not_called_gone(self):
        user = shared_user()
        if user.uid == 0:
            self.skipTest("root reaches everything")
        scratch = Scratch(user)
        self.addCleanup(scratch.remove)
        with tempfile.TemporaryDirectory(prefix="wardenv-scratch-", dir="/var/tmp") as closed:
            subprocess.run([*VENV, scratch.path(".venv")], check=True)
            python = pathlib.Path(scratch.path(".venv/bin/python"))
            python.unlink()
            os.symlink("/usr/bin/python3", os.path.join(closed, "python3"))
            python.symlink_to(os.path.join(closed, "python3"))
            os.chmod(closed, 0o755)
            self.assertEqual(self.run_it("--venv", ".venv", "--", "true", user=user, scratch=scratch).returncode, 0)   # it is there
            os.chmod(closed, 0o700 if IS_ROOT else 0)
            done = self.run_it("--venv", ".venv", "--", "true", user=user, scratch=scratch)
            os.chmod(closed, 0o700)
            self.assert_says_what_to_do(done, "can't be reached", "Permission denied")
            self.assertNotIn(b"gone", done.stderr)

    def test_limits_of_our_own(self):
        for files in (5, 12, 20, 32):
            with self.subTest(files=files):
                done = self.run_it("--no-venv", "--", "true", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
                self.assertIn(b"ulimit -n", done.stderr)
                self.assertNotIn(b"doctor", done.stderr)
                self.assertEqual(done.returncode, 125)
                doctor = self.wardenv("doctor", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
                self.assertEqual(doctor.returncode, 1, doctor.stdout)
                self.assertIn(b"ulimit -n", doctor.stdout)

    def test_a_limit_on_processes(self):
        user = shared_user()
        if user.uid == 0:
            self.skipTest("root has no such limit")
        scratch = Scratch(user)
        self.addCleanup(scratch.remove)

        for processes in (1, 2, 3):   # too few for the launcher, for the sandbox, for the command
            with self.subTest(processes=processes):
                few = {"user": user, "scratch": scratch, "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))}
                done = self.run_it("--no-venv", "--", "true", **few)
                self.assert_says_what_to_do(done, "ulimit -u")
                self.assertNotIn(b"doctor", done.stderr)
                self.assertNotIn(b"install", done.stderr)
                doctor = self.wardenv("doctor", **few)
                self.assertEqual(doctor.returncode, 1, doctor.stdout)
                self.assertIn(b"ulimit -u", doctor.stdout)


class ForgedTest(WordsTest):
    UNSEEN = "\u200b\u200f\u202e\u2060\u2066\ufeff\u0085"
    NASTY = "\x1b[31mx\n\nwardenv: all is well\ry\x9b2J" + UNSEEN

    def test_a_name_can_not_forge_a_line(self):
        outside = execute(["/usr/bin/printf", "%s", self.NASTY])
        self.assertIn(b"\x1b[31mx\n\nwardenv: all", outside.stdout)   # such a name can be given
        for arguments, status in [(["--no-venv", "--", self.NASTY], 127), (["--no-venv", "--" + self.NASTY, "--", "true"], 125),
                                  (["--no-venv", "--workspace", self.NASTY, "--", "true"], 125), (["--venv", self.NASTY, "--", "true"], 125),
                                  (["--no-venv", "--memory", self.NASTY, "--", "true"], 125), (["--no-venv", "--env", self.NASTY, "--", "true"], 125)]:
            with self.subTest(arguments=arguments):
                text = self.assert_one_line(self.run_it(*arguments), status=status)
                self.assertFalse(any(ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 or c in self.UNSEEN for c in text.rstrip("\n")), ascii(text))
        for arguments in ([self.NASTY], ["policy", self.NASTY], ["policy", "check", self.NASTY], ["audit", self.NASTY], ["approvals", "show", self.NASTY],
                          ["serve", "--" + self.NASTY]):
            with self.subTest(arguments=arguments):
                done = self.wardenv(*arguments)
                self.assertNotEqual(done.returncode, 0)
                self.assertFalse(set("\x1b" + self.UNSEEN) & set((done.stderr + done.stdout).decode()), done)
                self.assertFalse(any(line.startswith("wardenv: all is well") for line in (done.stderr + done.stdout).decode().splitlines()), done)

    def test_an_argument_can_not_forge_a_step_of_the_plan(self):
        def steps(*argv):
            done = self.wardenv("plan", "--no-venv", "--", *argv)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout.decode()
        honest = steps("true", "x")
        self.assertIn("\narg x\n", honest)
        forged = steps("true", "x\n 99 exec evil\x1b[2J" + self.UNSEEN)
        self.assertEqual(forged.count("\n"), honest.count("\n"))
        self.assertFalse(set("\x1b" + self.UNSEEN) & set(forged), ascii(forged))

    def test_output_on_a_terminal_hides_nothing(self):
        """The same bytes reach a pipe as they are: only who looks at a terminal is spared them. Whole characters stay whole, however they come."""
        write = "import os, time\nfor c in 'a\u20ac\u202eb\U0001f600'.encode():\n os.write(1, bytes([c])); time.sleep(.002)\n"
        raw = self.run_it("--no-venv", "--", "/usr/bin/python3", "-c", write)
        self.assertEqual(raw.stdout.decode(), "a\u20ac\u202eb\U0001f600")
        master, slave = pty.openpty()
        done = subprocess.run([WARDENV, "run", "--no-venv", "--", "/usr/bin/python3", "-c", write], stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE,
                              timeout=60, cwd=self.scratch.workspace, env=environment(None, self.scratch.state))
        os.close(slave)
        shown = os.read(master, 4096)
        os.close(master)
        self.assertEqual((done.returncode, shown.decode()), (0, "a\u20ac\\u202eb\U0001f600"))


class FullTest(WordsTest):
    COMMANDS = [["--help"], ["run", "--help"], ["plan", "--help"], ["plan", "--no-venv", "--", "true"], ["plan", "--no-venv", "--json", "--", "true"],
                ["run", "--no-venv", "--json", "--", "true"], ["doctor", "--help"], ["version"], ["version", "--json"], ["version", "--help"],
                ["completions", "bash"], ["completions", "--help"], ["policy", "--help"], ["policy", "schema"], ["policy", "presets"],
                ["policy", "check", "--help"], ["approvals", "--help"], ["approvals", "list"], ["audit", "--help"], ["serve", "--help"]]

    def test_output_that_is_lost_is_said(self):
        for arguments in self.COMMANDS:
            with self.subTest(arguments=arguments):
                well = self.wardenv(*arguments)
                self.assertEqual((well.returncode, well.stderr), (0, b""))
                self.assertTrue(well.stdout)
                with open("/dev/full", "wb") as full:
                    done = subprocess.run([WARDENV, *arguments], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=60,
                                          cwd=self.scratch.workspace, env=environment(None, self.scratch.state))
                self.assert_says_what_to_do(done, "cannot write to stdout", "No space left")

    def test_the_doctors_too(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([WARDENV, "doctor"], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, timeout=60, cwd=self.scratch.workspace,
                                  env=environment(None, self.scratch.state))
        self.assert_says_what_to_do(done, "cannot write to stdout")


if __name__ == "__main__":
    unittest.main()
