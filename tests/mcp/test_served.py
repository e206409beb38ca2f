# SPDX-License-Identifier: Apache-2.0
"""`wardenv serve` with real commands: what a client is told while they run, what hooks withhold, approvals, and how it all ends."""
import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import unittest

import wardenv_testing as wt
from mcp_testing import FIXTURE, PATIENCE, Http, Stdio, call, head_of, initialize, modern, request, wait_until
from test_tools import Served

SOON = 5   # seconds until something must have happened; what is promised is one
SECRET = "hunter2-was-here"


class Project(Served):
    """With a virtual environment, over stdio or HTTP."""

    def setUp(self):
        super().setUp()
        self.make_venv()

    def serve_http(self, policy, *options, closed=()):
        path = os.path.join(self.root, "policy.json")
        with open(path, "w") as file:
            json.dump(policy, file)
        argv = [wt.WARDENV, "serve", "--http", "127.0.0.1:0", "--workspace", self.workspace, "--policy", path, *options]
        if closed:
            argv = ["/bin/sh", "-c", 'exec "$@"' + "".join(f" {fd}>&-" for fd in closed), "sh", *argv]
        self.server = Http(argv, env=wt.environment(state=os.path.join(self.root, "state")), cwd=self.root)
        self.addCleanup(self.server.close)
        return self.server

    def in_venv(self, *argv, **more):
        return {"current_working_dir": self.workspace, "command": argv[0], "args": list(argv[1:]), **more}

    def endless(self, token):
        return self.in_venv("sh", "-c", "sleep 500; true", token)


ALLOW = {"version": "1", "default": "allow"}
TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


