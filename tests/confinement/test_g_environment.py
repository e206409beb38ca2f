# SPDX-License-Identifier: Apache-2.0
"""Section G, the part of it that wardenv run has: environment and arguments."""
import os
import unittest

import wardenv_testing as t
from battery import Battery, both

HOSTILE = {"LD_PRELOAD": "/nowhere/evil.so", "LD_LIBRARY_PATH": "/nowhere", "LD_AUDIT": "/nowhere/evil.so", "GCONV_PATH": "/nowhere", "GLIBC_TUNABLES": "glibc.malloc.check=1",
           "PYTHONSTARTUP": "/nowhere", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere", "PYTHONBREAKPOINT": "os.system", "PYTHONINSPECT": "1",
           "BASH_ENV": "/nowhere", "BASH_FUNC_ls%%": "() { echo owned; }", "ENV": "/nowhere", "GIT_SSH_COMMAND": "evil", "GIT_EXTERNAL_DIFF": "evil",
           "GIT_CONFIG_COUNT": "1", "HTTP_PROXY": "http://evil", "https_proxy": "http://evil", "PIP_INDEX_URL": "http://evil", "SSH_AUTH_SOCK": "/nowhere",
           "AWS_SECRET_ACCESS_KEY": "secret", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere", "TMPDIR": "/nowhere", "IFS": "x", "SHELLOPTS": "xtrace",
           "PATH": "/nowhere:/usr/bin:/bin"}
# What the contract lists; VIRTUAL_ENV comes with a venv only.
OURS = {"PATH", "HOME", "TMPDIR", "LANG", "TERM", "PYTHONUNBUFFERED", "WARDENV_RUN_ID"}
REFUSED_NAMES = ("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONBREAKPOINT", "PYTHONUSERBASE", "PYTHONINSPECT",
                 "BASH_ENV", "ENV", "GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_CONFIG_COUNT", "GCONV_PATH", "GLIBC_TUNABLES", "HTTP_PROXY", "http_proxy",
                 "BASH_FUNC_ls%%", "PATH", "HOME", "VIRTUAL_ENV", "WARDENV_RUN_ID", "", "A B", "1A")


class Environment(Battery):
    def variables(self, answer):
        pairs = [line.partition("=") for line in answer.data["variable"]]
        names = [name for name, _, _ in pairs]
        self.assertEqual(len(names), len(set(names)), f"a name is there twice: {names}")
        return {name: value for name, _, value in pairs}

    @both
    def test_nothing_is_inherited(self, who):
        scratch = self.scratch(who)
        hostile = t.environment(scratch.user, scratch.state, **HOSTILE)
        control = self.variables(scratch.probe_outside("environment", env=hostile))
        self.assertLessEqual(set(HOSTILE), set(control))
        variables = self.variables(scratch.probe("environment", env=hostile))
        self.assertEqual(set(variables), OURS)
        self.assertEqual(variables["PATH"], "/usr/local/bin:/usr/bin:/bin")
        self.assertEqual(variables["TMPDIR"], "/tmp")
        self.assertEqual(variables["HOME"], "/home/wardenv")
        self.assertFalse(set(HOSTILE.values()) & set(variables.values()) - {"1"})

    @both
    def test_what_is_asked_for_arrives(self, who):
        scratch = self.scratch(who)
        variables = self.variables(scratch.probe("environment", options=["--env", "DEBUG=1", "--env", "TEXT=a=b c", "--env", "EMPTY="]))
        self.assertEqual((variables["DEBUG"], variables["TEXT"], variables["EMPTY"]), ("1", "a=b c", ""))

    @both
    def test_names_that_change_how_programs_start_are_refused(self, who):
        scratch = self.scratch(who)
        for name in REFUSED_NAMES:
            with self.subTest(name=name):
                run = scratch.run([scratch.binary, "environment", "n"], "--env", f"{name}=/nowhere")
                self.assertEqual((run.status, run.text), (125, ""), run)
        for wrong in ("NOVALUE", "=x"):
            self.assertEqual(scratch.run(["/usr/bin/true"], "--env", wrong).status, 125, wrong)

    @both
    def test_a_name_twice(self, who):
        scratch = self.scratch(who)
        run = scratch.run([scratch.binary, "environment", "n"], "--env", "A=1", "--env", "A=2")
        self.assertEqual((run.status, run.text), (125, ""), run)

    @both
    def test_no_shell_reads_the_arguments(self, who):
        scratch = self.scratch(who)
        evil = ["$(touch owned)", "`touch owned`", "; touch owned", "a b", "*", "", "\n", "--help", "--", "-x"]
        answer = scratch.probe("arguments", *evil)
        self.assertEqual(answer.text.split("\n")[1:-2], "\n".join(f"DATA argument {text}" for text in evil).split("\n"), answer.run)
        self.assertFalse(os.path.exists(scratch.path("owned")))

    @both
    def test_command_is_looked_up_inside_only(self, who):
        """A program that PATH of the caller, or the working folder, would find."""
        scratch = self.scratch(who)
        scratch.write("evil", "#!/bin/sh\necho owned\n", 0o755)
        hostile = t.environment(scratch.user, scratch.state, PATH=f"{scratch.workspace}:/usr/bin:/bin")
        self.assertIn("owned", t.execute(["/bin/sh", "-c", "evil"], scratch.user, env=hostile).stdout.decode())
        run = scratch.run(["evil"], env=hostile, cwd=scratch.workspace)
        self.assertEqual((run.status, run.text), (127, ""), run)


if __name__ == "__main__":
    unittest.main()
