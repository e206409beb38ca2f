# SPDX-License-Identifier: Apache-2.0
"""What the protocol promises in both eras, message by message; each message that the server sends is checked against the published schema."""
import json
import threading
import unittest

from mcp_testing import FIXTURE, LEGACY, SCHEMAS, Http, Stdio, call, head_of, initialize, meta, modern, request, wait_until

try:
    import jsonschema
except ImportError:
    jsonschema = None

_validators = {}


def validator(version, name):
    """For one definition of a version's schema; None where there is no schema here."""
    if jsonschema is None or not (SCHEMAS / f"{version}.json").exists():
        return None
    if version not in _validators:
        _validators[version] = json.loads((SCHEMAS / f"{version}.json").read_text())
    document = _validators[version]
    kind = "$defs" if "$defs" in document else "definitions"
    return jsonschema.Draft202012Validator({**document, "$ref": f"#/{kind}/{name}"})


RESULTS = {"initialize": "InitializeResult", "tools/list": "ListToolsResult", "tools/call": "CallToolResult", "resources/list": "ListResourcesResult",
           "resources/templates/list": "ListResourceTemplatesResult", "resources/read": "ReadResourceResult", "prompts/list": "ListPromptsResult",
           "prompts/get": "GetPromptResult", "completion/complete": "CompleteResult", "server/discover": "DiscoverResult", "ping": "EmptyResult",
           "logging/setLevel": "EmptyResult", "resources/subscribe": "EmptyResult", "resources/unsubscribe": "EmptyResult"}

ALL = [("tools/list", {}), ("tools/call", {"name": "test_simple_text"}), ("tools/call", {"name": "test_image_content"}), ("tools/call", {"name": "test_audio_content"}),
       ("tools/call", {"name": "test_embedded_resource"}), ("tools/call", {"name": "test_multiple_content_types"}), ("tools/call", {"name": "test_error_handling"}),
       ("tools/call", {"name": "echo", "arguments": {"message": "\u4e2d \U0001f600 \u0000"}}), ("resources/list", {}), ("resources/templates/list", {}),
       ("resources/read", {"uri": "test://static-text"}), ("resources/read", {"uri": "test://static-binary"}), ("resources/read", {"uri": "test://template/7/data"}),
       ("prompts/list", {}), ("prompts/get", {"name": "test_simple_prompt"}), ("prompts/get", {"name": "test_prompt_with_arguments", "arguments": {"arg1": "a", "arg2": "b"}}),
       ("prompts/get", {"name": "test_prompt_with_embedded_resource", "arguments": {"resourceUri": "test://x"}}), ("prompts/get", {"name": "test_prompt_with_image"}),
       ("completion/complete", {"ref": {"type": "ref/prompt", "name": "test_prompt_with_arguments"}, "argument": {"name": "arg1", "value": "par"}})]
ONLY = {"modern": [("server/discover", {})], "legacy": [("ping", {}), ("logging/setLevel", {"level": "debug"}), ("resources/subscribe", {"uri": "test://watched-resource"}),
                                                       ("resources/unsubscribe", {"uri": "test://watched-resource"})]}
BAD = [("tools/call", {"name": "none"}), ("no/such", {}), ("tools/list", {"cursor": "x"}), ("resources/read", {"uri": "test://none"})]


