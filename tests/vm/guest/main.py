# SPDX-License-Identifier: Apache-2.0
# Runs one scenario on this (test) machine: makes the host what the scenario says, then runs its checks.
# Usage: main.py SCENARIO, as root
import os
import subprocess
import sys

from checks import all_checks, doctor_is_content, doctor_makes_groups, doctor_names_cgroups, report_names_what_holds
from harness import Account, Results, Setting, expect, expect_nothing_new, read, residue, said, write

CGROUPS = "/sys/fs/cgroup"
SLICE = CGROUPS + "/user.slice/user-1000.slice"
DELEGATED = SLICE + "/user@1000.service"
SESSION = SLICE + "/session-1.scope"
CONTROLLERS = "+cpu +memory +pids"
FALLBACK = ("watchdog", "rlimit", "affinity")
UNIT_TEST = """import os, sqlite3, threading, unittest
class Work(unittest.TestCase):
    def test_writes(self):
        with open("written", "w") as file: file.write("x")
    def test_database(self):
        self.assertEqual(sqlite3.connect(":memory:").execute("select 6*7").fetchone(), (42,))
    def test_thread(self):
        seen = []
        thread = threading.Thread(target=seen.append, args=(1,)); thread.start(); thread.join()
        self.assertEqual((seen, "VIRTUAL_ENV" in os.environ), ([1], True))
"""

USER = Account("user", 1000, "/home/user")
ROOT = Account("root", 0, "/root")


# The host

def make_project(account):
    os.makedirs(account.workspace)
    write(account.workspace + "/test_work.py", UNIT_TEST)
    for folder, _, files in os.walk(account.home):
        for path in (folder, *(f"{folder}/{name}" for name in files)):
            os.chown(path, account.uid, account.uid)
    done = account.run(["/usr/bin/python3", "-m", "venv", "--without-pip", ".venv"])
    expect(done.returncode == 0, f"cannot make the venv: {done.stderr[-300:]}")


def mount_cgroups():
    """As systemd does it on Debian 12."""
    options = "nsdelegate,memory_recursiveprot"
    subprocess.run(["busybox", "mount", "-t", "cgroup2", "-o", options, "cgroup2", CGROUPS], check=True)
    for folder in (CGROUPS, CGROUPS + "/user.slice", SLICE):
        os.makedirs(folder, exist_ok=True)
        write(folder + "/cgroup.subtree_control", CONTROLLERS)
    os.makedirs(SESSION)


def delegate(folder, leaves=()):
    """Gives a subtree to the user as systemd's Delegate=yes does."""
    for path in (folder, *(f"{folder}/{leaf}" for leaf in leaves)):
        os.makedirs(path)
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(f"{path}/{name}", USER.uid, USER.uid)


def set_sysctl(name, value):
    write("/proc/sys/" + name.replace(".", "/"), value)


def stay_in(account):
    """A login's shell: it sits in the group for as long as the machine runs, beside every wardenv that it starts."""
    return account.start(["sleep", "100000"])


def account_in(account, cgroup):
    return Account(account.name, account.uid, account.home, cgroup)


def cgroup2(account, folder):
    return Setting(account_in(account, folder), "cgroup2", "cgroup2", "cgroup2")


# The scenarios

def v2_user(results):
    make_project(USER)
    mount_cgroups()
    delegate(DELEGATED, ["supervisor"])
    write(DELEGATED + "/cgroup.subtree_control", CONTROLLERS)
    setting = cgroup2(USER, DELEGATED + "/supervisor")
    stay_in(setting.account)
    run_all(results, setting, "leaf:")
    results.add("leaf: doctor", doctor_is_content, setting)
    results.add("leaf: require-cgroup", accepts_require_cgroup, setting)
    for name in ("own-scope", "doctor-scope", "shared-scope"):
        delegate(f"{SLICE}/{name}")
    own = cgroup2(USER, SLICE + "/own-scope")
    results.add("process sits in the delegated group: doctor", doctor_makes_groups, cgroup2(USER, SLICE + "/doctor-scope"))
    results.add("process sits in the delegated group", report_names_what_holds, own)
    results.add("a shell sits there too", shared_group_stays_safe, SLICE + "/shared-scope")
    login = Setting(account_in(USER, SESSION), *FALLBACK)
    results.add("login session without delegation", report_names_what_holds, login)
    results.add("login session: require-cgroup", refuses_require_cgroup, login)


def v2_root(results):
    make_project(ROOT)
    mount_cgroups()
    session = CGROUPS + "/user.slice/user-0.slice/session-1.scope"
    os.makedirs(session)
    write(CGROUPS + "/user.slice/user-0.slice/cgroup.subtree_control", CONTROLLERS)
    setting = cgroup2(ROOT, session)
    stay_in(setting.account)
    run_all(results, setting, "session:")
    results.add("session: doctor", doctor_is_content, setting)
    results.add("session: require-cgroup", accepts_require_cgroup, setting)
    results.add("process sits in the root group", report_names_what_holds, cgroup2(ROOT, CGROUPS))
    results.add("workspace on tmpfs", tmpfs_workspace_is_clear, setting)


