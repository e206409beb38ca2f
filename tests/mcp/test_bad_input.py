# SPDX-License-Identifier: Apache-2.0
"""What no client should send, over stdio and over HTTP: the specified error comes, the server goes on, and does not grow."""
import json
import unittest

from mcp_testing import FIXTURE, ROOM, Http, Stdio, call, initialize, meta, modern, request, resident_kib

PARSE, INVALID, UNKNOWN, PARAMS = -32700, -32600, -32601, -32602

# name -> (bytes, the code of the error, the id that it carries)
BROKEN = {
    "not JSON": (b"hello", PARSE, None),
    "truncated": (b'{"jsonrpc":"2.0","id":1,"method":"tools/li', PARSE, None),
    "two values": (b'{"jsonrpc":"2.0","id":1,"method":"ping"} {}', PARSE, None),
    "broken UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}', PARSE, None),
    "overlong UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xc0\xaf"}', PARSE, None),
    "lone surrogate": (b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', PARSE, None),
    "NUL byte": (b'{"jsonrpc":"2.0","id":1,\x00"method":"ping"}', PARSE, None),
    "NaN": (b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', PARSE, None),
    "too large a number": (b'{"jsonrpc":"2.0","id":1e999,"method":"ping"}', PARSE, None),
    "comment": (b'{"jsonrpc":"2.0",/* */"id":1,"method":"ping"}', PARSE, None),
    "duplicate key": (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}', PARSE, None),
    "duplicate key, escaped": (b'{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"tools/list"}', PARSE, None),
    "duplicate key, deep": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1,"a":2}}}', PARSE, None),
    "depth 10000": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b'{"a":' * 10000 + b"1" + b"}" * 10001, PARSE, None),
    "depth 10000, arrays": (b"[" * 10000, PARSE, None),
    "batch": (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', INVALID, None),
    "empty batch": (b"[]", INVALID, None),
    "a string": (b'"ping"', INVALID, None),
    "a number": (b"1", INVALID, None),
    "null": (b"null", INVALID, None),
    "no jsonrpc": (b'{"id":7,"method":"ping"}', INVALID, 7),
    "jsonrpc 1.0": (b'{"jsonrpc":"1.0","id":7,"method":"ping"}', INVALID, 7),
    "jsonrpc a number": (b'{"jsonrpc":2.0,"id":7,"method":"ping"}', INVALID, 7),
    "id null": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID, None),
    "id true": (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', INVALID, None),
    "id fraction": (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', INVALID, None),
    "id array": (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', INVALID, None),
    "id object": (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', INVALID, None),
    "id beyond 64 bits": (b'{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}', INVALID, None),
    "id of a megabyte": (b'{"jsonrpc":"2.0","id":"' + b"x" * 1000000 + b'","method":"ping"}', INVALID, None),
    "method a number": (b'{"jsonrpc":"2.0","id":7,"method":5}', INVALID, 7),
    "method null": (b'{"jsonrpc":"2.0","id":7,"method":null}', INVALID, 7),
    "params an array": (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}', PARAMS, 7),
    "params a string": (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":"x"}', PARAMS, 7),
    "neither request nor answer": (b'{"jsonrpc":"2.0","id":7}', INVALID, 7),
    "result and error": (b'{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":""}}', INVALID, 7),
}

# A wrong type in every field that we read: method, params besides _meta.
WRONG = {
    "no name": ("tools/call", {}), "name a number": ("tools/call", {"name": 1}), "name null": ("tools/call", {"name": None}),
    "arguments an array": ("tools/call", {"name": "echo", "arguments": []}), "arguments a string": ("tools/call", {"name": "echo", "arguments": "x"}),
    "arguments null": ("tools/call", {"name": "echo", "arguments": None}),
    "unknown tool": ("tools/call", {"name": "no_such_tool"}), "tool with a NUL": ("tools/call", {"name": "echo\0"}),
    "token an object": ("tools/call", {"name": "echo", "_meta": {"progressToken": {}}}),
    "token a fraction": ("tools/call", {"name": "echo", "_meta": {"progressToken": 1.5}}),
    "responses an array": ("tools/call", {"name": "echo", "inputResponses": []}), "responses null": ("tools/call", {"name": "echo", "inputResponses": None}),
    "state a number": ("tools/call", {"name": "echo", "requestState": 1}), "state empty": ("tools/call", {"name": "echo", "requestState": ""}),
    "state guessed": ("tools/call", {"name": "echo", "requestState": "AAAA" * 40}),
    "cursor a number": ("tools/list", {"cursor": 1}), "cursor guessed": ("tools/list", {"cursor": "p99999"}), "cursor garbage": ("tools/list", {"cursor": "zzz"}),
    "cursor empty": ("tools/list", {"cursor": ""}), "cursor negative": ("tools/list", {"cursor": "p-1"}),
    "uri a number": ("resources/read", {"uri": 1}), "no uri": ("resources/read", {}), "unknown uri": ("resources/read", {"uri": "test://nowhere"}),
    "prompt unknown": ("prompts/get", {"name": "none"}), "prompt a number": ("prompts/get", {"name": 1}),
    "ref a string": ("completion/complete", {"ref": "x", "argument": {"name": "a", "value": "b"}}),
    "ref empty": ("completion/complete", {"ref": {}, "argument": {"name": "a", "value": "b"}}),
    "argument missing": ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}}),
    "argument value a number": ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": 1}}),
    "listen without filter": ("subscriptions/listen", {}), "listen to a string": ("subscriptions/listen", {"notifications": "all"}),
    "capabilities an array": ("tools/list", {"_meta": {"io.modelcontextprotocol/clientCapabilities": []}}),
    "capabilities null": ("tools/list", {"_meta": {"io.modelcontextprotocol/clientCapabilities": None}}),
    "version a number": ("tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": 1}}),
    "client a string": ("tools/list", {"_meta": {"io.modelcontextprotocol/clientInfo": "me"}}),
    "level unknown": ("tools/list", {"_meta": {"io.modelcontextprotocol/logLevel": "loud"}}),
    "level a number": ("tools/list", {"_meta": {"io.modelcontextprotocol/logLevel": 3}}),
}


class StdioBadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Stdio()
        cls.addClassCleanup(cls.server.close)

    def alive(self):
        self.id = getattr(self, "id_number", 1000) + 1
        self.id_number = self.id
        self.assertEqual(self.server.ask(call("echo", {"message": "still here"}, id=f"alive-{id(self)}-{self.id_number}"))["result"]["structuredContent"],
                         {"message": "still here"})

    def test_broken_messages(self):
        for name, (data, code, id) in BROKEN.items():
            with self.subTest(name):
                self.server.send(data + b"\n")
                answer = self.server.next()
                self.assertEqual(answer["error"]["code"], code, answer)
                self.assertEqual(answer.get("id"), id, answer)
                self.alive()

    def test_wrong_types(self):
        for name, (method, params) in WRONG.items():
            with self.subTest(name):
                answer = self.server.ask(modern(method, params, id=f"wrong {name}"))
                self.assertEqual(answer["error"]["code"], PARAMS, answer)
                self.alive()

    def test_unknown_methods(self):
        for method in ("", "no/such", "tools/call\0", "initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/list", "tasks/result"):
            with self.subTest(method):
                answer = self.server.ask(modern(method, id=f"method {method}"))
                self.assertEqual(answer["error"]["code"], UNKNOWN, answer)

    def test_missing_envelope(self):
        answer = self.server.ask(request("tools/list", {}, id="bare"))
        self.assertEqual(answer["error"]["code"], PARAMS)
        answer = self.server.ask(request("tools/list", {"_meta": {**meta(), "io.modelcontextprotocol/protocolVersion": "1900-01-01"}}, id="old"))
        self.assertEqual(answer["error"]["code"], -32022)
        self.assertEqual(answer["error"]["data"]["requested"], "1900-01-01")
        self.assertIn("2026-07-28", answer["error"]["data"]["supported"])

    def test_long_lines_are_skipped_without_being_kept(self):
        before = resident_kib(self.server.process.pid)
        self.server.send(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"')
        for _ in range(100):
            self.server.send(b"x" * 1_000_000)
        self.server.send(b'"}}\n')
        answer = self.server.next()
        self.assertEqual(answer["error"]["code"], INVALID, answer)
        self.alive()
        self.assertLess(resident_kib(self.server.process.pid) - before, 24 * 1024 * ROOM)

    def test_empty_lines_and_carriage_returns(self):
        self.server.send(b"\n\r\n  \n" + json.dumps(call("echo", {}, id="crlf")).encode() + b"\r\n")
        self.assertEqual(self.server.answer("crlf")["result"]["structuredContent"], {})

    def test_no_growth(self):
        def flood():
            for round in range(40):
                for number, (data, _, _) in enumerate(BROKEN.values()):
                    if len(data) < 20000:
                        self.server.send(data + b"\n")
                        self.server.next()
        flood()
        before = resident_kib(self.server.process.pid)
        for _ in range(5):
            flood()
        self.assertLess(resident_kib(self.server.process.pid) - before, 2048 * ROOM)

    def test_an_id_that_is_under_way(self):
        self.server.send(call("wait", {"milliseconds": 1500, "label": "first"}, id="twice"))
        self.server.send(call("echo", {}, id="twice"))
        answer = self.server.answer("twice")
        self.assertEqual(answer["error"]["code"], INVALID, answer)
        self.server.seen.remove(answer)
        self.assertEqual(self.server.answer("twice")["result"]["structuredContent"]["label"], "first")

    def test_answers_that_nobody_asked_for(self):
        self.server.send({"jsonrpc": "2.0", "id": "wardenv-1", "result": {"action": "accept"}})
        self.server.send({"jsonrpc": "2.0", "id": 99, "error": {"code": 1, "message": "x"}})
        self.server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": {"a": 1}}})
        self.server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "none"}})
        self.server.send({"jsonrpc": "2.0", "method": "notifications/unheard_of"})
        self.alive()

    def test_ids_come_back_as_they_were(self):
        for id in (0, -1, 9007199254740993, 18446744073709551615, -9223372036854775808, "", "x", "1", "\u00e4\u4e2d\U0001f600", "a\"b\\c\n"):
            with self.subTest(id):
                self.assertEqual(self.server.ask(call("echo", {}, id=id))["id"], id)


class HttpBadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Http()
        cls.addClassCleanup(cls.server.close)

    def alive(self):
        self.assertEqual(self.server.post(call("echo", {"message": "here"})).last["result"]["structuredContent"], {"message": "here"})

    def test_broken_messages(self):
        for name, (data, code, id) in BROKEN.items():
            with self.subTest(name):
                reply = self.server.post(data, {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "ping"})
                self.assertEqual(reply.status, 400, reply)
                self.assertEqual((reply.last["error"]["code"], reply.last.get("id")), (code, id), reply)
        self.alive()

    def test_wrong_types(self):
        for name, (method, params) in WRONG.items():
            with self.subTest(name):
                message = modern(method, params)
                head = {}
                if "\0" in str(params.get("name")):
                    continue   # a header can't say it; over stdio it is tested
                reply = self.server.post(message, head)
                self.assertIn(reply.last["error"]["code"], (PARAMS, -32020), reply)
                self.assertIn(reply.status, (200, 400), reply)
        self.alive()

    def test_header_and_body_must_agree(self):
        good = call("echo", {})
        for name, head in {"other version": {"MCP-Protocol-Version": "2025-11-25"}, "no version": {"MCP-Protocol-Version": None},
                           "other method": {"Mcp-Method": "tools/list"}, "no method": {"Mcp-Method": None}, "method in capitals": {"Mcp-Method": "TOOLS/CALL"},
                           "other name": {"Mcp-Name": "wait"}, "no name": {"Mcp-Name": None}, "broken base64": {"Mcp-Name": "=?base64?!!!?="},
                           "base64 of another": {"Mcp-Name": "=?base64?d2FpdA==?="}}.items():
            with self.subTest(name):
                reply = self.server.post(good, head)
                self.assertEqual((reply.status, reply.last["error"]["code"]), (400, -32020), reply)
        self.assertEqual(self.server.post(good, {"Mcp-Name": "=?base64?ZWNobw==?="}).status, 200)

    def test_a_header_given_twice_agrees_with_nothing(self):
        body = json.dumps(call("echo", {}))
        got = self.server.raw((f"POST /mcp HTTP/1.1\r\nHost: {self.server.host}:{self.server.port}\r\nContent-Type: application/json\r\n"
                               f"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\nMcp-Name: wait\r\n"
                               f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode(), end=False)
        self.assertIn(b" 400 ", got)
        self.assertIn(b"-32020", got)

    def test_sessions_cannot_be_guessed(self):
        mine = self.server.session()
        self.assertEqual(self.server.post(request("ping"), mine, plain=True).status, 200)
        for guess in ("x", "0" * 32, mine["Mcp-Session-Id"][:-1] + "x", mine["Mcp-Session-Id"].upper(), "../../etc/passwd", "a" * 10000):
            with self.subTest(guess[:40]):
                reply = self.server.post(request("ping"), {**mine, "Mcp-Session-Id": guess}, plain=True)
                self.assertIn(reply.status, (404,), reply)
                self.assertEqual(self.server.exchange("DELETE", "/mcp", headers={"Mcp-Session-Id": guess}).status, 404)
        self.assertEqual(self.server.post(request("ping"), {**mine, "Mcp-Session-Id": None}, plain=True).status, 400)
        self.assertRegex(mine["Mcp-Session-Id"], "^[0-9a-f]{32}$")

    def test_two_clients_with_one_id(self):
        one, two = self.server.session(), self.server.session()
        self.assertNotEqual(one["Mcp-Session-Id"], two["Mcp-Session-Id"])
        import threading
        found = {}

        def go(name, head):
            found[name] = self.server.post(request("tools/call", {"name": "wait", "arguments": {"milliseconds": 300, "label": name}}, id=5), head, plain=True)
        threads = [threading.Thread(target=go, args=entry) for entry in (("one", one), ("two", two))]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        for name in ("one", "two"):
            self.assertEqual(found[name].last["result"]["structuredContent"]["label"], name, found[name])

    def test_verbs_paths_and_types(self):
        self.assertEqual(self.server.exchange("GET", "/mcp").status, 405)
        self.assertEqual(self.server.exchange("DELETE", "/mcp").status, 405)
        self.assertEqual(self.server.exchange("PUT", "/mcp", b"{}").status, 405)
        self.assertEqual(self.server.exchange("GET", "/").status, 404)
        self.assertEqual(self.server.exchange("POST", "/other", b"{}").status, 404)
        self.assertEqual(self.server.exchange("GET", "/healthz").body, b"ok\n")
        self.assertEqual(self.server.post(call("echo"), {"Content-Type": "text/plain"}).status, 415)
        self.assertEqual(self.server.post(call("echo"), {"Content-Type": None}).status, 415)
        self.assertEqual(self.server.post(call("echo"), {"Content-Type": "application/json; charset=utf-8"}).status, 200)
        self.assertEqual(self.server.post(call("echo"), {"Accept": "text/html"}).status, 406)
        self.assertEqual(self.server.post(call("echo"), {"Accept": "*/*"}).status, 200)

    def test_large_bodies_are_refused_before_they_are_read(self):
        before = resident_kib(self.server.process.pid)
        reply = self.server.raw(f"POST /mcp HTTP/1.1\r\nHost: {self.server.host}:{self.server.port}\r\nContent-Type: application/json\r\n"
                                "Content-Length: 104857600\r\n\r\n".encode() + b"x" * 1000, end=False)
        self.assertIn(b" 413 ", reply)
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        reply = self.server.raw(f"POST /mcp HTTP/1.1\r\nHost: {self.server.host}:{self.server.port}\r\nContent-Type: application/json\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 20, end=False)
        self.assertIn(b" 413 ", reply)
        self.assertLess(resident_kib(self.server.process.pid) - before, 24 * 1024 * ROOM)
        self.alive()

    def test_broken_heads(self):
        host = f"Host: {self.server.host}:{self.server.port}\r\n"
        for name, data in {"garbage": "\x00\x01\x02\r\n\r\n", "no version": "POST /mcp\r\n\r\n", "huge head": "GET / HTTP/1.1\r\nX: " + "y" * 100000 + "\r\n\r\n",
                           "two lengths": f"POST /mcp HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                           "length and chunks": f"POST /mcp HTTP/1.1\r\n{host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                           "negative length": f"POST /mcp HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n", "no host": "POST /mcp HTTP/1.1\r\n\r\n",
                           "folded header": f"GET /healthz HTTP/1.1\r\n{host}X: a\r\n b\r\n\tc\r\nBad Header: x\r\n\r\n"}.items():
            with self.subTest(name):
                got = self.server.raw(data.encode("latin-1"))
                self.assertRegex(got[:15], rb"^HTTP/1\.1 4\d\d", got)
        self.alive()


class Rebinding(unittest.TestCase):
    """Host and Origin: what a browser that was lured would send."""

    def test_hosts_and_origins(self):
        with Http() as server:
            here = f"127.0.0.1:{server.port}"
            for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "127.1", "2130706433", "0x7f.0.0.1", "127.0.0.1@evil", "0.0.0.0"):
                with self.subTest(host):
                    self.assertEqual(server.post(call("echo"), {"Host": host}).status, 403)
                    self.assertEqual(server.exchange("GET", "/metrics", headers={"Host": host}).status, 403)
            for origin in ("http://evil.example", "https://127.0.0.1.evil.example", "null", "file://", "http://localhost@evil.example", "http://localhost:80.evil"):
                with self.subTest(origin):
                    self.assertEqual(server.post(call("echo"), {"Host": here, "Origin": origin}).status, 403)
            for host, origin in ((here, None), (f"localhost:{server.port}", "http://localhost:3000"), (f"[::1]:{server.port}", "http://[::1]"), (here, f"http://{here}")):
                with self.subTest((host, origin)):
                    self.assertEqual(server.post(call("echo"), {"Host": host, "Origin": origin}).status, 200)


class Tokens(unittest.TestCase):
    def test_a_token_is_asked_for_and_checked(self):
        with Http([FIXTURE, "--http", "127.0.0.1:0", "--token", "secret-token"]) as server:
            reply = server.post(call("echo"))
            self.assertEqual(reply.status, 401)
            self.assertIn("resource_metadata=", reply.headers["www-authenticate"])
            self.assertNotIn("error=", reply.headers["www-authenticate"])
            for wrong in ("Bearer secret-toke", "Bearer secret-token2", "Bearer ", "Basic c2VjcmV0", "secret-token", "Bearer secret-token extra"):
                with self.subTest(wrong):
                    self.assertEqual(server.post(call("echo"), {"Authorization": wrong}).status, 401)
            self.assertIn('error="invalid_token"', server.post(call("echo"), {"Authorization": "Bearer nope"}).headers["www-authenticate"])
            self.assertEqual(server.post(call("echo"), {"Authorization": "Bearer secret-token"}).status, 200)
            self.assertEqual(server.post(call("echo"), {"Authorization": "bearer secret-token"}).status, 200)
            for path in ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"):
                data = json.loads(server.exchange("GET", path).body)
                self.assertEqual(data["resource"], server.url)
                self.assertEqual(data["bearer_methods_supported"], ["header"])
            self.assertEqual(server.exchange("GET", "/healthz").status, 200)
            self.assertEqual(server.exchange("GET", "/mcp", headers={"Mcp-Session-Id": "x"}).status, 401)


if __name__ == "__main__":
    unittest.main()
