# SPDX-License-Identifier: Apache-2.0
"""Tunnels: TLS must ask for the name that was allowed; SOCKS5; ports that are not TLS; a slow or silent peer costs nobody else anything."""
import os

import wardenv_testing as t
from base import TALK, EgressTest, both
from lab import PUBLIC, PYTHON

# CONNECT or SOCKS to argv[1]:argv[2], then TLS with SNI argv[3] ("-": none), the first flight cut into records of argv[4] bytes (0: as it is).
TLS = """
import socket, ssl, struct, sys
host, port, name, piece = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
s = socket.create_connection(("127.0.0.1", 3128), 20)
s.sendall(f"CONNECT {host}:{port} HTTP/1.1\\r\\n\\r\\n".encode())
reply = s.recv(1000)
print("TUNNEL", reply.split(b"\\r\\n")[0].decode(), flush=True)
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
read, write = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(read, write, server_hostname=None if name == "-" else name)
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = write.read()
if piece:
    body = hello[5:]
    for i in range(0, len(body), piece):
        part = body[i:i + piece]
        s.sendall(hello[:3] + struct.pack(">H", len(part)) + part)
else:
    s.sendall(hello)
try:
    while True:
        data = s.recv(65536)
        if not data:
            print("CLOSED"); break
        read.write(data)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            continue
        s.sendall(write.read())
        print("HANDSHAKE DONE"); break
except (OSError, ssl.SSLError) as error:
    print("REFUSED", error)
"""


# TLS to argv[1]:argv[2], through the proxy if argv[3] says so; in the second ClientHello the name is argv[4], as long as the first one's.
TWICE = """
import socket, ssl, sys
host, port, how, second = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4].encode()
s = socket.create_connection(("127.0.0.1", 3128) if how == "proxy" else (host, port), 20)
if how == "proxy":
    s.sendall(f"CONNECT {host}:{port} HTTP/1.1\\r\\n\\r\\n".encode())
    assert b" 200 " in s.recv(1000)
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
read, write = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(read, write, server_hostname=host)
flights = 0
try:
    while True:
        try:
            tls.do_handshake()
            print("HANDSHAKE DONE after", flights)
            s.sendall(write.read())
            tls.write(b"GET /twice HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n")
            s.sendall(write.read())
            read.write(s.recv(65536))
            print("ANSWER", tls.read(12))
            break
        except ssl.SSLWantReadError:
            pass
        out = write.read()
        if out:
            flights += 1
            if flights == 2:
                print("SECOND HELLO", host.encode() in out, flush=True)
                out = out.replace(host.encode(), second)
            for i in range(0, len(out), 100):
                s.sendall(out[i:i + 100])
        data = s.recv(65536)
        if not data:
            print("CLOSED"); break
        read.write(data)
except (OSError, ssl.SSLError) as error:
    print("REFUSED", error)
"""