def no_cgroup(results, account):
    make_project(account)
    setting = Setting(account, *FALLBACK)
    run_all(results, setting, f"{account.name}:")
    results.add(f"{account.name}: doctor", doctor_names_cgroups, setting)
    results.add(f"{account.name}: require-cgroup", refuses_require_cgroup, setting)


def no_userns(results):
    for account in (USER, ROOT):
        make_project(account)
    works = [Setting(USER, *FALLBACK), Setting(ROOT, *FALLBACK)]
    for setting in works:
        results.add(f"{setting.account.name}: control, not switched off", report_names_what_holds, setting)
    switch = "kernel.unprivileged_userns_clone"
    set_sysctl(switch, "0")
    results.add("user: unprivileged_userns_clone=0", refuses_without_namespaces, USER, switch)
    results.add("root: unprivileged_userns_clone=0 is no obstacle", report_names_what_holds, works[1])
    set_sysctl(switch, "1")
    highest = read("/proc/sys/user/max_user_namespaces").strip()
    switch = "user.max_user_namespaces"
    set_sysctl(switch, "0")
    for account in (USER, ROOT):
        results.add(f"{account.name}: max_user_namespaces=0", refuses_without_namespaces, account, switch)
    set_sysctl(switch, highest)
    for setting in works:
        results.add(f"{setting.account.name}: works again", report_names_what_holds, setting)


def run_all(results, setting, label):
    for name, check, *arguments in all_checks(setting, label):
        results.add(name, check, *arguments)


# Checks of one scenario

def accepts_require_cgroup(setting):
    done = setting.account.wardenv("run", "--require-cgroup", "--no-venv", "--", "true")
    expect(done.returncode == 0, f"{done.returncode}: {done.stderr[-300:]}")


def expect_refusal(done, word):
    lines = done.stderr.strip().splitlines()
    expect(done.returncode == 125, f"status {done.returncode}: {done.stderr[-300:]}")
    expect(len(lines) == 1 and word in lines[0], f"not one line with `{word}`: {lines[:4]}")
    expect("STARTED" not in done.stdout, "the command ran")


def refuses_require_cgroup(setting):
    before = residue()
    done = setting.account.wardenv("run", "--require-cgroup", "--no-venv", "--", "sh", "-c", "echo STARTED")
    expect_refusal(done, "cgroup")
    expect_nothing_new(before)


def refuses_without_namespaces(account, fix):
    before = residue()
    expect_refusal(account.wardenv("run", "--no-venv", "--", "sh", "-c", "echo STARTED"), fix)
    report = account.report("--no-venv", "--", "true")
    expect(report["outcome"] == "setup_failed" and report["error"], f"{report['outcome']} {report['error']}")
    doctor = account.wardenv("doctor")
    expect(doctor.returncode != 0 and fix in doctor.stdout, f"doctor: {doctor.returncode} {doctor.stdout[-400:]}")
    expect_nothing_new(before)


def shared_group_stays_safe(folder):
    """A shell in the delegated group keeps it from having controllers: any holder will do, the shell must live on."""
    account = account_in(USER, folder)
    shell = stay_in(account)
    try:
        report = account.report("--no-venv", "--", "true")
        expect(report["exit_code"] == 0 and not report["enforced"]["degraded"], said(report))
        holders = [report["enforced"][limit] for limit in ("memory", "processes", "cpu")]
        expect("none" not in holders and shell.poll() is None, f"{holders}, the shell: {shell.poll()}")
        return " ".join(holders)
    finally:
        shell.kill()
        shell.communicate()


def tmpfs_workspace_is_clear(setting):
    """Linux 6.1 cannot idmap tmpfs: either it works another way, or one line says why not."""
    os.makedirs("/run/project")
    write_file = ["sh", "-c", "echo x > written && cat written"]
    done = setting.account.wardenv("run", "--no-venv", "--workspace", "/run/project", "--", *write_file)
    if done.returncode == 0:
        expect(done.stdout == "x\n" and os.stat("/run/project/written").st_uid == 0, f"{done.stdout!r}")
        return "works"
    expect_refusal(done, "/run/project")
    return done.stderr.strip()


SCENARIOS = {
    "v2-user": v2_user,
    "v2-root": v2_root,
    "no-cgroup": lambda results: no_cgroup(results, USER),
    "no-cgroup-root": lambda results: no_cgroup(results, ROOT),
    "no-userns": no_userns,
}

if __name__ == "__main__":
    outcome = Results()
    print(f"# user space after {read('/proc/uptime').split()[0]} s, {os.uname().release}", flush=True)
    try:
        SCENARIOS[sys.argv[1]](outcome)
    except Exception as error:
        outcome.line("failed", f"not ok {sys.argv[1]} could not be set up - {type(error).__name__}: {error}")
    outcome.total()
