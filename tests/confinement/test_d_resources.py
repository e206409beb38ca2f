# SPDX-License-Identifier: Apache-2.0
"""Section D: resources and life time."""
import os
import resource
import signal
import subprocess
import time
import unittest

import wardenv_testing as t
from battery import Battery, both

MEMORY = ("--memory", "96M")


def many_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))


def few_files(count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


class Limits(Battery):
    def limited(self, who, act, options, at_most=None):
        """The act reaches its goal outside and not inside."""
        scratch = self.scratch(who)
        control = scratch.probe_outside(*act)
        self.assertEqual(control.result, "allowed", f"{control.text}{control.run}")
        answer = scratch.probe(*act, options=options)
        self.assertTrue(answer.began, answer.run)
        self.assertNotEqual(answer.result, "allowed", answer.run)
        self.assertIn(answer.run.report["outcome"], ("exited", "memory_exceeded"), answer.run)
        if at_most:
            self.assertLessEqual(int(answer.one(act[0])), at_most)
        return answer

    @both
    def test_processes(self, who):
        self.limited(who, ("processes", 300), ["--processes", "32"], 32)

    @both
    def test_threads(self, who):
        self.limited(who, ("threads", 300), ["--processes", "32"], 32)

    @both
    def test_fork_bomb_ends_with_the_run(self, who):
        scratch = self.scratch(who)
        token = t.nonce()
        run = scratch.run([scratch.binary, "fork_bomb", token], "--timeout", "500ms", "--processes", "64")
        self.assertIn(f"NONCE {token}", run.text)
        self.assertEqual((run.status, run.report["outcome"]), (124, "timed_out"), run)
        self.assertTrue(t.eventually(lambda: not t.processes_with(token)), "some of the bomb is left")

    @both
    def test_memory_anonymous(self, who):
        answer = self.limited(who, ("memory_anonymous", 512), MEMORY)
        self.assertEqual((answer.run.report["outcome"], answer.run.status), ("memory_exceeded", 137), answer.run)
        if answer.run.report["enforced"]["memory"].startswith("cgroup"):
            self.assertLessEqual(answer.run.report["usage"]["peak_memory_bytes"], 96 * 1.05 * (1 << 20))

    @both
    def test_memory_of_many_processes(self, who):
        answer = self.limited(who, ("memory_processes", 48, 8), MEMORY)
        self.assertEqual(answer.run.report["outcome"], "memory_exceeded", answer.run)

    @both
    def test_memory_memfd(self, who):
        self.limited(who, ("memory_memfd", 512), MEMORY)

    @both
    def test_memory_shared(self, who):
        self.limited(who, ("memory_shared", 512), MEMORY)

    @both
    def test_memory_that_was_unmapped(self, who):
        """Shared memory lives on in the one page that is left, and no process shows it."""
        answer = self.limited(who, ("memory_unmapped", 256), MEMORY)
        if answer.run.report["enforced"]["memory"] == "watchdog":
            self.assertEqual(answer.why, "ENOMEM", answer.run)

    @both
    def test_memory_of_dev_zero(self, who):
        self.limited(who, ("memory_unmapped_zero", 256), MEMORY)

    @both
    def test_memory_of_a_process_without_its_first_thread(self, who):
        answer = self.limited(who, ("memory_without_leader", 256), MEMORY)
        self.assertEqual(answer.run.report["outcome"], "memory_exceeded", answer.run)

    @both
    def test_memory_handed_on(self, who):
        """From thread to thread and from process to process, each gone before it is looked at."""
        for act in ("memory_relay_threads", "memory_relay_processes"):
            with self.subTest(act=act):
                answer = self.limited(who, (act, 256), MEMORY)
                self.assertEqual(answer.run.report["outcome"], "memory_exceeded", answer.run)

    @both
    def test_memory_of_page_tables(self, who):
        answer = self.limited(who, ("memory_page_tables", 3800, 30), MEMORY)
        self.assertEqual(answer.run.report["outcome"], "memory_exceeded", answer.run)

    @both
    def test_memory_of_system_v(self, who):
        for act in ("memory_messages", "memory_semaphores"):
            with self.subTest(act=act):
                scratch = self.scratch(who)
                control = scratch.probe_outside(act, 192, prefix=("unshare", "--ipc") if t.IS_ROOT else ())
                self.assertEqual(control.result, "allowed", control.text)
                answer = scratch.probe(act, 192, options=MEMORY)
                self.assertTrue(answer.began, answer.run)
                self.assertNotEqual(answer.result, "allowed", answer.run)

    @both
    def test_memory_in_sockets(self, who):
        """Kernel memory. Where nothing counts it, what one process gets is bounded by its descriptors alone, as README says."""
        scratch = self.scratch(who)
        control = scratch.probe_outside("memory_sockets", 1000, preexec_fn=many_files)
        self.assertGreater(int(control.one("bytes")), 128 << 20)
        answer = scratch.probe("memory_sockets", 1000, options=MEMORY)
        self.assertTrue(answer.began, answer.run)
        if answer.run.report["enforced"]["memory"] == "watchdog":
            self.assertLess(int(answer.one("bytes")), 1024 * 256 * 1024)
        else:
            self.assertEqual(answer.run.report["outcome"], "memory_exceeded", answer.run)

    @both
    def test_shared_memory_within_the_limit(self, who):
        """The other side: what Python's mmap and multiprocessing do goes on working, also many times over."""
        program = ("import mmap, multiprocessing as m, os\n"
                   "from multiprocessing import shared_memory\n"
                   "area = mmap.mmap(-1, 24 << 20)\n"
                   "area[:] = b'x' * len(area)\n"
                   "if os.fork() == 0: area[0:2] = b'yz'; os._exit(0)\n"
                   "os.wait(); assert area[0:3] == b'yzx'\n"
                   "for i in range(2000): mmap.mmap(-1, 4096).close()\n"
                   "block = shared_memory.SharedMemory(create=True, size=16 << 20); block.buf[:] = bytes(len(block.buf)); block.close(); block.unlink()\n"
                   "value = m.Array('i', 100)\n"
                   "assert m.Pool(2).map(abs, [-1, -2]) == [1, 2]\n"
                   "assert open('/dev/zero', 'rb').read(3) == bytes(3)\n"
                   "print('done')\n")
        run = self.scratch(who).run(["/usr/bin/python3", "-c", program], "--memory", "160M")
        self.assertEqual((run.status, run.text, run.report["violations"]), (0, "done\n", []), run)

    @both
    def test_no_other_process_dies_of_it(self, who):
        """The whole run ends, its small processes with the one that takes too much; nobody else does, however large."""
        scratch = self.scratch(who)
        bystander = t.start_outside([scratch.binary, "memory_hold", "n", "400"], scratch.user)
        self.addCleanup(t.stop, bystander)
        while b"DATA holds" not in bystander.stdout.readline():
            self.assertIsNone(bystander.poll(), "the bystander did not start")
        token = t.nonce()
        script = f"{scratch.binary} sleep {token} & exec {scratch.binary} memory_anonymous n 512"
        self.assertEqual(scratch.probe_outside("memory_anonymous", 512).result, "allowed")
        run = scratch.run(["/bin/sh", "-c", script], *MEMORY)
        self.assertEqual((run.status, run.report["outcome"]), (137, "memory_exceeded"), run)
        self.assertTrue(t.eventually(lambda: not t.processes_with(token)), "a small process of the run is left")
        self.assertIsNone(bystander.poll(), "a process outside of the run died")

    @both
    def test_few_descriptors(self, who):
        """A launcher that can't look any more must not let the run go on unwatched."""
        scratch = self.scratch(who)
        outcomes = set()
        for count in range(10, 50):
            run = scratch.run([scratch.binary, "memory_anonymous", "n", "512"], *MEMORY, preexec_fn=lambda: few_files(count))
            self.assertNotIn("RESULT allowed", run.text, f"{count} descriptors: {run}")
            outcomes.add(run.report["outcome"] if run.report else run.status)
        self.assertIn("memory_exceeded", outcomes)
        self.assertGreater(len(outcomes), 1, "there were descriptors enough for all")

    @both
    def test_memory_in_pipes(self, who):
        """Kernel memory; where nothing counts it, the kernel's own caps on pipes have to do."""
        scratch = self.scratch(who)
        control = scratch.probe_outside("memory_pipes", 400)
        if not t.IS_ROOT and int(control.one("bytes")) < 300 << 20:
            self.skipTest("the kernel caps the pipes of this user already (pipe-user-pages-soft)")
        self.assertGreater(int(control.one("bytes")), 300 << 20)
        answer = scratch.probe("memory_pipes", 400, options=MEMORY)
        self.assertTrue(answer.began)
        if answer.result is None:
            self.assertEqual(answer.run.report["outcome"], "memory_exceeded", answer.run)
        else:
            self.assertLess(int(answer.one("bytes")), 96 << 20)

    @both
    def test_private_folders_fill_up(self, who):
        for folder in ("/tmp", "/dev/shm", "/home/wardenv"):
            with self.subTest(folder=folder):
                scratch = self.scratch(who)
                control = scratch.probe_outside("memory_file", scratch.path("fill"), 64)
                self.assertEqual(control.result, "allowed", control.text)
                answer = scratch.probe("memory_file", f"{folder}/fill", 64, options=["--tmp-size", "16M"])
                self.assert_denied(answer)
                self.assertIn(answer.why, ("ENOSPC", "EDQUOT", "ENOMEM"))

    @both
    def test_private_folders_run_out_of_names(self, who):
        scratch = self.scratch(who)
        self.assertEqual(scratch.probe_outside("files_fill", scratch.folder("many"), 30000).result, "allowed")
        answer = scratch.probe("files_fill", "/tmp", 30000)
        self.assert_denied(answer)
        self.assertEqual(answer.why, "ENOSPC")

    @both
    def test_file_size(self, who):
        """RLIMIT_FSIZE, whose default is four gibibytes: by a hole, which costs nothing."""
        scratch = self.scratch(who)
        size = str(8 << 30)
        self.assertEqual(t.execute(["truncate", "-s", size, scratch.path("big")], scratch.user).returncode, 0)
        os.remove(scratch.path("big"))
        self.assertEqual(scratch.run(["/usr/bin/truncate", "-s", "1M", "small"]).status, 0)
        run = scratch.run(["/usr/bin/truncate", "-s", size, "big"])
        self.assertNotEqual(run.status, 0, run)
        self.assertLess(os.path.getsize(scratch.path("big")) if os.path.exists(scratch.path("big")) else 0, 8 << 30)

    @both
    def test_processors(self, who):
        if os.cpu_count() < 2:
            self.skipTest("one CPU cannot be exceeded on a host that has no more")
        scratch = self.scratch(who)
        share = lambda answer: int(answer.one("cpu_ms")) / int(answer.one("wall_ms"))
        if not any(share(scratch.probe_outside("spin", 4, 600)) > 1.5 for _ in range(4)):
            self.skipTest("the host is too busy to show more than one CPU in use")
        answer = scratch.probe("spin", 4, 1500, options=["--cpu", "1.0"])
        self.assertEqual(answer.result, "allowed", answer.run)
        self.assertLess(share(answer), 1.3)
        # The share of the tree, as the report counts it. The threads of the probe are all that was in it.
        used = answer.run.report["usage"]
        self.assertLess((used["cpu_user_ms"] + used["cpu_system_ms"]) / used["wall_ms"], 1.3, used)

    @both
    def test_affinity_is_no_way_round(self, who):
        scratch = self.scratch(who)
        run = scratch.run(["/usr/bin/taskset", "-c", f"0-{os.cpu_count() - 1}", scratch.binary, "spin", "n", "4", "1000"], "--cpu", "1.0")
        answer = t.parse_answer(run.text, "n", run)
        if answer.result == "allowed" and os.cpu_count() > 1:
            self.assertLess(int(answer.one("cpu_ms")) / int(answer.one("wall_ms")), 1.4)
        else:
            self.assertNotEqual(run.status, 0, run)

    @both
    def test_what_cannot_be_held_is_refused(self, who):
        scratch = self.scratch(who)
        run = scratch.run(["/usr/bin/true"], "--cpu", "0.5")
        if run.status == 125:
            self.assertEqual(run.report["outcome"], "setup_failed")
            self.assertTrue(run.report["error"]["message"])
            run = scratch.run(["/usr/bin/true"], "--cpu", "0.5", "--allow-degraded", "cpu")
            self.assertEqual(run.report["enforced"]["degraded"], ["cpu"], run)
        self.assertEqual(run.status, 0, run)


class Output(Battery):
    @both
    def test_flood_is_counted_and_cut(self, who):
        for stream, fd in (("stdout", 1), ("stderr", 2)):
            with self.subTest(stream=stream):
                scratch = self.scratch(who)
                run = scratch.run([scratch.binary, "flood", "n", str(fd), "200"], "--output-limit", "64K")
                self.assertEqual(run.report["outcome"], "exited", run.report["outcome"])
                self.assertTrue(run.report[f"{stream}_truncated"])
                self.assertGreaterEqual(run.report[f"{stream}_bytes"], 200 << 20)
                self.assertLess(len(run.report[stream]), (64 << 10) + 1024)

    @both
    def test_one_line_of_a_gigabyte_needs_no_memory(self, who):
        scratch = self.scratch(who)
        argv = [t.WARDENV, "run", *scratch.options("--timeout", "120s"), "--", scratch.binary, "flood", "n", "1", "1024"]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=t.environment(scratch.user, scratch.state), **t.as_user(scratch.user))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        if not os.environ.get("WARDENV_SANITIZED"):
            self.assertLess(usage.ru_maxrss, 96 << 10, "kibibytes of the largest process of wardenv")

    @both
    def test_endless_output_ends_with_the_time(self, who):
        scratch = self.scratch(who)
        run = scratch.run([scratch.binary, "flood", "n", "1", "0"], "--timeout", "500ms", "--output-limit", "4K")
        self.assertEqual((run.status, run.report["outcome"]), (124, "timed_out"), run)

    @both
    def test_odd_bytes(self, who):
        scratch = self.scratch(who)
        answer = scratch.probe("odd_bytes")
        self.assertTrue(answer.began)
        self.assertIn("a\0b\ufffd", answer.text)
        import base64
        raw = base64.b64decode(answer.run.report["stdout_base64"])
        self.assertIn(b"a\0b\377\376\xed\xa0\x80\xc0\xaf\r\n\"\\\x7f\x01\n", raw)

    @both
    def test_grandchild_that_keeps_the_output_open(self, who):
        """The run ends with its command, not with whoever holds on to its streams."""
        scratch = self.scratch(who)
        token = t.nonce()
        answer = scratch.probe("orphan", token, "open", options=["--timeout", "20s"])
        self.assertEqual((answer.run.status, answer.run.report["outcome"]), (0, "exited"), answer.run)
        self.assertEqual(answer.result, "allowed")
        self.assertTrue(t.eventually(lambda: not t.processes_with(token)), "the grandchild lives on")


