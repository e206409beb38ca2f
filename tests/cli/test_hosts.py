# SPDX-License-Identifier: Apache-2.0
"""Hosts that can't do what they should: inside another sandbox, without user namespaces, full disks, folders that can't be written."""
import ctypes
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import unittest

from test_cli import BIN, CliTest

ROOT = os.geteuid() == 0
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
libc = ctypes.CDLL(None, use_errno=True)


def must(done):
    if done != 0:
        raise OSError(ctypes.get_errno(), "preparing the test's host")


def alone_in_a_user_namespace():
    """As a container without any id but one: a second user namespace can't be made when its limit is 0."""
    uid, gid = os.geteuid(), os.getegid()
    must(libc.unshare(CLONE_NEWUSER))
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)


def without_user_namespaces():
    alone_in_a_user_namespace()
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")


def root_of(count):
    """Root in a user namespace that has so many of the host's ids, from 0 on."""
    def prepare():
        begin, begun = os.pipe()
        target = os.getpid()
        if os.fork() == 0:
            os.read(begin, 1)
            for name in ("uid_map", "gid_map"):
                with open(f"/proc/{target}/{name}", "w") as file:
                    file.write(f"0 0 {count}")
            os._exit(0)
        must(libc.unshare(CLONE_NEWUSER))
        os.write(begun, b"x")
        os.wait()
        os.close(begin)
        os.close(begun)
    return prepare


