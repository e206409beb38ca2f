# SPDX-License-Identifier: Apache-2.0
"""What is said of the product's tools, such that all clients accept it; and that answers, refusals among them, are what their schema says."""
import json
import socket
import unittest

from mcp_testing import call, modern, request
from test_served import ALLOW, Project
from test_tools import ALL_TOOLS

try:
    import jsonschema
except ImportError:
    jsonschema = None

READ_ONLY = {"list_packages", "describe_environment", "read_file", "list_files", "run_status", "list_runs"}


def every(value):
    """All objects in a schema."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from every(each)


class Said(Project):
    def setUp(self):
        super().setUp()
        self.serve(ALLOW)
        self.tools = {tool["name"]: tool for tool in self.server.ask(modern("tools/list", id="list"))["result"]["tools"]}

    def test_each_tool_is_well_described(self):
        self.assertEqual(set(self.tools), ALL_TOOLS)
        for name, tool in self.tools.items():
            with self.subTest(name):
                self.assertRegex(name, "^[a-z_]{1,64}$")
                self.assertTrue(tool["title"])
                self.assertGreater(len(tool["description"]), 40)
                hints = tool["annotations"]
                self.assertEqual(hints["readOnlyHint"], name in READ_ONLY)
                self.assertTrue(name in READ_ONLY or {"destructiveHint", "idempotentHint", "openWorldHint"} <= set(hints), hints)

    def test_schemas_that_all_clients_take(self):
        for name, tool in self.tools.items():
            for kind in ("inputSchema", "outputSchema"):
                with self.subTest((name, kind)):
                    schema = tool[kind]
                    self.assertEqual(schema["type"], "object")
                    self.assertFalse({"anyOf", "oneOf", "allOf", "not", "if"} & set(schema))
                    self.assertFalse([each for each in every(schema) if "$ref" in each or "$dynamicRef" in each])
                    if jsonschema:
                        jsonschema.Draft202012Validator.check_schema(schema)
            for argument, about in tool["inputSchema"]["properties"].items():
                self.assertTrue(about.get("description"), (name, argument))

    def check(self, name, arguments, error):
        result = self.server.ask(call(name, arguments, next(self.ids)))["result"]
        self.assertEqual(result.get("isError", False), error, result)
        self.assertEqual(json.loads(result["content"][0]["text"]), result["structuredContent"])
        if jsonschema:
            problems = [f"{each.json_path}: {each.message}" for each in jsonschema.Draft202012Validator(self.tools[name]["outputSchema"]).iter_errors(result["structuredContent"])]
            self.assertEqual(problems, [], result["structuredContent"])
        return result["structuredContent"]

    def test_answers_are_what_the_schema_says(self):
        here = {"current_working_dir": self.workspace}
        self.check("run_in_venv", self.in_venv("sh", "-c", "echo out; exit 3"), False)
        self.check("run_in_venv", self.in_venv("sh", "-c", "kill -9 $$"), False)
        self.check("run_in_venv", self.in_venv("no-such-program"), False)
        self.check("run_in_venv", self.in_venv("sleep", "30", timeout_seconds=1), False)
        self.check("run_python", {"code": "1/0"}, False)
        self.check("write_file", {"path": "a.txt", "content": "text"}, False)
        self.check("read_file", {"path": "a.txt"}, False)
        self.check("list_files", here, False)
        self.check("list_packages", here, False)
        self.check("describe_environment", here, False)
        run = self.check("start_run", self.in_venv("true"), False)["run_id"]
        self.check("run_status", {"run_id": run, "wait_seconds": 10}, False)
        self.check("list_runs", {}, False)
        self.check("cancel_run", {"run_id": run}, False)

    def test_what_is_wrong_with_the_arguments_is_said_in_a_result(self):
        for name, arguments, word in (("run_in_venv", {}, "current_working_dir"), ("run_in_venv", {**self.in_venv("python -c pass")}, "args"),
                                      ("run_in_venv", {"current_working_dir": "/etc", "command": "true"}, "workspace"), ("run_in_venv", self.in_venv("true", extra=1), "extra"),
                                      ("run_in_venv", {"current_working_dir": self.workspace, "command": 1}, "command"), ("read_file", {"path": "../../etc/passwd"}, "workspace"),
                                      ("read_file", {"path": "none"}, "none"), ("add_package", {"current_working_dir": self.workspace, "package_name": "--pre"}, "package_name"),
                                      ("run_status", {"run_id": "0" * 32}, "list_runs"), ("write_file", {"path": "x"}, "content"), ("list_files", {"path": 7}, "path")):
            with self.subTest((name, arguments)):
                said = self.check(name, arguments, True)
                self.assertIn(word, json.dumps(said["error"]))

    def test_nothing_is_fetched_that_arguments_point_to(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.5)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/schema.json"
            for arguments in ({"$ref": url}, {"path": {"$ref": url}}, {"path": url, "$schema": url, "content": ""}, {"path": "x", "content": {"$dynamicRef": url}}):
                self.check("write_file", arguments, True)
            self.server.ask(request("initialize", {"protocolVersion": "2025-11-25", "capabilities": {"$ref": url}, "clientInfo": {"name": url, "version": "1", "icons": [{"src": url}]}}, "i"))
            with self.assertRaises(TimeoutError):
                listener.accept()


if __name__ == "__main__":
    unittest.main()