class Told(Project):
    def progress_of(self, server, id):
        server.answer(id, 60)
        return [each["params"] for each in server.seen if each.get("method") == "notifications/progress" and each["params"]["progressToken"] == id]

    def run_with_progress(self, server, id, *argv):
        server.send(modern("tools/call", {"name": "run_in_venv", "arguments": self.in_venv(*argv), "_meta": {"progressToken": id}}, id))
        return self.progress_of(server, id)

    def test_progress_at_once_and_every_few_seconds_with_the_last_line(self):
        told = self.run_with_progress(self.serve(ALLOW), "p", "sh", "-c", "echo first; sleep 4; echo second; printf unfinished; sleep 4")
        self.assertGreaterEqual(len(told), 3)
        self.assertIn("sh", told[0]["message"])
        self.assertEqual([each["message"] for each in told[1:3]], ["first", "second"])
        values = [each["progress"] for each in told]
        self.assertEqual(values, sorted(set(values)), "it must grow")

    def test_output_that_a_hook_withholds_is_not_shown_before(self):
        hook = os.path.join(self.root, "hook.py")
        with open(hook, "w") as file:   # what is told of runs may be told, what came of them not
            file.write(f"#!{sys.executable} -I\nimport json, sys\ngiven = json.load(sys.stdin)\n"
                       "print(json.dumps({'decision': 'allow' if given['tool'] == 'run_status' else 'deny', 'reason': 'withheld'}))\n")
        os.chmod(hook, 0o755)
        words = ("sh", "-c", f"echo {SECRET}; sleep 4")
        server = self.serve({**ALLOW, "hooks": [{"name": "reader", "event": "after_run", "run": [hook], "timeout": "20s"}]})
        told = self.run_with_progress(server, "p", *words)
        self.assertGreaterEqual(len(told), 2)
        started = self.here("start_run", command=words[0], args=list(words[1:]))
        status = {"state": "running"}
        while status["state"] != "ended":
            status = self.tool("run_status", run_id=started["run_id"], wait_seconds=1)
            self.assertEqual(status["stdout"], "")
        self.assertIn("withheld", status["stderr"], status)
        told = [each["message"] for each in told] + [json.dumps(each.get("result")) for each in server.seen]
        self.assertEqual([text for text in told if SECRET in text.replace(words[2], "")], [])     # but for the command itself, which the client wrote

    def test_what_a_hook_withholds_is_no_tools_answer(self):
        hook = os.path.join(self.root, "hook.py")
        with open(hook, "w") as file:
            file.write(f"#!{sys.executable} -I\nimport json, sys\nargs = json.load(sys.stdin)['arguments']\n"
                       f"print(json.dumps({{'decision': 'deny' if 'hide' in json.dumps(args) else 'allow', 'reason': 'not for you'}}))\n")
        os.chmod(hook, 0o755)
        self.serve({**ALLOW, "hooks": [{"name": "reader", "event": "after_run", "run": [hook], "timeout": "20s"}]})
        for name in ("hide.txt", "open.txt"):
            with open(os.path.join(self.workspace, name), "w") as file:
                file.write(SECRET)
        os.mkdir(os.path.join(self.workspace, "hide"))
        with open(os.path.join(self.workspace, "hide", SECRET), "w"):
            pass
        self.assertEqual(self.here("read_file", path="open.txt")["text"], SECRET)   # the control
        for name, arguments in (("read_file", {"path": "hide.txt"}), ("list_files", {"path": "hide"}), ("describe_environment", {"current_working_dir": os.path.join(self.workspace, "hide")}),
                                ("run_in_venv", self.in_venv("cat", "hide.txt"))):
            with self.subTest(tool=name):
                answer = self.server.ask(call(name, arguments, id=name))
                self.assertNotIn(SECRET, json.dumps(answer))
                self.assertIn("not for you", json.dumps(answer))
        log = subprocess.run([wt.WARDENV, "audit", "show", "--json"], capture_output=True, env=wt.environment(state=os.path.join(self.root, "state")), check=True).stdout
        reasons = [record.get("reason", "") for record in map(json.loads, log.splitlines()) if record["event"] == "finish"]
        self.assertEqual(sum("not for you" in reason for reason in reasons), 4)

    def test_a_call_of_a_hidden_tool_is_answered_as_of_none_and_written_down(self):
        server = self.serve({**ALLOW, "hide": ["remove_package"]})
        answers = []
        for name in ("remove_package", "no_such_tool"):
            error = server.ask(call(name, {"package_name": "x"}, id=name))["error"]
            answers.append((error["code"], error["message"].replace(name, "NAME")))
        self.assertEqual(answers[0], answers[1])
        log = subprocess.run([wt.WARDENV, "audit", "show", "--json"], capture_output=True, env=wt.environment(state=os.path.join(self.root, "state")), check=True).stdout
        refused = {record["tool"]: (record["decision"], record["rule"]) for record in map(json.loads, log.splitlines()) if record["event"] == "admit"}
        self.assertEqual(refused, {"remove_package": ("deny", "(hidden)"), "no_such_tool": ("deny", "(unknown tool)")})

    def test_output_that_a_hook_lets_pass_is_there_at_the_end(self):
        hook = os.path.join(self.root, "hook.py")
        with open(hook, "w") as file:
            file.write(f"#!{sys.executable} -I\nprint('{{\"decision\": \"allow\"}}')\n")
        os.chmod(hook, 0o755)
        self.serve({**ALLOW, "hooks": [{"name": "reader", "event": "after_run", "run": [hook], "timeout": "20s"}]})
        started = self.here("start_run", command="sh", args=["-c", "echo out; echo err >&2"])
        status = {"state": "running"}
        while status["state"] != "ended":
            status = self.tool("run_status", run_id=started["run_id"], wait_seconds=5)
        self.assertEqual((status["stdout"], status["stderr"]), ("out\n", "err\n"), status)

    def test_a_long_run_becomes_a_task_without_a_token(self):
        """The command ends by a file that is written once the task was handed back: a call that is no task is never answered."""
        server = self.serve(ALLOW)
        message = {"name": "run_in_venv", "arguments": self.in_venv("sh", "-c", "while [ ! -e go ]; do sleep 0.1; done; echo went")}
        server.send(modern("tools/call", message, "long", TASKS))
        try:
            created = server.answer("long")["result"]
        finally:
            open(os.path.join(self.workspace, "go"), "w").close()
        self.assertEqual((created["resultType"], created["status"]), ("task", "working"), created)
        self.assertEqual([each for each in server.seen if each.get("method") == "notifications/progress"], [])
        got = {}

        def ended():
            got.update(server.ask(modern("tasks/get", {"taskId": created["taskId"]}, f"get {len(server.seen)}", TASKS))["result"])
            return got["status"] != "working"
        self.assertTrue(wait_until(ended))
        self.assertEqual((got["status"], got["result"]["structuredContent"]["stdout"]), ("completed", "went\n"), got)
        short = server.ask(modern("tools/call", message, "short", TASKS))["result"]     # the file is there: at once
        self.assertEqual(short["resultType"], "complete")

    def test_a_command_has_no_descriptor_of_ours(self):
        """Neither the wire nor anything else: what it writes to any number is not heard by the client (every line of the wire is parsed)."""
        self.serve(ALLOW)
        code = "import os\nfor fd in range(3, 1024):\n    try:\n        os.write(fd, b'polluted\\n'); print('wrote to', fd)\n    except OSError: pass\nprint(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:3])"
        ran = self.here("run_python", code=code)
        self.assertEqual(ran["stdout"], "[0, 1, 2]\n", ran)
        own = os.path.join("/proc", str(self.server.process.pid), "fd")
        self.assertNotEqual(os.readlink(os.path.join(own, "1")), os.readlink(f"/proc/self/fd/{self.server.process.stdout.fileno()}"), "1 is the wire")

    def test_a_closed_stream_is_nobodys(self):
        """Else a connection, the log or the launcher's socket would have its number."""
        server = self.serve_http(ALLOW, closed=(0, 1))
        code = "import os, stat\nprint([stat.S_IFMT(os.fstat(fd).st_mode) in (stat.S_IFREG, stat.S_IFIFO) for fd in (0, 1, 2)])"
        ran = server.post(call("run_python", {"current_working_dir": self.workspace, "code": code})).last["result"]
        self.assertEqual(ran["structuredContent"]["stdout"], "[True, True, True]\n", ran)
        self.assertEqual([os.readlink(f"/proc/{server.process.pid}/fd/{fd}") for fd in (0, 1)], ["/dev/null", "/dev/null"])

    def test_a_closed_wire_is_refused(self):
        for fd in (0, 1):
            argv = ["/bin/sh", "-c", f'exec "$@" {fd}>&-', "sh", wt.WARDENV, "serve", "--stdio", "--workspace", self.workspace]
            done = subprocess.run(argv, capture_output=True, timeout=PATIENCE, env=wt.environment(state=os.path.join(self.root, "state")))
            self.assertEqual((done.returncode, b"must be open" in done.stderr), (125, True), done)


