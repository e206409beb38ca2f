# SPDX-License-Identifier: Apache-2.0
"""Profiles that grant hosts: what they allow, that options can only be tighter, and what the audit log says of each connection."""
import json
import os

import wardenv_testing as t
from base import EgressTest, both
from lab import PUBLIC
from test_clients import make_index

GET = """
import sys, urllib.request, urllib.error
for url in sys.argv[1:]:
    try:
        print("BODY", urllib.request.urlopen(url, timeout=20).read().decode().strip())
    except urllib.error.HTTPError as error:
        print("STATUS", error.code)
"""


class PolicyTest(EgressTest):
    def run_with(self, profile, command, *options):
        scratch = self.scratch()
        policy = scratch.write("../policy.json", json.dumps({"version": "1", "default": "deny", "tools": {"run_in_venv": {"profile": "net"}}, "profiles": {"net": profile}}))
        argv = [t.WARDENV, "run", *scratch.options("--json", "--policy", policy, *options), "--", *command]
        return t.to_run(t.execute(self.lab.on_host(argv, scratch.user), env=t.environment(scratch.user, scratch.state), cwd=scratch.root)), scratch

    @both
    def test_a_profile_grants_hosts_and_the_log_names_each_connection(self):
        run, scratch = self.run_with({"network": "egress", "allow_host": ["allowed.test"]}, self.python(GET, "http://allowed.test/", "http://allowed.test/", "http://evil.test/"))
        self.assertEqual(run.text.count(f"BODY SERVED {PUBLIC}"), 2, run)
        self.assertIn("STATUS 403", run.text)
        shown = t.execute([t.WARDENV, "audit", "show", "--json"], scratch.user, env=t.environment(scratch.user, scratch.state))
        ends = [json.loads(line) for line in shown.stdout.splitlines() if b'"finish"' in line]
        text = json.dumps(ends)
        self.assertEqual(len(ends), 1, shown)
        self.assertIn("allowed.test", text)
        self.assertIn("evil.test", text)
        self.assertIn("refused", text)
        self.assert_refused(run, "evil.test", "--allow-host 'evil.test'")

    @both
    def test_refusals_hide_no_connection_from_the_log(self):
        """A hundred hosts that are refused, and then the one that is reached."""
        code = ("import socket, urllib.request\nfor i in range(100):\n    s = socket.create_connection(('127.0.0.1', 3128)); s.sendall(b'CONNECT h%d.test:443 HTTP/1.1\\r\\n\\r\\n' % i); s.recv(100); s.close()\n"
                "print('BODY', len(urllib.request.urlopen('http://allowed.test/big').read()))")
        run, scratch = self.run_with({"network": "egress", "allow_host": ["allowed.test"]}, self.python(code))
        self.assertIn(f"BODY {16 << 20}", run.text, run)
        shown = t.execute([t.WARDENV, "audit", "show", "--json"], scratch.user, env=t.environment(scratch.user, scratch.state))
        ends = [json.loads(line) for line in shown.stdout.splitlines() if b'"finish"' in line]
        reached = [item for item in ends[0]["connections"] if item["verdict"] == "connected"]
        self.assertEqual([item["host"] for item in reached], ["allowed.test"], ends)
        self.assertGreaterEqual(reached[0]["bytes_received"], 16 << 20)
        self.assertEqual(sum(item["count"] for item in ends[0]["connections"] if item["verdict"] == "refused"), 100)

    @both
    def test_pip_under_a_profile_with_the_indexs_own_ca(self):
        """Over HTTP and HTTPS, with hashes; the certificates are the profile's. While it installs, its neighbour in the sandbox reaches nothing else."""
        digest = make_index(self.lab.files)
        for scheme in ("https", "http"):
            with self.subTest(scheme=scheme):
                pip = (f"python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir --target lib --require-hashes -r req.txt --index-url {scheme}://allowed.test/simple/"
                       + (" --trusted-host allowed.test" if scheme == "http" else ""))
                others = "".join(f"curl -sS -m 20 {url} >> reached; " for url in ("http://evil.test/beside", "https://evil.test/beside", "http://other.test/beside"))
                command = ["sh", "-c", f"echo 'labpkg==1.0 --hash=sha256:{digest}' > req.txt; {pip} & {others} wait $!; cat reached"]
                profile = {"network": "egress", "allow_host": ["allowed.test"], "ca_file": self.lab.ca, "timeout": "100s", "memory": "1G"}
                run, scratch = self.run_with(profile, command)
                self.assertTrue(os.path.exists(scratch.path("lib/labpkg.py")), run)
                self.assertNotIn("SERVED", run.text)
                self.assertEqual({item["what"] for item in self.network_violations(run)}, {"GET evil.test:80", "connect evil.test:443", "GET other.test:80"})
                self.assertFalse(self.lab.seen("http", path="/beside") + self.lab.seen("tls", path="/beside"))
        wrong = {"network": "egress", "allow_host": ["allowed.test"], "timeout": "100s", "memory": "1G"}   # control: without the profile's CA nobody trusts it
        run, scratch = self.run_with(wrong, ["sh", "-c", f"echo 'labpkg==1.0 --hash=sha256:{digest}' > req.txt; {pip.replace('http://', 'https://').split(' --trusted')[0]} --retries 0"])
        self.assertFalse(os.path.exists(scratch.path("lib/labpkg.py")), run)

    def test_options_can_only_be_tighter(self):
        grant = {"network": "egress", "allow_host": ["*.allowed.test", "other.test"]}
        run, _ = self.run_with(grant, self.python(GET, "http://sub.allowed.test/", "http://other.test/"), "--allow-host", "sub.allowed.test:80")
        self.assertIn("BODY", run.text, run)
        self.assertIn("STATUS 403", run.text)
        for options in (["--allow-host", "evil.test"], ["--network", "host"]):
            run, _ = self.run_with(grant, ["true"], *options)
            self.assertNotEqual(run.status, 0, options)
        run, _ = self.run_with({}, ["true"], "--allow-host", "allowed.test")
        self.assertNotEqual(run.status, 0)

    @both
    def test_each_cap_of_a_profile_holds_and_options_only_lower_it(self):
        """The control of each is the run with a cap that is high enough."""
        big = "import urllib.request as r\ntry:\n    print('GOT', len(r.urlopen('http://allowed.test/big').read()))\nexcept Exception as e:\n    print('CUT', type(e).__name__)\n"
        three = ("import time, urllib.request as r\nfor i in range(3):\n    try:\n        print('BODY', r.urlopen('http://allowed.test/').status)\n"
                 "    except r.HTTPError as e:\n        print('REFUSED', e.code, e.reason)\n")
        together = ("import socket\nheld = [socket.create_connection(('127.0.0.1', 3128)) for _ in range(4)]\n"
                    "for s in held:\n    s.settimeout(20)\n    s.sendall(b'CONNECT allowed.test:9000 HTTP/1.1\\r\\n\\r\\n')\n"
                    "print([s.recv(1000)[9:12] for s in held])")
        pace = "import time, urllib.request as r\nt = time.monotonic()\nr.urlopen('http://allowed.test/big').read(1 << 20)\nprint('SLOW', time.monotonic() - t > 1.5)"
        grant = {"network": "egress", "allow_host": ["allowed.test:80,9000"]}
        for cap, enough, little, code, good, bad in (
                ("egress_bytes", "17M", "1M", big, f"GOT {16 << 20}", "CUT"),
                ("egress_connections", 3, 2, three, "BODY 200\nBODY 200\nBODY 200", "BODY 200\nBODY 200\nREFUSED 403 this run has its cap of 2 connections in all"),
                ("egress_at_once", 4, 3, together, "[b'200', b'200', b'200', b'200']", "[b'200', b'200', b'200', b'503']"),
                ("egress_rate", "1G", 400000, pace, "SLOW ", "SLOW True")):
            with self.subTest(cap=cap):
                option = "--" + cap.replace("_", "-")
                self.assertIn(good, self.run_with({**grant, cap: enough}, self.python(code))[0].text)
                self.assertIn(bad, self.run_with({**grant, cap: little}, self.python(code))[0].text)
                self.assertIn(bad, self.run_with({**grant, cap: enough}, self.python(code), option, str(little))[0].text)
                self.assertIn(bad, self.inside(["allowed.test:80,9000"], self.python(code), options=[option, str(little)]).text)
                looser, _ = self.run_with({**grant, cap: little}, ["true"], option, str(enough))
                self.assertEqual(looser.status, 125, looser)
                self.assertIn("asks for more than the policy grants", str(looser.report["error"]))

    def test_a_cap_is_a_number_that_lets_something_through(self):
        for option in ("--egress-bytes", "--egress-rate", "--egress-connections", "--egress-at-once"):
            for value in ("0", "-1", "many"):
                run = self.scratch().run(["true"], option, value)
                self.assertEqual(run.status, 125, (option, value))
        self.assertEqual(self.scratch().run(["true"], "--egress-at-once", "4097").status, 125)
        self.assertEqual(self.scratch().run(["true"], "--network", "none", "--egress-bytes", "1M").status, 125)

    def test_the_host_network_is_a_weakening_that_a_policy_must_grant(self):
        for profile in ({}, {"network": "egress", "allow_host": ["allowed.test"]}):
            run, _ = self.run_with(profile, ["true"], "--network", "host")
            self.assertNotEqual(run.status, 0)
        run, _ = self.run_with({"network": "host"}, ["true"])
        self.assertEqual(run.status, 0, run)
        self.assertNotIn("network", run.report["enforced"]["namespaces"])
        self.assertEqual(run.report["enforced"]["degraded"], ["network:host"])

    def test_the_host_network_is_a_weakening_that_is_said(self):
        for network, degraded in (("host", ["network:host"]), ("none", []), ("egress", [])):
            scratch = self.scratch()
            self.assertEqual(scratch.run(["true"], "--network", network).report["enforced"]["degraded"], degraded)
            done = t.execute([t.WARDENV, "run", *scratch.options("--quiet", "--network", network), "--", "true"], scratch.user,
                             env=t.environment(scratch.user, scratch.state), cwd=scratch.root)
            self.assertEqual(done.stderr.count(b"wardenv: weakened: network:host"), len(degraded), done)
