# SPDX-License-Identifier: Apache-2.0
"""The product's own tools, through `wardenv serve --stdio`: a project's whole story with packages from a local index, refusals, and how it ends."""
import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest
import zipfile

import wardenv_testing as wt
from mcp_testing import Stdio, call, request

# Not 127.0.0.1, which clients inside a sandbox reach without a proxy: that is their own.
INDEX_HOST = "127.0.0.2"
ALL_TOOLS = {"init", "sync", "add_package", "add_packages", "remove_package", "run_in_venv", "run_python", "list_packages", "describe_environment", "read_file",
             "write_file", "list_files", "start_run", "run_status", "cancel_run", "list_runs"}


def wheel(name, version, requires=()):
    info = f"{name}-{version}.dist-info"
    files = {f"{name}.py": f"version = '{version}'\n",
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {item}\n" for item in requires),
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
                     for path, text in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return data.getvalue()


class Index:
    """A package index (PEP 503) on this machine's loopback. `asked` is what it was asked for."""

    def __init__(self):
        self.files = {"alpha": {"alpha-1.0-py3-none-any.whl": wheel("alpha", "1.0", ["beta"]), "alpha-2.0-py3-none-any.whl": wheel("alpha", "2.0", ["beta"])},
                      "beta": {"beta-1.0-py3-none-any.whl": wheel("beta", "1.0")}}
        self.asked = []
        self.open = threading.Event()   # clear: whoever asks has to wait
        self.open.set()
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                index.asked.append(self.path)
                index.open.wait(60)
                parts = [part for part in self.path.split("/") if part]
                body = index.find(parts)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "text/html" if len(parts) < 3 else "application/octet-stream")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((INDEX_HOST, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def find(self, parts):
        if len(parts) == 2 and parts[0] == "simple" and parts[1] in self.files:
            return "".join(f'<a href="{file}">{file}</a>\n' for file in self.files[parts[1]]).encode()
        return self.files.get(parts[1], {}).get(parts[2]) if len(parts) == 3 else None

    def close(self):
        self.open.set()
        self.server.shutdown()
        self.server.server_close()


def policy_for(index):
    """Everything is allowed; packages come from `index`."""
    profile = {"network": "egress", "allow_host": [f"{INDEX_HOST}:{index.port}"], "timeout": "2m", "memory": "1G", "processes": 128, "tmp_size": "256M",
               "environment": {"PIP_INDEX_URL": f"http://{INDEX_HOST}:{index.port}/simple", "PIP_TRUSTED_HOST": INDEX_HOST}}
    installers = {name: {"profile": "index"} for name in ("init", "sync", "add_package", "add_packages", "remove_package")}
    return {"version": "1", "default": "allow", "tools": installers, "profiles": {"index": profile}}


class Served(unittest.TestCase):
    """A server of the product over stdio, with a workspace and a state folder of its own."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="wardenv-scratch-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.workspace = os.path.join(self.root, "ws")
        os.mkdir(self.workspace)
        self.ids = iter(range(1, 10_000))

    def serve(self, policy=None, *options, **environment):
        argv = [wt.WARDENV, "serve", "--stdio", "--workspace", self.workspace, *options]
        if policy is not None:
            path = os.path.join(self.root, "policy.json")
            with open(path, "w") as file:
                json.dump(policy, file)
            argv += ["--policy", path]
        self.server = Stdio(argv, env=wt.environment(state=os.path.join(self.root, "state"), **environment), cwd=self.root)
        self.addCleanup(self.server.close)
        return self.server

    def configuration(self, **settings):
        path = os.path.join(self.root, "config.json")
        with open(path, "w") as file:
            json.dump(settings, file)
        return path

    def tool(self, name, timeout=120, **arguments):
        """The structured answer of a tool, with `is_error`. Its text says the same."""
        id = next(self.ids)
        self.server.send(call(name, arguments, id))
        answer = self.server.answer(id, timeout)
        self.assertIn("result", answer, answer)
        result = answer["result"]
        content = result["structuredContent"]
        self.assertEqual(json.loads(result["content"][0]["text"]), content)
        return content | {"is_error": result.get("isError", False)}

    def here(self, name, **arguments):
        return self.tool(name, current_working_dir=self.workspace, **arguments)

    def make_venv(self):
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", os.path.join(self.workspace, ".venv")], check=True)


class WholeStory(Served):
    def test_init_add_run_remove_sync(self):
        index = Index()
        self.addCleanup(index.close)
        self.serve(policy_for(index))
        made = self.here("init")
        self.assertTrue(made.get("ok"), made)
        added = self.here("add_package", package_name="alpha<2", dev=False)
        self.assertTrue(added.get("ok"), added)
        self.assertIn({"name": "alpha", "to": "1.0"}, added["packages"])
        self.assertIn({"name": "beta", "to": "1.0"}, added["packages"])
        ran = self.here("run_in_venv", command="python", args=["-c", "import alpha; print(alpha.version)"])
        self.assertEqual((ran["outcome"], ran["exit_code"], ran["stdout"]), ("exited", 0, "1.0\n"), ran)
        listed = {item["name"]: item for item in self.here("list_packages")["packages"]}
        self.assertTrue(listed["alpha"]["direct"])
        self.assertFalse(listed["beta"]["direct"])
        text = self.here("read_file", path="pyproject.toml")["text"]
        self.assertIn('"alpha<2"', text)
        removed = self.here("remove_package", package_name="alpha")
        self.assertTrue(removed.get("ok"), removed)
        self.assertEqual({item["name"] for item in removed["packages"]}, {"alpha", "beta"})
        self.here("write_file", path="pyproject.toml", content=text.replace("alpha<2", "alpha"))
        synced = self.here("sync")
        self.assertTrue(synced.get("ok"), synced)
        self.assertIn({"name": "alpha", "to": "2.0"}, synced["packages"])
        self.assertTrue(any(path.endswith("alpha-2.0-py3-none-any.whl") for path in index.asked))

    def test_the_index_of_the_host_without_a_profile(self):
        index = Index()
        self.addCleanup(index.close)
        self.serve(None, PIP_INDEX_URL=f"http://{INDEX_HOST}:{index.port}/simple", PIP_TRUSTED_HOST=INDEX_HOST)
        self.assertTrue(self.here("init").get("ok"))
        added = self.here("add_packages", package_names=["alpha", "beta"], dev=True)
        self.assertTrue(added.get("ok"), added)
        with open(os.path.join(self.workspace, "pyproject.toml")) as file:
            text = file.read()
        self.assertIn("[dependency-groups]", text)
        # Installing once leaves nobody with a network.
        tried = self.here("run_in_venv", command="python", args=["-c", f"import socket; socket.create_connection(('{INDEX_HOST}', {index.port}), 2)"])
        self.assertNotEqual(tried["exit_code"], 0)

    def test_the_index_of_the_configuration(self):
        index = Index()
        self.addCleanup(index.close)
        self.serve(None, "--config", self.configuration(index_url=f"http://{INDEX_HOST}:{index.port}/simple"), PIP_INDEX_URL="http://127.0.0.3:9/simple")
        self.assertTrue(self.here("init").get("ok"))
        added = self.here("add_package", package_name="beta")
        self.assertTrue(added.get("ok"), added)
        self.assertTrue(index.asked)

    def test_an_index_that_is_none_is_refused_at_the_start(self):
        for url in ("index.example", "ftp://index.example/", "--proxy=http://evil.test", "https://user:secret@index.example/simple", "https://a b/"):
            with self.subTest(url):
                done = subprocess.run([wt.WARDENV, "serve", "--stdio", "--workspace", self.workspace, "--config", self.configuration(index_url=url)],
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
                self.assertEqual((done.returncode, done.stdout), (125, ""), done)
                self.assertIn("index", done.stderr)

    def test_nothing_but_the_index_can_be_reached(self):
        index, other = Index(), Index()
        self.addCleanup(index.close)
        self.addCleanup(other.close)
        policy = policy_for(index)
        # An operator who names another index than the one that may be reached: the network decides.
        policy["profiles"]["index"]["environment"]["PIP_INDEX_URL"] = f"http://{INDEX_HOST}:{other.port}/simple"
        self.serve(policy)
        self.assertTrue(self.here("init").get("ok"))
        added = self.here("add_package", package_name="beta")
        self.assertTrue(added["is_error"], added)
        self.assertEqual(other.asked, [])
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "pyproject.toml")))


class TwoServers(Served):
    def test_installs_do_not_interleave(self):
        index = Index()
        self.addCleanup(index.close)
        first = self.serve(policy_for(index))
        second = self.serve(policy_for(index))
        second.open()
        self.assertTrue(self.here("init").get("ok"))
        other = os.path.join(self.workspace, "other")
        os.mkdir(other)
        index.open.clear()
        ask = {"current_working_dir": self.workspace, "dev": False}
        first.send(call("add_package", ask | {"package_name": "alpha"}, "alpha"))
        self.assertTrue(wt.eventually(lambda: index.asked))
        second.send(request("tools/call", {"name": "add_package", "arguments": ask | {"package_name": "beta"}, "_meta": {"progressToken": "p"}}, "beta"))
        told = second.told(lambda message: "waiting for another operation" in message.get("params", {}).get("message", ""), 30)
        self.assertIn(f"(of process {first.process.pid})", told["params"]["message"])
        self.assertEqual([path for path in index.asked if "beta" in path], [])
        self.assertTrue(self.tool("init", current_working_dir=other).get("ok"))   # the control: another environment waits for nothing
        index.open.set()
        for server, id in ((first, "alpha"), (second, "beta")):
            content = server.answer(id, 120)["result"]["structuredContent"]
            self.assertTrue(content.get("ok"), content)
            waited = [note for note in content["notes"] if "waited for another operation" in note]
            self.assertEqual(len(waited), 1 if server is second else 0, content)
        text = pathlib.Path(self.workspace, "pyproject.toml").read_text()
        self.assertIn('"alpha"', text)
        self.assertIn('"beta"', text)


class Refusals(Served):
    def test_the_built_in_policy(self):
        server = self.serve()
        server.open()
        names = {tool["name"] for tool in server.ask(request("tools/list", id="list"))["result"]["tools"]}
        self.assertEqual(names, ALL_TOOLS - {"remove_package"})
        self.make_venv()
        for _ in range(10):
            self.assertEqual(self.here("run_in_venv", command="true")["exit_code"], 0)
        refused = self.here("run_in_venv", command="true")
        self.assertTrue(refused["is_error"])
        self.assertEqual(refused["decision"]["rule"], "/tools/run_in_venv/limits/0")
        self.assertGreater(refused["retry_after_ms"], 0)
        background = self.here("start_run", command="true")
        self.assertTrue(background["is_error"], "the limit must not be got round in the background")
        hidden = server.ask(call("remove_package", {"current_working_dir": self.workspace, "package_name": "x"}, "hidden"))
        self.assertEqual(hidden["error"]["code"], -32602)

    def test_a_program_that_is_exchanged_while_it_is_judged_does_not_run(self):
        self.make_venv()
        programs = os.path.join(self.workspace, ".venv", "bin")
        for name, text in (("tool", "exit 0"), ("other", "touch ran")):
            with open(f"{programs}/{name}", "w") as file:
                file.write(f"#!/bin/sh\n{text}\n")
            os.chmod(file.name, 0o755)
        hook = os.path.join(self.root, "hook")
        go = os.path.join(self.root, "go")
        with open(hook, "w") as file:
            file.write(f"#!/bin/sh\ncat >/dev/null\n[ ! -e {go} ] || mv {programs}/other {programs}/tool\necho '{{\"decision\": \"allow\"}}'\n")
        os.chmod(hook, 0o755)
        self.serve({"version": "1", "default": "allow", "hooks": [{"name": "h", "event": "before_run", "run": [hook], "timeout": "20s"}]})
        self.assertEqual(self.here("run_in_venv", command="tool")["exit_code"], 0)   # the control
        open(go, "w").close()
        ran = self.here("run_in_venv", command="tool")
        self.assertEqual(ran["outcome"], "setup_failed", ran)
        self.assertIn("replaced or changed", ran["error"]["message"])
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))

    def test_options_in_place_of_packages(self):
        self.serve()
        self.make_venv()
        for text in ("--index-url=http://evil.test/simple", "-e .", "-r/etc/passwd", "./x", "git+ssh://evil.test/x", "x @ file:///etc/passwd", "x.whl", "a\n--pre"):
            with self.subTest(text):
                answer = self.here("add_package", package_name=text)
                self.assertTrue(answer["is_error"])
                self.assertIn("package_name", answer["error"]["message"])

    def test_only_sets_that_were_asked_for(self):
        server = self.serve(None, "--tools", "files")
        server.open()
        names = {tool["name"] for tool in server.ask(request("tools/list", id="list"))["result"]["tools"]}
        self.assertEqual(names, {"read_file", "write_file", "list_files"})


class Configured(Served):
    def test_the_state_folder_of_the_configuration_can_be_no_workspace(self):
        """Else the log and the quotas would be an agent's to write."""
        state = os.path.join(self.workspace, "state")
        environment = {key: value for key, value in wt.environment().items() if key != "WARDENV_STATE"}
        done = subprocess.run([wt.WARDENV, "serve", "--stdio", "--workspace", self.workspace, "--config", self.configuration(state=state)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, env=environment)
        self.assertEqual(done.returncode, 125, done)
        self.assertIn("state", done.stderr)


class WhatDecides(Served):
    """What a server is judged by is no tool's to write, also where it lies in the workspace."""

    def write_into_workspace(self, name, document):
        path = os.path.join(self.workspace, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            json.dump(document, file)
        return path

    def refused(self, path):
        answer = self.here("write_file", path=path, content=json.dumps({"version": "1", "default": "allow"}))
        self.assertTrue(answer["is_error"], answer)
        self.assertIn("decides what is allowed", answer["error"]["message"])

    def test_the_policy(self):
        policy = self.write_into_workspace("conf/policy.json", {"version": "1", "default": "allow", "hide": ["sync"]})
        os.symlink("conf", os.path.join(self.workspace, "folder"))
        os.link(policy, os.path.join(self.workspace, "hard.json"))
        before = pathlib.Path(policy).read_bytes()
        self.serve(None, "--policy", policy)
        for path in ("conf/policy.json", policy, "hard.json"):
            with self.subTest(path):
                self.refused(path)
        for path in ("conf/beside.json", "policy.json"):   # the control: others of its folder, and of its name
            with self.subTest(path):
                self.assertTrue(self.here("write_file", path=path, content="{}").get("created"))
        self.assertEqual(pathlib.Path(policy).read_bytes(), before)
        # An editor takes the file away before it puts the new one there.
        os.unlink(policy)
        for path in ("conf/policy.json", policy, "conf/Policy.json"):
            with self.subTest(path, file="gone"):
                self.refused(path)
        self.assertFalse(os.path.exists(policy))

    def test_the_policy_that_is_named_by_a_link(self):
        policy = self.write_into_workspace("conf/policy.json", {"version": "1", "default": "allow"})
        link = os.path.join(self.workspace, "link.json")
        os.symlink("conf/policy.json", link)
        self.serve(None, "--policy", link)
        self.refused("conf/policy.json")
        os.unlink(policy)
        self.refused("conf/policy.json")
        self.assertTrue(self.here("write_file", path="conf/beside.json", content="{}").get("created"))

    def test_a_hook(self):
        """It runs outside: who could write it would be out of the sandbox."""
        self.make_venv()
        hook = os.path.join(self.workspace, "hooks", "judge")
        os.mkdir(os.path.dirname(hook))
        allow = "#!/bin/sh\ncat > /dev/null\necho '{\"decision\": \"allow\"}'\n"
        pathlib.Path(hook).write_text(allow)
        os.chmod(hook, 0o755)
        pathlib.Path(self.workspace, "hooks", "beside").write_text("")
        pathlib.Path(self.workspace, "hooks", "data").write_text("")
        policy = {"version": "1", "default": "allow", "hooks": [{"name": "h", "event": "before_run", "timeout": "20s",
                                                                "run": [hook, os.path.join(self.workspace, "hooks", "data")]}]}
        self.serve(policy)
        for name in ("judge", "data"):
            self.refused(f"hooks/{name}")
        acts = "".join(f"echo x > hooks/{name}; rm -f hooks/{name}; echo x > new; mv -f new hooks/{name}; " for name in ("judge", "data", "beside"))
        self.assertEqual(self.here("run_in_venv", command="sh", args=["-c", acts + "mv hooks moved; true"])["exit_code"], 0)
        self.assertEqual([pathlib.Path(self.workspace, "hooks", name).read_text() for name in ("judge", "data", "beside")], [allow, "", "x\n"])

    def test_a_hook_that_is_not_there_can_not_be_made(self):
        self.make_venv()
        hook = os.path.join(self.workspace, "hook")
        self.serve({"version": "1", "default": "allow", "hooks": [{"name": "h", "event": "after_run", "timeout": "20s", "run": [hook]}]})
        ran = self.here("run_in_venv", command="sh", args=["-c", "touch hook ran"])
        self.assertNotEqual(ran["outcome"], "exited", ran)
        # Refused by the tool; the hook, which can't be asked, withholds even that.
        self.assertTrue(self.here("write_file", path="hook", content="x")["is_error"])
        self.assertEqual([name for name in os.listdir(self.workspace) if name in ("hook", "ran")], [])

    def test_the_configuration(self):
        self.make_venv()
        config = self.write_into_workspace("conf/config.json", {"index_url": f"http://{INDEX_HOST}:9/simple"})
        self.write_into_workspace("conf/beside.json", {})
        before = pathlib.Path(config).read_bytes()
        self.serve(None, "--config", config)
        self.refused("conf/config.json")
        acts = "".join(f"echo x > conf/{name}; rm -f conf/{name}; echo x > new; mv -f new conf/{name}; " for name in ("config.json", "beside.json"))
        beside = pathlib.Path(self.workspace, "conf", "beside.json")
        for tool, arguments in (("run_in_venv", {"command": "sh", "args": ["-c", acts]}), ("run_python", {"code": f"import os\nos.system({acts!r})"})):
            with self.subTest(tool):
                beside.write_text("{}")
                ran = self.here(tool, **arguments)
                self.assertEqual(ran["outcome"], "exited", ran)
                self.assertEqual(pathlib.Path(config).read_bytes(), before)
                self.assertEqual(beside.read_text(), "x\n", ran)   # the control
        self.assertFalse(self.here("write_file", path="conf/beside.json", content="{}")["is_error"])


class Endings(Served):
    def test_end_of_input_ends_what_runs(self):
        server = self.serve()
        self.make_venv()
        token = wt.nonce()
        started = self.here("start_run", command="sh", args=["-c", "sleep 500; true", token])
        self.assertFalse(started["is_error"], started)
        self.assertTrue(wt.eventually(lambda: wt.processes_with(token)))
        server.process.stdin.close()
        self.assertTrue(wt.eventually(lambda: not wt.processes_with(token)))
        self.assertEqual(server.process.wait(20), 0)

    def test_a_cancelled_call_leaves_nothing(self):
        server = self.serve()
        server.open()
        self.make_venv()
        token = wt.nonce()
        server.send(request("tools/call", {"name": "run_in_venv", "arguments": {"current_working_dir": self.workspace, "command": "sh",
                                                                               "args": ["-c", "sleep 500; true", token]}}, "long"))
        self.assertTrue(wt.eventually(lambda: wt.processes_with(token)))
        server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "long"}})
        self.assertTrue(wt.eventually(lambda: not wt.processes_with(token)))
        self.assertEqual(server.ask(request("ping", id="after"))["result"], {})


if __name__ == "__main__":
    unittest.main()
