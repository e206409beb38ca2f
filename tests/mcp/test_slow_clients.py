# SPDX-License-Identifier: Apache-2.0
"""HTTP clients that do not read what they asked for, or slowly; and more sessions than there is room for."""
import contextlib
import json
import select
import socket
import time
import unittest

from mcp_testing import FIXTURE, ROOM, Http, call, head_of, initialize, modern, request, resident_kib, wait_until
from test_life import running

MIB = 1 << 20


def post_bytes(server, message, head=None):
    body = json.dumps(message).encode()
    lines = {**server.JSON, **(head if head is not None else head_of(message)), "Host": server.host, "Content-Length": str(len(body))}
    return b"POST /mcp HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode() + b"\r\n" + body


def narrow(server):
    """A connection whose own buffer is small, so that what is not read stays with the server."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect((server.host, server.port))
    return connection


def is_cut(connection):
    """Whether the server has ended it; reads nothing."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


def serve(*options):
    return Http([FIXTURE, "--http", "127.0.0.1:0", *options])


class NeverRead(unittest.TestCase):
    def still_serves(self, server):
        self.assertEqual(server.post(call("echo", {"message": "others"})).last["result"]["structuredContent"], {"message": "others"})

    def test_large_answers(self):
        with serve("--write-time", "2000") as server, contextlib.ExitStack() as stack:
            deaf = [stack.enter_context(narrow(server)) for _ in range(30)]
            for connection in deaf:
                connection.sendall(post_bytes(server, call("echo", {"message": "x" * (2 * MIB)})))
                self.still_serves(server)
            self.assertTrue(wait_until(lambda: all(is_cut(connection) for connection in deaf)))
            self.still_serves(server)
            # What they left behind is given back: 30 answers of 4 MiB would be 120.
            self.assertTrue(wait_until(lambda: resident_kib(server.process.pid) < 64 * 1024 * ROOM), resident_kib(server.process.pid))

    def test_streams_of_events(self):
        for era in ("modern", "legacy"):
            with self.subTest(era), serve() as server, narrow(server) as deaf:
                session = server.session() if era == "legacy" else None
                arguments = {"name": "flood", "arguments": {"count": 40_000, "bytes": 1000}}
                message = request("tools/call", {**arguments, "_meta": {"progressToken": 1}}) if session else modern("tools/call", {**arguments, "_meta": {"progressToken": 1}})
                deaf.sendall(post_bytes(server, message, session))
                self.assertTrue(wait_until(lambda: is_cut(deaf)))        # its backlog is full
                self.assertTrue(wait_until(lambda: running(server) == 0))
                self.still_serves(server)
                self.assertLess(resident_kib(server.process.pid), 96 * 1024 * ROOM)

    def test_a_standing_stream(self):
        with serve() as server, narrow(server) as deaf:
            session = server.session()
            lines = {"Accept": "text/event-stream", "Host": server.host, **session}
            deaf.sendall(b"GET /mcp HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode() + b"\r\n")
            for _ in range(200):
                self.assertEqual(server.post(call("test_trigger_tool_change")).status, 200)
            self.still_serves(server)
            self.assertEqual(server.post(request("ping"), session, plain=True).status, 200)

    def test_requests_that_are_sent_and_sent(self):
        """A client that only ever asks: what it is owed does not pile up."""
        with serve("--write-time", "2000") as server, narrow(server) as deaf:
            line = post_bytes(server, call("echo", {"message": "x" * 20_000}))
            deaf.settimeout(3)
            with contextlib.suppress(OSError):     # it is made to wait, and then cut off
                for _ in range(5000):
                    deaf.sendall(line)
            self.assertLess(resident_kib(server.process.pid), 64 * 1024 * ROOM)
            self.assertTrue(wait_until(lambda: is_cut(deaf)))
            self.still_serves(server)


class ReadSlowly(unittest.TestCase):
    def test_a_slow_client_gets_all_of_it(self):
        """Longer than a client may take nothing: it does take something all the time."""
        with serve("--write-time", "1000") as server, narrow(server) as slow:
            slow.sendall(post_bytes(server, call("echo", {"message": "x" * (3 * MIB)})))
            got = b""
            began = time.monotonic()
            while b"\r\n\r\n" not in got:
                got += slow.recv(4096)
            head, _, got = got.partition(b"\r\n\r\n")
            size = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
            while len(got) < size:
                chunk = slow.recv(16384)
                self.assertTrue(chunk, f"cut off after {len(got)} of {size} bytes")
                got += chunk
                if time.monotonic() - began < 4:
                    time.sleep(0.05)
            self.assertEqual(len(json.loads(got)["result"]["structuredContent"]["message"]), 3 * MIB)


class LargeBodies(unittest.TestCase):
    def test_many_at_once_are_too_much(self):
        """Each is as large as it may be, and none comes to its end."""
        with serve() as server:
            head = "".join(f"{name}: {value}\r\n" for name, value in {**server.JSON, "Host": server.host, "Content-Length": 4 * MIB}.items())
            part = b"POST /mcp HTTP/1.1\r\n" + head.encode() + b"\r\n" + b" " * (4 * MIB - 1)
            with contextlib.ExitStack() as stack:
                said = []
                for _ in range(40):
                    connection = stack.enter_context(socket.create_connection((server.host, server.port), timeout=60))
                    with contextlib.suppress(OSError):
                        connection.sendall(part)
                    said.append(connection)
                # The kernel still holds some of it: what is refused is refused once the server has read that far.
                self.assertTrue(wait_until(lambda: select.select(said, [], [], 0)[0]))
                answer = select.select(said, [], [], 0)[0][0].recv(65536)
                self.assertIn(b"HTTP/1.1 503 ", answer)
                self.assertIn(b"\r\nRetry-After: ", answer)
                self.assertIn(b"busy", answer)
                self.assertEqual(server.exchange("GET", "/healthz").status, 200)     # who sends nothing is served
            self.assertTrue(wait_until(lambda: server.post(call("echo", {"message": "x" * (3 * MIB)})).status == 200))


class Sessions(unittest.TestCase):
    def test_more_than_there_is_room_for(self):
        with serve("--sessions", "3") as server:
            sessions = [server.session() for _ in range(3)]
            refused = server.post(initialize(), plain=True)
            self.assertEqual(refused.status, 503)
            self.assertIn("busy", refused.last["error"]["message"])
            for head in sessions:
                self.assertEqual(server.post(request("ping"), head, plain=True).status, 200)
            self.assertEqual(server.post(call("echo")).status, 200)     # the modern era needs none
            self.assertEqual(server.exchange("DELETE", "/mcp", headers=sessions[0]).status, 200)
            self.assertEqual(server.post(request("ping"), server.session(), plain=True).status, 200)

    def test_one_that_is_forgotten_makes_room(self):
        with serve("--sessions", "3", "--quiet", "300") as server:
            forgotten, used, working = (server.session() for _ in range(3))
            with contextlib.closing(server.connect()) as connection:
                message = request("tools/call", {"name": "wait", "arguments": {"milliseconds": 60000}})
                connection.request("POST", "/mcp", json.dumps(message), {**server.JSON, **working})
                self.assertTrue(wait_until(lambda: running(server) == 1))
                time.sleep(0.5)
                self.assertEqual(server.post(request("ping"), used, plain=True).status, 200)
                self.assertEqual(server.post(request("ping"), server.session(), plain=True).status, 200)
                self.assertEqual(server.post(request("ping"), forgotten, plain=True).status, 404)
                self.assertEqual(server.post(request("ping"), used, plain=True).status, 200)
                self.assertEqual(server.post(request("ping"), working, plain=True).status, 200)


if __name__ == "__main__":
    unittest.main()