class TlsTest(EgressTest):
    def tls(self, rules, host, name, piece=0, port=443, who=None):
        return self.inside(rules, self.python(TLS, host, port, name, piece), who)

    @both
    def test_the_server_name_must_be_the_allowed_one(self, who):
        before = len(self.lab.log())
        self.assertIn("HANDSHAKE DONE", self.tls(["allowed.test"], "allowed.test", "allowed.test", who=who).text)
        self.assertIn("allowed.test", [e.get("name") for e in self.lab.log()[before:] if e["kind"] == "sni"], "control: the allowed name arrives")
        for name in ("evil.test", "other.test", "-", "sub.allowed.test", "allowed.test.evil.test"):
            run = self.tls(["allowed.test", "other.test"], "allowed.test", name, who=who)
            self.assertIn("TUNNEL HTTP/1.1 200", run.text, run)
            self.assertNotIn("HANDSHAKE DONE", run.text, name)
            self.assert_refused(run, "allowed.test:443", "TLS")
        self.assertEqual([e["name"] for e in self.lab.log()[before:] if e["kind"] == "sni" and e["name"] != "allowed.test"], [])

    @both
    def test_a_hello_in_pieces_is_put_together(self):
        for piece in (1, 7, 100):
            self.assertIn("HANDSHAKE DONE", self.tls(["allowed.test"], "allowed.test", "allowed.test", piece).text, piece)
            self.assertNotIn("HANDSHAKE DONE", self.tls(["allowed.test"], "allowed.test", "evil.test", piece).text, piece)

    @both
    def test_a_second_hello_that_a_server_asks_for_has_the_same_name(self):
        """HelloRetryRequest: a client could say another name then, and the server would take it."""
        run = self.inside(["allowed.test:8444"], self.python(TWICE, "allowed.test", 8444, "proxy", "allowed.test"))
        self.assertIn("SECOND HELLO True", run.text, run)
        self.assertIn("ANSWER b'HTTP/1.1 200'", run.text)
        before = len(self.lab.seen("sni", name="another.test"))
        run = self.inside(["allowed.test:8444"], self.python(TWICE, "allowed.test", 8444, "proxy", "another.test"))
        self.assertIn("SECOND HELLO True", run.text, run)
        self.assertNotIn("DONE", run.text)
        self.assert_refused(run, "allowed.test:8444", "TLS asks for another name")
        self.assertEqual(len(self.lab.seen("sni", name="another.test")), before)
        self.outside(self.python(TWICE, "allowed.test", 8444, "direct", "another.test"))
        self.assertEqual(len(self.lab.seen("sni", name="another.test")), before + 1, "control: without the proxy the server is told so")

    @both
    def test_what_is_no_tls_does_not_pass_port_443(self):
        for text in ("GET / HTTP/1.1\\r\\nHost: evil.test\\r\\n\\r\\n", "SSH-2.0-x\\r\\n", "\\x16\\x03\\x01\\x00\\x02\\x02\\x00"):
            run = self.inside(["allowed.test"], self.python(TALK, f"CONNECT allowed.test:443 HTTP/1.1\\r\\n\\r\\n{text}"))
            self.assertIn("GOT HTTP/1.1 200", run.text)
            self.assert_refused(run, "allowed.test:443")

    @both
    def test_tls_on_other_ports_is_held_to_the_same(self):
        self.assertIn("HANDSHAKE DONE", self.tls(["allowed.test:8443"], "allowed.test", "allowed.test", port=8443).text)
        self.assertNotIn("HANDSHAKE DONE", self.tls(["allowed.test:8443"], "allowed.test", "evil.test", port=8443).text)

    @both
    def test_an_address_takes_tls_without_a_name(self):
        self.assertIn("HANDSHAKE DONE", self.tls([PUBLIC], PUBLIC, "-").text)
        self.assertNotIn("HANDSHAKE DONE", self.tls([PUBLIC], PUBLIC, "evil.test").text)