class Schema(unittest.TestCase):
    """Every message that we send, against the schema of the version that was agreed on."""

    def check(self, version, name, value):
        found = validator(version, name)
        if found is None:
            self.skipTest(f"no schema of {version} under {SCHEMAS}, or no python3-jsonschema")
        problems = [f"{error.json_path}: {error.message}" for error in found.iter_errors(value)]
        self.assertEqual(problems, [], json.dumps(value)[:2000])

    def check_error(self, version, message):
        self.assertIn("error", message)
        self.check(version, "JSONRPCError" if version == "2025-06-18" else "JSONRPCErrorResponse", message)

    def test_modern_results_and_errors(self):
        with Stdio() as server:
            for number, (method, params) in enumerate(ALL + ONLY["modern"]):
                with self.subTest(method=method, params=params):
                    answer = server.ask(modern(method, params, id=number))
                    self.check("2026-07-28", "JSONRPCResultResponse", answer)
                    self.check("2026-07-28", RESULTS[method], answer["result"])
                    self.assertEqual(answer["result"]["resultType"], "complete")
                    self.assertIn("io.modelcontextprotocol/serverInfo", answer["result"]["_meta"])
            for number, (method, params) in enumerate(BAD):
                self.check_error("2026-07-28", server.ask(modern(method, params, id=f"bad{number}")))
            self.check("2026-07-28", "UnsupportedProtocolVersionError", server.ask(request("tools/list", {"_meta": {**meta(), "io.modelcontextprotocol/protocolVersion": "x"}}, id="v")))
            self.check("2026-07-28", "MissingRequiredClientCapabilityError", server.ask(call("test_missing_capability", id="c")))

    def test_modern_input_required(self):
        asks = {"elicitation": {}, "sampling": {}, "roots": {}}
        with Stdio() as server:
            for number, tool in enumerate(("test_input_required_result_elicitation", "test_input_required_result_sampling", "test_input_required_result_list_roots",
                                           "test_input_required_result_multiple_inputs", "test_elicitation_sep1034_defaults", "test_elicitation_sep1330_enums")):
                with self.subTest(tool):
                    result = server.ask(modern("tools/call", {"name": tool}, number, asks))["result"]
                    self.assertEqual(result["resultType"], "input_required")
                    self.check("2026-07-28", "InputRequiredResult", result)

    def test_modern_notifications(self):
        with Stdio() as server:
            server.send(modern("subscriptions/listen", {"notifications": {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True,
                                                                          "resourceSubscriptions": ["test://watched-resource"]}}, id="sub"))
            for tool in ("test_trigger_tool_change", "test_trigger_prompt_change", "test_trigger_resource_change"):
                server.ask(call(tool, id=tool))
            server.ask(modern("tools/call", {"name": "test_tool_with_progress", "_meta": {"progressToken": 7}}, id="p"))
            server.ask(modern("tools/call", {"name": "test_tool_with_logging", "_meta": {"io.modelcontextprotocol/logLevel": "debug"}}, id="l"))
            sent = [message for message in server.seen if "method" in message]
            self.assertEqual(sent[0]["method"], "notifications/subscriptions/acknowledged")
            self.assertEqual({message["method"] for message in sent}, {
                "notifications/subscriptions/acknowledged", "notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/updated",
                "notifications/progress", "notifications/message"})
            for message in sent:
                self.check("2026-07-28", "ServerNotification", message)
                if "progress" not in message["method"] and "/message" not in message["method"]:
                    self.assertEqual(message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "sub")

    def test_legacy_results_and_errors(self):
        for version in LEGACY[:2]:
            with self.subTest(version), Stdio() as server:
                opened = server.open(version)["result"]
                self.assertEqual(opened["protocolVersion"], version)
                self.check(version, "InitializeResult", opened)
                for number, (method, params) in enumerate(ALL + ONLY["legacy"], 1):
                    with self.subTest(method=method, params=params):
                        answer = server.ask(request(method, params, number))
                        self.check(version, "JSONRPCResponse" if version == "2025-06-18" else "JSONRPCResultResponse", answer)
                        self.check(version, RESULTS[method], answer["result"])
                        self.assertNotIn("resultType", answer["result"])
                for number, (method, params) in enumerate(BAD):
                    self.check_error(version, server.ask(request(method, params, f"bad{number}")))

    def test_legacy_notifications_and_requests(self):
        for version in LEGACY[:2]:
            with self.subTest(version), Stdio() as server:
                server.open(version, {"elicitation": {}, "sampling": {}, "roots": {}})
                server.ask(request("resources/subscribe", {"uri": "test://watched-resource"}, "s"))
                for tool in ("test_trigger_tool_change", "test_trigger_prompt_change", "test_trigger_resource_change", "test_tool_with_logging"):
                    server.ask(request("tools/call", {"name": tool}, tool))
                server.ask(request("tools/call", {"name": "test_tool_with_progress", "_meta": {"progressToken": "t"}}, "p"))
                for number, (tool, arguments) in enumerate((("test_elicitation", {"message": "?"}), ("test_sampling", {"prompt": "?"}), ("test_input_required_result_list_roots", {}))):
                    server.send(request("tools/call", {"name": tool, "arguments": arguments}, number + 100))
                    while "id" not in (asked := server.next()) or "method" not in asked:
                        pass
                    self.check(version, "ServerRequest", asked)
                    server.send({"jsonrpc": "2.0", "id": asked["id"], "result": {
                        "elicitation/create": {"action": "accept", "content": {"response": "yes"}},
                        "sampling/createMessage": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "hi"}},
                        "roots/list": {"roots": [{"uri": "file:///x"}]}}[asked["method"]]})
                    self.assertFalse(server.answer(number + 100)["result"]["isError"])
                sent = [message for message in server.seen if "method" in message and "id" not in message]
                self.assertGreaterEqual(len({message["method"] for message in sent}), 5)
                for message in sent:
                    self.check(version, "ServerNotification", message)


