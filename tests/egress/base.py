# SPDX-License-Identifier: Apache-2.0
"""Base of the egress tests: runs in the lab, as root and as an ordinary user, and outside for the positive controls."""
import json
import os
import unittest

import lab as lab_module
import wardenv_testing as t
from lab import EGRESS, PYTHON, lab

USER, ROOT = "user", "root"


def both(function):
    """A test method of (self) or (self, who): one subtest as root and one as an ordinary user, which is what its runs are then made as."""
    arguments = function.__code__.co_argcount

    def test(self):
        for who in (ROOT, USER):
            self.who = who
            with self.subTest(who=who):
                function(self, *[who][:arguments - 1])
    test.__doc__ = function.__doc__
    return test


@unittest.skipUnless(t.IS_ROOT, "the lab needs root: it makes network namespaces")
class EgressTest(unittest.TestCase):
    who = ROOT

    @classmethod
    def setUpClass(cls):
        cls.lab = lab()

    def scratch(self, who=None):
        scratch = t.Scratch(t.shared_user() if (who or self.who) == USER else None)
        self.addCleanup(scratch.remove)
        return scratch

    def inside(self, rules, command, who=None, options=(), scratch=None, env=None, **more):
        """`wardenv run` on the lab's host with these rules."""
        scratch = scratch or self.scratch(who)
        allow = [part for rule in rules for part in ("--allow-host", rule)]
        argv = [t.WARDENV, "run", *scratch.options("--json", "--network", "egress", *allow, *options), "--", *command]
        done = t.execute(self.lab.on_host(argv, scratch.user), env=t.environment(scratch.user, scratch.state, **(env or {})), cwd=scratch.root, **more)
        return t.to_run(done)

    def library(self, rules, command, who=None, scratch=None, env=None):
        """The same through wardenv-egress: (events, run). `rules` are its arguments."""
        scratch = scratch or self.scratch(who)
        argv = [EGRESS, "--workspace", scratch.workspace, *rules, "--", *command]
        done = t.execute(self.lab.on_host(argv, scratch.user), env=t.environment(scratch.user, scratch.state, **(env or {})), cwd=scratch.root)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(lines, f"nothing came: {done.stderr}")
        return [line for line in lines if "event" in line], t.Run(done.returncode, lines[-1], done.stdout, done.stderr)

    def outside(self, command):
        """On the lab's host without a sandbox: the positive control."""
        return t.execute(self.lab.on_host(list(command)), cwd="/")

    def python(self, code, *arguments):
        return [PYTHON, "-I", "-c", code, *map(str, arguments)]

    def network_violations(self, run):
        return [item for item in run.report["violations"] if item["kind"] == "network"]

    def assert_refused(self, run, host, hint=""):
        found = [item for item in self.network_violations(run) if host in item["what"]]
        self.assertTrue(found, f"no violation names {host}: {run}")
        self.assertIn(hint, found[0]["hint"])


# Speaks to the proxy by hand: sends the bytes of argv[1] (Python escapes), prints all that comes back until it is closed.
TALK = """
import socket, sys
s = socket.create_connection(("127.0.0.1", 3128), 20)
s.sendall(sys.argv[1].encode().decode("unicode_escape").encode("latin-1"))
print("SENT", flush=True)
data = b""
try:
    while chunk := s.recv(65536):
        data += chunk
        if len(sys.argv) > 2 and sys.argv[2].encode() in data:
            break
except OSError as error:
    print("ERROR", error)
print("GOT", data.decode("latin-1"))
"""

__all__ = ["EgressTest", "TALK", "USER", "ROOT", "both", "lab_module", "os", "unittest"]