class TunnelTest(EgressTest):
    @both
    def test_a_server_that_speaks_first_is_heard(self):
        run = self.inside(["allowed.test:9000"], self.python(TALK, "CONNECT allowed.test:9000 HTTP/1.1\\r\\n\\r\\nhello", "hello"))
        self.assertIn("ECHO\nhello", run.text, run)

    @both
    def test_socks5(self, who):
        def socks(rules, url, *more):
            return self.inside(rules, ["curl", "-sS", "-m", "20", "--noproxy", "", "-x", "socks5h://127.0.0.1:3128", *more, url], who)
        self.assertIn("SERVED", socks(["allowed.test"], "http://allowed.test/").text)
        self.assertIn("SERVED", socks(["allowed.test"], "https://allowed.test/", "--insecure").text)
        self.assertNotIn("SERVED", socks(["allowed.test"], "http://evil.test/").text)
        self.assertNotIn("SERVED", socks(["allowed.test"], "https://evil.test/", "--insecure").text)
        self.assertNotIn("SERVED", socks(["allowed.test"], "http://allowed.test/", "-H", "Host: evil.test").text)
        self.assert_refused(socks(["allowed.test"], "http://evil.test/"), "evil.test:80")

    @both
    def test_other_socks_commands_are_refused(self):
        for command in (2, 3):
            code = f"\\x05\\x01\\x00\\x05\\x0{command}\\x00\\x01\\xcb\\x00\\x71\\x0a\\x00\\x50"
            self.assertIn("\x05\x07", self.inside([PUBLIC], self.python(TALK, code)).text)

    @both
    def test_a_silent_server_and_an_idle_client_cost_nobody_else_anything(self):
        code = """
import socket, urllib.request
idle = [socket.create_connection(("127.0.0.1", 3128)) for _ in range(50)]
silent = socket.create_connection(("127.0.0.1", 3128))
silent.sendall(b"CONNECT allowed.test:9001 HTTP/1.1\\r\\n\\r\\n" + b"x" * 100)
lookup = socket.create_connection(("127.0.0.1", 3128))
lookup.sendall(b"CONNECT silent.test:9001 HTTP/1.1\\r\\n\\r\\n")
for i in range(5):
    print(urllib.request.urlopen("http://allowed.test/").read())
big = urllib.request.urlopen("http://allowed.test/big").read()
print("BIG", len(big), big.count(b"x"))
"""
        run = self.inside(["allowed.test", "allowed.test:9001", "silent.test:9001"], self.python(code))
        self.assertEqual(run.text.count("SERVED"), 5, run)
        self.assertIn(f"BIG {16 << 20} {16 << 20}", run.text)


    @both
    def test_a_silent_name_that_many_ask_for_holds_up_no_other_name(self):
        code = """
import socket, urllib.request
asking = []
for _ in range(60):
    s = socket.create_connection(("127.0.0.1", 3128))
    s.sendall(b"CONNECT silent.test:9001 HTTP/1.1\\r\\n\\r\\n")
    asking.append(s)
print(urllib.request.urlopen("http://allowed.test/").read())
asking[0].settimeout(30)
print("SILENT", asking[0].recv(12))
"""
        run = self.inside(["allowed.test", "silent.test:9001"], self.python(code), options=["--timeout", "100s"])
        self.assertIn("SERVED", run.text, run)
        self.assertIn("SILENT b'HTTP/1.1 50", run.text)

    @both
    def test_a_client_that_is_gone_leaves_its_place_though_the_server_is_deaf(self):
        code = """
import socket, struct, time, urllib.error, urllib.request
s = socket.create_connection(("127.0.0.1", 3128), 20)
s.sendall(b"CONNECT allowed.test:9002 HTTP/1.1\\r\\n\\r\\n")
assert b" 200 " in s.recv(1000)
s.settimeout(1)
try:
    while True:
        s.send(b"x" * 65536)
except TimeoutError:
    print("FULL", flush=True)
def get():
    try:
        return urllib.request.urlopen("http://allowed.test/").read()
    except urllib.error.HTTPError as error:
        return error.code
print("HELD", get())
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()
for _ in range(50):
    got = get()
    if got != 503:
        break
    time.sleep(0.1)
print("LATER", got)
"""
        events, run = self.library(["--allow", "allowed.test", "--allow", "allowed.test:9002", "--at-once", "1"], self.python(code))
        self.assertIn("FULL", run.text, run)
        self.assertIn("HELD 503", run.text, "control: its place is taken as long as it is there")
        self.assertIn("LATER b'SERVED", run.text)
        self.assertTrue([e for e in events if e["event"] == "closed" and e["port"] == 9002])