class Approvals(Project):
    """In both eras: the question goes to the client, the approval is given on the host, and no answer of the client's replaces it."""
    POLICY = {**ALLOW, "tools": {"run_in_venv": {"action": "require_approval", "reason": "a person must look"}}}

    def setUp(self):
        super().setUp()
        if subprocess.run([wt.WARDENV, "approvals", "--help"], capture_output=True).returncode != 0:
            self.skipTest("wardenv-cli is not built")

    def approve(self, text):
        id = re.search(r"approvals approve ([0-9A-Za-z_-]+)", text).group(1)
        subprocess.run([wt.WARDENV, "approvals", "approve", "--yes", id], check=True, capture_output=True, env=wt.environment(state=os.path.join(self.root, "state")))

    def legacy(self, server, id, answer, approve):
        server.send(request("tools/call", {"name": "run_in_venv", "arguments": self.in_venv("echo", id)}, id))
        question = server.told(lambda message: message.get("method") == "elicitation/create")
        server.seen.remove(question)
        if approve:
            self.approve(question["params"]["message"])
        server.send({"jsonrpc": "2.0", "id": question["id"], "result": {"action": answer, "content": {}}})
        return server.answer(id)["result"]

    def test_legacy(self):
        server = self.serve(self.POLICY)
        server.open(capabilities={"elicitation": {}})
        self.assertTrue(self.legacy(server, "declined", "decline", approve=False)["isError"])
        self.assertTrue(self.legacy(server, "pretended", "accept", approve=False)["isError"])
        done = self.legacy(server, "approved", "accept", approve=True)
        self.assertEqual(done["structuredContent"]["stdout"], "approved\n", done)

    def is_refused(self, server, id):
        result = server.answer(id)["result"]
        self.assertTrue(result["isError"])
        self.assertIn("approvals approve", json.dumps(result), "it must say how")

    def test_questions_that_nobody_answers_leave_threads_for_others(self):
        server = self.serve(self.POLICY, "--concurrency", "4")
        server.open(capabilities={"elicitation": {}})
        for number in range(6):
            server.send(request("tools/call", {"name": "run_in_venv", "arguments": self.in_venv("echo", str(number))}, f"q{number}"))

        def refused():
            return [each["id"] for each in server.seen if "result" in each and str(each["id"]).startswith("q")]

        def asked():
            return [each for each in server.seen if each.get("method") == "elicitation/create"]
        while len(refused()) + len(asked()) < 6:
            server.next()
        self.assertEqual((len(refused()), len(asked())), (4, 2))     # half of the workers wait
        self.is_refused(server, refused()[0])
        code = {"current_working_dir": self.workspace, "code": "print(1)"}
        self.assertFalse(server.ask(request("tools/call", {"name": "run_python", "arguments": code}, "other"))["result"].get("isError"))

    def test_quick_tools_never_wait_for_a_person(self):
        server = self.serve({**ALLOW, "tools": {"write_file": {"action": "require_approval", "reason": "a person must look"}}})
        server.open(capabilities={"elicitation": {}})
        for number in range(3):
            server.send(request("tools/call", {"name": "write_file", "arguments": {"current_working_dir": self.workspace, "path": f"{number}", "content": ""}}, f"w{number}"))
        self.assertFalse(server.ask(request("tools/call", {"name": "list_runs"}, "quick"))["result"].get("isError"))
        for number in range(3):
            self.is_refused(server, f"w{number}")

    def modern(self, server, id, **more):
        return server.ask(modern("tools/call", {"name": "run_in_venv", "arguments": self.in_venv("echo", "approved"), **more}, id, {"elicitation": {}}))

    def test_modern(self):
        server = self.serve(self.POLICY)
        asked = self.modern(server, "ask")["result"]
        self.assertEqual(asked["resultType"], "input_required")
        (key, question), = asked["inputRequests"].items()
        state = asked["requestState"]
        answers = {key: {"action": "accept", "content": {}}}
        altered = state[:10] + ("A" if state[10] != "A" else "B") + state[11:]
        self.assertEqual(self.modern(server, "altered", requestState=altered, inputResponses=answers)["error"]["code"], -32602)
        self.approve(question["params"]["message"])
        done = self.modern(server, "approved", requestState=state, inputResponses=answers)["result"]
        self.assertEqual(done["structuredContent"]["stdout"], "approved\n", done)
        self.assertEqual(self.modern(server, "replayed", requestState=state, inputResponses=answers)["error"]["code"], -32602)
        again = self.modern(server, "again")["result"]      # one approval is one run
        self.assertEqual(again["resultType"], "input_required")

    def test_a_client_that_can_not_be_asked_is_told_how(self):
        server = self.serve(self.POLICY)
        refused = server.ask(call("run_in_venv", self.in_venv("true"), "x"))["result"]
        self.assertTrue(refused["isError"])
        self.assertIn("approval", json.dumps(refused["structuredContent"]))


