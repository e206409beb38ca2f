# SPDX-License-Identifier: Apache-2.0
"""Hooks of a policy, end to end: programs, and a stand-in for an Open Policy Agent server that is written from its REST API's documentation."""
import contextlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

from wardenv_testing import IS_ROOT, WARDENV, environment, eventually, execute, run_wardenv, to_run


class OpaStandIn(http.server.ThreadingHTTPServer):
    """POST /v1/data/PATH with {"input": …}: 200 and {"result": …}; {} where the document is undefined; 400 where the body is no input."""

    daemon_threads = True

    def __init__(self, documents):
        super().__init__(("127.0.0.1", 0), OpaHandler)
        self.documents = documents  # path -> function of the input; None: undefined
        self.inputs = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}/v1/data/{path}"


class OpaHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            given = json.loads(body)["input"]
        except (ValueError, KeyError, TypeError):
            return self.answer(400, {"code": "invalid_parameter", "message": "error(s) occurred while decoding input"})
        self.server.inputs.append(given)
        document = self.server.documents.get(self.path.removeprefix("/v1/data/"))
        result = document(given) if document else None
        return self.answer(200, {} if result is None else {"decision_id": "1b4a", "result": result})

    def answer(self, status, document):
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):   # who was cancelled does not wait
            self.wfile.write(text)

    def log_message(self, *_):
        pass


def no_shell(given):
    """What a Rego rule `deny if input.arguments.command == "sh"` would say."""
    if given["arguments"]["command"] == "sh":
        return {"decision": "deny", "reason": "no shells"}
    return {"decision": "allow"}


class HookTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="wardenv-hooks-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.workspace = os.path.join(self.root, "ws")
        os.mkdir(self.workspace)

    def options_for(self, hooks, **rule):
        path = os.path.join(self.root, "policy.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"version": "1", "default": "deny", "tools": {"run_in_venv": rule}, "hooks": hooks}, file)
        self.ran = os.path.join(self.workspace, "ran")
        if os.path.exists(self.ran):
            os.unlink(self.ran)
        self.environment = environment(state=os.path.join(self.root, "state"))
        return ["--no-venv", "--workspace", self.workspace, "--policy", path]

    def run_with(self, hooks, command=("sh", "-c", "echo ran; touch ran"), **rule):
        return run_wardenv(self.options_for(hooks, **rule), list(command), env=self.environment)

    def script(self, text):
        path = os.path.join(self.root, "hook.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!{sys.executable} -I\nimport json, os, sys, time\n{text}\n")
        os.chmod(path, 0o755)
        return path

    def assert_ran(self, run):
        self.assertEqual((run.status, run.report["stdout"], os.path.exists(self.ran)), (0, "ran\n", True), run)

    def assert_denied(self, run, word, rule="/hooks/0"):
        self.assertEqual((run.status, run.report["outcome"], run.report["decision"]["rule"]), (77, "denied", rule), run)
        self.assertIn(word, run.report["decision"]["reason"])
        self.assertFalse(os.path.exists(self.ran), "it ran")

    def hook(self, text, timeout="20s", event="before_run"):
        return {"name": "judge", "event": event, "run": [self.script(text)], "timeout": timeout}


class ProgramTest(HookTest):
    def test_it_reads_the_call_and_decides(self):
        seen = os.path.join(self.root, "seen")
        text = f"given = json.load(sys.stdin); json.dump(given, open({seen!r}, 'w')); print(json.dumps({{'decision': 'allow'}}))"
        run = self.run_with([self.hook(text)])
        self.assert_ran(run)
        with open(seen, encoding="utf-8") as file:
            given = json.load(file)
        self.assertEqual(set(given), {"event", "tool", "arguments", "grant", "run_id", "profile"})
        self.assertEqual((given["event"], given["tool"], given["arguments"]["command"]), ("before_run", "run_in_venv", "sh"))
        self.assertEqual(given["run_id"], run.report["run_id"])

    def test_it_denies(self):
        self.assert_denied(self.run_with([self.hook("print('{\"decision\": \"deny\", \"reason\": \"not today\"}')")]), "not today")

    def test_it_asks_for_a_person(self):
        run = self.run_with([self.hook("print('{\"decision\": \"require_approval\", \"reason\": \"ask\"}')")])
        self.assertEqual((run.status, run.report["outcome"], os.path.exists(self.ran)), (75, "approval_required", False), run)

    def test_a_program_that_is_exchanged_while_it_is_judged_does_not_run(self):
        venv = os.path.join(self.workspace, ".venv")
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], check=True)
        path = os.path.join(self.root, "policy.json")
        for exchange in ("", "os.rename('other', 'tool')"):
            for name, text in (("tool", "exit 0"), ("other", "touch ran")):
                with open(f"{venv}/bin/{name}", "w", encoding="utf-8") as file:
                    file.write(f"#!/bin/sh\n{text}\n")
                os.chmod(file.name, 0o755)
            hook = self.hook(f"os.chdir({venv + '/bin'!r}); {exchange}\nprint('{{\"decision\": \"allow\"}}')")
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"version": "1", "default": "allow", "hooks": [hook]}, file)
            run = run_wardenv(["--venv", venv, "--workspace", self.workspace, "--policy", path], ["tool"], env=environment(state=os.path.join(self.root, "state")))
            if not exchange:
                self.assertEqual(run.status, 0, run)   # the control
                continue
            self.assertEqual(run.report["outcome"], "setup_failed", run)
            self.assertIn("replaced or changed", run.report["error"]["message"])
            self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))

    def test_it_cannot_loosen(self):
        run = self.run_with([self.hook("print('{\"decision\": \"allow\"}')")], action="deny", reason="never")
        self.assert_denied(run, "never", "/tools/run_in_venv/action")
        run = self.run_with([self.hook("print('{\"decision\": \"allow\"}')")], action="require_approval")
        self.assertEqual(run.status, 75, run)

    def test_what_is_no_answer_denies(self):
        for text, word in [("", "did not answer"), ("print('allow')", "not JSON"), ("print('{\"decision\": \"yes\"}')", "not one of"),
                           ("print('{\"decision\": \"deny\", \"decision\": \"allow\"}')", "twice"),
                           ("print('{\"decision\": \"allow\"}'); sys.stdout.flush(); os._exit(3)", "failed"),
                           ("print('{\"decision\": \"allow\"}'); sys.stdout.flush(); os.kill(os.getpid(), 9)", "failed"),
                           ("while True: sys.stdout.write('x' * 65536)", "too long")]:
            with self.subTest(text=text):
                self.assert_denied(self.run_with([self.hook(text)]), word)
        self.assert_denied(self.run_with([{"name": "gone", "event": "before_run", "run": ["/no/such/hook"]}]), "can't be started")

    def test_too_late_denies_and_nothing_of_it_lives_on(self):
        pid_file = os.path.join(self.root, "pid")
        text = (f"child = os.fork()\nif child == 0: time.sleep(1000)\nopen({pid_file!r}, 'w').write(str(child))\n"
                "print('{\"decision\": \"allow\"}', flush=True)\ntime.sleep(1000)")
        self.assert_denied(self.run_with([self.hook(text, timeout="3s")]), "too long")
        with open(pid_file, encoding="utf-8") as file:
            child = int(file.read())
        self.assertTrue(eventually(lambda: is_gone(child)), "it lives on")

    def test_after_a_run_it_can_withhold_the_output(self):
        run = self.run_with([self.hook("print('{\"decision\": \"deny\", \"reason\": \"secret\"}')", event="after_run")])
        self.assertTrue(os.path.exists(self.ran))
        self.assertNotIn("ran", run.report["stdout"])
        self.assertEqual((run.status, run.report["outcome"], run.report["exit_code"]), (77, "exited", 0), run)
        self.assertEqual((run.report["decision"]["effect"], run.report["decision"]["rule"]), ("deny", "/hooks/0"), run)

    def test_a_program_that_others_can_write_is_not_asked(self):
        allows = self.hook("print('{\"decision\": \"allow\"}')")
        path, = allows["run"]
        self.assert_ran(self.run_with([allows]))
        for mode, word in ((0o757, "written by everybody"), (0o777, "written by everybody")):
            os.chmod(path, mode)
            self.assert_denied(self.run_with([allows]), word)
            self.assert_denied(self.run_with([{**allows, "run": [sys.executable, path]}]), "called with can be written by everybody")
        os.chmod(path, 0o755)
        self.assert_ran(self.run_with([{**allows, "run": [sys.executable, path]}]))
        self.assert_ran(self.run_with([allows]))

    @unittest.skipUnless(IS_ROOT, "gives a file to another user")
    def test_a_program_of_another_user_is_not_asked(self):
        allows = self.hook("print('{\"decision\": \"allow\"}')")
        path, = allows["run"]
        os.chown(path, 12345, 0)
        self.assert_denied(self.run_with([allows]), "belongs to another user")
        checked = execute([WARDENV, "policy", "check", os.path.join(self.root, "policy.json")], env=self.environment)
        self.assertIn(b"belongs to another user", checked.stdout + checked.stderr)
        os.chown(path, 0, 0)
        self.assert_ran(self.run_with([allows]))