class CapsTest(EgressTest):
    GET_BIG = "import urllib.request\ntry:\n    print('GOT', len(urllib.request.urlopen('http://allowed.test/big').read()))\nexcept Exception as e:\n    print('CUT', type(e).__name__)\n"

    @both
    def test_bytes(self):
        self.assertIn(f"GOT {16 << 20}", self.library(["--allow", "allowed.test"], self.python(self.GET_BIG))[1].text)
        more = "try:\n    urllib.request.urlopen('http://allowed.test/')\nexcept Exception as e:\n    print(e.read())"
        events, run = self.library(["--allow", "allowed.test", "--bytes", "1000000"], self.python(self.GET_BIG + more))
        self.assertIn("CUT", run.text, run)
        self.assertIn("cap of 1000000 bytes", run.text)
        self.assertTrue([e for e in events if "cap of 1000000 bytes" in e["reason"]])
        self.assertLessEqual(sum(e["bytes_down"] for e in events if e["event"] == "closed"), 1000000)

    def test_rate(self):
        code = "import time, urllib.request as r; t = time.monotonic(); s = r.urlopen('http://allowed.test/big'); n = len(s.read(1 << 20)); print('SECONDS', time.monotonic() - t > 1.5)"
        self.assertIn("SECONDS True", self.library(["--allow", "allowed.test", "--rate", "500000"], self.python(code))[1].text)

    @both
    def test_connections_at_once_and_in_all(self):
        code = """
import socket, urllib.request, urllib.error
held = [socket.create_connection(("127.0.0.1", 3128)) for _ in range({held})]
import time; time.sleep(0.3)
try:
    print(urllib.request.urlopen("http://allowed.test/").read())
except urllib.error.HTTPError as error:
    print("STATUS", error.code, error.reason)
for s in held: s.close()
time.sleep(0.3)
try:
    print("LATER", urllib.request.urlopen("http://allowed.test/").read())
except urllib.error.HTTPError as error:
    print("LATER", error.code, error.reason)
"""
        full = self.library(["--allow", "allowed.test", "--at-once", "5"], self.python(code.format(held=5)))[1].text
        self.assertIn("STATUS 503 this run has its cap of 5 connections at once", full)
        self.assertIn("LATER b'SERVED", full)
        self.assertIn("SERVED", self.library(["--allow", "allowed.test", "--at-once", "5"], self.python(code.format(held=4)))[1].text)
        used = self.library(["--allow", "allowed.test", "--connections", "3"], self.python(code.format(held=3)))[1].text
        self.assertIn("LATER 403 this run has its cap of 3 connections in all", used)

    def test_a_thousand_at_once(self):
        code = """
import resource, socket, threading, time
def hold(count, out):
    made = []
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", 3128), 30)
        s.sendall(b"CONNECT allowed.test:9000 HTTP/1.1\\r\\n\\r\\n")
        made.append(s)
    for s in made:
        data = b""
        while b"ECHO" not in data:
            data += s.recv(1000)
    for i, s in enumerate(made):
        s.sendall(b"%06d" % i)
    print("HELD", sum(s.recv(6, socket.MSG_WAITALL) == b"%06d" % i for i, s in enumerate(made)), flush=True)
    time.sleep(0.1)
hold(1000, None)
"""
        run = self.inside(["allowed.test:9000"], self.python(code), options=["--timeout", "100s"])
        self.assertIn("HELD 1000", run.text, run)


class SecretsTest(EgressTest):
    @both
    def test_a_header_is_added_outside_and_never_seen_inside(self):
        scratch = self.scratch()
        secret = scratch.write(os.path.join(scratch.root, "token"), "s3cr3t-token\n", 0o600)
        code = """
import os, urllib.request
print(urllib.request.urlopen(urllib.request.Request("http://allowed.test/with", headers={"Authorization": "mine"})).read())
print("SEEN", any("s3cr3t" in value for value in os.environ.values()), os.path.exists(%r))
""" % secret
        events, run = self.library(["--allow", "allowed.test", "--inject", f"Authorization:Bearer :file:{secret}", "--inject", "X-From:v=:variable:FROM_VARIABLE",
                                    "--allow", "other.test"], self.python(code), scratch=scratch, env={"FROM_VARIABLE": "s3cr3t-variable"})
        self.assertIn("SERVED", run.text, run)
        self.assertIn("SEEN False False", run.text)
        self.assertNotIn("s3cr3t", str(run.report) + str(events))
        headers = self.lab.seen("http", path="/with")[-1]["headers"]
        self.assertEqual(headers["Authorization"], "Bearer s3cr3t-token")
        self.assertEqual(headers["X-From"], "v=s3cr3t-variable")
        self.library(["--allow", "allowed.test", "--inject", f"Authorization:Bearer :file:{secret}", "--allow", "other.test"],
                     self.python("import urllib.request; urllib.request.urlopen('http://other.test/without')"), scratch=scratch)
        self.assertNotIn("Authorization", self.lab.seen("http", path="/without")[-1]["headers"])

    @both
    def test_trace_would_show_it_and_is_refused(self):
        self.assertRegex(self.inside(["allowed.test"], self.python(TALK, "TRACE http://allowed.test/ HTTP/1.1\\r\\n\\r\\n")).text, "GOT HTTP/1.1 400")

    @both
    def test_a_missing_secret_fails_before_anything_runs(self):
        scratch = self.scratch()
        _, run = self.library(["--allow", "allowed.test", "--inject", "Authorization::file:/nonexistent"], ["touch", scratch.path("ran")], scratch=scratch)
        self.assertEqual(run.report["outcome"], "setup_failed")
        self.assertFalse(os.path.exists(scratch.path("ran")))