class Ends(Project):
    """Whatever ends, its sandboxes are gone soon: of the call, of the background, of the server."""

    def under_way(self, send):
        """Starts one in a call and one in the background; their tokens, once both run."""
        called, background = wt.nonce(), wt.nonce()
        send("start_run", self.endless(background))
        send("run_in_venv", self.endless(called))
        for token in (called, background):
            self.assertTrue(wt.eventually(lambda: wt.processes_with(token)), "it never ran")
        return called, background

    def gone(self, *tokens):
        for token in tokens:
            self.assertTrue(wt.eventually(lambda: not wt.processes_with(token)), "it goes on")

    def stdio_ends(self, how):
        server = self.serve(ALLOW)
        ids = iter(range(1, 100))
        tokens = self.under_way(lambda tool, arguments: server.send(call(tool, arguments, next(ids))))
        how(server)
        self.gone(*tokens)
        self.assertEqual(server.process.wait(SOON), 0)

    def test_stdio_end_of_input(self):
        self.stdio_ends(lambda server: server.process.stdin.close())

    def test_stdio_output_that_nobody_reads(self):
        read_end, write_end = os.pipe()
        argv = [wt.WARDENV, "serve", "--stdio", "--workspace", self.workspace]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=write_end, stderr=subprocess.DEVNULL, cwd=self.root,
                                   env=wt.environment(state=os.path.join(self.root, "state")))
        self.addCleanup(process.kill)
        os.close(write_end)
        token = wt.nonce()
        process.stdin.write(json.dumps(call("run_in_venv", self.endless(token))).encode() + b"\n")
        process.stdin.flush()
        self.assertTrue(wt.eventually(lambda: wt.processes_with(token)))
        os.close(read_end)
        self.gone(token)
        self.assertEqual(process.wait(SOON), 0)
        process.stdin.close()

    def test_stdio_signals(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                self.stdio_ends(lambda server: server.process.send_signal(number))

    def test_killed(self):
        server = self.serve(ALLOW)
        ids = iter(range(1, 100))
        tokens = self.under_way(lambda tool, arguments: server.send(call(tool, arguments, next(ids))))
        server.process.kill()
        self.gone(*tokens)

    def post(self, server, tool, arguments, head=None):
        message = call(tool, arguments) if head is None else request("tools/call", {"name": tool, "arguments": arguments}, next(self.ids))
        connection = server.connect()
        connection.request("POST", "/mcp", json.dumps(message), {**server.JSON, **(head_of(message) if head is None else head)})
        self.addCleanup(connection.close)
        return connection

    def test_http_signals(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                server = self.serve_http(ALLOW)
                tokens = self.under_way(lambda tool, arguments: self.post(server, tool, arguments))
                server.process.send_signal(number)
                self.gone(*tokens)
                self.assertEqual(server.process.wait(SOON), 0)

    def test_http_disconnect_in_both_eras(self):
        server = self.serve_http(ALLOW)
        for era in ("modern", "legacy"):
            with self.subTest(era):
                token = wt.nonce()
                connection = self.post(server, "run_in_venv", self.endless(token), server.session() if era == "legacy" else None)
                self.assertTrue(wt.eventually(lambda: wt.processes_with(token)))
                connection.close()
                self.gone(token)

    def waiting_hook(self):
        """A policy whose hook waits until it is let go; where it says that it was asked, and where it is let go."""
        pid, go, hook = (os.path.join(self.root, name) for name in ("pid", "go", "hook"))
        with open(hook, "w") as file:
            file.write(f"#!{sys.executable} -I\nimport os, time\nopen({pid + '.new'!r}, 'w').write(str(os.getpid()))\nos.rename({pid + '.new'!r}, {pid!r})\n"
                       f"until = time.monotonic() + 300\nwhile not os.path.exists({go!r}) and time.monotonic() < until: time.sleep(0.01)\nprint('{{\"decision\": \"allow\"}}')\n")
        os.chmod(hook, 0o755)
        hooks = [{"name": "slow", "event": "before_run", "run": [hook], "timeout": "10m"}]
        rules = {tool: {"limits": [{"counter": tool, "window": "day", "max": 1}]} for tool in ("run_in_venv", "write_file")}
        return {**ALLOW, "tools": rules, "hooks": hooks}, pid, go

    def asked(self, pid):
        self.assertTrue(wt.eventually(lambda: os.path.exists(pid)), "the hook was not asked")
        with open(pid) as file:
            found = int(file.read())
        os.unlink(pid)
        return found

    def test_a_cancelled_call_does_not_wait_for_a_hook(self):
        policy, pid, go = self.waiting_hook()
        server = self.serve(policy)
        server.open()
        tools = (("run_in_venv", self.in_venv("touch", "ran")), ("write_file", {"current_working_dir": self.workspace, "path": "ran", "content": ""}))
        for tool, arguments in tools:
            with self.subTest(tool):
                server.send(request("tools/call", {"name": tool, "arguments": arguments}, tool))
                hook = self.asked(pid)
                server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": tool}})
                self.assertTrue(wt.eventually(lambda: not os.path.exists(f"/proc/{hook}")), "the hook lives on")
                self.assertEqual(server.ask(request("ping", id="after " + tool))["result"], {})
                self.assertFalse([each for each in server.seen if each.get("id") == tool], "it was answered")
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))
        with open(go, "w"):
            pass
        for tool, arguments in tools:   # the control: nothing was counted
            answer = server.ask(request("tools/call", {"name": tool, "arguments": arguments}, "again " + tool))
            self.assertFalse(answer["result"].get("isError"), answer)
            self.assertTrue(os.path.exists(os.path.join(self.workspace, "ran")))
            os.unlink(os.path.join(self.workspace, "ran"))
        log = wt.execute([wt.WARDENV, "audit", "show", "--json"], env=wt.environment(state=os.path.join(self.root, "state"))).stdout
        records = [(record["tool"], record["decision"], record["rule"]) for record in map(json.loads, log.splitlines()) if record["event"] == "admit"]
        self.assertEqual(records[:2], [(tool, "deny", "(cancelled)") for tool, _ in tools])
        self.assertEqual([decision for _, decision, _ in records[2:]], ["allow"] * 2)

    def test_the_end_of_the_server_is_the_end_of_its_hooks(self):
        policy, pid, _ = self.waiting_hook()
        for how in (lambda server: server.process.send_signal(signal.SIGTERM), lambda server: server.process.stdin.close()):
            server = self.serve(policy)
            server.send(call("run_in_venv", self.in_venv("touch", "ran")))
            hook = self.asked(pid)
            how(server)
            self.assertTrue(wt.eventually(lambda: not os.path.exists(f"/proc/{hook}")), "the hook lives on")
            self.assertEqual(server.process.wait(SOON), 0)
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))

    def test_http_end_of_a_session(self):
        server = self.serve_http(ALLOW)
        head = server.session()
        tokens = self.under_way(lambda tool, arguments: self.post(server, tool, arguments, head))
        other = wt.nonce()
        self.post(server, "start_run", self.endless(other), server.session()).getresponse().read()
        self.assertTrue(wt.eventually(lambda: wt.processes_with(other)))
        self.assertEqual(server.exchange("DELETE", "/mcp", headers=head).status, 200)
        self.gone(*tokens)
        self.assertTrue(wt.processes_with(other), "another session's went too")


