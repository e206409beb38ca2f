# SPDX-License-Identifier: Apache-2.0
"""The policy file of a running `wardenv serve` is edited: who listens is told, over both transports and in both eras, and the list agrees."""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import wardenv_testing as wt
from mcp_testing import Http, Stdio, call, head_of, initialize, modern, request, wait_until
from test_tools import ALL_TOOLS

CHANGED = "notifications/tools/list_changed"
LISTEN = {"notifications": {"toolsListChanged": True}}


def policy(*hidden):
    return json.dumps({"version": "1", "default": "allow", "hide": list(hidden)})


class Edited(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="wardenv-scratch-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.workspace = os.path.join(self.root, "ws")
        os.mkdir(self.workspace)
        self.edit(policy())

    def edit(self, text):
        """As editors do it: a new file takes the old one's name."""
        with open(os.path.join(self.root, "policy.new"), "w") as file:
            file.write(text)
        os.rename(os.path.join(self.root, "policy.new"), os.path.join(self.root, "policy.json"))

    def edit_in_place(self, text):
        with open(os.path.join(self.root, "policy.json"), "w") as file:
            file.write(text)

    def start(self, kind, *how):
        argv = [wt.WARDENV, "serve", *how, "--workspace", self.workspace, "--policy", os.path.join(self.root, "policy.json")]
        server = kind(argv, env=wt.environment(state=os.path.join(self.root, "state")), cwd=self.root)
        self.addCleanup(server.close)
        return server

    def told_on_standard_error(self, server, *words):
        self.assertTrue(wait_until(lambda: all(word.encode() in b"".join(server.errors) for word in words)), server.errors)


class AtTheStart(Edited):
    def test_a_server_that_is_nobody_says_so(self):
        def start(*options):
            argv = [wt.WARDENV, "serve", *options, "--workspace", self.workspace, "--policy", os.path.join(self.root, "policy.json")]
            return wt.execute(argv, env=wt.environment(state=os.path.join(self.root, "state")), cwd=self.root)

        self.edit(json.dumps({"version": "1", "default": "allow", "grants": {"ci": {}, "dev": {}}}))
        for options in (["--stdio"], ["--http", "127.0.0.1:0"]):
            done = start(*options)
            self.assertEqual(done.returncode, 125, done)
            self.assertIn(b"--grant: ci, dev", done.stderr)
        self.assertEqual(start("--stdio", "--grant", "x").returncode, 125)
        self.assertEqual(start("--stdio", "--grant", "ci").returncode, 0)   # the control: end of input ends it
        self.edit(policy())
        self.assertEqual(start("--stdio", "--grant", "ci").returncode, 125)
        self.assertEqual(start("--stdio").returncode, 0)


class OverStdio(Edited):
    def names(self, server, message):
        return {tool["name"] for tool in server.ask(message)["result"]["tools"]}

    def test_both_eras_hear_of_it(self):
        server = self.start(Stdio, "--stdio")
        opened = server.open()
        self.assertTrue(opened["result"]["capabilities"]["tools"]["listChanged"])
        self.assertIn("write_file", self.names(server, request("tools/list", id="before")))
        server.send(modern("subscriptions/listen", LISTEN, id="sub"))
        server.told(lambda message: message.get("method") == "notifications/subscriptions/acknowledged")
        self.edit(policy("write_file"))
        server.told(lambda message: message.get("method") == CHANGED and "_meta" not in message.get("params", {}))    # the legacy session's
        server.told(lambda message: message.get("method") == CHANGED
                    and message.get("params", {}).get("_meta", {}).get("io.modelcontextprotocol/subscriptionId") == "sub")
        for era, message in (("legacy", request("tools/list", id="legacy")), ("modern", modern("tools/list", id="modern"))):
            with self.subTest(era):
                self.assertNotIn("write_file", self.names(server, message))
        refused = server.ask(call("write_file", {"current_working_dir": self.workspace, "path": "x", "content": ""}, "hidden"))
        self.assertEqual(refused["error"]["code"], -32602)
        server.seen.clear()
        self.edit_in_place(policy())
        server.told(lambda message: message.get("method") == CHANGED)
        self.assertIn("write_file", self.names(server, request("tools/list", id="again")))
        made = server.ask(call("write_file", {"current_working_dir": self.workspace, "path": "x", "content": ""}, "visible"))
        self.assertFalse(made["result"].get("isError"), made)

    def test_a_broken_edit_keeps_the_old_policy_and_says_so(self):
        server = self.start(Stdio, "--stdio")
        server.open()
        for text in ('{"version": "1", "default": "allow", "hide": ["read_file"], "hyde": []}', '{"version": "1"', ""):
            with self.subTest(text):
                del server.errors[:]
                self.edit(text)
                self.told_on_standard_error(server, "policy.json")
                self.assertIn("read_file", self.names(server, request("tools/list", id=f"kept {text}")))
        self.assertFalse([message for message in server.seen if message.get("method") == CHANGED])
        self.edit(policy("read_file"))     # and the next good one is taken
        server.told(lambda message: message.get("method") == CHANGED)
        self.assertNotIn("read_file", self.names(server, request("tools/list", id="after")))


class Listening(Edited):
    def names(self, reply):
        return {tool["name"] for tool in reply.last["result"]["tools"]}

    def listen(self, server, verb, body, head):
        """An open stream of events: what gives its next message that `wanted` says yes to."""
        connection = server.connect()
        self.addCleanup(connection.close)
        connection.request(verb, "/mcp", body, head)
        response = connection.getresponse()
        self.assertEqual(response.status, 200)

        def until(wanted):
            while line := response.readline():
                if line.startswith(b"data:") and line[5:].strip():
                    message = json.loads(line[5:])
                    if wanted(message):
                        return message
            raise AssertionError("the stream ended")
        return until

    def subscribe(self, server, id, head):
        message = modern("subscriptions/listen", LISTEN, id=id)
        until = self.listen(server, "POST", json.dumps(message), {**server.JSON, **head_of(message), **head})
        until(lambda message: message.get("method") == "notifications/subscriptions/acknowledged")
        return until


class OverHttp(Listening):
    def test_both_eras_hear_of_it(self):
        server = self.start(Http, "--http", "127.0.0.1:0")
        session = server.session()
        legacy = self.listen(server, "GET", None, {"Accept": "text/event-stream", **session})
        message = modern("subscriptions/listen", LISTEN, id="sub")
        listening = self.listen(server, "POST", json.dumps(message), {**server.JSON, **head_of(message)})
        listening(lambda message: message.get("method") == "notifications/subscriptions/acknowledged")
        other = modern("subscriptions/listen", {"notifications": {}}, id="deaf")
        deaf = self.listen(server, "POST", json.dumps(other), {**server.JSON, **head_of(other)})
        for hidden in (("write_file",), ()):
            with self.subTest(hidden=hidden):
                self.edit(policy(*hidden))
                legacy(lambda message: message.get("method") == CHANGED)
                told = listening(lambda message: message.get("method") == CHANGED)
                self.assertEqual(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "sub")
                for reply in (server.post(request("tools/list"), session, plain=True), server.post(modern("tools/list"))):
                    self.assertEqual("write_file" in self.names(reply), not hidden)
        server.close()
        ending = deaf(lambda message: message.get("method") == CHANGED or "result" in message)   # who did not ask was not told
        self.assertIn("result", ending)

    def test_a_broken_edit_keeps_the_old_policy_and_says_so(self):
        server = self.start(Http, "--http", "127.0.0.1:0")
        self.edit('{"version": "1", "default": "allow", "hide": ["read_file"], "hyde": []}')
        self.told_on_standard_error(server, "policy.json", "hyde")
        self.assertIn("read_file", self.names(server.post(modern("tools/list"))))

    def test_the_file_that_is_gone_keeps_the_old_policy(self):
        server = self.start(Http, "--http", "127.0.0.1:0")
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", os.path.join(self.workspace, ".venv")], check=True)
        run = call("run_python", {"current_working_dir": self.workspace, "code": "pass"}, "run")
        self.assertEqual(server.post(run).last["result"]["structuredContent"]["decision"]["effect"], "allow")     # the control
        os.unlink(os.path.join(self.root, "policy.json"))
        self.assertIn("read_file", self.names(server.post(modern("tools/list"))))
        self.told_on_standard_error(server, "the policy is gone", os.path.join(self.root, "policy.json"))
        refused = server.post(run).last["result"]     # nothing is run, and the caller hears of no path
        self.assertTrue(refused["isError"], refused)
        self.assertIn("the policy, or another file that decides what is allowed, is gone", refused["structuredContent"]["error"]["message"])
        self.assertNotIn("policy.json", json.dumps(refused))
        self.assertEqual(refused["structuredContent"]["decision"]["effect"], "deny")
        self.edit(policy("read_file"))
        self.told_on_standard_error(server, "the policy was edited: " + hashlib.sha256(policy("read_file").encode()).hexdigest() + " is in force")
        self.assertEqual(server.post(run).last["result"]["structuredContent"]["outcome"], "exited")
        self.assertTrue(wait_until(lambda: "read_file" not in self.names(server.post(modern("tools/list")))))


class FirstToken(Listening):
    def test_what_was_opened_without_one_ends(self):
        server = self.start(Http, "--http", "127.0.0.1:0")
        session = server.session()
        legacy = self.listen(server, "GET", None, {"Accept": "text/event-stream", **session})
        modern_one = self.subscribe(server, "one", {})
        self.edit(policy("read_file"))      # the control: any other edit is heard of, and ends nothing
        for until in (legacy, modern_one):
            until(lambda message: message.get("method") == CHANGED)
        digest = hashlib.sha256(b"a" * 40).hexdigest()
        grants = {"agent": {"token_sha256": digest}}
        self.edit(json.dumps({"version": "1", "default": "allow", "grants": grants}))
        self.assertIn("result", modern_one(lambda message: "result" in message))
        with self.assertRaisesRegex(AssertionError, "the stream ended"):
            legacy(lambda message: False)
        head = {"Authorization": "Bearer " + "a" * 40}
        for message, old in ((modern("subscriptions/listen", LISTEN, id="again"), {}), (request("tools/list"), session)):
            self.assertEqual(server.post(message, old, plain=bool(old)).status, 401)
        self.assertEqual(server.post(request("tools/list"), {**session, **head}, plain=True).status, 404)   # nobody's session
        told = self.subscribe(server, "two", head)
        self.edit(json.dumps({"version": "1", "default": "allow", "grants": grants, "hide": ["read_file"]}))
        told(lambda message: message.get("method") == CHANGED)


class OfTwoGrants(Listening):
    TOKENS = {"one": "a" * 40, "two": "b" * 40}

    def document(self, names=("one", "two"), **hidden):
        grants = {name: {"token_sha256": hashlib.sha256(self.TOKENS[name].encode()).hexdigest(), "tools": sorted(ALL_TOOLS - set(hidden.get(name, [])))}
                  for name in names}
        return json.dumps({"version": "1", "default": "allow", "grants": grants})

    def head(self, name):
        return {"Authorization": f"Bearer {self.TOKENS[name]}"}

    def serving(self, **hidden):
        self.edit(self.document(**hidden))
        server = self.start(Http, "--http", "127.0.0.1:0")
        for name in self.TOKENS:
            self.assertIn("list_files", self.names(server.post(modern("tools/list"), self.head(name))))
        return server

    def first_change(self, until):
        return until(lambda message: message.get("method") == CHANGED or "result" in message)

    def test_only_those_hear_of_an_edit_who_see_other_tools_by_it(self):
        server = self.serving()
        one, two = (self.subscribe(server, name, self.head(name)) for name in ("one", "two"))
        opened = server.post(initialize(), self.head("two"), plain=True)
        session = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25", **self.head("two")}
        legacy = self.listen(server, "GET", None, {"Accept": "text/event-stream", **session})
        self.edit(self.document(one=["write_file"]))
        self.assertEqual(self.first_change(one)["method"], CHANGED)
        self.assertNotIn("write_file", self.names(server.post(modern("tools/list"), self.head("one"))))
        self.edit(self.document(one=["write_file"], two=["read_file"]))
        for until in (two, legacy):      # the first that they hear of: the list has changed by now
            self.assertEqual(self.first_change(until)["method"], CHANGED)
            self.assertNotIn("read_file", self.names(server.post(modern("tools/list"), self.head("two"))))
        self.edit(self.document(names=["two"], two=["read_file"]))
        self.assertIn("result", self.first_change(one))     # it heard of its own edit alone, and ends with its grant
        server.close()
        self.assertIn("result", self.first_change(two))     # and this one of one edit alone

    def test_a_grant_that_is_taken_away_hears_nothing_more(self):
        server = self.serving()
        gone, stays = (self.subscribe(server, name, self.head(name)) for name in ("one", "two"))
        self.edit(self.document(names=["two"], two=["write_file"]))
        self.assertIn("result", self.first_change(gone))
        self.assertEqual(self.first_change(stays)["method"], CHANGED)

    def test_metrics_name_the_tools_only_that_the_caller_sees(self):
        server = self.serving(two=["read_file"])
        for tool, more in (("read_file", {"path": "x"}), ("list_files", {})):
            server.post(call(tool, {"current_working_dir": self.workspace, **more}), self.head("one"))
        texts = {name: server.exchange("GET", "/metrics", headers=self.head(name)).body.decode() for name in self.TOKENS}
        self.assertIn('tool="read_file"', texts["one"])
        self.assertIn('tool="list_files"', texts["two"])
        self.assertNotIn("read_file", texts["two"])
        self.assertIn("wardenv_now", texts["two"])


class OfOneGrant(Edited):
    def test_each_caller_sees_its_own_list(self):
        token = "a" * 40
        document = {"version": "1", "default": "allow", "grants": {"agent": {"token_sha256": hashlib.sha256(token.encode()).hexdigest()}}}
        self.edit(json.dumps(document))
        server = self.start(Http, "--http", "127.0.0.1:0")
        head = {"Authorization": f"Bearer {token}"}
        self.assertEqual(server.post(modern("tools/list")).status, 401)
        self.assertIn("read_file", {tool["name"] for tool in server.post(modern("tools/list"), head).last["result"]["tools"]})
        # The edit takes the grant away: its token is nobody's from then on, and its session's too.
        session = server.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                               "clientInfo": {"name": "test", "version": "1"}}}, head, plain=True)
        self.assertEqual(session.status, 200, str(session))
        document["grants"] = {"other": {"token_sha256": hashlib.sha256(b"b" * 40).hexdigest()}}
        self.edit(json.dumps(document))
        self.assertTrue(wait_until(lambda: server.post(modern("tools/list"), head).status == 401))
        after = server.post(request("tools/list"), {**head, "Mcp-Session-Id": session.headers["mcp-session-id"]}, plain=True)
        self.assertEqual(after.status, 401)

    def test_without_any_token_left_nobody_is_let_in(self):
        digest = hashlib.sha256(b"a" * 40).hexdigest()
        head = {"Authorization": "Bearer " + "a" * 40}
        for grants in ({}, {"agent": {}}):
            with self.subTest(grants=grants):
                self.edit(json.dumps({"version": "1", "default": "allow", "grants": {"agent": {"token_sha256": digest}}}))
                server = self.start(Http, "--http", "127.0.0.1:0")
                self.assertEqual(server.post(modern("tools/list"), head).status, 200)
                self.edit(json.dumps({"version": "1", "default": "allow", "grants": grants}))
                self.assertTrue(wait_until(lambda: server.post(modern("tools/list"), head).status == 401))
                self.assertEqual(server.post(modern("tools/list")).status, 401)

    def test_a_token_that_comes_with_an_edit_is_asked_for_from_then_on(self):
        server = self.start(Http, "--http", "127.0.0.1:0")
        self.assertEqual(server.post(modern("tools/list")).status, 200)
        self.edit(json.dumps({"version": "1", "default": "allow", "grants": {"agent": {"token_sha256": hashlib.sha256(b"a" * 40).hexdigest()}}}))
        self.assertTrue(wait_until(lambda: server.post(modern("tools/list")).status == 401))


if __name__ == "__main__":
    unittest.main()