class EventsTest(EgressTest):
    def test_each_connection_and_each_refusal_is_told(self):
        code = "import urllib.request as r\nr.urlopen('http://allowed.test/')\ntry:\n    r.urlopen('http://evil.test/')\nexcept Exception: pass"
        events, run = self.library(["--allow", "allowed.test"], self.python(code))
        self.assertEqual([e["event"] for e in events], ["opened", "closed", "refused"], run)
        opened, closed, refused = events
        self.assertEqual((opened["host"], opened["port"], opened["address"], opened["rule"]), ("allowed.test", 80, PUBLIC, "allowed.test"))
        self.assertGreater(closed["bytes_down"], 10)
        self.assertEqual((refused["host"], refused["needed"]), ("evil.test", "evil.test"))

    def test_what_is_refused_as_malformed_is_told_by_what_it_asked_for(self):
        for request, host in (("CONNECT allowed..test:443 HTTP/1.1\\r\\n\\r\\n", "allowed..test"),
                              ("\\x05\\x01\\x00\\x05\\x01\\x00\\x03\\x08a'`id`;b\\x01\\xbb", "a??id??b")):
            events, run = self.library(["--allow", "allowed.test"], self.python(TALK, request))
            self.assertEqual([(e["event"], e["host"], e["port"]) for e in events], [("refused", host, 443)], run)
            self.assert_refused(run, host + ":443")
        events, _ = self.library(["--allow", "allowed.test"], self.python(TALK, "\\x05\\x01\\x02"))
        self.assertEqual([(e["event"], e["protocol"]) for e in events], [("refused", "socks5")])
        self.assertIn("SOCKS", events[0]["reason"])

    def test_refusals_hide_nothing_that_was_reached(self):
        code = ("import socket, urllib.request\nfor i in range(100):\n    s = socket.create_connection(('127.0.0.1', 3128)); s.sendall(b'CONNECT h%d.test:443 HTTP/1.1\\r\\n\\r\\n' % i); s.recv(100); s.close()\n"
                "print('BODY', len(urllib.request.urlopen('http://allowed.test/big').read()))")
        events, run = self.library(["--allow", "allowed.test", "--connections", "101"], self.python(code))
        self.assertIn(f"BODY {16 << 20}", run.text, run)
        closed = [e for e in events if e["event"] == "closed"]
        self.assertEqual([e["host"] for e in closed], ["allowed.test"])
        self.assertGreaterEqual(closed[0]["bytes_down"], 16 << 20)

    def test_a_flood_of_refusals_is_bounded(self):
        code = "import socket\nfor i in range(300):\n    s = socket.create_connection(('127.0.0.1', 3128)); s.sendall(b'CONNECT h%d.test:443 HTTP/1.1\\r\\n\\r\\n' % i); s.recv(100); s.close()"
        events, run = self.library(["--allow", "allowed.test", "--connections", "200"], self.python(code))
        self.assertLessEqual(len(events), 200)
        self.assertLessEqual(len(self.network_violations(run)), 65)
        self.assertEqual(sum(v["count"] for v in self.network_violations(run)), 300)

    def test_the_end_of_the_engine_is_the_end_of_the_run(self):
        scratch = self.scratch()
        token = "864" + t.nonce()[:3].translate(str.maketrans("abcdef", "123456"))
        argv = [t.WARDENV, "run", *scratch.options("--allow-host", "allowed.test"), "--", "/usr/bin/sleep", token]
        process = t.start_outside(self.lab.on_host(argv))
        self.assertTrue(t.eventually(lambda: any(self.is_sleep(pid) for pid in t.processes_with(token))), "it did not start")
        t.stop(process)
        self.assertTrue(t.eventually(lambda: not any(self.is_sleep(pid) for pid in t.processes_with(token))), "it outlived its proxy")

    @staticmethod
    def is_sleep(pid):
        try:
            return os.readlink(f"/proc/{pid}/exe").endswith("sleep")
        except OSError:
            return False
