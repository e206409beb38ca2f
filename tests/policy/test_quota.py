# SPDX-License-Identifier: Apache-2.0
"""Quotas and approvals as `wardenv run --policy` holds them: over processes, restarts, kills and broken stores."""
import concurrent.futures
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from wardenv_testing import IS_ROOT, WARDENV, as_user, environment, eventually, execute, shared_user

STORES = os.path.join(os.path.dirname(os.path.realpath(WARDENV)), "wardenv-stores")
ALLOWED, DENIED, WAITS = 0, 77, 75


def policy_of(rule, **more):
    return {"version": "1", "default": "deny", "tools": {"run_in_venv": rule}, **more}


def limit(maximum, window="day", **more):
    return {"limits": [{"counter": "calls", "window": window, "max": maximum, "scope": "grant", **more}]}


class Base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wardenv-quota-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.workspace = os.path.join(self.folder, "ws")
        self.state = os.path.join(self.folder, "state")
        os.mkdir(self.workspace)
        self.policy = os.path.join(self.folder, "policy.json")

    def write_policy(self, rule, **more):
        with open(self.policy, "w", encoding="utf-8") as file:
            json.dump(policy_of(rule, **more), file)

    def run_once(self, *command, state=None, options=()):
        return execute([WARDENV, "run", "--no-venv", "--workspace", self.workspace, "--policy", self.policy, "--json", *options, "--", *(command or ("/bin/true",))],
                       env=environment(state=state or self.state))

    def statuses(self, count):
        return [self.run_once().returncode for _ in range(count)]


