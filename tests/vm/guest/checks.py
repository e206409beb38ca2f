# SPDX-License-Identifier: Apache-2.0
# The checks that run on every host that can hold a sandbox, for one account and the limits that it can have there.
import os
import subprocess
import time

from confinement import PROBE, acts_are_refused, probes_are_refused, status_seen_from_outside
from harness import (PYTHON, Failed, Skipped, attack, children_of, expect, expect_nothing_new, inside, kill, marked,
                     residue, said, wait_for_attack, wait_until)

NAMESPACES = ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"]
LANDLOCK_ABI = 2  # of Linux 6.1


# The report

def report_names_what_holds(setting):
    report = setting.account.report(*inside("--", "true"))
    expect(report["status"] == 0 and report["outcome"] == "exited", said(report))
    enforced = report["enforced"]
    wanted = {"memory": setting.memory, "processes": setting.processes, "cpu": setting.cpu, "seccomp": True,
              "degraded": [], "landlock_abi": LANDLOCK_ABI, "namespaces": NAMESPACES}
    got = {**enforced, "namespaces": sorted(enforced["namespaces"])}
    wrong = {key: got.get(key) for key in wanted if got.get(key) != wanted[key]}
    expect(not wrong, f"not as expected: {wrong}")


def venv_runs_unit_tests(setting):
    account = setting.account
    report = account.report("--", "python", "-m", "unittest", "-v")
    expect(report["exit_code"] == 0, said(report))
    expect("Ran 3 tests" in report["stderr"], report["stderr"][-300:])
    owner = os.stat(account.workspace + "/written").st_uid
    expect(owner == account.uid, f"a file written inside belongs to {owner}")


