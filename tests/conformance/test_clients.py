# SPDX-License-Identifier: Apache-2.0
"""Clients as they are in use, against the fixture: both eras, both transports."""
import json
import pathlib
import sys
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "mcp"))

import npm_packages
from mcp_testing import FIXTURE, Http

KINDS = ("legacy", "auto", "pinned", "sdk")
STEPS = [{"list": True}, {"call": "echo", "arguments": {"message": "hi"}}, {"call": "test_tool_with_progress", "progress": True},
         {"call": "test_input_required_result_request_state"}, {"call": "test_input_required_result_multi_round"},
         {"call": "wait", "arguments": {"milliseconds": 60000}, "abort_after": 300}, {"call": "no_such_tool"}, {"call": "test_error_handling"},
         {"call": "echo", "arguments": {"message": "after"}}]


def talk(kind, where, steps, env=None):
    done = npm_packages.node(npm_packages.HERE / "client.mjs", kind, where if isinstance(where, str) else json.dumps(where), input=json.dumps(steps).encode(), env=env)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0 or len(lines) != len(steps) + 1:
        raise AssertionError(f"{kind} at {where}: {done.returncode} {done.stderr.decode(errors='replace')[-2000:]}")
    return lines


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        npm_packages.need()

    def story(self, kind, where):
        opened, listed, echoed, progressed, state, rounds, aborted, unknown, failed, after = talk(kind, where, STEPS)
        self.assertEqual(opened["server"]["name"], "wardenv-conformance-fixture")
        if kind in ("auto", "pinned"):
            self.assertEqual(opened["version"], "2026-07-28")
        self.assertGreater(len(listed["tools"]), 30)
        self.assertEqual(echoed["result"]["structuredContent"], {"message": "hi"})
        self.assertEqual(progressed["progress"], [0, 50, 100])
        self.assertIn("state-ok", state["result"]["content"][0]["text"])
        self.assertEqual(len(rounds["asked"]), 2, rounds)
        self.assertIn("error", aborted)
        self.assertEqual(unknown["code"], -32602)
        self.assertTrue(failed["result"]["isError"])
        self.assertEqual(after["result"]["structuredContent"], {"message": "after"})

    def test_stdio(self):
        for kind in KINDS:
            with self.subTest(kind):
                self.story(kind, [FIXTURE, "--stdio"])

    def test_http(self):
        with Http() as server:
            for kind in KINDS:
                with self.subTest(kind):
                    self.story(kind, server.url)

    def test_inspector(self):
        inspector = npm_packages.package("@modelcontextprotocol/inspector/clients/launcher/build/index.js")
        program = npm_packages.FOLDER / "node_modules/.bin/mcp-inspector" if not inspector.exists() else inspector
        with Http() as server:
            for target in ([FIXTURE, "--stdio"], [server.url]):
                with self.subTest(target):
                    listed = npm_packages.node(program, "--cli", *target, "--method", "tools/list", "--strict")
                    self.assertEqual(listed.returncode, 0, listed.stderr.decode()[-2000:])
                    self.assertGreater(len(json.loads(listed.stdout)["tools"]), 30)
                    called = npm_packages.node(program, "--cli", *target, "--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hi")
                    self.assertEqual(json.loads(called.stdout)["structuredContent"], {"message": "hi"}, called.stderr.decode()[-2000:])


if __name__ == "__main__":
    unittest.main()
