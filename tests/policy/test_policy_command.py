# SPDX-License-Identifier: Apache-2.0
"""wardenv policy: check, explain, test, presets, schema and scan, and the schema beside the loader on a table of documents."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from random import Random

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import documents  # noqa: E402
from wardenv_testing import WARDENV, environment  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples/policies"


def policy(*arguments, stdin=b"", **more):
    """Runs `wardenv policy …`; the output is text."""
    done = subprocess.run([WARDENV, "policy", *arguments], input=stdin, capture_output=True, timeout=60, env=environment(**more))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class PolicyTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wardenv-policy-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        pathlib.Path(path).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def seed(self):
        return self.write("seed.json", documents.SEED)


class CheckTest(PolicyTest):
    def test_good(self):
        self.assertEqual(policy("check", self.seed()), (0, f"{self.folder}/seed.json: good\n", ""))

    def test_every_finding_has_file_line_column_and_pointer(self):
        path = self.write("bad.yaml", 'version: "1"\ndefault: deny\ntools:\n  t:\n    action: maybe\n    limts: []\n')
        status, out, _ = policy("check", path, self.seed())
        self.assertEqual(status, 1)
        self.assertEqual(out.splitlines(), [
            f"{path}:5:13: error: /tools/t/action: must be one of `allow`, `deny`, `require_approval`",
            f"{path}:6:5: error: /tools/t/limts: unknown key `limts`: did you mean `limits`?", f"{self.folder}/seed.json: good"])

    def test_what_run_would_refuse_is_refused(self):
        run = lambda path: subprocess.run([WARDENV, "run", "--policy", path, "--no-venv", "--", "true"], capture_output=True, timeout=60, env=environment(WARDENV_STATE=os.path.join(self.folder, "state")))
        flow = '{version: "1", default: allow}\n'
        webhook = {"version": "1", "default": "allow", "approvals": {"webhook": {"url": "https://hooks.example/x", "secret_env": "WARDENV_TEST_NO_SUCH_VARIABLE"}}}
        for name, content, mode, wrong in (("flow.yaml", flow, 0o644, None), ("flow.json", flow, 0o644, "/: a key in double quotes"), ("guess", flow, 0o644, "/: a key in double quotes"),
                                           ("open.yaml", flow, 0o666, "can be written by everybody"), ("webhook.json", webhook, 0o644, "/approvals/webhook: the webhook's secret is not there")):
            with self.subTest(name=name):
                path = self.write(name, content)
                os.chmod(path, mode)
                status, out, _ = policy("check", path)
                ran = run(path)
                self.assertEqual((status, ran.returncode), (1, 125) if wrong else (0, 0), out + ran.stderr.decode())
                if wrong:
                    self.assertIn(wrong, out)
                    self.assertIn(wrong, ran.stderr.decode())

    def test_a_run_that_could_not_be_judged_is_not_reported_as_allowed(self):
        def decision(*options):
            done = subprocess.run([WARDENV, "run", "--json", "--no-venv", *options, "--", "true"], capture_output=True, timeout=60, env=environment(WARDENV_STATE=os.path.join(self.folder, "state")))
            report = json.loads(done.stdout)
            return report["decision"]["effect"], report["decision"]["rule"], report["outcome"]
        good = self.write("good.json", {"version": "1", "default": "allow"})
        for options in (["--policy", self.write("bad.json", {"version": "1"})], ["--policy", os.path.join(self.folder, "none")], ["--policy", good, "--workspace", os.path.join(self.folder, "none")], ["--config", self.write("config.json", "{")]):
            self.assertEqual(decision(*options), ("deny", "(not judged)", "setup_failed"), options)
        self.assertEqual(decision("--policy", good), ("allow", "(default allow)", "exited"))   # the controls
        self.assertEqual(decision(), ("allow", "(no policy)", "exited"))

    def test_what_this_host_lacks_is_warned_of(self):
        hooks = [{"name": "a", "event": "before_run", "run": ["/nonexistent/hook"]}, {"name": "b", "event": "before_run", "run": ["true"]}]
        status, out, _ = policy("check", self.write("p.json", {"version": "1", "default": "deny", "hooks": hooks}))
        self.assertEqual((status, len(out.splitlines())), (0, 1), out)
        self.assertIn(": warning: /hooks/0/run/0: there is no program `/nonexistent/hook` here", out)

    def test_what_only_the_engine_knows_is_said_beside_what_the_loader_says(self):
        path = self.write("bad.json", {"version": "1", "default": "deny", "tols": {}, "profiles": {"p": {"allow_host": ["a:0"], "seccomp": {"allow": ["mount"]}, "memory": "12Q"}}})
        status, out, _ = policy("check", path)
        self.assertEqual(status, 1)
        for wrong in ("/tols: unknown key", "/profiles/p/allow_host/0: ", "/profiles/p/seccomp/allow/0: ", "/profiles/p/memory: must be a size"):
            self.assertIn("error: " + wrong, out)

    def test_json(self):
        status, out, _ = policy("check", "--json", self.write("bad.json", {"version": "1"}))
        report = json.loads(out)
        self.assertEqual((status, report["valid"], report["files"][0]["findings"][0]["pointer"]), (1, False, ""))
        self.assertEqual(len(report["files"][0]["digest_sha256"]), 64)

    def test_a_finding_stays_one_line(self):
        status, out, _ = policy("check", self.write("bad.json", '{"version":"1","default":"deny","a\\nforged:1:1: error: x":1}'))
        self.assertEqual((status, len(out.splitlines())), (1, 1))

    def test_bad_use_is_refused_in_one_line(self):
        for arguments in (["check"], ["check", "--bogus"], ["explain"], ["explain", self.seed()], ["explain", self.seed(), "--tool"], ["test", self.seed()], ["bogus"], ["schema", "x"], ["presets", "none"], ["presets", "a", "b"], ["explain", self.seed(), "--tool", "t", "--args", "{"]):
            with self.subTest(arguments=arguments):
                status, out, error = policy(*arguments)
                self.assertEqual((status, out, len(error.splitlines())), (125, "", 1), error)
        self.assertEqual(policy("check", os.path.join(self.folder, "nowhere"))[0], 1)

    def test_only_regular_files_and_standard_input_are_read(self):
        fifo = os.path.join(self.folder, "fifo")
        os.mkfifo(fifo)
        for path in (fifo, self.folder, "/dev/zero"):
            status, out, _ = policy("check", path)
            self.assertEqual(status, 1)
            self.assertIn("is no regular file", out)
        self.assertEqual(policy("explain", fifo, "--tool", "t")[0], 1)
        self.assertEqual(policy("check", "-", stdin=json.dumps(documents.SEED).encode()), (0, "-: good\n", ""))

    def test_help_has_examples(self):
        for command in ([], ["check"], ["explain"], ["test"], ["presets"], ["schema"], ["scan"]):
            status, out, _ = policy(*command, "--help")
            self.assertEqual(status, 0)
            self.assertIn("Examples:\n  wardenv policy", out)


class PresetsTest(PolicyTest):
    def test_each_preset_is_listed_and_printed_as_a_grammar(self):
        names = [preset["name"] for preset in json.loads(policy("presets", "--json")[1])["presets"]]
        self.assertEqual(names, sorted(names))
        self.assertLess({"git-readonly", "pip-install", "pytest", "python", "ruff", "uv"}, set(names))
        text = policy("presets")[1]
        for name in names:
            self.assertIn(f"\n{name} ", "\n" + text)
            status, out, _ = policy("presets", name)
            self.assertEqual(status, 0)
            document = {"version": "1", "default": "deny", "tools": {"run_in_venv": {"commands": {"x": json.loads(out)}}}}
            self.assertEqual(policy("check", self.write(f"{name}.json", json.dumps(document)))[0], 0, name)


class ExplainTest(PolicyTest):
    def test_decision_rule_and_trace(self):
        status, out, _ = policy("explain", self.seed(), "--tool", "run_in_venv", "--args", '{"command":"pytest"}', "--json")
        decision = json.loads(out)
        self.assertEqual((status, decision["effect"], decision["rule"]), (0, "allow", "/tools/run_in_venv"))
        self.assertEqual(decision["trace"][-1], {"rule": "/tools/run_in_venv/limits/0", "result": "takes 1 of at most 10"})
        self.assertEqual(json.loads(policy("explain", self.seed(), "--tool", "x", "--json")[1])["rule"], "(default deny)")

    def test_who_calls_is_the_policys_to_say(self):
        granted = self.write("granted.json", {"version": "1", "default": "deny", "tools": {"t": {}}, "grants": {"ci": {}, "dev": {}}})
        for path, grant, rule in ((granted, ["--grant", "ci"], "/tools/t"), (granted, [], "(no grant)"), (granted, ["--grant", "x"], "(unknown grant)"),
                                  (self.seed(), ["--grant", "ci"], "(unknown grant)")):
            with self.subTest(path=path, grant=grant):
                self.assertEqual(json.loads(policy("explain", path, "--tool", "t", *grant, "--json")[1])["rule"], rule)
        self.assertIn("--grant: ci, dev", policy("explain", granted, "--tool", "t")[1])

    def test_has_no_side_effects(self):
        before = sorted(os.listdir(self.folder))
        path = self.seed()
        for _ in range(12):
            self.assertIn("allow", policy("explain", path, "--tool", "run_in_venv")[1])
        self.assertEqual(sorted(os.listdir(self.folder)), sorted([*before, "seed.json"]))

    def test_paths_follow_links(self):
        path = self.write("p.json", documents.predicate("under", "{workspace}", "f"))
        workspace = os.path.join(self.folder, "ws")
        os.mkdir(workspace)
        os.symlink("/etc", os.path.join(workspace, "out"))
        for name, effect in (("new.txt", "allow"), ("out/passwd", "deny"), ("../x", "deny"), ("/etc/passwd", "deny"), (workspace + "/a/b", "allow")):
            out = policy("explain", path, "--tool", "t", "--workspace", workspace, "--args", json.dumps({"f": name}), "--json")[1]
            self.assertEqual(json.loads(out)["effect"], effect, name)

    def test_paths_are_resolved_as_a_run_resolves_them(self):
        workspace = os.path.join(self.folder, "ws")
        os.mkdir(workspace)
        rule = {"require": [{"arg": "command", "op": "eq", "value": "true"}, {"arg": "args", "op": "exists", "value": True}, {"arg": "args.0", "op": "under", "value": "{workspace}"}]}
        path = self.write("under.json", {"version": "1", "default": "deny", "tools": {"run_in_venv": rule}})
        for name, target in (("nowhere", "missing"), ("loop", "loop"), ("out", "/etc/hostname"), ("in", ".")):
            os.symlink(target, os.path.join(workspace, name))
        for name, effect in (("new", "allow"), ("in/new", "allow"), ("nowhere", "deny"), ("loop", "deny"), ("out", "deny"), ("new/../new", "deny"), ("..", "deny")):
            with self.subTest(name):
                explained = json.loads(policy("explain", path, "--tool", "run_in_venv", "--workspace", workspace, "--args", json.dumps({"command": "true", "args": [name]}), "--json")[1])
                run = subprocess.run([WARDENV, "run", "--no-venv", "--workspace", workspace, "--policy", path, "--json", "--", "true", name], capture_output=True, timeout=60,
                                     env=environment(state=os.path.join(self.folder, "state")))
                self.assertEqual((explained["effect"], json.loads(run.stdout)["decision"]["effect"]), (effect, effect), run)

    def test_relative_paths_begin_at_the_folder_of_the_call(self):
        workspace = os.path.join(self.folder, "ws")
        os.makedirs(os.path.join(workspace, "in"))
        rule = {"require": [{"arg": "f", "op": "under", "value": "{workspace}/in"}]}
        path = self.write("under.json", {"version": "1", "default": "deny", "tools": {"t": rule}})
        for folder, options, effect in ((None, [], "deny"), ("in", [], "allow"), (workspace + "/in", [], "allow"), (".", [], "deny"), ("in", ["--cwd", workspace], "deny"), ("/etc", [], "deny"), (7, [], "deny"), ("in\0", [], "deny"), ("", [], "deny")):
            with self.subTest(folder=folder, options=options):
                arguments = {"f": "x"} | ({} if folder is None else {"current_working_dir": folder})
                out = policy("explain", path, "--tool", "t", "--workspace", workspace, *options, "--args", json.dumps(arguments), "--json")[1]
                self.assertEqual(json.loads(out)["effect"], effect)
                if isinstance(folder, str) and not options:
                    case = {"tool": "t", "args": arguments, "workspace": workspace, "expect": effect}
                    self.assertEqual(policy("test", path, self.write("c.json", [case]))[0], 0)

    def test_hooks_are_shown_and_windows_told_as_people_do(self):
        hooks = [{"name": "a", "event": "before_run", "run": ["true"]}]
        path = self.write("p.json", {"version": "1", "default": "deny", "hooks": hooks, "tools": {"t": {"limits": [{"counter": "c", "window": "day", "max": 2, "increment_from": "n"}]}}})
        out = policy("explain", path, "--tool", "t", "--args", '{"n":2}')[1]
        self.assertIn("  2 of at most 2 in 1 day from ", out)
        self.assertIn("\n  /hooks/0  not asked by explain\n", out)
        out = policy("explain", path, "--tool", "t", "--args", '{"n":3}')[1]
        self.assertIn("deny  /tools/t/limits/0\nreason: the call takes more than quota `c` ever holds: 2 in 1 day\n", out)
        self.assertNotIn("/hooks/0", out)

    def test_a_policy_that_cannot_be_loaded(self):
        status, out, error = policy("explain", self.write("bad.json", "{"), "--tool", "t")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("bad.json:1:2: error:", error)


class TablesTest(PolicyTest):
    def test_counts_and_status(self):
        cases = self.write("c.yaml", "- {tool: run_in_venv, expect: allow, rule: /tools/run_in_venv}\n- {name: other, tool: x, expect: deny, rule: (default deny)}\n")
        self.assertEqual(policy("test", self.seed(), cases), (0, "2 passed, 0 failed\n", ""))

    def test_a_difference_fails(self):
        for case in ({"tool": "x", "expect": "allow"}, {"tool": "run_in_venv", "expect": "allow", "rule": "/x"}, {"tool": "x", "expect": "deny", "reason": "because"}, {"tool": "x"},
                     {"tool": "x", "expect": "deny", "rul": "/x"}, {"expect": "deny"}, 7, {"tool": "run_in_venv", "expect": "allow", "profile": "p"}):
            with self.subTest(case=case):
                status, out, _ = policy("test", "--json", self.seed(), self.write("c.json", [case]))
                self.assertEqual((status, json.loads(out)["failed"]), (1, 1))

    def test_no_cases_is_an_error(self):
        for content in ("[]", "{}", '{"cases":[]}', "", "[1,]"):
            self.assertEqual(policy("test", self.seed(), self.write("c.json", content))[0], 125)

    def test_the_examples(self):
        found = sorted(path for path in EXAMPLES.iterdir() if ".cases." not in path.name and path.suffix in (".json", ".yaml"))
        self.assertGreaterEqual(len(found), 4)
        for path in found:
            with self.subTest(example=path.name):
                self.assertEqual(policy("check", str(path))[0], 0)
                status, out, error = policy("test", str(path), str(path.with_name(path.stem + ".cases.yaml")))
                self.assertEqual(status, 0, out + error)
                self.assertGreater(int(out.split()[0]), 1)


class SchemaTest(PolicyTest):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(policy("schema")[1])

    def loads(self, document):
        return policy("check", self.write("d.json", document), S="secret", WARDENV_WEBHOOK_SECRET="secret")

    def validator(self):
        """The answers of ajv, which is installed in a folder of its own by the lock file; skipped where that can't be done."""
        if shutil.which("npm") is None or shutil.which("node") is None:
            self.skipTest("npm is not installed")
        for name in ("package.json", "package-lock.json", "validate.js"):
            shutil.copy(HERE / name, self.folder)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=self.folder, capture_output=True, timeout=300)
        if done.returncode != 0:
            self.skipTest("npm can't install the validator: " + done.stderr.decode(errors="replace").strip().splitlines()[-1])

        def accepts(some):
            done = subprocess.run(["node", "validate.js"], cwd=self.folder, input=json.dumps({"schema": self.schema, "documents": some}).encode(), capture_output=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout)
        return accepts

    def test_the_loader_on_the_table(self):
        for document in documents.GOOD:
            status, out, _ = self.loads(document)
            self.assertEqual(status, 0, f"{document}\n{out}")
        for document in documents.BAD + documents.LOADER_ONLY:
            status, out, _ = self.loads(document)
            self.assertEqual(status, 1, document)
            self.assertIn("error:", out)

    def test_the_schema_agrees_with_the_loader(self):
        accepts = self.validator()
        for some, expected in ((documents.GOOD, True), (documents.BAD, False), (documents.LOADER_ONLY, True)):
            for document, accepted in zip(some, accepts(some)):
                self.assertEqual(accepted, expected, json.dumps(document))

    def loaded(self, some):
        """Whether the loader takes each of the documents."""
        paths = [self.write(f"{index}.json", document) for index, document in enumerate(some)]
        return [report["valid"] for report in json.loads(policy("check", "--json", *paths, S="secret", WARDENV_WEBHOOK_SECRET="secret")[1])["files"]]

    def test_the_schema_knows_the_presets(self):
        names = [preset["name"] for preset in json.loads(policy("presets", "--json")[1])["presets"]]
        self.assertEqual(self.schema["$defs"]["grammar"]["properties"]["preset"]["enum"], names)

    def test_the_schema_is_never_stricter_than_the_loader(self):
        accepts = self.validator()
        names = self.schema["$defs"]["grammar"]["properties"]["preset"]["enum"]
        presets = [documents.tool({"commands": {"x": json.loads(policy("presets", name)[1])}}) for name in names]
        self.assertEqual(accepts(presets), [True] * len(presets))
        random = Random(5)
        grammars = [document for document in documents.GOOD + documents.BAD if isinstance(document, dict) and "commands" in json.dumps(document)]
        made = [documents.mutated(random.choice(grammars + presets), random) for _ in range(1500)]
        taken = self.loaded(made)
        self.assertGreater(sum(taken), 100)
        self.assertGreater(len(taken) - sum(taken), 100)
        for document, accepted, good in zip(made, accepts(made), taken):
            self.assertTrue(accepted or not good, json.dumps(document))

    def test_json_and_yaml_are_one(self):
        for document in documents.GOOD[:40]:
            # JSON is YAML, as long as no string looks like something else: all of them are quoted.
            status, out, _ = policy("check", self.write("d.yaml", json.dumps(document)))
            self.assertEqual(status, 0, f"{document}\n{out}")