class Quota(Base):
    def test_it_holds_over_processes(self):
        self.write_policy(limit(2))
        self.assertEqual(self.statuses(3), [ALLOWED, ALLOWED, DENIED])
        report = json.loads(self.run_once().stdout)
        self.assertEqual(report["outcome"], "denied")
        self.assertEqual(report["decision"]["rule"], "/tools/run_in_venv/limits/0")

    def test_a_grant_is_not_escaped_by_leaving_it_out_or_making_one_up(self):
        def status(*options):
            return self.run_once(options=options).returncode

        self.write_policy({}, grants={"ci": limit(1), "dev": {}})
        self.assertEqual((status("--grant", "ci"), status("--grant", "ci")), (ALLOWED, DENIED))
        self.assertEqual((status(), status("--grant", "g1"), status("--grant", "dev")), (DENIED, DENIED, ALLOWED))
        refused = json.loads(self.run_once().stdout)["decision"]
        self.assertEqual(refused["rule"], "(no grant)")
        self.assertIn("--grant: ci, dev", refused["reason"])
        self.write_policy(limit(1))   # no grants: nobody has a bucket of its own
        self.assertEqual((status("--grant", "g1"), status("--grant", "g2")), (DENIED, DENIED))
        self.assertEqual((status(), status()), (ALLOWED, DENIED))

    def test_a_profile_holds_the_workspace_and_the_environment(self):
        def status(*options, command="true"):
            argv = [WARDENV, "run", "--policy", self.policy, "--json", *options, "--", command]
            return execute(argv, env=environment(state=self.state)).returncode

        project, other = os.path.join(self.workspace, "project"), os.path.join(self.folder, "other")
        evil = os.path.join(project, "evil")
        os.mkdir(other)
        for venv in (evil, os.path.join(project, ".venv")):
            subprocess.run(["python3", "-m", "venv", "--without-pip", venv], check=True)
            with open(os.path.join(venv, "bin", "pytest"), "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\nexit 3\n" if venv == evil else "#!/bin/sh\nexit 4\n")
            os.chmod(os.path.join(venv, "bin", "pytest"), 0o755)
        rule = {"commands": {"true": {}, "pytest": {"preset": "pytest"}}, "profile": "p"}
        self.write_policy(rule, profiles={"p": {}})   # where nothing is said it is the caller's choice
        self.assertEqual(status("--workspace", project, "--venv", evil, command="pytest"), 3)
        self.assertEqual(status("--no-venv", "--workspace", self.workspace), ALLOWED)
        self.write_policy(rule, profiles={"p": {"workspaces": [project], "venv": ".venv"}})
        self.assertEqual(status("--workspace", project, "--venv", evil, command="pytest"), 125)
        self.assertEqual(status("--workspace", project, "--no-venv"), 125)
        self.assertEqual(status("--workspace", project, command="pytest"), 4)
        for wrong in (self.workspace, other, "/"):
            self.assertEqual(status("--no-venv", "--workspace", wrong), DENIED, wrong)
        refused = json.loads(self.audit_of("show", "--json", "--last", "1").stdout)
        self.assertEqual((refused["rule"], refused["workspace"]), ("/profiles/p/workspaces", "/"))

    def audit_of(self, *arguments):
        return execute([WARDENV, "audit", *arguments], env=environment(state=self.state))

    def test_it_is_exact_for_many_at_once(self):
        self.write_policy(limit(3))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: self.run_once().returncode, range(12)))
        self.assertEqual((statuses.count(ALLOWED), statuses.count(DENIED)), (3, 9), statuses)

    def test_what_presets_start_is_counted(self):
        """A preset asks the host's Python in a sandbox; that the run then fails gives nothing back."""
        git = ["git-remote"]   # a folder without a repository: nothing is started, and the preset fails
        for presets, statuses in ((git, [125, 125]), (["pip-index", *git], [125, DENIED])):
            self.write_policy(limit(1) | {"profile": "p"}, profiles={"p": {"network": "egress", "allow_preset": presets}})
            state = os.path.join(self.folder, "state-" + str(len(presets)))
            with self.subTest(presets=presets):
                self.assertEqual([self.run_once(state=state).returncode for _ in statuses], statuses)

    def test_a_run_that_was_never_let_in_gives_back(self):
        """Cancelled when it is counted already, while its record waits for the log, it is allowed and never entered."""
        ran = os.path.join(self.workspace, "ran")
        command = ["touch", ran]
        self.write_policy({})
        self.assertEqual(self.run_once().returncode, ALLOWED)   # there is a log now
        self.write_policy(limit(1))
        with open(os.path.join(self.state, "audit", "lock"), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            started = subprocess.Popen([WARDENV, "run", "--no-venv", "--workspace", self.workspace, "--policy", self.policy, "--", *command],
                                       env=environment(state=self.state), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self.addCleanup(started.kill)
            self.assertTrue(eventually(lambda: os.path.exists(os.path.join(self.state, "quota.db")), 9))   # after it listens to signals
            started.send_signal(signal.SIGINT)
            self.assertFalse(eventually(lambda: started.poll() is not None, 0.2))
        said = started.communicate(timeout=30)[1]
        self.assertEqual(started.returncode, 130, said)
        self.assertFalse(os.path.exists(ran))
        records = [json.loads(line) for line in self.audit_of("show", "--json").stdout.splitlines()]
        self.assertEqual([(one["event"], one.get("decision"), one.get("outcome")) for one in records[-2:]], [("admit", "allow", None), ("finish", None, "cancelled")])
        self.assertEqual(self.run_once(*command).returncode, ALLOWED)   # it was given back
        self.assertTrue(os.path.exists(ran))
        self.assertEqual(self.run_once(*command).returncode, DENIED)    # and once

    def test_a_window_ends(self):
        self.write_policy(limit(1, "1s"))
        self.assertEqual(self.run_once().returncode, ALLOWED)
        until = time.monotonic() + 30
        while self.run_once().returncode != ALLOWED:
            self.assertLess(time.monotonic(), until)

    def test_a_store_that_is_broken_allows_nothing(self):
        self.write_policy(limit(1000))
        self.assertEqual(self.run_once().returncode, ALLOWED)
        path = os.path.join(self.state, "quota.db")
        for name in os.listdir(self.state):
            if name.startswith("quota.db-"):
                os.unlink(os.path.join(self.state, name))
        with open(path, "r+b") as file:
            file.write(b"no database at all, by no means.")
        done = self.run_once()
        report = json.loads(done.stdout)
        self.assertEqual((done.returncode, report["outcome"], report["decision"]["rule"]), (DENIED, "denied", "(unavailable)"), done)
        os.unlink(path)   # what the message says to do
        self.assertEqual(self.run_once().returncode, ALLOWED)

    def test_a_state_folder_that_can_not_be_made_allows_nothing(self):
        self.write_policy(limit(1000))
        blocked = os.path.join(self.folder, "file")
        with open(blocked, "w", encoding="utf-8"):
            pass
        done = self.run_once(state=blocked + "/state")
        report = json.loads(done.stdout)
        self.assertEqual((done.returncode, report["outcome"], report["error"]["code"]), (125, "setup_failed", "host"), done)
        self.assertIn("WARDENV_STATE", report["error"]["hint"])
        self.assertEqual(self.run_once().returncode, ALLOWED)

    def test_a_run_can_not_change_its_policy(self):
        inside = os.path.join(self.workspace, "conf", "policy.json")
        os.mkdir(os.path.dirname(inside))
        with open(inside, "w", encoding="utf-8") as file:
            json.dump({"version": "1", "default": "allow"}, file)
        script = ("echo x >> conf/policy.json; rm -f conf/policy.json; mv conf other; echo x > conf/new && mv conf/new conf/policy.json; ln -f /etc/passwd conf/policy.json; "
                  "touch beside conf/beside")
        before = os.stat(inside)
        argv = [WARDENV, "run", "--no-venv", "--workspace", self.workspace, "--policy"]
        done = execute([*argv, inside, "--", "sh", "-c", script], env=environment(state=self.state))
        after = os.stat(inside)
        self.assertEqual((before.st_ino, before.st_size, before.st_mtime_ns), (after.st_ino, after.st_size, after.st_mtime_ns), done)
        for control in ("beside", "conf/beside"):
            self.assertTrue(os.path.exists(os.path.join(self.workspace, control)), done)
        os.symlink("conf/policy.json", os.path.join(self.workspace, "link.json"))
        done = execute([*argv, os.path.join(self.workspace, "link.json"), "--json", "--", "touch", "ran"], env=environment(state=self.state))
        self.assertEqual((done.returncode, json.loads(done.stdout)["outcome"]), (125, "setup_failed"), done)
        self.assertFalse(os.path.exists(os.path.join(self.workspace, "ran")))
        done = execute([*argv, os.path.join(self.workspace, "link.json"), "--access", "read-only", "--", "true"], env=environment(state=self.state))
        self.assertEqual(done.returncode, 0, done)

    @unittest.skipUnless(IS_ROOT and os.path.exists("/proc/self/timens_offsets"), "needs root and time namespaces")
    def test_a_shifted_clock_opens_no_window(self):
        """The kernel gives the number of a time namespace that has ended to the next one."""
        self.write_policy(limit(3, "hour"))
        statuses = [self.run_once().returncode]
        for shift in range(1, 6):
            argv = ["unshare", "-T", "--boottime", str(shift * 1_000_000), WARDENV, "run", "--no-venv", "--workspace", self.workspace, "--policy", self.policy, "--", "/bin/true"]
            statuses.append(execute(argv, env=environment(state=self.state)).returncode)
        statuses.append(self.run_once().returncode)
        self.assertEqual(statuses, [ALLOWED] * 3 + [DENIED] * 4)

    def test_a_store_in_memory_holds_nothing_over_runs(self):
        self.write_policy(limit(100))
        config = os.path.join(self.folder, "config.json")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"quota_store": "memory"}, file)
        done = self.run_once(options=("--config", config))
        self.assertEqual((done.returncode, json.loads(done.stdout)["decision"]["rule"]), (DENIED, "(unavailable)"), done)
        self.assertIn(b"quota_store", done.stderr)
        self.write_policy({})
        self.assertEqual(self.run_once(options=("--config", config)).returncode, ALLOWED)   # the control: nothing to count

    def test_a_state_folder_whose_name_is_like_a_uri(self):
        self.write_policy(limit(1))
        os.mkdir(os.path.join(self.folder, "x"))
        argv = [WARDENV, "run", "--no-venv", "--workspace", self.workspace, "--policy", self.policy, "--", "/bin/true"]
        self.assertEqual([execute(argv, env=environment(state="file:x"), cwd=self.folder).returncode for _ in range(2)], [ALLOWED, DENIED])
        self.assertEqual(os.listdir(os.path.join(self.folder, "x")), [])
        self.assertIn("quota.db", os.listdir(os.path.join(self.folder, "file:x")))

    def test_killed_callers_lose_nothing(self):
        path = os.path.join(self.state, "quota.db")
        argv = [STORES, "reserve", path, "key", "86400000", "1000", "sliding"]
        granted = killed = 0
        for round_ in range(40):
            child = subprocess.Popen(argv, stdout=subprocess.PIPE)
            time.sleep(0.001 * (round_ % 10))
            child.kill()
            granted += child.communicate()[0] == b"granted\n"
            killed += 1
        left = [execute([*argv[:5], str(granted + killed + 1), "sliding"]).stdout for _ in range(granted + killed + 2)]
        self.assertIn(b"granted\n", left)
        self.assertEqual(left[-1], b"refused\n")
        self.assertLessEqual(left.count(b"granted\n"), killed + 1)   # what was granted is counted