class HostsTest(CliTest):
    def start(self, *arguments, **more):
        return subprocess.run([BIN, "run", *arguments], cwd=self.workspace, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **more)

    def without_command(self, done, *words):
        self.assert_refused(done, *words)
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")), "the command ran")

    def test_inside_another_sandbox(self):
        for name in ("wardenv", "wardenv-cli", "wardenv-launcher"):
            shutil.copy(os.path.join(os.path.dirname(BIN), name), self.workspace)
        libraries = self.run_it("--no-venv", "--", "./wardenv", "version")
        if libraries.returncode != 0:
            self.skipTest(f"wardenv does not start inside: {libraries.stderr[-200:]}")
        done = self.run_it("--no-venv", "--", "./wardenv", "run", "--no-venv", "--", "touch", "ran")
        self.assertEqual(done.returncode, 125)
        said = [line for line in done.stderr.splitlines() if "refused:" not in line]
        self.assertEqual(len(said), 1, done.stderr)
        self.assertIn("sandbox or container", said[0])
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))

    def test_no_user_namespaces(self):
        control = self.start("--no-venv", "--", "true", preexec_fn=alone_in_a_user_namespace)
        if control.returncode != 0:
            self.skipTest(f"a second level of namespaces can't be had here: {control.stderr.strip()}")
        done = self.start("--no-venv", "--", "touch", "ran", preexec_fn=without_user_namespaces)
        self.without_command(done, "user.max_user_namespaces")

    @unittest.skipUnless(ROOT, "needs root")
    def test_host_ids_that_are_not_there(self):
        with tempfile.NamedTemporaryFile("w", prefix="wardenv-cli.", suffix=".json") as settings:
            def start(command, first):
                settings.seek(0)
                settings.truncate()
                settings.write(f'{{"uid_range_first": {first}, "uid_range_count": 128}}')
                settings.flush()
                return subprocess.run([BIN, command, "--no-venv", "--config", settings.name, "--", "touch", "ran"], cwd=self.workspace, preexec_fn=root_of(70000),
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env={**os.environ, "WARDENV_STATE": self.workspace + ".state"})

            for command in ("run", "plan"):
                self.without_command(start(command, 69900), "69900 to 70027", "uid_range_first")
            control = start("plan", 69872)
            self.assertEqual(control.returncode, 0, control.stderr)

    def test_output_to_a_full_disk(self):
        with open("/dev/full", "w") as full:
            for arguments, word in (([], "output"), (["--json"], "stdout")):
                with self.subTest(arguments=arguments):
                    done = subprocess.run([BIN, "run", "--no-venv", *arguments, "--", "echo", "x"], cwd=self.workspace, stdin=subprocess.DEVNULL,
                                          stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
                    self.assertEqual(done.returncode, 125)
                    self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
                    self.assertIn(word, done.stderr)
                    self.assertIn("No space left on device", done.stderr)

    @unittest.skipUnless(ROOT, "mounting a small file system needs root")
    def test_workspace_on_a_full_disk(self):
        def fill():
            must(libc.unshare(CLONE_NEWNS))
            must(libc.mount(b"none", b"/", None, 0x44000, None))  # MS_REC | MS_PRIVATE
            must(libc.mount(b"small", self.workspace.encode(), b"tmpfs", 0, b"size=64k,mode=0777"))
            with open(self.workspace + "/fill", "wb", buffering=0) as file:
                try:
                    while file.write(bytes(4096)):
                        pass
                except OSError:
                    pass
            os.chdir(self.workspace)

        # the workspace is full, which is the command's affair; ours, a sandbox, is made nevertheless
        done = self.start("--no-venv", "--", "sh", "-c", "echo x > /tmp/x && cat /tmp/x; echo y > y || exit 3", preexec_fn=fill)
        self.assertEqual((done.returncode, done.stdout), (3, "x\n"), done)

    def test_account_without_a_place_for_state(self):
        """It runs all the same; a repository that it makes is told, as nobody could know later whose it is."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("WARDENV_", "XDG_"))} | {"HOME": "/proc/self/no-home"}
        folder = tempfile.mkdtemp(prefix="wardenv-cli.", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder, True)
        for name in ("wardenv", "wardenv-cli", "wardenv-launcher"):   # where that account can reach them
            shutil.copy(os.path.join(os.path.dirname(BIN), name), folder)
        project = os.path.join(folder, "project")
        os.mkdir(project)
        for path, mode in ((folder, 0o755), (project, 0o777)):
            os.chmod(path, mode)
        account = {"user": 65533, "group": 65533, "extra_groups": []} if ROOT else {}

        def run(*command):
            return subprocess.run([folder + "/wardenv", "run", "--no-venv", "--", *command], cwd=project, env=environment, capture_output=True, text=True,
                                  timeout=60, **account)
        self.assertEqual(run("true").returncode, 0)
        done = run("git", "init", "-q", ".")
        self.assertEqual(done.returncode, 125, done)
        self.assertIn("can't be noted", done.stderr)

    def test_state_folder_that_cannot_be_made(self):
        environment = dict(os.environ, WARDENV_STATE="/proc/self/no-place")
        done = self.run_it("--no-venv", "--json", "--", "touch", "ran", env=environment)  # a repository that it makes could not be noted
        report = json.loads(done.stdout)
        self.assertEqual((done.returncode, report["outcome"]), (125, "setup_failed"), done)
        self.assertIn("WARDENV_STATE", report["error"]["hint"])
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))
        self.assertEqual(self.run_it("--no-venv", "--access", "read-only", "--", "true", env=environment).returncode, 0)  # nothing to keep
        os.mkdir(os.path.join(self.workspace, ".git"))
        pathlib.Path(self.workspace, ".git", "config").touch()
        self.assertEqual(self.run_it("--no-venv", "--", "true", env=environment).returncode, 0)
        folder = tempfile.mkdtemp(prefix="wardenv-policy.")
        self.addCleanup(shutil.rmtree, folder, True)
        policy = os.path.join(folder, "policy.json")
        with open(policy, "w") as file:
            file.write('{"version": "1", "default": "allow", "tools": {}}')
        control = self.run_it("--policy", policy, "--no-venv", "--", "true", env=dict(os.environ, WARDENV_STATE=folder + "/state"))
        if control.returncode != 0:
            self.skipTest(f"no run under a policy here: {control.stderr.strip()}")
        done = self.run_it("--policy", policy, "--no-venv", "--", "touch", "ran", env=environment)
        self.assertEqual(done.returncode, 125)  # what can't be audited is not allowed
        self.assertIn("/proc/self/no-place", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))

    def test_state_folder_of_others(self):
        """Who can write there can take our notes away. And a folder that is there already is not ours to close: it may be /tmp."""
        for mode in (0o777, 0o1777, 0o775, 0o755, 0o700):
            with self.subTest(mode=oct(mode)), tempfile.TemporaryDirectory(prefix="wardenv-state.") as folder:
                os.chmod(folder, mode)
                done = self.run_it("--no-venv", "--", "touch", f"ran{mode:o}", env=dict(os.environ, WARDENV_STATE=folder))
                good = mode in (0o755, 0o700)
                self.assertEqual(done.returncode, 0 if good else 125, done)
                self.assertEqual(os.path.exists(os.path.join(self.workspace, f"ran{mode:o}")), good)
                self.assertEqual(os.stat(folder).st_mode & 0o7777, mode)
                if not good:
                    self.assertIn("others can write", done.stderr)
                    self.assertIn("WARDENV_STATE", done.stderr)
        with tempfile.TemporaryDirectory(prefix="wardenv-state.") as folder:
            made = folder + "/a/state"
            self.assertEqual(self.run_it("--no-venv", "--", "true", env=dict(os.environ, WARDENV_STATE=made)).returncode, 0)
            self.assertEqual(os.stat(made).st_mode & 0o7777, 0o700)

    @unittest.skipUnless(ROOT, "only root makes a PID namespace without a user namespace")
    def test_proc_of_another_pid_namespace(self):
        """Our numbers are other processes there, and what is written to them goes to those."""
        for how, status in ((["--pid", "--fork"], 125), (["--pid", "--fork", "--mount-proc"], 0)):
            with self.subTest(how=how):
                done = subprocess.run(["unshare", *how, BIN, "run", "--no-venv", "--", "touch", "ran"], cwd=self.workspace, capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, status, done)
                self.assertEqual("another PID namespace" in done.stderr and "mount -t proc" in done.stderr, status != 0, done)
                self.assertEqual(os.path.exists(os.path.join(self.workspace, "ran")), status == 0)

    def test_current_folder_that_is_gone(self):
        """Relative names must not be taken from the root instead."""
        inner = os.path.join(self.workspace, "inner")
        for options in ([], ["--workspace", "tmp"], ["--workspace", self.workspace, "--venv", "tmp"]):
            with self.subTest(options=options):
                os.mkdir(inner)
                no_venv = [] if "--venv" in options else ["--no-venv"]
                done = subprocess.run(["sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", BIN, "run", *no_venv, *options, "--", "touch", "ran"], cwd=inner, capture_output=True,
                                      text=True, timeout=60)
                self.assertEqual(done.returncode, 125, done)
                self.assertIn("the current folder", done.stderr)
        os.mkdir(inner)
        control = subprocess.run(["sh", "-c", 'rmdir "$PWD" && exec "$@"', "sh", BIN, "run", "--no-venv", "--workspace", self.workspace, "--", "true"], cwd=inner,
                                 capture_output=True, text=True, timeout=60)
        self.assertEqual(control.returncode, 0, control)

    @unittest.skipUnless(ROOT, "others are refused before: they can't enter it themselves")
    def test_workspace_that_its_owner_cannot_enter(self):
        for mode, status in ((0, 125), (0o600, 125), (0o700, 0)):
            with self.subTest(mode=oct(mode)):
                os.chmod(self.workspace, mode)
                done = self.run_it("--no-venv", "--", "true")
                self.assertEqual(done.returncode, status, done)
                self.assertEqual("chmod u+rx" in done.stderr, status != 0, done)

    def test_few_descriptors_and_files_of_no_size(self):
        def few(limit, value):
            return lambda: resource.setrlimit(limit, (value, value))

        done = self.start("--no-venv", "--", "touch", "ran", preexec_fn=few(resource.RLIMIT_NOFILE, 8))
        self.without_command(done)
        done = self.start("--no-venv", "--", "sh", "-c", "ulimit -f", preexec_fn=few(resource.RLIMIT_FSIZE, 1 << 20))
        self.assertIn(done.stdout.strip(), ("2048", "1024"), done)  # the stricter limit of the caller stays


if __name__ == "__main__":
    unittest.main()