class ScanTest(PolicyTest):
    def scan(self, tools, status=0):
        done = policy("scan", stdin=json.dumps(tools).encode())
        self.assertEqual(done[0], status, done[2])
        return done[1]

    def checked(self, tools):
        path = self.write("scanned.yaml", self.scan({"tools": tools}))
        status, out, _ = policy("check", path)
        self.assertEqual(status, 0, out)
        return path

    def effect(self, path, tool, **arguments):
        return json.loads(policy("explain", path, "--tool", tool, "--args", json.dumps(arguments), "--workspace", self.folder, "--json")[1])["effect"]

    def test_classes(self):
        for name, more, word in (("list_files", {}, "# read:"), ("getUser", {}, "# read:"), ("thing", {"annotations": {"readOnlyHint": True}}, "# read:"), ("create_issue", {}, "# write:"),
                                 ("thing", {}, "# write:"), ("run_in_venv", {}, "# execute:"), ("thing", {"inputSchema": {"properties": {"sql": {"type": "string"}}}}, "# execute:"),
                                 ("remove_package", {}, "# destructive:"), ("thing", {"annotations": {"destructiveHint": True}}, "# destructive:"), ("create_refund", {}, "# financial:"),
                                 ("delete_all", {"annotations": {"readOnlyHint": True}}, "# destructive:"), ("HTTPDelete", {}, "# destructive:"), ("sudo", {}, "# execute:")):
            self.assertIn(word, self.scan([{"name": name} | more]), name)

    def test_the_recommended_rules(self):
        run = {"name": "run_in_venv", "inputSchema": {"type": "object", "required": ["current_working_dir", "command"], "properties": {
            "current_working_dir": {"type": "string"}, "command": {"type": "string"}, "args": {"type": "array", "items": {"type": "string"}}}}}
        pay = {"name": "pay", "inputSchema": {"properties": {"amount": {"type": "integer", "maximum": 5}}, "required": ["amount"]}}
        path = self.checked([run, pay, {"name": "add_package"}, {"name": "remove_package"}, {"name": "list_packages"}])
        self.assertEqual(self.effect(path, "run_in_venv", current_working_dir=".", command="pytest", args=["-x"]), "allow")
        self.assertEqual(self.effect(path, "run_in_venv", current_working_dir="/etc", command="pytest", args=["-x"]), "deny")
        self.assertEqual(self.effect(path, "run_in_venv", current_working_dir=".", command="sh", args=["-c", "id"]), "deny")
        self.assertEqual(self.effect(path, "pay", amount=5), "require_approval")
        self.assertEqual(self.effect(path, "pay", amount=6), "deny")
        for tool, effect in (("add_package", "allow"), ("list_packages", "allow"), ("remove_package", "deny"), ("new_tool", "deny")):
            self.assertEqual(self.effect(path, tool), effect, tool)
        text = pathlib.Path(path).read_text()
        self.assertIn('counter: "add_package_rate", window: minute, max: 30', text)
        self.assertIn('counter: "run_in_venv_rate", window: minute, max: 10', text)
        self.assertIn('hide:\n', text)

    def test_names_that_would_forge_something(self):
        path = self.checked([{"name": "a\nhide: []\n#"}, {"name": "b: {}\u2028"}, {"name": "*"}, {"name": "c\"d\\"}, {"name": "x"}, {"name": "x"}, {"name": 5}, 7, {}, {"name": "e#f", "annotations": []},
                             {"name": "run it", "inputSchema": {"properties": {"a\nb": {"enum": ["x\ny", 1, None]}, "": {}, "*": {"type": "string"}}, "required": ["a\nb", 1]}}])
        text = pathlib.Path(path).read_text()
        self.assertNotIn("\nhide: []", text)
        self.assertEqual(self.effect(path, "anything"), "deny")
        self.assertEqual(self.effect(path, 'c"d\\'), "allow")

    def test_a_list_that_goes_on_is_said_to(self):
        tools = [{"name": "list_files"}]
        for given in ({"tools": tools, "nextCursor": "2"}, {"jsonrpc": "2.0", "id": 1, "result": {"tools": tools, "nextCursor": ""}}):
            status, out, error = policy("scan", stdin=json.dumps(given).encode())
            self.assertEqual((status, len(error.splitlines())), (0, 1), error)
            self.assertIn("`nextCursor`", error)
            self.assertIn("# INCOMPLETE: ", out)
            self.assertEqual(policy("check", self.write("part.yaml", out))[0], 0)
        for given in (tools, {"tools": tools}, {"tools": tools, "nextCursor": None}):   # the control
            status, out, error = policy("scan", stdin=json.dumps(given).encode())
            self.assertEqual((status, error), (0, ""))
            self.assertNotIn("INCOMPLETE", out)

    def test_what_is_left_out_is_named(self):
        path = self.checked([{"name": "x"}, {"name": "x"}, 7, {"name": "a*"}, {"name": "b\x7f\u2028\nhide: []"}, {"name": "y" * 5000}])
        text = pathlib.Path(path).read_text()
        for line in ('# - entry 2: "x" is named twice', "# - entry 3: has no name", '# - entry 4: "a*" can\'t be listed', r'# - entry 5: "b\u007f\u2028\nhide: []" can' + "'t be listed"):
            self.assertIn(line + "\n", text)
        self.assertIn('# - entry 6: "yyyy', text)
        self.assertTrue(all(len(line) < 200 for line in text.splitlines()))
        text = self.scan([{}] * 1000)
        self.assertIn("# - entry 20: has no name\n# - and 980 more\n", text)

    def test_what_is_no_list(self):
        for text in (b"", b"{", b"{}", b"[", b'{"tools":1}', b'{"a":1,"a":2}'):
            status, out, error = policy("scan", stdin=text)
            self.assertEqual((status, out, len(error.splitlines())), (125, "", 1))
        self.assertIn("tools: {}", self.scan({"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}))


if __name__ == "__main__":
    unittest.main()
