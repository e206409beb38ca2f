# SPDX-License-Identifier: Apache-2.0
"""Many clients that each run commands: nothing is lost, each gets its own answer, and the server does not grow with them."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

import wardenv_testing as wt
from mcp_testing import ROOM, Http, Stdio, call, head_of, initialize, request, resident_kib, wait_until

CLIENTS = 200
LONG = 240      # seconds; a machine may be busy


class Clients(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="wardenv-scratch-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.workspace = os.path.join(self.root, "ws")
        os.mkdir(self.workspace)
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", os.path.join(self.workspace, ".venv")], check=True)
        self.policy = os.path.join(self.root, "policy.json")
        with open(self.policy, "w") as file:
            json.dump({"version": "1", "default": "allow"}, file)

    def start(self, kind, *how):
        argv = [wt.WARDENV, "serve", *how, "--workspace", self.workspace, "--policy", self.policy]
        server = kind(argv, env=wt.environment(state=os.path.join(self.root, "state")), cwd=self.root)
        self.addCleanup(server.close)
        return server

    def calls_of(self, name):
        """What one client asks for, and what it must be told."""
        here = {"current_working_dir": self.workspace}
        yield "run_in_venv", {**here, "command": "sh", "args": ["-c", f"echo {name} | tee -a seen"]}, f"{name}\n"
        yield "run_python", {**here, "code": f"print('{name}'[::-1])"}, f"{name[::-1]}\n"


class OverHttp(Clients):
    def converse(self, server, number, found):
        """One client with one connection: even ones are modern, odd ones have a session."""
        with contextlib.closing(server.connect()) as connection:
            connection.timeout = LONG

            def post(message, head):
                connection.request("POST", "/mcp", json.dumps(message), {**server.JSON, **head})
                response = connection.getresponse()
                return response, response.read()
            head = {}
            if number % 2:
                opened, _ = post(initialize(), {})
                head = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
                post({"jsonrpc": "2.0", "method": "notifications/initialized"}, head)
            # All clients use the same ids.
            for id, (tool, arguments, wanted) in enumerate(self.calls_of(f"client-{number}")):
                message = request("tools/call", {"name": tool, "arguments": arguments}, id) if number % 2 else call(tool, arguments, id)
                response, body = post(message, head if number % 2 else head_of(message))
                found.append((number, id, response.status, json.loads(body), wanted))

    def round(self, server):
        found, failed = [], []

        def client(number):
            try:
                self.converse(server, number, found)
            except Exception as error:  # noqa: BLE001 — shown below, whatever it is
                failed.append((number, repr(error)))
        threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        [thread.start() for thread in threads]
        [thread.join(LONG) for thread in threads]
        self.assertEqual(failed, [])
        return found

    def test_each_gets_its_own_answer_and_nothing_is_left(self):
        server = self.start(Http, "--http", "127.0.0.1:0")
        self.round(server)
        after_one = resident_kib(server.process.pid)
        os.unlink(os.path.join(self.workspace, "seen"))
        found = self.round(server)
        self.assertEqual(len(found), 2 * CLIENTS)
        for number, id, status, answer, wanted in found:
            self.assertEqual((status, answer["id"]), (200, id), answer)
            content = answer["result"]["structuredContent"]
            self.assertEqual((content.get("outcome"), content.get("exit_code"), content.get("stdout")), ("exited", 0, wanted), (number, content))
        with open(os.path.join(self.workspace, "seen")) as file:
            self.assertEqual(sorted(file.read().split()), sorted(f"client-{number}" for number in range(CLIENTS)))    # each ran once
        # The second 200 cost nothing that the first did not: what they used was given back.
        self.assertLess(resident_kib(server.process.pid) - after_one, 16 * 1024 * ROOM)
        self.assertLess(after_one, 128 * 1024 * ROOM)
        text = server.exchange("GET", "/metrics").body.decode()
        self.assertIn(f'ending="done",tool="run_python"}} {2 * CLIENTS}', text)
        # A few sandboxes that wait, and a few control groups with their files for later runs, are kept: eight groups, 17 descriptors each, however many
        # clients there were. What one call in two left would be more.
        held = os.path.join("/proc", str(server.process.pid), "fd")
        self.assertTrue(wait_until(lambda: len(os.listdir(held)) < 180), "descriptors are left")


class OverStdio(Clients):
    def test_busy_is_said_at_once_and_is_true(self):
        """More than run and wait: those that are told busy did not run, all others did, and each is answered once."""
        server = self.start(Stdio, "--stdio", "--concurrency", "2")
        asked = 1100
        lines = b"".join(json.dumps(call("run_in_venv", {"current_working_dir": self.workspace, "command": "sh", "args": ["-c", f"echo {number} >> seen"]},
                                         number)).encode() + b"\n" for number in range(asked))
        threading.Thread(target=server.send, args=(lines,), daemon=True).start()
        answers = [server.next(LONG) for _ in range(asked)]
        self.assertEqual(sorted(answer["id"] for answer in answers), list(range(asked)))
        busy = {answer["id"] for answer in answers if answer["result"].get("isError")}
        self.assertTrue(busy)
        for answer in answers:
            if answer["id"] in busy:
                self.assertIn("busy", answer["result"]["content"][0]["text"])
            else:
                self.assertEqual(answer["result"]["structuredContent"]["exit_code"], 0, answer)
        with open(os.path.join(self.workspace, "seen")) as file:
            self.assertEqual({int(line) for line in file}, set(range(asked)) - busy)
        again = server.ask(call("run_in_venv", {"current_working_dir": self.workspace, "command": "true"}, "again"))
        self.assertFalse(again["result"].get("isError"), again)


if __name__ == "__main__":
    unittest.main()