def is_gone(pid):
    """A zombie is gone: whoever inherited it reaps it in its own time."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return "(zombie)" in file.read()
    except OSError:
        return True


class CancelledTest(HookTest):
    """A run that is interrupted while somebody is asked about it."""
    LIMIT = {"limits": [{"counter": "calls", "window": "day", "max": 1, "scope": "grant"}]}
    COMMAND = ("sh", "-c", "echo ran; touch ran")

    def setUp(self):
        super().setUp()
        self.pids, self.go = os.path.join(self.root, "pids"), os.path.join(self.root, "go")

    def waiting(self, event="before_run", say='{"decision": "allow"}'):
        """A hook that ends when it is let go, hears of no signal, and has started another process. Its time-out is longer than any test."""
        return self.hook(f"import signal\n[signal.signal(number, signal.SIG_IGN) for number in (1, 2, 15)]\nchild = os.fork()\n"
                         f"if child == 0: time.sleep(300)\nopen({self.pids + '.new'!r}, 'w').write(f'{{os.getpid()}} {{child}}')\n"
                         f"os.rename({self.pids + '.new'!r}, {self.pids!r})\n"
                         f"until = time.monotonic() + 300\nwhile not os.path.exists({self.go!r}) and time.monotonic() < until: time.sleep(0.01)\nprint({say!r})", timeout="10m", event=event)

    def start(self, options, command=COMMAND, json_report=True):
        started = subprocess.Popen([WARDENV, "run", *options, *(["--json"] if json_report else []), "--", *command], env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(started.kill)
        return started

    def asked(self):
        """The processes of the hook, once it was asked."""
        self.assertTrue(eventually(lambda: os.path.exists(self.pids), 30), "it was not asked")
        with open(self.pids, encoding="utf-8") as file:
            pids = [int(pid) for pid in file.read().split()]
        os.unlink(self.pids)
        return pids

    def end_of(self, started):
        out, err = started.communicate(timeout=60)
        return to_run(subprocess.CompletedProcess(started.args, started.returncode, out, err))

    def let_go(self):
        with open(self.go, "w", encoding="utf-8"):
            pass

    def records(self):
        lines = execute([WARDENV, "audit", "show", "--json"], env=self.environment).stdout.splitlines()
        return [record for record in map(json.loads, lines) if record["event"] in ("admit", "finish")]

    def assert_cancelled(self, run, number):
        self.assertEqual((run.status, run.report["outcome"], run.report["signal"], run.report["exit_code"]), (128 + number, "cancelled", "SIGKILL", None), run)
        decision = run.report["decision"]
        self.assertEqual((decision["effect"], decision["rule"]), ("deny", "(cancelled)"), run)
        self.assertIn("hook `judge`", decision["reason"])
        self.assertFalse(os.path.exists(self.ran), "it ran")
        record = self.records()[-1]
        self.assertEqual((record["event"], record["run_id"], record["decision"], record["rule"]), ("admit", run.report["run_id"], "deny", "(cancelled)"))

    def test_a_program_is_not_waited_for(self):
        options = self.options_for([self.waiting()], **self.LIMIT)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                started = self.start(options)
                pids = self.asked()
                started.send_signal(number)
                self.assert_cancelled(self.end_of(started), number)
                self.assertTrue(is_gone(pids[0]), "the hook lives on")
                self.assertTrue(eventually(lambda: is_gone(pids[1])), "what it started lives on")
        self.let_go()   # the control: waited for, it allows, and nothing was counted for the others
        self.assert_ran(run_wardenv(options, list(self.COMMAND), env=self.environment))
        self.assertEqual([record["event"] for record in self.records()], ["admit"] * 4 + ["finish"])
        self.assertEqual(run_wardenv(options, list(self.COMMAND), env=self.environment).status, 77)   # and the one that ran was

    def test_a_person_is_told_so(self):
        started = self.start(self.options_for([self.waiting()]), json_report=False)
        self.asked()
        started.send_signal(signal.SIGINT)
        run = self.end_of(started)
        self.assertEqual((run.status, run.stdout), (130, b""), run)
        self.assertIn(b"cancelled while hook `judge` was asked", run.stderr)
        self.assertNotIn(b"denied", run.stderr)

    def test_no_hook_after_it_is_asked(self):
        second = os.path.join(self.root, "second")
        after = {"name": "second", "event": "before_run", "run": ["sh", "-c", f": > {second}; echo '{{\"decision\": \"allow\"}}'"], "timeout": "20s"}
        options = self.options_for([self.waiting(), after])
        started = self.start(options)
        self.asked()
        started.send_signal(signal.SIGTERM)
        self.assert_cancelled(self.end_of(started), signal.SIGTERM)
        self.assertFalse(os.path.exists(second))
        self.let_go()
        self.assert_ran(run_wardenv(options, list(self.COMMAND), env=self.environment))
        self.assertTrue(os.path.exists(second))   # the control

    def test_a_server_is_not_waited_for(self):
        asked, go = threading.Event(), threading.Event()
        self.addCleanup(go.set)
        server = OpaStandIn({"slow": lambda _: (asked.set(), go.wait(600), {"decision": "allow"})[2]})
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        options = self.options_for([{"name": "judge", "event": "before_run", "http": server.url("slow"), "timeout": "10m"}], **self.LIMIT)
        started = self.start(options)
        self.assertTrue(asked.wait(30))
        started.send_signal(signal.SIGINT)
        self.assert_cancelled(self.end_of(started), signal.SIGINT)
        go.set()
        self.assert_ran(run_wardenv(options, list(self.COMMAND), env=self.environment))

    def test_after_a_run_it_is_heard_however_often_somebody_interrupts(self):
        begun = os.path.join(self.workspace, "begun")
        options = self.options_for([self.waiting("after_run", '{"decision": "deny", "reason": "secret"}')])
        started = self.start(options, ("sh", "-c", "echo ran; touch begun; sleep 1000"))
        self.assertTrue(eventually(lambda: os.path.exists(begun), 30))
        started.send_signal(signal.SIGINT)
        pids = self.asked()
        for _ in range(2):
            started.send_signal(signal.SIGINT)
            self.assertFalse(eventually(lambda: started.poll() is not None or is_gone(pids[0]), 0.3), "it was not heard")
        self.let_go()
        run = self.end_of(started)
        self.assertEqual((run.status, run.report["outcome"], run.report["stdout"]), (77, "cancelled", ""), run)
        self.assertIn("secret", run.report["stderr"])
        self.assertIn("a hook withholds the output: secret", self.records()[-1]["reason"])


class OpaTest(HookTest):
    def server(self, documents):
        server = OpaStandIn(documents)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def test_a_rule_that_answers_an_object(self):
        server = self.server({"wardenv/judge": no_shell})
        hooks = [{"name": "opa", "event": "before_run", "http": server.url("wardenv/judge"), "timeout": "20s"}]
        self.assert_denied(self.run_with(hooks), "no shells")
        self.assert_ran(self.run_with(hooks, ("/usr/bin/env", "sh", "-c", "echo ran; touch ran")))
        self.assertEqual([given["event"] for given in server.inputs], ["before_run", "before_run"])

    def test_a_rule_that_answers_true_or_false(self):
        server = self.server({"wardenv/allow": lambda given: given["arguments"]["args"] == ["-c", "echo ran; touch ran"]})
        hooks = [{"name": "opa", "event": "before_run", "http": server.url("wardenv/allow"), "timeout": "20s"}]
        self.assert_ran(self.run_with(hooks))
        self.assert_denied(self.run_with(hooks, ("sh", "-c", "touch ran")), "opa")

    def test_what_is_undefined_or_away_denies(self):
        server = self.server({"wardenv/none": None, "wardenv/odd": lambda _: "allow"})
        for path, word in [("wardenv/none", "no result"), ("wardenv/misspelt", "no result"), ("wardenv/odd", "not an object")]:
            with self.subTest(path=path):
                self.assert_denied(self.run_with([{"name": "opa", "event": "before_run", "http": server.url(path), "timeout": "20s"}]), word)
        away = OpaStandIn({})
        url = away.url("x")
        away.shutdown()
        away.server_close()
        self.assert_denied(self.run_with([{"name": "opa", "event": "before_run", "http": url, "timeout": "20s"}]), "did not judge")


if __name__ == "__main__":
    unittest.main()
