# SPDX-License-Identifier: Apache-2.0
"""The whole story through `wardenv serve`, told by each client that is in use, over both transports: list, make an environment, add a package from a
local index, run its tests, be denied, wait for a person, cancel a long run, be rate limited."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "mcp"))

import npm_packages
import wardenv_testing as wt
from mcp_testing import Http
from test_clients import KINDS, talk
from test_tools import Index, policy_for

TEST = "import unittest, alpha\n\nclass Alpha(unittest.TestCase):\n    def test_version(self):\n        self.assertEqual(alpha.version, '2.0')\n"


def policy(index):
    document = policy_for(index)
    document["hide"] = ["write_file"]
    document["tools"]["run_in_venv"] = {"deny_if": [{"arg": "command", "op": "eq", "value": "sh", "reason": "no shells"}],
                                        "limits": [{"counter": "runs", "window": "hour", "max": 2, "scope": "grant"}]}
    document["tools"]["run_python"] = {"action": "require_approval", "reason": "code needs a person"}
    return document


def steps(workspace, token):
    here = {"current_working_dir": workspace}
    return [{"list": True}, {"call": "init", "arguments": here, "progress": True}, {"call": "add_package", "arguments": {**here, "package_name": "alpha"}},
            {"call": "run_in_venv", "arguments": {**here, "command": "python", "args": ["-m", "unittest", "-q"]}},
            {"call": "run_in_venv", "arguments": {**here, "command": "sh", "args": ["-c", "true"]}},
            {"call": "write_file", "arguments": {**here, "path": "x", "content": "y"}},
            {"call": "run_python", "arguments": {**here, "code": "print(6 * 7)"}},
            {"call": "run_in_venv", "arguments": {**here, "command": "python", "args": ["-c", "import time; time.sleep(300)", token]}, "abort_after": 3000},
            {"call": "run_in_venv", "arguments": {**here, "command": "python", "args": ["-c", "pass"]}},
            {"call": "list_files", "arguments": here}]


class Story(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        npm_packages.need()

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="wardenv-scratch-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.index = Index()
        self.addCleanup(self.index.close)
        self.policy = os.path.join(self.root, "policy.json")
        pathlib.Path(self.policy).write_text(json.dumps(policy(self.index)))

    def workspace(self, name):
        folder = os.path.join(self.root, name)
        os.mkdir(folder)
        pathlib.Path(folder, "test_alpha.py").write_text(TEST)
        return folder

    def environment(self, name):
        """State of its own for each story: the limit is counted anew."""
        state = os.path.join(self.root, "state-" + name)
        env = wt.environment(state=state)
        return {**env, "WARDENV_APPROVE": json.dumps(["/usr/bin/env", f"WARDENV_STATE={state}", wt.WARDENV, "approvals", "approve", "--yes"])}

    def check(self, told, token):
        opened, listed, made, added, tested, denied, hidden, approved, cancelled, limited, files = told
        self.assertEqual(opened["server"]["name"], "wardenv")
        names = {tool["name"] for tool in listed["tools"]}
        self.assertTrue({"init", "run_in_venv", "run_python", "list_files"} <= names)
        self.assertNotIn("write_file", names)
        self.assertFalse(made["result"]["isError"], made)
        self.assertFalse(added["result"]["isError"], added)
        self.assertEqual(tested["result"]["structuredContent"]["exit_code"], 0, tested)
        self.assertTrue(denied["result"]["isError"])
        self.assertIn("no shells", json.dumps(denied["result"]["structuredContent"]))
        self.assertEqual(hidden["code"], -32602, hidden)
        self.assertEqual(len(approved["asked"]), 1, approved)
        self.assertIn("42", approved["result"]["structuredContent"]["stdout"], approved)
        self.assertIn("error", cancelled)
        self.assertTrue(wt.eventually(lambda: not wt.processes_with(token)), "a cancelled run goes on")
        self.assertTrue(limited["result"]["isError"], limited)
        self.assertGreater(limited["result"]["structuredContent"]["retry_after_ms"], 0)
        self.assertFalse(files["result"]["isError"])

    def test_stdio(self):
        for kind in KINDS:
            with self.subTest(kind):
                folder, token = self.workspace("stdio-" + kind), wt.nonce()
                command = [wt.WARDENV, "serve", "--stdio", "--workspace", folder, "--policy", self.policy]
                self.check(talk(kind, command, steps(folder, token), self.environment("stdio-" + kind)), token)

    def test_http(self):
        for kind in KINDS:
            with self.subTest(kind):
                folder, token, env = self.workspace("http-" + kind), wt.nonce(), self.environment("http-" + kind)
                with Http([wt.WARDENV, "serve", "--http", "127.0.0.1:0", "--workspace", folder, "--policy", self.policy], env=env) as server:
                    self.check(talk(kind, server.url, steps(folder, token), env), token)

    def inspect(self, target, env, method, *options):
        """One command of the inspector: its exit status and what it printed."""
        program = npm_packages.FOLDER / "node_modules/.bin/mcp-inspector"
        url, server = (target, []) if isinstance(target, list) else ([], ["--", *target])
        done = npm_packages.node(program, "--cli", *url, "--method", method, *options, *server, env=env)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, done.stdout.decode()[-500:] + done.stderr.decode()[-3000:]

    def inspector_story(self, name, target):
        """The same, one command of the inspector a step: nobody can be asked, so the person approves between two calls."""
        env, folder = self.environment(name), os.path.join(self.root, name)

        def call(tool, **arguments):
            given = json.dumps({"current_working_dir": folder, **arguments})
            return self.inspect(target, env, "tools/call", "--tool-name", tool, "--tool-args-json", given)[1]
        status, listed = self.inspect(target, env, "tools/list", "--strict")
        self.assertEqual(status, 0, listed)
        names = {tool["name"] for tool in listed["tools"]}
        self.assertTrue({"init", "run_in_venv", "run_python", "list_files"} <= names)
        self.assertNotIn("write_file", names)
        for made in (call("init"), call("add_package", package_name="alpha")):
            self.assertFalse(made.get("isError"), made)
        self.assertEqual(call("run_in_venv", command="python", args=["-m", "unittest", "-q"])["structuredContent"]["exit_code"], 0)
        self.assertIn("no shells", json.dumps(call("run_in_venv", command="sh", args=["-c", "true"])["structuredContent"]))
        waiting = call("run_python", code="print(6 * 7)")["structuredContent"]
        approve = [*json.loads(env["WARDENV_APPROVE"]), waiting["approval_id"]]
        approved = subprocess.run(approve, capture_output=True, timeout=60)
        self.assertEqual(approved.returncode, 0, approved)
        self.assertIn("42", call("run_python", code="print(6 * 7)")["structuredContent"]["stdout"])
        self.assertEqual(call("run_in_venv", command="python", args=["-c", "pass"])["structuredContent"]["exit_code"], 0)
        self.assertGreater(call("run_in_venv", command="python", args=["-c", "pass"])["structuredContent"]["retry_after_ms"], 0)

    def test_inspector(self):
        with self.subTest("stdio"):
            folder = self.workspace("inspector-stdio")
            state = "WARDENV_STATE=" + self.environment("inspector-stdio")["WARDENV_STATE"]     # it hands a server no environment
            self.inspector_story("inspector-stdio", ("/usr/bin/env", state, wt.WARDENV, "serve", "--stdio", "--workspace", folder, "--policy", self.policy))
        with self.subTest("http"):
            folder, env = self.workspace("inspector-http"), self.environment("inspector-http")
            with Http([wt.WARDENV, "serve", "--http", "127.0.0.1:0", "--workspace", folder, "--policy", self.policy], env=env) as server:
                self.inspector_story("inspector-http", [server.url])


if __name__ == "__main__":
    unittest.main()
