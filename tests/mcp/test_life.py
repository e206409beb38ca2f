# SPDX-License-Identifier: Apache-2.0
"""The end of things: of a request, of a connection, of the server. What has ended leaves nothing running."""
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from mcp_testing import FIXTURE, ROOM, Http, Stdio, call, head_of, initialize, modern, request, wait_until

SOON = 5   # seconds until something must have happened; what is promised is one


def running(server):
    text = server.exchange("GET", "/metrics").body.decode()
    return int(float(next(line.split()[-1] for line in text.splitlines() if 'what="running_calls"' in line)))


def ended(server, tool="wait"):
    text = server.exchange("GET", "/metrics").body.decode()
    found = {}
    for line in text.splitlines():
        if line.startswith("wardenv_tool_calls_total{") and f'tool="{tool}"' in line:
            found[line.split('ending="')[1].split('"')[0]] = int(float(line.split()[-1]))
    return found


class StdioEnds(unittest.TestCase):
    def ends(self, how, status=0):
        server = Stdio()
        self.addCleanup(server.close)
        server.open()
        server.send(request("tools/call", {"name": "wait", "arguments": {"milliseconds": 60000}}, id=1))
        server.ask(request("ping", id=2))      # the call before it has begun
        how(server)
        self.assertEqual(server.process.wait(SOON), status)

    def test_end_of_input(self):
        self.ends(lambda server: server.process.stdin.close())

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            with self.subTest(number):
                self.ends(lambda server: server.process.send_signal(number))

    def test_output_that_nobody_reads_any_more(self):
        read_end, write_end = os.pipe()
        process = subprocess.Popen([FIXTURE, "--stdio"], stdin=subprocess.PIPE, stdout=write_end)
        os.close(write_end)
        process.stdin.write(json.dumps(call("wait", {"milliseconds": 60000})).encode() + b"\n")
        process.stdin.flush()
        time.sleep(0.1)
        os.close(read_end)
        self.assertEqual(process.wait(SOON), 0)
        process.stdin.close()

    def test_answers_come_before_the_end_where_they_are_ready(self):
        done = subprocess.run([FIXTURE, "--stdio"], input=json.dumps(call("echo", {"message": "last words"})).encode() + b"\n", capture_output=True, timeout=SOON)
        self.assertEqual(json.loads(done.stdout)["result"]["structuredContent"], {"message": "last words"})

    def test_a_client_that_does_not_read_is_waited_for_in_bounded_memory(self):
        server = subprocess.Popen([FIXTURE, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(server.kill)
        line = json.dumps(call("echo", {"message": "x" * 20000})).encode() + b"\n"
        sent = threading.Event()

        def feed():
            for _ in range(3000):
                server.stdin.write(line)
            server.stdin.flush()
            sent.set()
        threading.Thread(target=feed, daemon=True).start()
        self.assertFalse(sent.wait(1.5))    # it stops reading instead of keeping 60 MB of answers
        from mcp_testing import resident_kib
        self.assertLess(resident_kib(server.pid), 40 * 1024 * ROOM)
        count = sum(1 for _ in zip(range(3000), server.stdout))
        self.assertEqual(count, 3000)
        server.stdin.close()
        server.stdout.close()
        server.wait(SOON)


class Cancelling(unittest.TestCase):
    def test_by_notification_over_stdio_in_both_eras(self):
        with Stdio() as server:
            server.open()
            for name, message in (("modern", call("wait", {"milliseconds": 60000}, id="modern")),
                                  ("legacy", request("tools/call", {"name": "wait", "arguments": {"milliseconds": 60000}}, id="legacy"))):
                with self.subTest(name):
                    server.send(message)
                    server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": name}})
                    server.send(call("echo", {}, id="after " + name))
                    server.answer("after " + name)
                    self.assertFalse([each for each in server.seen if each.get("id") == name], "there must be no answer to what was cancelled")
                    server.send({**message, "params": {**message["params"], "arguments": {"milliseconds": 1, "label": "again"}}})   # the id is free again
                    self.assertEqual(server.answer(name)["result"]["structuredContent"]["label"], "again")

    def test_by_disconnecting_in_the_modern_era(self):
        with Http() as server:
            for accept in ("application/json", "application/json, text/event-stream"):
                with self.subTest(accept):
                    connection = server.connect()
                    message = modern("tools/call", {"name": "wait", "arguments": {"milliseconds": 60000}, "_meta": {"progressToken": "t"}})
                    connection.request("POST", "/mcp", json.dumps(message), {**server.JSON, **head_of(message), "Accept": accept})
                    self.assertTrue(wait_until(lambda: running(server) == 1))
                    before = ended(server).get("cancelled", 0)
                    connection.sock.close() if connection.sock else None
                    connection.close()
                    self.assertTrue(wait_until(lambda: running(server) == 0, SOON))
                    self.assertEqual(ended(server).get("cancelled", 0), before + 1)

    def test_a_legacy_client_that_is_gone_altogether(self):
        with Http() as server:
            head = server.session()
            connection = server.connect()
            message = request("tools/call", {"name": "wait", "arguments": {"milliseconds": 60000}, "_meta": {"progressToken": 1}})
            connection.request("POST", "/mcp", json.dumps(message), {**server.JSON, **head})
            self.assertTrue(wait_until(lambda: running(server) == 1))
            connection.close()
            self.assertTrue(wait_until(lambda: running(server) == 0, SOON))

    def test_a_legacy_client_that_lost_one_connection_gets_the_rest(self):
        with Http() as server:
            head = server.session()
            standing = server.connect()
            standing.request("GET", "/mcp", headers={"Accept": "text/event-stream", **head})
            listening = standing.getresponse()
            connection = server.connect()
            message = request("tools/call", {"name": "wait", "arguments": {"milliseconds": 1500, "label": "rest"}, "_meta": {"progressToken": 1}})
            connection.request("POST", "/mcp", json.dumps(message), {**server.JSON, **head})
            response = connection.getresponse()
            event = b""
            while b"progress" not in event:
                event += response.readline()
            last = [line for line in event.splitlines() if line.startswith(b"id:")][-1][3:].strip().decode()
            connection.close()
            time.sleep(0.7)     # longer than a client that is gone altogether is waited for
            reply = server.exchange("GET", "/mcp", headers={"Accept": "text/event-stream", "Last-Event-ID": last, **head})
            self.assertEqual(reply.last["result"]["structuredContent"]["label"], "rest", reply)
            listening.close()
            standing.close()

    def test_ending_a_session_ends_its_calls(self):
        with Http() as server:
            head = server.session()
            found = []
            message = request("tools/call", {"name": "wait", "arguments": {"milliseconds": 60000}})
            thread = threading.Thread(target=lambda: found.append(server.post(message, head, plain=True)))
            thread.start()
            self.assertTrue(wait_until(lambda: running(server) == 1))
            self.assertEqual(server.exchange("DELETE", "/mcp", headers=head).status, 200)
            self.assertTrue(wait_until(lambda: running(server) == 0, SOON))
            thread.join()
            self.assertEqual(found[0].status, 202)
            self.assertEqual(server.post(request("ping"), head, plain=True).status, 404)

    def test_another_session_cannot_cancel(self):
        with Http() as server:
            mine, other = server.session(), server.session()
            found = []
            message = request("tools/call", {"name": "wait", "arguments": {"milliseconds": 800, "label": "mine"}}, id=9)
            thread = threading.Thread(target=lambda: found.append(server.post(message, mine, plain=True)))
            thread.start()
            self.assertTrue(wait_until(lambda: running(server) == 1))
            for head in (other, {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "notifications/cancelled"}):
                server.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}}, head, plain=True)
            thread.join()
            self.assertEqual(found[0].last["result"]["structuredContent"]["label"], "mine")


