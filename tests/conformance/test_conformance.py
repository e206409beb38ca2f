# SPDX-License-Identifier: Apache-2.0
"""The official conformance suite, without a list of expected failures, on the product's dispatcher and transports."""
import pathlib
import re
import sys
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "mcp"))

import npm_packages
from mcp_testing import Http

# Scenarios that conformance does not need, and that we want to pass.
UNSCORED = {"2025-11-25": {"server-session-lifecycle", "json-schema-2020-12", "server-sse-polling"},
            "2026-07-28": {"http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12", "tasks-lifecycle",
                           "tasks-capability-negotiation", "tasks-wire-fields", "tasks-request-state-removal", "tasks-mrtr-input", "tasks-request-headers",
                           "tasks-dispatch-and-envelope", "tasks-required-task-error", "tasks-mrtr-composition"}}
SCORED = {"2025-11-25": 30, "2026-07-28": 37}


class Conformance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        npm_packages.need()

    def run_revision(self, revision):
        with Http() as server:
            done = npm_packages.node(npm_packages.package("@modelcontextprotocol/conformance/dist/index.js"), "server", "--url", server.url, "--requirements", revision)
        text = done.stdout.decode(errors="replace")
        summary = text[text.find("=== SUMMARY ==="):]
        self.assertEqual(done.returncode, 0, summary + done.stderr.decode(errors="replace")[-3000:])
        found = {name: (int(passed), int(failed)) for name, passed, failed in re.findall(r"^\S+ ([a-z0-9-]+): (\d+) passed, (\d+) failed", summary, re.M)}
        self.assertEqual([name for name, (_, failed) in found.items() if failed], [], summary)
        for name in UNSCORED[revision]:
            self.assertGreater(found.get(name, (0, 0))[0], 0, f"{name} was not run\n{summary}")
        self.assertGreaterEqual(len([name for name, (passed, _) in found.items() if passed and name not in UNSCORED[revision]]), SCORED[revision], summary)

    def test_2025_11_25(self):
        self.run_revision("2025-11-25")

    def test_2026_07_28(self):
        self.run_revision("2026-07-28")


if __name__ == "__main__":
    unittest.main()