class LifeTime(Battery):
    def assert_gone(self, token):
        self.assertTrue(t.eventually(lambda: not t.processes_with(token)), f"left: {t.processes_with(token)}")

    @both
    def test_orphans(self, who):
        scratch = self.scratch(who)
        token = t.nonce()
        control = scratch.probe_outside("orphan", token, "closed")
        pid = int(control.one("orphan").split()[0])
        self.assertIn(pid, t.processes_with(token), "the control has no orphan")
        t.kill_quietly(pid)
        self.assert_gone(token)
        for act in ("orphan", "orphan_reaper"):
            with self.subTest(act=act):
                answer = scratch.probe(act, token, "closed", options=["--timeout", "700ms"])
                self.assertTrue(answer.one("orphan"), answer.run)
                self.assertEqual(answer.run.report["outcome"], "exited" if act == "orphan" else "timed_out")
                self.assert_gone(token)

    @both
    def test_a_sibling_is_no_way_out(self, who):
        """A child of init in place of the command: the sibling shows itself, and goes with the run."""
        scratch = self.scratch(who)
        token = t.nonce()
        control = scratch.probe_outside("clone_parent", token)
        sibling = int(control.one("sibling"))
        self.assertIn(sibling, t.processes_with(token), control.text)
        t.kill_quietly(sibling)
        os.waitpid(sibling, 0)   # it is our child
        answer = scratch.probe("clone_parent", token, options=["--timeout", "5s"])
        self.assertTrue(answer.one("sibling"), answer.run)
        self.assertEqual(answer.run.report["outcome"], "exited", answer.run)
        self.assert_gone(token)

    @both
    def test_deaf_and_stopped_processes(self, who):
        scratch = self.scratch(who)
        for act in ("stubborn", "stop_self"):
            with self.subTest(act=act):
                token = t.nonce()
                answer = scratch.probe(act, token, options=["--timeout", "400ms"])
                self.assertTrue(answer.began)
                self.assertEqual((answer.run.status, answer.run.report["outcome"]), (124, "timed_out"), answer.run)
                self.assert_gone(token)

    @both
    def test_endings(self, who):
        scratch = self.scratch(who)
        for code in (0, 1, 77, 124, 125, 255):
            run = scratch.run([scratch.binary, "exit", "n", str(code)])
            self.assertEqual((run.status, run.report["outcome"], run.report["exit_code"], run.report["signal"]), (code, "exited", code, None))
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1):
            run = scratch.run([scratch.binary, "die", "n", str(int(number))])
            self.assertEqual((run.status, run.report["outcome"], run.report["exit_code"], run.report["signal"]),
                             (128 + number, "signaled", None, number.name), run)
        self.assertEqual(scratch.run(["no-such-program"]).status, 127)
        scratch.write("not-a-program", "x", 0o644)
        self.assertEqual(scratch.run([scratch.path("not-a-program")]).status, 126)

    @both
    def test_starts_beside_each_other(self, who):
        """Each start sweeps what dead engines left behind, and must not take that of a living one for it."""
        scratch = self.scratch(who)
        loop = f'for i in $(seq 60); do {t.WARDENV} run --no-venv --workspace {scratch.workspace} -- /usr/bin/true || exit; done'
        workers = [subprocess.Popen(["/bin/sh", "-c", loop], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=t.environment(scratch.user, scratch.state),
                                    **t.as_user(scratch.user)) for _ in range(4)]
        for worker in workers:
            _, errors = worker.communicate(timeout=120)
            self.assertEqual(worker.returncode, 0, errors.decode())

    def kill_in_the_middle(self, who, victim_of):
        """Kills a process of wardenv at many moments of a run; nothing may be left of what it had started."""
        scratch = self.scratch(who)
        before = t.host_state()
        for attempt in range(16):
            token = t.nonce()
            process = t.start_outside([t.WARDENV, "run", *scratch.options(), "--", scratch.binary, "orphan_reaper", token, token, "closed"], scratch.user)
            if attempt < 12:
                time.sleep(attempt * 0.0015)
            else:
                in_full = lambda: len(t.processes_with(token)) >= 3  # wardenv, the command, its orphan
                self.assertTrue(t.eventually(in_full), "it did not start")
            for pid in victim_of(process):
                t.kill_quietly(pid)
            if attempt >= 12 or victim_of is KILL_ENGINE:
                process.wait(20)
            t.stop(process)
            self.assert_gone(token)
        self.assertEqual(scratch.run(["/usr/bin/true"]).status, 0)
        for what in ("cgroups", "processes"):
            self.assertTrue(t.eventually(lambda: not t.left_since(before, what)), f"after the next start {t.left_since(before, what)}")
        self.assertEqual(t.host_state().mounts, before.mounts)

    @both
    def test_killed_engine(self, who):
        self.kill_in_the_middle(who, KILL_ENGINE)

    @both
    def test_killed_launcher(self, who):
        self.kill_in_the_middle(who, KILL_LAUNCHER)


def KILL_ENGINE(process):
    return [process.pid]


def KILL_LAUNCHER(process):
    try:
        return [int(pid) for pid in open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    unittest.main()