class HttpEnds(unittest.TestCase):
    def test_signals_end_it_with_calls_under_way(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                server = Http()
                self.addCleanup(server.close)
                thread = threading.Thread(target=lambda: self.assertIsNotNone(server.post(call("wait", {"milliseconds": 60000}))), daemon=True)
                thread.start()
                self.assertTrue(wait_until(lambda: running(server) == 1))
                server.process.send_signal(number)
                self.assertEqual(server.process.wait(SOON), 0)

    def test_a_subscription_is_closed_with_an_answer(self):
        server = Http()
        self.addCleanup(server.close)
        message = modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id="sub")
        connection = server.connect()
        connection.request("POST", "/mcp", json.dumps(message), {**server.JSON, **head_of(message)})
        response = connection.getresponse()
        while b"acknowledged" not in response.readline():
            pass
        server.process.send_signal(signal.SIGTERM)
        rest = response.read().decode()
        last = json.loads([line for line in rest.splitlines() if line.startswith("data:")][-1][5:])
        self.assertEqual(last["id"], "sub")
        self.assertEqual(last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "sub")
        server.process.wait(SOON)


class Slow(unittest.TestCase):
    def test_idle_and_slow_connections_do_not_lock_out_others(self):
        with Http() as server:
            idle = [socket.create_connection((server.host, server.port)) for _ in range(300)]
            for index, connection in enumerate(idle):
                connection.sendall(b"POST /mcp HTTP/1.1\r\nHost: 127"[: index % 30])
            self.assertEqual(server.post(call("echo")).status, 200)
            for connection in idle:
                connection.close()

    def test_full_pool_says_busy_and_loses_nothing(self):
        with Http([FIXTURE, "--http", "127.0.0.1:0", "--workers", "2"]) as server:
            found = []
            threads = [threading.Thread(target=lambda n=n: found.append(server.post(call("wait", {"milliseconds": 500, "label": str(n)}, id=n))))
                       for n in range(12)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            busy = [reply for reply in found if reply.last["result"]["isError"]]
            good = [reply for reply in found if not reply.last["result"]["isError"]]
            self.assertEqual(len(busy) + len(good), 12)
            self.assertGreaterEqual(len(good), 6)      # two run, four wait
            self.assertGreaterEqual(len(busy), 1)
            self.assertIn("busy", busy[0].last["result"]["content"][0]["text"])
            for reply in good:
                self.assertEqual(reply.last["result"]["structuredContent"]["label"], str(reply.last["id"]))


if __name__ == "__main__":
    unittest.main()