class Versions(unittest.TestCase):
    def test_the_asked_version_where_it_is_known(self):
        for asked, given in [(version, version) for version in LEGACY] + [("2024-11-05", LEGACY[0]), ("2026-07-28", LEGACY[0]), ("", LEGACY[0]), ("x" * 1000, LEGACY[0])]:
            with self.subTest(asked[:20]), Stdio() as server:
                self.assertEqual(server.ask(initialize(asked))["result"]["protocolVersion"], given)

    def test_both_eras_on_one_process(self):
        with Stdio() as server:
            self.assertIn("2026-07-28", server.ask(modern("server/discover", id="d"))["result"]["supportedVersions"])
            server.open()
            self.assertNotIn("resultType", server.ask(request("tools/list", {}, "legacy"))["result"])
            self.assertIn("resultType", server.ask(modern("tools/list", {}, "modern"))["result"])
            self.assertNotIn("resultType", server.ask(request("tools/call", {"name": "echo"}, "legacy 2"))["result"])

    def test_both_eras_on_one_endpoint(self):
        with Http() as server:
            head = server.session()
            self.assertIn("resultType", server.post(modern("tools/list")).last["result"])
            self.assertNotIn("resultType", server.post(request("tools/list"), head, plain=True).last["result"])

    def test_a_ping_before_initialize(self):
        with Stdio() as server:
            self.assertEqual(server.ask(request("ping", id=1))["result"], {})


class Progress(unittest.TestCase):
    def test_only_with_a_token_and_never_after_the_end(self):
        with Stdio() as server:
            server.ask(call("test_tool_with_progress", id="none"))
            self.assertEqual([each for each in server.seen if "method" in each], [])
            server.ask(modern("tools/call", {"name": "test_tool_with_progress", "_meta": {"progressToken": "t"}}, id="some"))
            values = [each["params"]["progress"] for each in server.seen if each.get("method") == "notifications/progress"]
            self.assertEqual(values, [0, 50, 100])
            self.assertEqual(server.seen[-1].get("id"), "some")

    def test_answers_come_out_of_order(self):
        with Stdio() as server:
            server.send(call("wait", {"milliseconds": 600}, id="slow"))
            server.send(call("wait", {"milliseconds": 1}, id="fast"))
            server.answer("slow")
            self.assertEqual([each["id"] for each in server.seen], ["fast", "slow"])

    def test_no_log_below_the_level(self):
        with Stdio() as server:
            server.open()
            server.ask(request("logging/setLevel", {"level": "error"}, 1))
            server.ask(request("tools/call", {"name": "test_tool_with_logging"}, 2))
            self.assertEqual([each for each in server.seen if "method" in each], [])


ASKS = {"elicitation": {}}
YES = {"confirm": {"action": "accept", "content": {"ok": True}}}


class RequestState(unittest.TestCase):
    """The state goes through the client: altered, replayed, for another call, by another caller, it is worth nothing."""
    TOOL = "test_input_required_result_request_state"

    def setUp(self):
        self.server = Stdio()
        self.addCleanup(self.server.close)
        self.count = 0

    def go(self, **more):
        self.count += 1
        tool = more.pop("tool", self.TOOL)
        return self.server.ask(modern("tools/call", {"name": tool, "arguments": {}, **more}, self.count, ASKS))

    def state(self):
        return self.go()["result"]["requestState"]

    def test_good_once(self):
        state = self.state()
        self.assertIn("state-ok", self.go(requestState=state, inputResponses=YES)["result"]["content"][0]["text"])
        self.assertEqual(self.go(requestState=state, inputResponses=YES)["error"]["code"], -32602)

    def test_altered(self):
        state = self.state()
        for altered in (state[:-1], state + "A", state + "====", state[:10] + ("A" if state[10] != "A" else "B") + state[11:], state[::-1], "", "A" * 100000):
            with self.subTest(altered[:20]):
                self.assertEqual(self.go(requestState=altered, inputResponses=YES)["error"]["code"], -32602)
        self.assertIn("state-ok", self.go(requestState=state, inputResponses=YES)["result"]["content"][0]["text"])   # it is still good

    def test_of_another_call(self):
        state = self.state()
        self.assertEqual(self.go(requestState=state, inputResponses=YES, arguments={"other": 1})["error"]["code"], -32602)
        self.assertEqual(self.go(tool="test_input_required_result_tampered_state", requestState=state, inputResponses=YES)["error"]["code"], -32602)

    def test_an_answer_without_its_state_answers_nothing(self):
        self.assertEqual(self.go(inputResponses=YES)["result"]["resultType"], "input_required")

    def test_wrong_answers_are_asked_again(self):
        for answer in ({}, {"confirm": 1}, {"confirm": {"action": "sure"}}, {"other": {"action": "accept"}}, {"confirm": None}):
            with self.subTest(answer):
                self.assertEqual(self.go(requestState=self.state(), inputResponses=answer)["result"]["resultType"], "input_required")

    def test_of_another_server(self):
        with Stdio() as other:
            state = other.ask(modern("tools/call", {"name": self.TOOL, "arguments": {}}, 1, ASKS))["result"]["requestState"]
        self.assertEqual(self.go(requestState=state, inputResponses=YES)["error"]["code"], -32602)

    def test_a_client_that_cannot_be_asked(self):
        answer = self.server.ask(modern("tools/call", {"name": self.TOOL}, "none"))
        self.assertEqual(answer["error"]["code"], -32021)


TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


class TaskCalls(unittest.TestCase):
    def test_a_task_is_its_owners(self):
        with Http([FIXTURE, "--http", "127.0.0.1:0"]) as server:
            created = server.post(modern("tools/call", {"name": "slow_compute", "arguments": {"seconds": 30}}, 1, TASKS)).last["result"]
            self.assertEqual((created["resultType"], created["status"]), ("task", "working"))
            self.assertRegex(created["taskId"], "^[0-9a-f]{32}$")
            for guess in ("0" * 32, created["taskId"][:-1], ""):
                self.assertEqual(server.post(modern("tasks/get", {"taskId": guess}, 2, TASKS)).last["error"]["code"], -32602)
            self.assertEqual(server.post(modern("tasks/get", {"taskId": created["taskId"]}, 3)).last["error"]["code"], -32021)
            self.assertEqual(server.post(modern("tasks/cancel", {"taskId": created["taskId"]}, 4, TASKS)).last["result"]["resultType"], "complete")
            self.assertEqual(server.post(modern("tasks/get", {"taskId": created["taskId"]}, 5, TASKS)).last["result"]["status"], "cancelled")

    def test_changes_are_told_on_a_subscription(self):
        with Stdio() as server:
            created = server.ask(modern("tools/call", {"name": "confirm_delete"}, 1, {**TASKS, "elicitation": {}}))["result"]
            server.send(modern("subscriptions/listen", {"notifications": {"taskIds": [created["taskId"], "0" * 32]}}, "sub", TASKS))
            acknowledged = server.told(lambda message: message.get("method") == "notifications/subscriptions/acknowledged")
            self.assertEqual(acknowledged["params"]["notifications"], {"taskIds": [created["taskId"]]})
            keys = None
            while not keys:
                keys = server.ask(modern("tasks/get", {"taskId": created["taskId"]}, f"get{len(server.seen)}", TASKS))["result"].get("inputRequests")
            server.ask(modern("tasks/update", {"taskId": created["taskId"], "inputResponses": {key: {"action": "accept", "content": {"confirm": True}} for key in keys}}, "u", TASKS))
            told = server.told(lambda message: message.get("method") == "notifications/tasks" and message["params"]["status"] == "completed")
            self.assertEqual(told["params"]["result"]["content"][0]["text"], "deleted")

    def test_without_the_extension_it_is_a_call(self):
        with Stdio() as server:
            result = server.ask(call("slow_compute", {"seconds": 0.1}))["result"]
            self.assertEqual(result["resultType"], "complete")


class Pages(unittest.TestCase):
    def test_many_clients_at_once(self):
        """200 clients: nothing lost, answers to the right one."""
        with Http() as server:
            wrong, lock = [], threading.Lock()

            def client(name):
                for turn in range(5):
                    label = f"{name}-{turn}"
                    message = call("wait", {"milliseconds": 20, "label": label}, id=turn)
                    reply = server.post(message)
                    with lock:
                        if reply.status != 200 or reply.last["result"]["structuredContent"]["label"] != label or reply.last["id"] != turn:
                            wrong.append((label, str(reply)))
            threads = [threading.Thread(target=client, args=(n,)) for n in range(200)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
