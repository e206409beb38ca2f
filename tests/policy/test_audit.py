# SPDX-License-Identifier: Apache-2.0
"""wardenv audit: what runs leave in the log, what verify finds, what follow prints, and that nothing runs which can't be recorded."""
import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import unittest

from wardenv_testing import IS_ROOT, WARDENV, environment, execute, run_wardenv


class AuditTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="wardenv-audit-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.workspace = os.path.join(self.root, "ws")
        self.state = os.path.join(self.root, "state")
        self.log = os.path.join(self.state, "audit", "audit.jsonl")
        self.policy = os.path.join(self.root, "policy.json")
        os.mkdir(self.workspace)
        with open(self.policy, "w", encoding="utf-8") as file:
            json.dump({"version": "1", "default": "deny", "tools": {"run_in_venv": {"deny_if": [{"arg": "command", "op": "eq", "value": "false"}]}}}, file)

    def run_it(self, *command, state=None):
        return run_wardenv(["--no-venv", "--workspace", self.workspace, "--policy", self.policy], list(command), env=environment(state=state or self.state))

    def audit(self, *arguments):
        return execute([WARDENV, "audit", *arguments], env=environment(state=self.state))

    def records(self, *options):
        return [json.loads(line) for line in self.audit("show", "--json", *options).stdout.splitlines()]

    def lines(self):
        with open(self.log, "rb") as file:
            return file.read().splitlines(keepends=True)

    def write(self, lines):
        with open(self.log, "wb") as file:
            file.write(b"".join(lines))

    def test_a_run_leaves_an_admission_and_an_end(self):
        run = self.run_it("sh", "-c", "exit 3")
        self.assertEqual(run.status, 3, run)
        admit, finish = [record for record in self.records() if record.get("run_id") == run.report["run_id"]]
        self.assertEqual((admit["event"], admit["tool"], admit["decision"]), ("admit", "run_in_venv", "allow"))
        self.assertEqual(len(admit["policy_digest"]), 64)
        self.assertEqual((finish["event"], finish["outcome"], finish["exit_code"]), ("finish", "exited", 3))
        self.assertGreater(finish["usage"]["wall_ms"], 0)
        with open(self.log, encoding="utf-8") as file:
            self.assertNotIn("exit 3", file.read())

    def test_a_denial_is_recorded(self):
        self.assertEqual(self.run_it("false").status, 77)
        record = self.records()[-1]
        self.assertEqual((record["decision"], record["tool"]), ("deny", "run_in_venv"))
        self.assertIn("deny_if", record["rule"])

    def test_no_value_of_an_argument_is_in_the_log(self):
        """Nor in what we say of a refusal, which names the value to who made the call."""
        def write(**audit):
            rule = {"commands": {"echo": {"positionals": {"max": 1, "string": True}}, "sekret-not-there": {}}}
            with open(self.policy, "w", encoding="utf-8") as file:
                json.dump({"version": "1", "default": "deny", "tools": {"run_in_venv": rule}, **audit}, file)

        write()
        asked = [(77, ["echo", "a", "sekret-one"]), (77, ["sekret`two"]), (77, ["echo", "--sekret=three"]), (127, ["sekret-not-there"])]
        for status, command in asked:
            with self.subTest(command):
                run = self.run_it(*command)
                self.assertEqual(run.status, status, run)
                self.assertIn("sekret", json.dumps(run.report))   # the control: the caller is told
        with open(self.log, encoding="utf-8") as file:
            self.assertNotIn("sekret", re.sub(r'"program":"[^"]*"', "", file.read()))
        reasons = [record["reason"] for record in self.records() if record.get("decision") == "deny"]
        self.assertTrue(all("`…`" in reason and len(reason) > 15 for reason in reasons), reasons)
        write(audit={"plain_arguments": ["command", "args", "current_working_dir"]})
        self.assertEqual(self.run_it("echo", "a", "sekret-four").status, 77)
        self.assertIn("sekret-four", self.records()[-1]["reason"])

    def test_what_was_refused_before_it_could_be_judged_is_recorded(self):
        self.assertEqual(self.run_it("true").status, 0)   # the control
        argv = [WARDENV.encode(), b"run", b"--no-venv", b"--workspace", self.workspace.encode(), b"--policy", self.policy.encode(), b"--", b"touch", b"\xff"]
        done = execute(argv, env=environment(state=self.state))
        self.assertEqual(done.returncode, 77, done)
        self.assertEqual(os.listdir(self.workspace), [])
        record = self.records()[-1]
        self.assertEqual((record["event"], record["decision"], record["rule"]), ("admit", "deny", "(malformed call)"))
        self.assertIn("not UTF-8", record["reason"])
        done = execute([WARDENV, "run", "--no-venv", "--workspace", self.workspace + "/none", "--policy", self.policy, "--", "true"], env=environment(state=self.state))
        self.assertEqual(done.returncode, 125, done)
        record = self.records()[-1]
        self.assertEqual((record["event"], record["decision"]), ("admit", "deny"))
        self.assertEqual(record["reason"], "workspace `…`: No such file or directory")

    def test_what_is_asked_for_beyond_the_grant_is_recorded_with_its_reason(self):
        for options in (["--memory", "900G"], ["--network", "host"]):
            run = run_wardenv(["--no-venv", "--workspace", self.workspace, "--policy", self.policy, *options], ["true"], env=environment(state=self.state))
            self.assertEqual(run.status, 125, run)
            record = self.records()[-1]
            self.assertEqual((record["event"], record["outcome"]), ("finish", "setup_failed"))
            self.assertIn(options[0], record["reason"])

    def test_a_run_without_an_end_is_noted(self):
        self.run_it("true")
        self.assertEqual([note for note in json.loads(self.audit("verify", "--json").stdout)["notes"] if "no end" in note], [])
        argv = [WARDENV, "run", "--no-venv", "--workspace", self.workspace, "--policy", self.policy, "--", "sh", "-c", "echo in; sleep 100"]
        process = subprocess.Popen(argv, env=environment(state=self.state), stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), b"in\n")
        process.kill()
        process.wait()
        done = self.audit("verify", "--json")
        self.assertEqual(done.returncode, 0, done)
        note, = [note for note in json.loads(done.stdout)["notes"] if "no end" in note]
        admitted = [record for record in self.records() if record["event"] == "admit"][-1]
        self.assertIn("1 calls that were allowed have no end", note)
        self.assertIn(f"record {admitted['seq']} (run {admitted['run_id']})", note)

    def test_a_cut_that_was_healed_is_noted(self):
        self.run_it("true")
        self.run_it("false")
        self.assertEqual(self.audit("verify").returncode, 0)
        self.write(self.lines()[:-1])   # the refusal, which was not synced
        self.assertEqual(self.audit("verify").returncode, 1)
        self.run_it("true")
        done = self.audit("verify", "--json")
        self.assertEqual(done.returncode, 0, done)
        healed, = [record for record in self.records() if record["event"] == "healed"]
        note, = [note for note in json.loads(done.stdout)["notes"] if "gone" in note]
        self.assertIn(f"record {healed['seq']} says that before it 1 records", note)
        self.assertIn(note, self.audit("verify").stdout.decode())

    def test_show_filters(self):
        first, second = self.run_it("true"), self.run_it("true")
        self.assertEqual({record["run_id"] for record in self.records("--run", first.report["run_id"])}, {first.report["run_id"]})
        self.assertEqual(len(self.records("--last", "1")), 1)
        self.assertEqual(self.records("--tool", "other"), [])
        self.assertEqual(self.records("--since", "2999-01-01"), [])
        self.assertGreaterEqual(len(self.records("--since", "1h", "--run", second.report["run_id"])), 2)
        self.assertIn("run_in_venv", self.audit("show").stdout.decode())

    def test_bad_options_are_refused_in_one_line(self):
        self.run_it("true")
        for arguments in (["show", "--head", "x"], ["verify", "--last", "3"], ["head", "--json"], ["bogus"], ["show", "--since", "soon"], ["show", "--last", "0"],
                          ["verify", "--head", "/no/such"], ["verify", "--head", self.policy], ["show", "--folder", "/no/such"]):
            with self.subTest(arguments=arguments):
                done = self.audit(*arguments)
                self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (125, b"", 1), done)

    def test_verify_says_where(self):
        for _ in range(3):
            self.run_it("true")
        done = self.audit("verify")
        self.assertEqual((done.returncode, done.stdout[:2]), (0, b"ok"), done)
        whole = self.lines()
        for change, line in [(lambda l: l[:2] + l[3:], 3), (lambda l: l[:3] + [l[2]] + l[3:], 4), (lambda l: [l[1], l[0]] + l[2:], 1),
                             (lambda l: l[:3] + [l[3].replace(b"admit", b"adMit", 1)] + l[4:], 4)]:
            self.write(change(whole))
            verdict = self.audit("verify", "--json")
            self.assertEqual(verdict.returncode, 1)
            problem = json.loads(verdict.stdout)["problem"]
            self.assertEqual((problem["file"], problem["line"]), ("audit.jsonl", line), problem)
            self.assertIn(f"audit.jsonl:{line}", self.audit("verify").stdout.decode())
        self.write(whole[:-1])
        self.assertEqual(json.loads(self.audit("verify", "--json").stdout)["problem"]["kind"], "cut")
        self.write(whole)
        self.assertEqual(self.audit("verify").returncode, 0)

    def test_a_log_that_was_tampered_with_refuses_runs(self):
        self.run_it("true")
        whole = self.lines()
        for bad in (whole[:-2], whole[:-2] + [whole[-2].replace(b"allow", b"alLow")] + whole[-1:], []):
            self.write(bad)
            run = self.run_it("sh", "-c", "touch ran")
            self.assertEqual(run.status, 77, run)
            self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))
        self.write(whole)
        self.assertEqual(self.run_it("true").status, 0)

    def test_nothing_is_entered_before_the_record_is_written(self):
        self.run_it("true")
        ran = os.path.join(self.workspace, "ran")
        with open(os.path.join(self.state, "audit", "lock"), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)   # the log can't be appended to
            argv = [WARDENV, "run", "--no-venv", "--workspace", self.workspace, "--policy", self.policy, "--", "sh", "-c", "touch ran; echo in; sleep 30"]
            process = subprocess.Popen(argv, env=environment(state=self.state), stdout=subprocess.PIPE)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.assertFalse(select.select([process.stdout], [], [], 1)[0])
            self.assertFalse(os.path.exists(ran))
        self.assertEqual(process.stdout.readline(), b"in\n")   # the control: with the lock free it goes on
        self.assertTrue(os.path.exists(ran))
        last = json.loads(self.lines()[-1])
        self.assertEqual((last["event"], last["decision"]), ("admit", "allow"))

    def test_an_end_that_was_not_on_disk_may_be_gone_and_is_told(self):
        self.run_it("true")
        self.write(self.lines()[:-1])
        self.assertEqual(self.audit("verify").returncode, 1)
        run = self.run_it("true")
        self.assertEqual((run.status, b"gone" in run.stderr), (0, True), run)
        self.assertEqual([record["details"]["lost_records"] for record in self.records() if record["event"] == "healed"], [1])
        self.assertEqual(self.audit("verify").returncode, 0)

    def test_a_held_head_shows_a_rewrite(self):
        self.run_it("true")
        held = os.path.join(self.root, "head.json")
        with open(held, "wb") as file:
            file.write(self.audit("head").stdout)
        self.assertEqual(self.audit("verify", "--head", held).returncode, 0)
        self.run_it("true")
        self.assertEqual(self.audit("verify", "--head", held).returncode, 0)
        shutil.rmtree(os.path.join(self.state, "audit"))
        for _ in range(3):
            self.run_it("true")
        self.assertEqual(self.audit("verify").returncode, 0)
        done = self.audit("verify", "--head", held)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another key", done.stdout.decode())

    def test_control_characters_stay_out_of_the_terminal(self):
        self.run_it("true")
        with open(self.log, "ab") as file:
            file.write(b'{"seq":99,"x":"\\u001b[31m"}\n\x1b]0;owned\x07\n')
        for arguments in (["show"], ["show", "--json"], ["verify"]):
            self.assertNotRegex(self.audit(*arguments).stdout, b"[\x00-\x09\x0b-\x1f\x7f]")

    def test_follow_goes_on_until_interrupted(self):
        self.run_it("true")
        process = subprocess.Popen([WARDENV, "audit", "follow", "--json"], env=environment(state=self.state), stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        seen = b""

        def read_until(word):
            nonlocal seen
            while word not in seen:
                self.assertTrue(select.select([process.stdout], [], [], 30)[0], seen)
                chunk = os.read(process.stdout.fileno(), 65536)
                self.assertTrue(chunk, seen)
                seen += chunk

        read_until(b'"event":"finish"')
        run = self.run_it("true")
        read_until(b'"event":"finish","run_id":"' + run.report["run_id"].encode())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 0)

    @unittest.skipUnless(IS_ROOT, "needs root for a disk of its own")
    def test_a_full_disk_refuses_runs(self):
        self.run_it("true")
        small = os.path.join(self.root, "small")
        os.mkdir(small)
        run = f"rm -f ran; WARDENV_STATE={small} {WARDENV} run --no-venv --policy {self.policy} -- touch ran"
        # The last page of the file still takes a few records.
        script = (f"cd {self.workspace} && rm -rf {self.state}/views && mount -t tmpfs -o size=128k,mode=0700 none {small} && cp -a {self.state}/. {small}/ && "
                  f"(dd if=/dev/zero of={small}/filler bs=1k 2>/dev/null || true); "
                  f"for i in 1 2 3 4 5 6 7 8 9; do {run}; status=$?; [ $status = 0 ] || break; done; echo $status $(ls); rm {small}/filler; {run}; echo $? $(ls)")
        done = execute(["unshare", "--mount", "--propagation", "private", "sh", "-c", script], env=environment())
        self.assertEqual(done.stdout.splitlines(), [b"77", b"0 ran"], done)


if __name__ == "__main__":
    unittest.main()
