# SPDX-License-Identifier: Apache-2.0
"""Profiles that grant hosts: what they allow, that options can only be tighter, and what the audit log says of each connection."""
import json

import wardenv_testing as t
from base import EgressTest
from lab import PUBLIC

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
        return t.to_run(t.execute(self.lab.on_host(argv), env=t.environment(None, scratch.state), cwd=scratch.root)), scratch

    def test_a_profile_grants_hosts_and_the_log_names_each_connection(self):
        run, scratch = self.run_with({"network": "egress", "allow_host": ["allowed.test"]}, self.python(GET, "http://allowed.test/", "http://allowed.test/", "http://evil.test/"))
        self.assertEqual(run.text.count(f"BODY SERVED {PUBLIC}"), 2, run)
        self.assertIn("STATUS 403", run.text)
        shown = t.execute([t.WARDENV, "audit", "show", "--json"], env=t.environment(None, scratch.state))
        ends = [json.loads(line) for line in shown.stdout.splitlines() if b'"finish"' in line]
        text = json.dumps(ends)
        self.assertEqual(len(ends), 1, shown)
        self.assertIn("allowed.test", text)
        self.assertIn("evil.test", text)
        self.assertIn("refused", text)

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

    def test_the_host_network_is_a_weakening_that_a_policy_must_grant(self):
        for profile in ({}, {"network": "egress", "allow_host": ["allowed.test"]}):
            run, _ = self.run_with(profile, ["true"], "--network", "host")
            self.assertNotEqual(run.status, 0)
        run, _ = self.run_with({"network": "host"}, ["true"])
        self.assertEqual(run.status, 0, run)
        self.assertNotIn("network", run.report["enforced"]["namespaces"])
