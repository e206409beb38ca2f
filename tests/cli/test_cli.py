# SPDX-License-Identifier: Apache-2.0
"""The command line: exit statuses of the contract, bad input in one line, nothing started and nothing left."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BIN = os.environ["WARDENV_BIN"]


def wardenv(*arguments, cwd, env=None, stdin=subprocess.DEVNULL):
    return subprocess.run([BIN, *arguments], cwd=cwd, env=env, stdin=stdin, capture_output=True, text=True, timeout=60)


class CliTest(unittest.TestCase):
    def setUp(self):
        self.workspace = tempfile.mkdtemp(prefix="wardenv-cli.")
        self.addCleanup(shutil.rmtree, self.workspace, True)
        self.addCleanup(shutil.rmtree, self.workspace + ".state", True)

    def run_it(self, *arguments, **more):
        return wardenv("run", *arguments, cwd=self.workspace, **more)

    def report(self, *arguments, **more):
        done = self.run_it("--json", *arguments, **more)
        return done.returncode, json.loads(done.stdout)

    def assert_refused(self, done, *words):
        self.assertEqual(done.returncode, 125, done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("wardenv: "), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


class ExitStatusTest(CliTest):
    def test_the_commands_own(self):
        for status in (0, 1, 42, 255):
            self.assertEqual(self.run_it("--no-venv", "--", "sh", "-c", f"exit {status}").returncode, status)

    def test_signals(self):
        self.assertEqual(self.run_it("--no-venv", "--", "sh", "-c", "kill -KILL $$").returncode, 137)
        self.assertEqual(self.run_it("--no-venv", "--", "sh", "-c", "kill -TERM $$").returncode, 143)

    def test_timeout(self):
        status, report = self.report("--no-venv", "--timeout", "300ms", "--", "sleep", "60")
        self.assertEqual((status, report["outcome"], report["exit_code"]), (124, "timed_out", None))

    def test_not_found_and_not_executable(self):
        self.assertEqual(self.run_it("--no-venv", "--", "no-such-command").returncode, 127)
        pathlib.Path(self.workspace, "text").write_text("hello")
        self.assertEqual(self.run_it("--no-venv", "--", "./text").returncode, 126)
        script = pathlib.Path(self.workspace, "script")
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        done = self.run_it("--no-venv", "--", "./script")
        self.assertEqual(done.returncode, 126)
        self.assertIn("interpreter", done.stderr)


    def test_what_can_not_be_executed_is_passed_over_in_the_search(self):
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", self.workspace + "/.venv"], check=True)
        venv = pathlib.Path(self.workspace, ".venv/bin")
        (venv / "seq").write_text("not a program")
        (venv / "printf").mkdir()
        (venv / "own").write_text("not a program")
        (venv / "tac").write_text("#!/no/such/interpreter\n")
        (venv / "tac").chmod(0o755)
        for command, text in [(["seq", "1"], "1\n"), (["printf", "x"], "x"), (["tac", "/etc/group"], None)]:
            with self.subTest(command=command):
                done = self.run_it("--venv", ".venv", "--", *command)
                self.assertEqual(done.returncode, 0, done.stderr)
                if text:
                    self.assertEqual(done.stdout, text)
        self.assertEqual(self.run_it("--venv", ".venv", "--", "own").returncode, 126)   # there, and nothing else of that name
        (venv / "seq").write_text("#!/bin/sh\necho the venv\n")
        (venv / "seq").chmod(0o755)
        self.assertEqual(self.run_it("--venv", ".venv", "--", "seq", "1").stdout, "the venv\n")


class ReportTest(CliTest):
    KEYS = ["run_id", "outcome", "exit_code", "signal", "stdout", "stderr", "stdout_bytes", "stderr_bytes", "stdout_truncated",
            "stderr_truncated", "usage", "violations", "enforced", "decision", "tier", "error"]

    def test_has_the_contracts_keys(self):
        _, report = self.report("--no-venv", "--", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual(list(report), self.KEYS)
        self.assertEqual((report["stdout"], report["stderr"], report["stdout_bytes"]), ("out\n", "err\n", 4))
        self.assertEqual(report["enforced"]["namespaces"], ["user", "mount", "pid", "network", "ipc", "uts", "cgroup"])

    def test_signal_by_name(self):
        _, report = self.report("--no-venv", "--", "sh", "-c", "kill -KILL $$")
        self.assertEqual((report["outcome"], report["signal"], report["exit_code"]), ("signaled", "SIGKILL", None))

    def test_output_past_the_limit_keeps_head_and_tail(self):
        _, report = self.report("--no-venv", "--output-limit", "1K", "--", "sh", "-c", "echo HEAD; seq 100000; echo TAIL")
        self.assertTrue(report["stdout_truncated"])
        self.assertTrue(report["stdout"].startswith("HEAD\n") and report["stdout"].endswith("TAIL\n"))
        self.assertEqual(report["stdout_bytes"], 588905)
        self.assertLess(len(report["stdout"]), 1200)

    def test_more_output_than_the_host_can_keep_is_refused(self):
        asked = ["--no-venv", "--output-limit", "{}", "--", "sh", "-c", "echo ran"]
        status, report = self.report(*[word.format("100000G") for word in asked])
        self.assertEqual((status, report["outcome"], report["error"]["code"], report["stdout"]), (125, "setup_failed", "bad_input", ""))
        self.assertIn("at most", report["error"]["hint"])
        self.assertEqual(self.report(*[word.format("4M") for word in asked])[1]["stdout"], "ran\n")

    def test_bytes_that_are_not_utf8(self):
        _, report = self.report("--no-venv", "--", "printf", r"a\377b")
        self.assertEqual(report["stdout"], "a\ufffdb")
        self.assertEqual(report["stdout_base64"], "Yf9i")

    def test_bad_input_is_a_report_too(self):
        status, report = self.report("--no-venv", "--memory", "12Q", "--", "true")
        self.assertEqual((status, report["outcome"], report["error"]["code"]), (125, "setup_failed", "bad_input"))

    def test_relay_without_json(self):
        done = self.run_it("--no-venv", "--output-limit", "1K", "--", "sh", "-c", "echo HEAD; seq 100000; echo TAIL")
        self.assertTrue(done.stdout.startswith("HEAD\n") and done.stdout.endswith("TAIL\n"))
        self.assertIn("bytes omitted]", done.stdout)


class BadInputTest(CliTest):
    def test_options(self):
        for arguments, word in [(["--bogus", "--", "true"], "--bogus"), (["--memory", "12Q", "--", "true"], "512M"),
                                (["--memory", "-1", "--", "true"], "--memory"), (["--timeout", "5", "--", "true"], "30s"),
                                (["--timeout", "0s", "--", "true"], "30s"), (["--cpu", "nan", "--", "true"], "1.5"),
                                (["--processes", "0", "--", "true"], "64"), (["--access", "write", "--", "true"], "read-only"),
                                (["--network", "some", "--", "true"], "none"), (["--stdin", "x", "--", "true"], "null"),
                                (["--memory", "99999999999999999999G", "--", "true"], "512M"), (["--memory"], "--memory"),
                                (["--memory", "64M", "--memory", "65M", "--", "true"], "--memory"),
                                (["--env", "A", "--", "true"], "--env"), (["--allow-degraded", "x", "--", "true"], "cpu"),
                                (["--memory", "1K", "--", "true"], "memory"), ([], "no command"), (["--"], "no command"),
                                (["--", ""], "no command")]:
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_it("--no-venv", *arguments), word)
        control = self.run_it("--no-venv", "--memory", "512M", "--timeout", "30s", "--cpu", "1", "--processes", "64", "--access", "read-only", "--network", "none",
                              "--stdin", "null", "--env", "A=1", "--allow-degraded", "cpu", "--", "true")
        self.assertEqual(control.returncode, 0, control)

    def test_an_empty_name_is_not_none(self):
        for option in ("--policy", "--profile", "--grant", "--config"):
            for spelt in ([option, ""], [option + "="]):
                with self.subTest(spelt=spelt):
                    self.assert_refused(self.run_it("--no-venv", *spelt, "--", "/usr/bin/touch", "ran"), option)
        for option in ("--policy", "--grant", "--config", "--workspace"):
            done = wardenv("serve", "--stdio", option, "", cwd=self.workspace)
            self.assertEqual((done.returncode, option in done.stderr), (125, True), done)
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))

    def test_the_first_process_inside_shows_nothing_of_our_command_line(self):
        show = ["/bin/sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline; echo; tr '\\0' ' ' < /proc/$$/cmdline"]
        for judged in (False, True):
            options = ["--no-venv", "--timeout", "29s"]
            if judged:
                policy = os.path.join(self.workspace, "p.json")
                with open(policy, "w", encoding="utf-8") as file:
                    json.dump({"version": "1", "default": "allow", "tools": {}}, file)
                options += ["--policy", policy]
            done = self.run_it(*options, "--", *show)
            self.assertEqual(done.returncode, 0, done)
            first, own = done.stdout.split("\n")[:2]
            self.assertEqual(first.strip(), "wardenv-launcher", done)
            self.assertIn("cmdline", own)   # control: a command line can be read

    def test_what_is_not_there_yet_is_refused(self):
        for arguments in (["--access", "captured"],):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_it("--no-venv", *arguments, "--", "true"), "not available in this version")
        for command in ("diff", "apply", "discard"):
            done = wardenv(command, cwd=self.workspace)
            self.assertEqual(done.returncode, 125)
            self.assertIn("not available in this version", done.stderr)

    def test_environment(self):
        for variable in ("LD_PRELOAD=/x.so", "PYTHONPATH=/x", "PYTHONSTARTUP=x", "BASH_ENV=x", "GIT_SSH_COMMAND=x", "http_proxy=x", "PATH=/x",
                         "HOME=/x", "=x", "A B=1", "BASH_FUNC_x%%=() { :; }", "GLIBC_TUNABLES=x", "GCONV_PATH=x"):
            with self.subTest(variable=variable):
                self.assert_refused(self.run_it("--no-venv", "--env", variable, "--", "true"), "--" if "=" not in variable else "environment variable")
        self.assert_refused(self.run_it("--no-venv", "--env", "A=1", "--env", "A=2", "--", "true"), "twice")
        _, report = self.report("--no-venv", "--env", "A=1", "--env", "PYTHONHASHSEED=0", "--", "sh", "-c", "echo $A $PYTHONHASHSEED")
        self.assertEqual(report["stdout"], "1 0\n")

    def test_folders(self):
        outside = tempfile.mkdtemp(prefix="wardenv-outside.")
        self.addCleanup(shutil.rmtree, outside, True)
        os.symlink(outside, os.path.join(self.workspace, "out"))
        pathlib.Path(self.workspace, "file").write_text("")
        for arguments, word in [(["--workspace", "/"], "workspace"), (["--workspace", "/usr"], "system"), (["--workspace", "/etc/ssl"], "system"),
                                (["--workspace", "/no/such"], "No such file"), (["--workspace", "file"], "not a folder"),
                                (["--workspace", "out"], "symbolic link"), (["--cwd", "out"], "not inside"), (["--cwd", ".."], "not inside"),
                                (["--cwd", "/"], "not inside"), (["--cwd", "nowhere"], "No such file"), (["--cwd", "file"], "not a folder"),
                                (["--workspace", "/tmp"], "workspace")]:
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_it("--no-venv", *arguments, "--", "true"), word)
        os.mkdir(os.path.join(self.workspace, "inside"))
        for arguments in (["--cwd", "inside"], ["--workspace", "inside"]):   # the controls
            self.assertEqual(self.run_it("--no-venv", *arguments, "--", "true").returncode, 0, arguments)

    def test_a_state_folder_that_is_not_in_use_in_the_workspace(self):
        environment = {**os.environ, "WARDENV_STATE": self.workspace + ".state", "XDG_STATE_HOME": self.workspace}
        self.assertEqual(self.run_it("--no-venv", "--", "true", env=environment).returncode, 0)
        os.mkdir(os.path.join(self.workspace, "wardenv"))   # anybody's
        self.assertEqual(self.run_it("--no-venv", "--", "true", env=environment).returncode, 0)
        os.mkdir(os.path.join(self.workspace, "wardenv", "audit"))
        self.assert_refused(self.run_it("--no-venv", "--", "touch", "ran", env=environment), "state folder")
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))

    def test_a_state_folder_that_is_not_there_yet_behind_a_link(self):
        os.symlink(self.workspace, self.workspace + ".link")
        self.addCleanup(os.unlink, self.workspace + ".link")
        environment = {**os.environ, "WARDENV_STATE": self.workspace + ".link/state"}
        self.assert_refused(self.run_it("--no-venv", "--", "touch", "ran", env=environment), "state")
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))

    @unittest.skipIf(os.geteuid() != 0, "needs root to mount")
    def test_another_mount_of_the_state_folder(self):
        state = self.workspace + ".state"
        os.mkdir(state, mode=0o700)
        run = f'"{BIN}" run --no-venv --workspace "$0" -- touch "$0"/ran; echo $?'
        script = 'mount --bind "$1" "$0" && ' + run + ' && umount "$0" && ' + run
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, self.workspace, state], capture_output=True, text=True,
                              timeout=60, env={**os.environ, "WARDENV_STATE": state})
        self.assertEqual(done.stdout.split(), ["125", "0"], done)   # the last one is the control
        self.assertFalse(os.path.exists(state + "/ran"))

    def test_state_in_the_workspace(self):
        environment = dict(os.environ, WARDENV_STATE=os.path.join(self.workspace, "state"))
        self.assert_refused(self.run_it("--no-venv", "--", "true", env=environment), "state")

    def test_long_arguments(self):
        self.assert_refused(self.run_it("--no-venv", "--", "echo", "x" * 131071 + "y"[:0], "x" * 100000), "too long")
        status, report = self.report("--no-venv", "--", "sh", "-c", "echo ${#1}", "sh", "x" * 100000)
        self.assertEqual((status, report["stdout"]), (0, "100000\n"))

    def test_many_arguments(self):
        """As README says: 160 KiB in all."""
        many = ["x" * 40] * 3000
        self.assertEqual(self.report("--no-venv", "--", "sh", "-c", "echo $#", "sh", *many)[1]["stdout"], "3000\n")
        self.assert_refused(self.run_it("--no-venv", "--", "echo", *["x" * 100] * 3000), "too long", "file")


class VenvTest(CliTest):
    def setUp(self):
        super().setUp()
        self.environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}

    def python(self, *options, venv=".venv"):
        return self.run_it("--venv", venv, *options, "--", "python", "-c", "import sys; print(sys.prefix, sys.version_info[0])", env=self.environment)

    def test_no_venv_is_an_error(self):
        self.assert_refused(self.run_it("--", "true", env=self.environment), "--no-venv")

    def test_broken_venvs(self):
        self.assert_refused(self.python(), "no virtual environment")
        venv = pathlib.Path(self.workspace, ".venv")
        (venv / "bin").mkdir(parents=True)
        self.assert_refused(self.python(), "pyvenv.cfg")
        (venv / "pyvenv.cfg").write_text("home = /usr/bin\n")
        self.assert_refused(self.python(), "bin/python")
        (venv / "bin/python").symlink_to("/no/such/python3")
        self.assert_refused(self.python(), "/no/such/python3")
        (venv / "bin/python").unlink()
        (venv / "bin/python").symlink_to("/etc/passwd")
        self.assert_refused(self.python(), "not a program")
        (venv / "bin/python").unlink()
        (venv / "bin/python").symlink_to("/usr/bin/env")
        done = self.python()
        self.assertNotEqual(done.returncode, 0)

    def test_a_venv_cannot_name_a_secret_folder(self):
        secret = tempfile.mkdtemp(prefix="wardenv-secret.")
        self.addCleanup(shutil.rmtree, secret, True)
        os.makedirs(secret + "/bin")
        shutil.copy("/bin/true", secret + "/bin/python3")
        venv = pathlib.Path(self.workspace, ".venv")
        (venv / "bin").mkdir(parents=True)
        (venv / "pyvenv.cfg").write_text(f"home = {secret}/bin\n")
        (venv / "bin/python").symlink_to(secret + "/bin/python3")
        self.assert_refused(self.python(), "standard library")

    def test_real_venvs(self):
        pythons = ["/usr/bin/python3", *(str(path) for path in pathlib.Path.home().glob(".pyenv/versions/3.1*/bin/python3"))][:3]
        for python in pythons:
            for option in ("--symlinks", "--copies", "--system-site-packages"):
                with self.subTest(python=python, option=option):
                    venv = pathlib.Path(self.workspace, ".venv")
                    shutil.rmtree(venv, True)
                    subprocess.run([python, "-m", "venv", "--without-pip", option, str(venv)], check=True, env=self.environment)
                    done = self.python()
                    self.assertEqual((done.returncode, done.stdout), (0, f"{venv} 3\n"), done.stderr)

    def test_moved_and_linked(self):
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", self.workspace + "/first"], check=True)
        os.rename(self.workspace + "/first", self.workspace + "/second")
        self.assertEqual(self.python(venv="second").returncode, 0)
        os.symlink("second", self.workspace + "/third")
        self.assertEqual(self.python(venv="third").returncode, 0)


class OtherCommandsTest(CliTest):
    def test_version(self):
        version = json.loads(wardenv("version", "--json", cwd=self.workspace).stdout)
        self.assertEqual(version["version"], "0.1.0")
        listed = wardenv("--help", cwd=self.workspace).stdout.split("Commands:\n")[1].split("\n\n")[0].splitlines()
        self.assertEqual(version["features"], [line.split()[0] for line in listed if "not in this version" not in line])
        self.assertLessEqual({"run", "plan", "doctor", "policy", "approvals", "audit", "serve"}, set(version["features"]))

    def test_doctor_agrees_with_run(self):
        done = wardenv("doctor", "--json", cwd=self.workspace)
        runs = self.run_it("--no-venv", "--", "true").returncode == 0
        self.assertEqual(json.loads(done.stdout)["ok"], runs)
        self.assertEqual(done.returncode == 0, runs)

    def test_plan_runs_nothing(self):
        done = wardenv("plan", "--no-venv", "--", "touch", "ran", cwd=self.workspace)
        self.assertIn(" clone ", done.stdout)
        self.assertFalse(os.path.exists(self.workspace + "/ran"))
        steps = json.loads(wardenv("plan", "--no-venv", "--json", "--", "touch", "ran", cwd=self.workspace).stdout)["steps"]
        self.assertEqual(steps[-1]["do"], "exec")

    def test_help_everywhere(self):
        for arguments in (["--help"], ["run", "--help"], ["plan", "--help"], ["doctor", "--help"], ["version", "--help"], ["completions", "--help"], ["audit", "--help"]):
            done = wardenv(*arguments, cwd=self.workspace)
            self.assertEqual(done.returncode, 0, arguments)
            self.assertIn("sage: wardenv", done.stdout)

    def test_completions_load(self):
        script = wardenv("completions", "bash", cwd=self.workspace).stdout
        done = subprocess.run(["bash", "-c", script + "\nCOMP_WORDS=(wardenv run --acc) COMP_CWORD=2; _wardenv; echo ${COMPREPLY[@]}"],
                              capture_output=True, text=True)
        self.assertEqual(done.stdout.strip(), "--access")


class SignalTest(CliTest):
    def test_a_signal_ends_the_run(self):
        import signal
        import time
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = subprocess.Popen([BIN, "run", "--no-venv", "--", "sh", "-c", "echo started; exec sleep 77777"], cwd=self.workspace,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.assertEqual(process.stdout.readline(), b"started\n")
            process.send_signal(number)
            self.assertEqual(process.wait(10), 128 + number)
            process.stdout.close()
            for _ in range(100):
                if not any("77777" in command for command in command_lines()):
                    break
                time.sleep(0.05)
            else:
                self.fail("the command survived")


class ClockTest(CliTest):
    def time_namespace(self, *options):
        _, report = self.report("--no-venv", *options, "--", "readlink", "/proc/self/ns/time")
        return report["stdout"].strip(), report["enforced"]["namespaces"]

    def test_a_time_namespace_where_it_is_asked_for(self):
        ours = os.readlink("/proc/self/ns/time")
        for options, own in [([], False), (["--clock", "host"], False), (["--clock", "own"], True)]:
            with self.subTest(options=options):
                inside, namespaces = self.time_namespace(*options)
                self.assertTrue(inside.startswith("time:"), inside)
                self.assertEqual((inside != ours, "time" in namespaces), (own, own))
        self.assert_refused(self.run_it("--no-venv", "--clock", "mine", "--", "true"), "host", "own")


class IdRangeTest(CliTest):
    """As root: the host ids of sandboxes are the configuration's, or none."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("an ordinary user's sandboxes run as that user")
        self.settings = os.path.join(tempfile.mkdtemp(prefix="wardenv-cli."), "config.json")
        self.addCleanup(shutil.rmtree, os.path.dirname(self.settings), True)

    def configure(self, **values):
        pathlib.Path(self.settings).write_text(json.dumps(values))

    def ids_outside(self, *options):
        """Of a command while it runs, as the host sees it."""
        token = f"5{os.getpid()}{len(options)}"
        process = subprocess.Popen([BIN, "run", "--no-venv", *options, "--", "sh", "-c", f"echo started; exec sleep {token}"], cwd=self.workspace,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "WARDENV_STATE": self.workspace + ".state"})
        try:
            self.assertEqual(process.stdout.readline(), b"started\n")
            command = (f"sleep\0{token}\0".encode(), f"sh\0-c\0echo started; exec sleep {token}\0".encode())
            for entry in (entry for _ in range(100) for entry in pathlib.Path("/proc").glob("[0-9]*")):   # right at execve() it has no command line
                with contextlib.suppress(OSError):   # others end meanwhile
                    if (entry / "cmdline").read_bytes() not in command:
                        continue
                    return [int(line.split()[1]) for line in (entry / "status").read_text().splitlines() if line.startswith(("Uid:", "Gid:"))]
            self.fail("the command was not seen")
        finally:
            process.terminate()
            process.communicate(timeout=10)

    def test_what_is_configured_is_what_runs(self):
        uid, gid = self.ids_outside()
        self.assertTrue(0x70000000 <= uid < 0x70000000 + 65536 and gid == uid, (uid, gid))
        self.configure(uid_range_first=700000, uid_range_count=128)
        uid, gid = self.ids_outside("--config", self.settings)
        self.assertTrue(700000 <= uid < 700128 and gid == uid, (uid, gid))

    def test_what_makes_no_sense_is_refused(self):
        for values in ({"uid_range_first": 0, "uid_range_count": 65536}, {"uid_range_first": 500000}, {"uid_range_first": 500000, "uid_range_count": 1}):
            with self.subTest(values=values):
                self.configure(**values)
                self.assert_refused(self.run_it("--no-venv", "--config", self.settings, "--", "touch", "ran"), "uid_range_first", "for example")
                done = wardenv("serve", "--stdio", "--config", self.settings, cwd=self.workspace)
                self.assertEqual(done.returncode, 125)
                self.assertIn("uid_range_first", done.stderr)