class Open(Project):
    """Addresses, what operators look at, and how many connections there may be."""

    def test_an_address_that_others_reach_needs_a_token(self):
        for where in ("0.0.0.0:0", "[::]:0"):
            with self.subTest(where):
                done = subprocess.run([wt.WARDENV, "serve", "--http", where, "--workspace", self.workspace], capture_output=True, text=True, timeout=PATIENCE,
                                      stdin=subprocess.DEVNULL, env=wt.environment(state=os.path.join(self.root, "state")), cwd=self.root)
                self.assertEqual((done.returncode, done.stdout), (125, ""), done)
                self.assertIn("token_sha256", done.stderr)

    def test_metrics_and_health(self):
        server = self.serve_http(ALLOW)
        self.assertEqual(server.exchange("GET", "/healthz").body, b"ok\n")
        self.assertFalse(server.post(call("run_in_venv", self.in_venv("true"))).last["result"].get("isError"))
        reply = server.exchange("GET", "/metrics")
        self.assertTrue(reply.headers["content-type"].startswith("text/plain; version=0.0.4"))
        for line in reply.body.decode().splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \S+ .+|[a-z_]+(\{([a-z_]+="[^"]*",?)*\})? [0-9.e+-]+|[a-z_]+_bucket\{.*le="\+Inf".*\} \d+)$')
        self.assertRegex(reply.body.decode(), r'wardenv_tool_calls_total\{[^}]*tool="run_in_venv"\} 1')

    def test_more_connections_than_there_is_room_for(self):
        server = self.serve_http(ALLOW)
        with contextlib.ExitStack() as stack:
            held = [stack.enter_context(socket.create_connection((server.host, server.port))) for _ in range(1030)]
            self.assertTrue(wait_until(lambda: b" 503 " in server.raw(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")))
            for connection in held[:600]:
                connection.close()
            self.assertTrue(wait_until(lambda: b" 200 " in server.raw(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")))

    def healthy(self, server):
        return b" 200 " in server.raw(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", timeout=1)

    def test_out_of_descriptors_and_back(self):
        limit = (128, 128)
        with Http(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit)) as server, contextlib.ExitStack() as stack:
            self.assertTrue(self.healthy(server))
            held = [stack.enter_context(socket.create_connection((server.host, server.port))) for _ in range(200)]
            self.assertTrue(wait_until(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) >= 128))
            self.assertFalse(self.healthy(server))     # it is full, and says nothing
            for connection in held:
                connection.close()
            self.assertTrue(wait_until(lambda: self.healthy(server)))

    def soft_limit(self, pid):
        return next(int(line.split()[3]) for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max open files"))

    def test_the_server_may_have_all_descriptors_and_nobody_else(self):
        argv = [wt.WARDENV, "serve", "--http", "127.0.0.1:0", "--workspace", self.workspace]
        with Http(argv, env=wt.environment(state=os.path.join(self.root, "state")), cwd=self.root,
                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 400))) as server:
            self.assertTrue(self.healthy(server))
            self.assertEqual(self.soft_limit(server.process.pid), 400)
            children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
            self.assertTrue(children)
            self.assertEqual({self.soft_limit(child) for child in children}, {200})

    def test_keep_alive(self):
        server = self.serve_http(ALLOW)
        with contextlib.closing(server.connect()) as connection:
            for number in range(50):
                message = call("list_files", {"current_working_dir": self.workspace}, number)
                connection.request("POST", "/mcp", json.dumps(message), {**server.JSON, **head_of(message)})
                self.assertEqual(json.loads(connection.getresponse().read())["id"], number)
                socket_of = connection.sock if number == 0 else socket_of
                self.assertIs(connection.sock, socket_of)


class Listed(unittest.TestCase):
    def pages(self, server, ask):
        found, cursor, answers = [], None, []
        while True:
            answer = server.ask(ask({"cursor": cursor} if cursor else {}, f"page {len(answers)} {ask.__name__}"))["result"]
            answers.append(answer)
            found += [tool["name"] for tool in answer["tools"]]
            cursor = answer.get("nextCursor")
            if cursor is None:
                return found, answers

    def test_pages_make_up_the_whole_list_in_both_eras(self):
        def of_legacy(params, id):
            return request("tools/list", params, id)

        def of_modern(params, id):
            return modern("tools/list", params, id)
        with Stdio() as whole, Stdio([FIXTURE, "--stdio", "--page", "3"]) as paged:
            whole.open()
            paged.open()
            for ask in (of_legacy, of_modern):
                with self.subTest(ask.__name__):
                    everything, answers = self.pages(whole, ask)
                    self.assertEqual(len(answers), 1)
                    found, answers = self.pages(paged, ask)
                    self.assertEqual(found, everything)
                    self.assertEqual(len(found), len(set(found)))
                    self.assertTrue(all(len(answer["tools"]) <= 3 for answer in answers))
                    for answer in answers:     # what may be kept, and for how long, is a thing of the modern era
                        self.assertEqual("ttlMs" in answer and "cacheScope" in answer, ask is of_modern, answer.keys())


if __name__ == "__main__":
    unittest.main()
