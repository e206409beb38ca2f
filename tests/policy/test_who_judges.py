# SPDX-License-Identifier: Apache-2.0
"""Who judges a run: `wardenv` itself where the policy needs no large library, wardenv-cli all else. Both say and write the same."""
import concurrent.futures
import contextlib
import fcntl
import json
import os
import platform
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from wardenv_testing import WARDENV, environment, eventually, execute, processes_with, nonce, to_run

BESIDE = os.path.join(os.path.dirname(os.path.realpath(WARDENV)), "wardenv-cli")
CLI = BESIDE if os.path.exists(BESIDE) else os.path.join(os.path.dirname(BESIDE), "../libexec/wardenv/wardenv-cli")
PLAIN = {"version": "1", "default": "deny", "tools": {"run_in_venv": {"deny_if": [{"arg": "command", "op": "eq", "value": "false"}]}}}
YAML = 'version: "1"\ndefault: deny\ntools:\n  run_in_venv:\n    deny_if: [{arg: command, op: eq, value: "false"}]\n'
PROFILES = {"version": "1", "default": "deny", "tools": {"run_in_venv": {"profile": "granted"}},
            "profiles": {"granted": {"memory": "256M", "timeout": "1m", "access": "read-only", "env": ["NAME=value"], "mounts": [{"source": "/usr/share", "target": "/opt/share"}]},
                         "small": {"memory": "128M", "processes": 16}}}
HERE = "wardenv-cli" if "WARDENV_SANITIZED" in os.environ else "wardenv"   # who does what needs no library
COUNTED = HERE if platform.machine() == "x86_64" else "wardenv-cli"
OWN = {"seq", "time", "prev", "hash", "mac", "run_id", "usage"}   # of each record


def with_rule(**rule):
    return PLAIN | {"tools": {"run_in_venv": rule}}


def needs_libraries(program):
    """Whether the program has a segment PT_INTERP (elf(5))."""
    with open(program, "rb") as file:
        head = file.read(64)
        offset, (size, count) = struct.unpack_from("<Q", head, 32)[0], struct.unpack_from("<HH", head, 54)
        file.seek(offset)
        return 3 in {struct.unpack_from("<I", file.read(size))[0] for _ in range(count)}


class WhoJudgesTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="wardenv-who-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.workspace = os.path.join(self.root, "ws")
        self.state = os.path.join(self.root, "state")
        os.mkdir(self.workspace)
        self.plain = self.policy(PLAIN)
        self.environment = environment(state=self.state)
        self.assertEqual(self.program_of(), HERE)

    def policy(self, document, name="policy.json"):
        path = os.path.join(self.root, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(document if isinstance(document, str) else json.dumps(document))
        return path

    def argv(self, options, command, program=WARDENV):
        return [program, "run", "--no-venv", "--workspace", self.workspace, *options, "--", *command]

    def run_it(self, policy, *command, options=(), program=WARDENV):
        return to_run(execute(self.argv(["--policy", policy, "--json", *options], command, program), env=self.environment))

    def records(self):
        shown = execute([WARDENV, "audit", "show", "--json"], env=self.environment)
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def verified(self):
        done = execute([WARDENV, "audit", "verify"], env=self.environment)
        self.assertEqual(done.returncode, 0, done)

    def start(self, options, *words, env=None, ignored=None):
        """A command that runs until the file `go` is there."""
        script = "echo in; while [ ! -e go ]; do sleep 0.02; done; rm go"
        process = subprocess.Popen(self.argv(options, ["sh", "-c", script, *words]), env=env or self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=lambda: ignored and signal.signal(ignored, signal.SIG_IGN))
        for cleanup in (process.stdout.close, process.stderr.close, process.wait, process.kill):
            self.addCleanup(cleanup)
        return process

    def program_of(self, *options, env=None):
        """The program that waits for a command while it runs, and who therefore has judged it."""
        process = self.start(options, env=env)
        self.assertEqual(process.stdout.readline(), b"in\n", options)
        name = os.path.basename(os.readlink(f"/proc/{process.pid}/exe"))
        with open(os.path.join(self.workspace, "go"), "w", encoding="utf-8"):
            pass
        self.assertEqual(process.wait(60), 0)
        return name

    def judge_here(self):
        self.assertEqual(self.program_of("--policy", self.plain), HERE)

    def test_what_needs_no_library_is_judged_here(self):
        self.judge_here()
        commands = self.policy(with_rule(commands={"sh": {"flags": {"-c": "string"}}}), "commands.json")
        self.assertEqual(self.program_of("--policy", commands), HERE)
        grants = self.policy(PLAIN | {"grants": {"ci": {"tools": ["run_in_venv"]}}}, "grants.json")
        self.assertEqual(self.program_of("--policy", grants, "--grant", "ci"), HERE)
        self.assertEqual(self.program_of("--policy", self.plain, "--memory", "64M"), HERE)
        self.verified()

    def test_profiles_are_granted_here(self):
        direct = self.policy(PROFILES | {"profiles": {"granted": {"memory": "256M"}, "small": {"memory": "128M"}}}, "profiles.json")
        self.assertEqual(self.program_of("--policy", direct), HERE)
        self.assertEqual(self.program_of("--policy", direct, "--profile", "small"), HERE)
        self.assertEqual(self.program_of("--policy", direct, "--memory", "64M"), HERE)
        calls = self.policy(PROFILES | {"profiles": {"granted": {"seccomp": {"allow": ["ptrace"]}}}}, "calls.json")
        self.assertEqual(self.program_of("--policy", calls), "wardenv-cli")
        self.verified()

    def test_what_needs_one_is_judged_by_the_cli(self):
        predicate = self.policy(with_rule(require=[{"arg": "command", "op": "regex", "value": "^s"}]), "regex.json")
        value = self.policy(with_rule(commands={"sh": {"flags": {"-c": {"regex": "^echo in; .*"}}}}), "value.json")
        config = os.path.join(self.root, "config.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"policy": self.plain}, file)
        home = os.path.join(self.root, "home")
        os.makedirs(os.path.join(home, "wardenv"))
        shutil.copy(config, os.path.join(home, "wardenv", "config.json"))
        self.assertEqual(self.program_of("--policy", predicate), "wardenv-cli")
        self.assertEqual(self.program_of("--policy", value), "wardenv-cli")
        self.assertEqual(self.program_of("--config", config), "wardenv-cli")
        self.assertEqual(self.program_of("--policy", self.plain, env=self.environment | {"XDG_CONFIG_HOME": home}), "wardenv-cli")
        self.assertEqual([record["decision"] for record in self.records() if record["event"] == "admit"], ["allow"] * 4)
        self.verified()

    def test_each_kind_of_refusal_is_the_clis(self):
        hook = PLAIN | {"hooks": [{"name": "no", "event": "before_run", "run": ["/bin/false"]}]}
        after = PLAIN | {"hooks": [{"name": "no", "event": "after_run", "run": ["/bin/false"]}]}
        webhook = with_rule(action="require_approval") | {"approvals": {"webhook": {"url": "http://127.0.0.1:9/", "secret_env": "SECRET"}}}
        self.environment["SECRET"] = "secret"
        cases = {"regex": (with_rule(deny_if=[{"arg": "command", "op": "regex", "value": "^f"}, {"arg": "command", "op": "glob", "value": "tr*"}]), 77, "/tools/run_in_venv/deny_if/1"),
                 "value": (with_rule(commands={"true": {"positionals": {"regex": "^a$"}}, "sh": {}}), 0, ""),
                 "hook": (hook, 77, "/hooks/0"),
                 "approval": (with_rule(action="require_approval"), 75, "/tools/run_in_venv/action"),
                 "webhook": (webhook, 75, "/tools/run_in_venv/action"),
                 "hidden": (PLAIN | {"hide": ["run_in_venv"]}, 77, "(hidden)"),
                 "action": (with_rule(action="deny"), 77, "/tools/run_in_venv/action"),
                 "grant": (PLAIN | {"grants": {"ci": {}}}, 77, "(no grant)")}
        for name, (document, status, rule) in cases.items():
            with self.subTest(name):
                run = self.run_it(self.policy(document, f"{name}.json"), "true")
                self.assertEqual((run.status, run.report["decision"]["rule"] if rule else ""), (status, rule), run)
        withheld = self.run_it(self.policy(after, "after.json"), "sh", "-c", "echo seen")
        self.assertEqual((withheld.report["exit_code"], withheld.report["stdout"]["text"] if isinstance(withheld.report["stdout"], dict) else withheld.report["stdout"]), (0, ""), withheld)
        self.verified()

    def test_no_policy_is_no_run(self):
        broken = self.policy("{", "broken.json")
        open_to_all = self.policy(PLAIN, "open.json")
        os.chmod(open_to_all, 0o666)
        for policy in (broken, open_to_all, os.path.join(self.root, "missing.json")):
            with self.subTest(policy):
                run = self.run_it(policy, "touch", "ran")
                self.assertEqual((run.status, run.report["decision"]["rule"]), (125, "(not judged)"), run)
        not_utf8 = to_run(execute(self.argv(["--policy", self.plain, "--json"], ["touch", b"ran\xff"]), env=self.environment))
        self.assertEqual((not_utf8.status, not_utf8.report["decision"]["rule"]), (77, "(malformed call)"), not_utf8)
        self.assertEqual(os.listdir(self.workspace), [])
        self.assertEqual(self.run_it(self.plain, "touch", "ran").status, 0)
        self.assertEqual(os.listdir(self.workspace), ["ran"])

    def test_both_say_and_write_the_same(self):
        counted = self.policy(with_rule(limits=[{"counter": "runs", "window": "day", "max": 2}]), "counted.json")
        profiles = self.policy(PROFILES, "profiles.json")
        shown = ["sh", "-c", "echo $NAME; ls /opt; touch it; exit 3"]
        cases = [(self.plain, [], ["sh", "-c", "echo out; echo err >&2; exit 3"]), (self.plain, [], ["false"]), (self.plain, [], ["nothing-of-this-name"]), (counted, [], ["true"]),
                 (self.plain, ["--memory", "64M"], ["true"]), (profiles, [], shown), (profiles, ["--memory", "64M"], shown), (profiles, ["--profile", "small"], shown),
                 (profiles, ["--memory", "1G"], shown), (profiles, ["--access", "direct"], shown), (profiles, ["--env", "NAME=other"], shown), (profiles, ["--profile", "none"], shown)]
        self.judge_here()
        told = {}
        for program in (WARDENV, CLI):
            before = len(self.records())
            reports = [self.run_it(policy, *command, options=options, program=program).report for policy, options, command in cases]
            told[program] = ([{key: value for key, value in report.items() if key not in ("run_id", "usage")} for report in reports],
                             [{key: value for key, value in record.items() if key not in OWN} for record in self.records()[before:] if record["event"] != "begin"])
        self.maxDiff = None
        self.assertEqual(told[WARDENV], told[CLI])
        self.assertEqual([report["exit_code"] for report in told[WARDENV][0][4:]], [0, 3, 3, 3] + [None] * 4)
        self.assertEqual([report["stdout"] for report in told[WARDENV][0][5:8]], ["value\nshare\n"] * 3)
        refused = self.run_it(counted, "true")
        self.assertEqual((refused.status, refused.report["decision"]["rule"]), (77, "/tools/run_in_venv/limits/0"), refused)
        self.verified()

    def counted(self, most, **more):
        return self.policy(with_rule(limits=[{"counter": "runs", "window": "day", "max": most} | more]), "counted.json")

    def test_durable_quotas_are_counted_here(self):
        self.assertEqual(self.program_of("--policy", self.counted(100)), COUNTED)
        self.assertEqual(self.program_of("--policy", self.counted(100, mode="fixed")), COUNTED)
        self.assertEqual(self.program_of("--policy", self.counted(2)), COUNTED)   # of the sliding window: the second
        refused = self.run_it(self.counted(2), "touch", "ran")
        self.assertEqual((refused.status, refused.report["decision"]["rule"]), (77, "/tools/run_in_venv/limits/0"), refused)
        self.assertEqual(os.listdir(self.workspace), [])
        self.verified()

    def test_both_count_in_one_store(self):
        policy = self.counted(24)
        self.assertEqual(self.run_it(policy, "true", program=CLI).status, 0)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            statuses = list(pool.map(lambda turn: self.run_it(policy, "true", program=(WARDENV, CLI)[turn % 2]).status, range(36)))
        self.assertEqual((statuses.count(0), statuses.count(77)), (23, 13), statuses)
        self.verified()

    def test_what_was_never_entered_is_given_back_here(self):
        policy = self.counted(1)
        blocked = os.path.join(self.state, "audit", "key")
        self.judge_here()
        os.chmod(blocked, 0o644)   # counted, but it can't be written down
        self.assertEqual(self.run_it(policy, "touch", "ran").status, 77)
        os.chmod(blocked, 0o600)
        self.assertEqual([self.run_it(policy, "touch", "ran").status for _ in range(2)], [0, 77])

    def test_a_front_end_that_is_killed_while_it_counts_enters_nothing(self):
        policy, token = self.counted(2), nonce()
        self.assertEqual(self.run_it(policy, "true").status, 0)
        store = os.path.join(self.state, "quota.db")
        holder = sqlite3.connect(store, isolation_level=None)
        self.addCleanup(holder.close)
        holder.execute("BEGIN IMMEDIATE")
        process = self.start(["--policy", policy], token)
        self.assertTrue(eventually(lambda: store in self.open_files(process.pid)))
        process.send_signal(signal.SIGKILL)
        self.assertEqual(process.wait(60), -signal.SIGKILL)
        self.assertEqual(process.stdout.read(), b"")
        self.assertTrue(eventually(lambda: not processes_with(token)))
        holder.execute("COMMIT")
        self.assertEqual([self.run_it(policy, "true").status for _ in range(2)], [0, 77])   # nor was it counted
        self.verified()

    def test_a_store_that_is_damaged_refuses_here(self):
        policy = self.counted(100)
        self.assertEqual(self.program_of("--policy", policy), COUNTED)
        store = os.path.join(self.state, "quota.db")
        for name in ("-wal", "-shm"):
            os.unlink(store + name)
        with open(store, "r+b") as file:
            file.write(b"nothing that SQLite would read..")
        run = self.run_it(policy, "touch", "ran")
        self.assertEqual((run.status, run.report["decision"]["rule"]), (77, "(unavailable)"), run)
        self.assertIn(b"is damaged", run.stderr)
        self.assertEqual(os.listdir(self.workspace), [])

    def test_a_signal_before_another_program_listens_is_not_lost(self):
        """Held back from before the start, it comes at the first moment that `wardenv` listens, and before it leaves the run to wardenv-cli."""
        regex = self.policy(with_rule(require=[{"arg": "command", "op": "regex", "value": "^t"}]), "regex.json")
        hold = ("import os, signal, sys; signal.signal(int(sys.argv[1]), signal.SIG_DFL); signal.pthread_sigmask(signal.SIG_BLOCK, {int(sys.argv[1])}); "
                "os.kill(os.getpid(), int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for policy in (regex, self.plain):
                with self.subTest(signal=number, policy=policy):
                    argv = self.argv(["--policy", policy, "--json"], ["touch", "ran"])
                    run = to_run(execute([sys.executable, "-c", hold, str(int(number)), *argv], env=self.environment))
                    self.assertEqual((run.status, run.report["outcome"]), (128 + number, "cancelled"), run)
        self.assertEqual(os.listdir(self.workspace), [])
        self.assertEqual(self.run_it(regex, "touch", "ran").status, 0)

    def test_a_terminals_signal_ends_the_run_and_not_the_launcher(self):
        """It goes to all processes of a group, also to one that was forked a moment ago."""
        regex = self.policy(with_rule(require=[{"arg": "command", "op": "regex", "value": "^s"}]), "regex.json")
        for policy in (regex, self.plain):
            ended = set()
            for turn in range(40):
                process = subprocess.Popen(self.argv(["--policy", policy], ["sleep", "30"]), env=self.environment, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.PIPE, start_new_session=True)
                time.sleep(0.0005 * (turn % 20))
                os.killpg(process.pid, signal.SIGINT)
                said = process.communicate(timeout=60)[1]
                ended.add(process.returncode)
                self.assertIn(process.returncode, (-signal.SIGINT, 130), said)   # before it has begun at all, or then
            self.assertIn(130, ended)
        self.verified()

    def test_ignored_signals_stay_ignored(self):
        process = self.start(["--policy", self.plain], ignored=signal.SIGHUP)
        self.assertEqual(process.stdout.readline(), b"in\n")
        process.send_signal(signal.SIGHUP)
        with open(os.path.join(self.workspace, "go"), "w", encoding="utf-8"):
            pass
        self.assertEqual(process.wait(60), 0)

    def test_conditions_on_counters_are_the_clis(self):
        rules = [{"name": "few", "conditions": [{"path": "state.run_in_venv.calls", "op": "lt", "value": 3}], "state": {"counter": "calls", "window": "hour"}}]
        policy = self.policy(with_rule(rules=rules), "state.json")
        self.assertEqual(self.program_of("--policy", policy), "wardenv-cli")
        self.assertEqual([self.run_it(policy, "true").status for _ in range(2)], [0, 77])

    def test_yaml_is_taken_from_the_cli_beside_alone(self):
        policy = self.policy(YAML, "policy.yaml")
        self.assertEqual(self.run_it(self.plain, "true").status, 0)   # the state folder is there now
        self.assertEqual(self.program_of("--policy", policy), "wardenv-cli")
        if needs_libraries(CLI):   # its build id does not say who reads: `wardenv` trusts nothing that it keeps
            self.assertEqual(self.program_of("--policy", policy), "wardenv-cli")
            return
        kept = os.path.join(self.state, "policies", os.listdir(os.path.join(self.state, "policies"))[0])
        self.assertEqual(self.program_of("--policy", policy), HERE)
        with open(kept, "rb") as file:
            good = file.read()
        word, reader, rest = good.split(b" ", 2)
        other = bytes(reversed(reader))
        spoilt = {"another build": b" ".join([word, other, rest]), "damaged": good.replace(b"deny_if", b"deny-if"), "cut": good[:-1], "empty": b""}
        for name, content in spoilt.items():
            with self.subTest(name):
                with open(kept, "wb") as file:
                    file.write(content)
                self.assertEqual(self.program_of("--policy", policy), "wardenv-cli")
                with open(kept, "rb") as file:
                    self.assertEqual(file.read(), good)   # read and kept anew
                self.assertEqual(self.program_of("--policy", policy), HERE)
        os.chmod(kept, 0o622)
        self.assertEqual(self.program_of("--policy", policy), "wardenv-cli")
        self.assertEqual(self.run_it(policy, "false").status, 77)

    def test_both_append_to_one_log_and_either_signs_it(self):
        def run(turn):
            return self.run_it(self.plain, "true", program=(WARDENV, CLI)[turn % 2]).status

        self.judge_here()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.assertEqual(set(pool.map(run, range(480))), {0})
        self.assertLess(self.records()[-1]["seq"], 1000)
        while self.records()[-1]["seq"] < 1000:
            self.assertEqual(self.run_it(self.plain, "true").status, 0)
        self.assertIn("head", [record["event"] for record in self.records()[-3:]])   # signed by wardenv
        self.assertEqual(run(1), 0)
        self.verified()
        head = execute([WARDENV, "audit", "head"], env=self.environment)
        self.assertEqual(head.returncode, 0, head)

    def test_a_front_end_that_is_killed_while_it_writes_enters_nothing(self):
        self.judge_here()
        token = nonce()
        with open(os.path.join(self.state, "audit", "lock"), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = self.start(["--policy", self.plain], token)
            self.assertTrue(eventually(lambda: lock.name in self.open_files(process.pid)))
            process.send_signal(signal.SIGKILL)
            self.assertEqual(process.wait(60), -signal.SIGKILL)
        self.assertEqual(process.stdout.read(), b"")
        self.assertTrue(eventually(lambda: not processes_with(token)))
        self.verified()

    @staticmethod
    def open_files(pid):
        found = []
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):   # closed meanwhile
                found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        return found

    def test_a_log_that_cannot_be_written_refuses(self):
        self.judge_here()
        key = os.path.join(self.state, "audit", "key")
        os.chmod(key, 0o644)   # others can read it: whatever is written proves nothing
        run = self.run_it(self.plain, "touch", "ran")
        self.assertEqual((run.status, run.report["decision"]["rule"]), (77, "(unavailable)"), run)
        self.assertEqual(os.listdir(self.workspace), [])
        os.chmod(key, 0o600)
        self.assertEqual(self.run_it(self.plain, "touch", "ran").status, 0)
        grown = f"ulimit -f 1; exec {' '.join(self.argv(['--policy', self.plain], ['touch', 'again']))}"
        done = execute(["sh", "-c", grown], env=self.environment)
        self.assertEqual(done.returncode, 77, done)
        self.assertEqual(os.listdir(self.workspace), ["ran"])


if __name__ == "__main__":
    unittest.main()