class StartTest(CliTest):
    """What the start does for speed changes nothing."""

    def cpus_inside(self, **more):
        done = subprocess.run([BIN, "run", "--no-venv", "--json", "--", "python3", "-c", "import os; print(*sorted(os.sched_getaffinity(0)))"],
                              cwd=self.workspace, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **more)
        report = json.loads(done.stdout)
        return [int(cpu) for cpu in report["stdout"].split()], report["enforced"]["cpu"]

    def test_the_command_has_the_cpus_of_the_caller(self):
        own = sorted(os.sched_getaffinity(0))
        for _ in range(5):
            inside, holder = self.cpus_inside()
            if holder == "affinity":   # holds the limit: not all of them
                self.assertTrue(inside and set(inside) <= set(own), inside)
            else:
                self.assertEqual(inside, own)
        inside, _ = self.cpus_inside(preexec_fn=lambda: os.sched_setaffinity(0, {own[-1]}))
        self.assertEqual(inside, [own[-1]])

    def test_a_configuration_that_only_the_front_end_finds_is_heeded(self):
        pathlib.Path(self.workspace, "policy.yaml").write_text('version: "1"\ndefault: deny\n')
        settings = tempfile.mkdtemp(prefix="wardenv-settings.")
        self.addCleanup(shutil.rmtree, settings, True)
        os.mkdir(os.path.join(settings, "wardenv"))
        pathlib.Path(settings, "wardenv", "config.json").write_text(json.dumps({"policy": os.path.join(self.workspace, "policy.yaml")}))
        state = os.path.join(settings, "state")
        environment = {**os.environ, "XDG_CONFIG_HOME": settings, "WARDENV_STATE": state}
        self.assertEqual(self.run_it("--no-venv", "--", "touch", "ran", env=environment).returncode, 77)
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))
        del environment["XDG_CONFIG_HOME"]
        self.assertEqual(self.run_it("--no-venv", "--", "touch", "ran", env=environment).returncode, 0)

    def environment_with_state(self):
        state = tempfile.mkdtemp(prefix="wardenv-state.")
        self.addCleanup(shutil.rmtree, state, True)
        return {**os.environ, "WARDENV_STATE": state}

    def assert_kept_from_the_run(self, folder, *options, env):
        """The configuration in `folder` of the workspace stays; the control is the file beside it, which the same acts exchange."""
        settings = pathlib.Path(self.workspace, folder, "config.json")
        settings.parent.mkdir()
        settings.write_text("{}")
        settings.with_name("beside.json").write_text("{}")
        before = settings.stat()
        acts = "".join(f"echo x >> {folder}/{name}; rm -f {folder}/{name}; echo x > new; mv -f new {folder}/{name}; " for name in ("config.json", "beside.json"))
        done = self.run_it("--no-venv", *options, "--", "sh", "-c", acts + f"mv {folder} moved; touch ran", env=env)
        after = settings.stat()
        self.assertEqual((before.st_ino, before.st_size, before.st_mtime_ns), (after.st_ino, after.st_size, after.st_mtime_ns), done)
        self.assertEqual(settings.with_name("beside.json").read_text(), "x\n", done)
        self.assertTrue(os.path.exists(os.path.join(self.workspace, "ran")), done)

    def test_a_run_can_not_write_the_configuration_that_it_was_given(self):
        self.assert_kept_from_the_run("conf", "--config", os.path.join(self.workspace, "conf", "config.json"), env=self.environment_with_state())

    def test_a_run_can_not_write_the_configuration_that_was_found(self):
        self.assert_kept_from_the_run("wardenv", env={**self.environment_with_state(), "XDG_CONFIG_HOME": self.workspace})

    def test_a_configuration_behind_a_link_that_the_run_could_replace_is_refused(self):
        pathlib.Path(self.workspace, "config.json").write_text("{}")
        os.symlink("config.json", os.path.join(self.workspace, "link.json"))
        run = ("--no-venv", "--config", os.path.join(self.workspace, "link.json"))
        self.assert_refused(self.run_it(*run, "--", "touch", "ran"), "link.json", "decides what is allowed")
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))
        self.assertEqual(self.run_it(*run, "--access", "read-only", "--", "true").returncode, 0)


def command_lines():
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield (entry / "cmdline").read_text(errors="replace")
            except OSError:
                pass


class TmpTest(CliTest):
    def test_what_was_asked_for_and_no_more(self):
        """Beside it the root has a few pages for what we put there ourselves."""
        for asked in (1 << 20, 3 << 20):
            with self.subTest(asked=asked):
                fill = "head -c 8M /dev/zero > /tmp/x 2>/dev/null; head -c 8M /dev/zero > /dev/shm/x 2>/dev/null; stat -c %s /tmp/x /dev/shm/x"
                _, report = self.report("--no-venv", "--tmp-size", str(asked), "--", "sh", "-c", fill)
                written = sum(map(int, report["stdout"].split()))
                self.assertTrue(asked <= written <= asked + (128 << 10), (asked, written))


if __name__ == "__main__":
    unittest.main()