def own_exit_statuses(setting):
    for command, wanted in ((["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["no-such-command"], 127)):
        done = setting.account.wardenv("run", *inside("--", *command))
        expect(done.returncode == wanted, f"{command}: {done.returncode} instead of {wanted}: {done.stderr[-200:]}")


def doctor_is_content(setting):
    done = setting.account.wardenv("doctor")
    expect(done.returncode == 0, f"status {done.returncode}: {done.stdout[-600:]} {done.stderr[-200:]}")


def doctor_makes_groups(setting):
    """It says so once it has moved away, made a group and set limits there; until then a group that we sit in may refuse all of that."""
    done = setting.account.wardenv("doctor")
    expect(done.returncode == 0, f"status {done.returncode}: {done.stdout[-600:]} {done.stderr[-200:]}")
    expect("another with limits made" in done.stdout, done.stdout[:800])


def doctor_names_cgroups(setting):
    done = setting.account.wardenv("doctor")
    expect("cgroup" in done.stdout, f"status {done.returncode}, no word of cgroups: {done.stdout[-600:]}")
    return f"status {done.returncode}"


# Limits under attack. The control shows that the same program gets more where nothing limits it.

def processes_are_capped(setting):
    free = setting.account.run(attack("fork_many", 60))
    expect(free.stdout.strip() == "60", f"control: only {free.stdout} {free.stderr[-200:]}")
    report = setting.account.report(*inside("--processes", "32", "--", *attack("fork_many", 60)))
    expect(report["exit_code"] == 0, said(report))
    made = int(report["stdout"])
    expect(26 <= made and made + 1 <= 32 * 1.05, f"{made} children and their parent under a cap of 32")
    return f"{made} children"


def fork_bomb_ends(setting):
    before = residue()
    bomb = inside("--processes", "32", "--timeout", "3s", "--", *attack("fork_many", "forever"))
    report = setting.account.report(*bomb)
    expect(report["status"] == 124 and report["outcome"] == "timed_out", said(report))
    expect(report["usage"]["peak_processes"] <= 32 * 1.05, f"peak_processes {report['usage']['peak_processes']}")
    expect_nothing_new(before)


def memory_is_capped(setting, workers):
    goal, limit = 240, 96
    free = setting.account.run(attack("take_memory", goal, workers))
    expect(free.stdout.split()[-1:] == [str(goal)], f"control: {free.stdout[-20:]} {free.stderr[-200:]}")
    report = setting.account.report(*inside("--memory", f"{limit}M", "--", *attack("take_memory", goal, workers)))
    taken = int(report["stdout"].split()[-1])
    # RLIMIT_AS is the watchdog's outer bound
    refused = "Cannot allocate memory" in report["stderr"] and not setting.has_cgroup
    expect(report["outcome"] == "memory_exceeded" or refused, f"after {taken} MiB: {said(report)}")
    expect(taken >= limit // 3, f"stopped at {taken} MiB of {limit}")
    expect(taken <= limit * 1.05 if setting.has_cgroup else taken < goal, f"{taken} MiB under a cap of {limit}")
    return f"{taken} of {limit} MiB, peak {report['usage']['peak_memory_bytes'] >> 20}"


def other_memory_is_capped(setting, *probe):
    """Memory that no single process holds, or that no process has mapped."""
    if not os.path.exists(PROBE):
        raise Skipped("the image has no probes")
    command = [PROBE, probe[0], "nonce", *map(str, probe[1:])]
    free = setting.account.run(command).stdout
    expect("RESULT allowed" in free, f"control: {free}")
    report = setting.account.report(*inside("--memory", "96M", "--", *command))
    expect(report["stdout"].startswith("NONCE nonce"), f"it did not run: {said(report)}")
    expect("RESULT allowed" not in report["stdout"], f"240 MiB under a cap of 96: {said(report)}")
    return f"{report['outcome']}, peak {report['usage']['peak_memory_bytes'] >> 20} MiB"


FILL = """
file = open("/tmp/fill", "wb", buffering=0)
try:
    for _ in range(64): file.write(bytes(1 << 20))
except OSError as error: print(error.errno)
"""


def tmpfs_is_capped(setting):
    report = setting.account.report(*inside("--tmp-size", "16M", "--", *PYTHON, "-c", FILL))
    expect(report["stdout"].strip() == "28", f"{report['stdout']} {said(report)}")


def cpu_is_capped(setting):
    cores = 0.5 if setting.cpu == "cgroup2" else 1.0
    free = float(setting.account.run(attack("burn_cpu", 2)).stdout)
    expect(free > 1.3, f"control: two busy processes got only {free:.2f} cores")
    report = setting.account.report(*inside("--cpu", str(cores), "--", *attack("burn_cpu", 5)))
    expect(report["exit_code"] == 0, said(report))
    got = float(report["stdout"])
    expect(cores * 0.5 <= got <= cores * 1.05, f"{got:.3f} cores under a cap of {cores}")
    return f"{got:.3f} of {cores}, {free:.2f} without"


def output_is_capped(setting):
    report = setting.account.report(*inside("--output-limit", "64K", "--", *PYTHON, "-c", "print('x' * 1000000)"))
    expect(report["stdout_truncated"] and report["stdout_bytes"] == 1000001, f"{report['stdout_bytes']} bytes")
    expect(len(report["stdout"]) < 80_000, f"kept {len(report['stdout'])}")


# Life time

def timeout_kills_the_tree(setting):
    before = residue()
    report = setting.account.report(*inside("--timeout", "10s", "--", *attack("stay", "MARK-TIMEOUT")))
    expect(report["stdout"].split() == ["staying"] * 2, f"it did not run: {report['stdout']!r} {said(report)}")
    expect(report["status"] == 124 and report["outcome"] == "timed_out", said(report))
    expect_nothing_new(before)


def killing_leaves_nothing(setting, victim):
    """SIGKILL for one of our own processes: `victim` picks it, given the engine's pid."""
    marker = f"MARK-{victim.__name__.upper()}"
    before = residue()
    engine = setting.account.start(["wardenv", "run", *inside("--timeout", "80s", "--", *attack("stay", marker))])
    try:
        wait_for_attack(engine, marker)
        kill(victim(engine.pid))
        wait_until(lambda: not marked(marker), 15, "the command outlived it")
        engine.wait(timeout=15)
        expect(engine.returncode != 0, "the run counts as a success")
    except subprocess.TimeoutExpired:
        raise Failed("the engine hangs")
    finally:
        engine.kill()
        engine.communicate()
    setting.account.report(*inside("--", "true"))  # the next start sweeps what is left
    expect_nothing_new(before)


def killing_early_leaves_nothing(setting):
    """SIGKILL for the engine at many moments of its start."""
    setting.account.report(*inside("--", "true"))
    before = residue()
    command = ["wardenv", "run", *inside("--timeout", "80s", "--", *attack("stay", "MARK-EARLY"))]
    for step in range(16):
        engine = setting.account.start(command)
        time.sleep(0.01 * 1.35**step)  # up to a second: the machine is slow
        engine.kill()
        engine.communicate()
    wait_until(lambda: not marked("MARK-EARLY"), 15, "a command outlived its engine")
    setting.account.report(*inside("--", "true"))
    expect_nothing_new(before)


def engine(pid):
    return pid


def launcher(pid):
    helpers = children_of(pid)
    expect(helpers, "the engine has no child process")
    return helpers[0]


def init(pid):
    below = children_of(launcher(pid))
    expect(below, "the launcher has no child process")
    return below[0]


def all_checks(setting, label):
    """(name, check, arguments…) of everything above."""
    checks = [(report_names_what_holds,), (venv_runs_unit_tests,), (own_exit_statuses,), (acts_are_refused,),
              (probes_are_refused,), (status_seen_from_outside,), (processes_are_capped,), (fork_bomb_ends,),
              (memory_is_capped, 1), (memory_is_capped, 4), (other_memory_is_capped, "memory_processes", 24, 10),
              (other_memory_is_capped, "memory_memfd", 240), (other_memory_is_capped, "memory_shared", 240),
              (tmpfs_is_capped,), (cpu_is_capped,), (output_is_capped,), (timeout_kills_the_tree,),
              (killing_early_leaves_nothing,)]
    checks += [(killing_leaves_nothing, victim) for victim in (engine, launcher, init)]
    for check, *arguments in checks:
        words = [check.__name__] + [str(getattr(argument, "__name__", argument)) for argument in arguments]
        yield (f"{label} {' '.join(words)}", check, setting, *arguments)