class Approval(Base):
    def setUp(self):
        super().setUp()
        self.write_policy({"action": "require_approval", "reason": "a person looks first"}, approvals={"timeout": "10m", "dedupe_window": "10m"})

    def approvals(self, *arguments):
        return execute([WARDENV, "approvals", *arguments], env=environment(state=self.state))

    def waiting(self):
        return json.loads(self.approvals("list", "--json").stdout)

    def test_one_yes_is_one_run_of_that_call(self):
        self.assertEqual(self.run_once("/bin/echo", "a b").returncode, WAITS)
        waits = self.run_once("/bin/echo", "a b")
        self.assertEqual(waits.returncode, WAITS)
        record, = self.waiting()
        self.assertEqual(json.loads(waits.stdout)["approval_id"], record["id"])
        self.assertEqual(record["arguments"]["args"], ["a b"])
        self.assertEqual(self.approvals("approve", "--yes", record["id"]).returncode, 0)
        self.assertEqual(self.run_once("/bin/echo", "a", "b").returncode, WAITS)
        done = self.run_once("/bin/echo", "a b")
        self.assertEqual((done.returncode, json.loads(done.stdout)["stdout"]), (0, "a b\n"))
        self.assertNotIn("approval_id", json.loads(done.stdout))
        self.assertEqual(self.run_once("/bin/echo", "a b").returncode, WAITS)

    def test_a_no_is_told(self):
        self.run_once()
        record, = self.waiting()
        self.approvals("deny", record["id"], "--reason", "not today")
        done = self.run_once()
        self.assertEqual(done.returncode, DENIED)
        self.assertIn("not today", json.loads(done.stdout)["decision"]["reason"])

    def test_another_policy_asks_again(self):
        self.run_once()
        record, = self.waiting()
        self.approvals("approve", "--yes", record["id"])
        self.write_policy({"action": "require_approval", "reason": "another reason"}, approvals={"timeout": "10m", "dedupe_window": "10m"})
        self.assertEqual(self.run_once().returncode, WAITS)

    def test_a_run_that_never_began_gives_it_back(self):
        self.write_policy({"action": "require_approval", **limit(1)}, approvals={"timeout": "10m"})
        self.assertEqual(self.run_once("/no/such/program").returncode, WAITS)
        self.approvals("approve", "--yes", self.waiting()[0]["id"])
        self.assertNotIn(self.run_once("/no/such/program").returncode, (WAITS, DENIED))
        states = [record["state"] for record in json.loads(self.approvals("list", "--all", "--json").stdout)]
        self.assertIn(states, (["approved"], ["consumed"]))   # whether it was entered is the engine's to say; nothing else may be said

    @unittest.skipUnless(IS_ROOT, "needs two users")
    def test_another_user_can_not_approve(self):
        self.run_once()
        record, = self.waiting()
        os.chmod(self.folder, 0o755)
        user = shared_user()
        done = subprocess.run([WARDENV, "approvals", "approve", "--yes", record["id"]], capture_output=True, env=environment(user, self.state), **as_user(user))
        self.assertEqual(done.returncode, 125, done.stderr)
        self.assertEqual(self.run_once().returncode, WAITS)


if __name__ == "__main__":
    unittest.main()
