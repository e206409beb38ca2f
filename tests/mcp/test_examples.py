# SPDX-License-Identifier: Apache-2.0
"""examples/serve: what the registry of MCP servers and systemd ask of such files."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import wardenv_testing as wt
from mcp_testing import Stdio

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples/serve"


class Registry(unittest.TestCase):
    """server.json, by the rules of the registry's schema of 2025-12-11."""

    def setUp(self):
        self.server = json.loads((EXAMPLES / "server.json").read_text())

    def text(self, value, least=1, most=None, pattern=None):
        self.assertIsInstance(value, str)
        self.assertGreaterEqual(len(value), least)
        self.assertLessEqual(len(value), most or len(value))
        self.assertRegex(value, pattern or "^")

    def test_what_it_is(self):
        self.text(self.server["name"], 3, 200, r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$")
        self.text(self.server["description"], 1, 100)
        self.text(self.server["title"], 1, 100)
        self.text(self.server["version"], 1, 255, r"^\d+\.\d+\.\d+$")     # one version, no range
        self.text(self.server["$schema"], pattern=r"^https://static\.modelcontextprotocol\.io/schemas/[\d-]+/server\.schema\.json$")
        self.assertLessEqual(set(self.server), {"$schema", "name", "title", "description", "version", "packages", "repository", "websiteUrl", "icons", "remotes", "_meta"})

    def check_argument(self, argument):
        self.assertIn(argument["type"], ("named", "positional"))
        if argument["type"] == "named":
            self.text(argument["name"], pattern="^-")
        else:
            self.assertTrue("value" in argument or "valueHint" in argument)
        wanted = set(re.findall(r"\{(\w+)\}", argument.get("value", "")))
        self.assertEqual(wanted, set(argument.get("variables", {})))
        for variable in argument.get("variables", {}).values():
            self.assertIn(variable.get("format", "string"), ("string", "number", "boolean", "filepath"))
            self.assertLessEqual(set(variable), {"description", "format", "isRequired", "isSecret", "default", "placeholder", "choices", "value"})

    def test_how_it_is_had(self):
        for package in self.server["packages"]:
            self.assertIn(package["registryType"], ("npm", "pypi", "oci", "nuget", "mcpb", "maven"))
            self.assertIn(package["transport"]["type"], ("stdio", "streamable-http"))
            self.assertNotEqual(package.get("version"), "latest")
            if package["registryType"] == "oci":     # the whole reference, with our version as its tag
                self.text(package["identifier"], pattern=r"^[a-z0-9.-]+\.[a-z]+/[a-z0-9/_-]+:" + re.escape(self.server["version"]) + "$")
                self.assertNotIn("version", package)
            if "runtimeArguments" in package:
                self.text(package["runtimeHint"])
            for argument in package.get("runtimeArguments", []) + package.get("packageArguments", []):
                self.check_argument(argument)

    def test_the_version_is_ours(self):
        with tempfile.TemporaryDirectory(prefix="wardenv-scratch-", dir="/var/tmp") as folder:
            argv = [wt.WARDENV, "serve", "--stdio", "--workspace", folder]
            with Stdio(argv, env=wt.environment(state=folder + "-state"), cwd=folder) as server:
                self.assertEqual(server.open()["result"]["serverInfo"]["version"], self.server["version"])
            shutil.rmtree(folder + "-state", ignore_errors=True)


class Unit(unittest.TestCase):
    def test_systemd_takes_it(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("systemd-analyze is not installed")
        with tempfile.TemporaryDirectory(prefix="wardenv-scratch-", dir="/var/tmp") as folder:
            unit = pathlib.Path(folder) / "wardenv.service"
            text = (EXAMPLES / "wardenv.service").read_text()
            self.assertIn("/usr/local/bin/wardenv", text)
            unit.write_text(text.replace("/usr/local/bin/wardenv", str(pathlib.Path(wt.WARDENV).resolve())))
            checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            about_it = [line for line in (checked.stdout + checked.stderr).splitlines() if "wardenv" in line]
            self.assertEqual((checked.returncode, about_it), (0, []), checked)
            broken = text.replace("Delegate=cpu memory pids", "Delegate=cpu memory pids\nNoSuchSetting=1")     # it does look
            unit.write_text(broken.replace("/usr/local/bin/wardenv", str(pathlib.Path(wt.WARDENV).resolve())))
            checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            self.assertIn("NoSuchSetting", checked.stdout + checked.stderr)

    def test_its_options_exist(self):
        line = next(line for line in (EXAMPLES / "wardenv.service").read_text().splitlines() if line.startswith("ExecStart="))
        known = subprocess.run([wt.WARDENV, "serve", "--help"], capture_output=True, text=True, check=True).stdout
        for option in re.findall(r"--[a-z-]+", line):
            self.assertIn(option, known)


class Container(unittest.TestCase):
    def test_it_bears_the_name_of_the_registry(self):
        label = re.search(r'^LABEL io\.modelcontextprotocol\.server\.name="([^"]+)"$', (EXAMPLES / "Containerfile").read_text(), re.M)
        self.assertEqual(label.group(1), json.loads((EXAMPLES / "server.json").read_text())["name"])

    def test_its_entry_is_a_way_to_serve(self):
        text = (EXAMPLES / "Containerfile").read_text()
        entry = json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", text, re.M).group(1))
        self.assertEqual(entry[1:3], ["serve", "--stdio"])
        known = subprocess.run([wt.WARDENV, "serve", "--help"], capture_output=True, text=True, check=True).stdout
        for option in (word for word in entry if word.startswith("--")):
            self.assertIn(option, known)


class Policy(unittest.TestCase):
    def test_the_policy_is_one(self):
        for path in EXAMPLES.glob("*.yaml"):
            checked = subprocess.run([wt.WARDENV, "policy", "check", str(path)], capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked)


if __name__ == "__main__":
    unittest.main()
