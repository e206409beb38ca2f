# SPDX-License-Identifier: Apache-2.0
# The confinement checks of the test machine: forbidden acts and probes, and the state of the processes inside.
import json
import os
import re
import socket

from harness import (PYTHON, Account, Skipped, attack, expect, inside, kill, marked, read, wait_for_attack, write)

PROBE = "/usr/lib/wardenv-vm/probes/probe"
USER_ACTS = ["read_secret", "write_outside", "signal_host_process", "see_host_process", "connect_loopback",
             "connect_abstract", "new_user_namespace", "clone3_user_namespace", "io_uring", "add_key", "userfaultfd",
             "read_sys"]
ROOT_ACTS = ["mount", "new_mount_namespace", "chroot", "mknod", "packet_socket", "write_usr", "core_pattern",
             "host_name", "bpf", "kernel_log", "become_root"]

# Acts of tests/probes. Their arguments do no harm where the call is allowed, and root outside gets another
# answer than EPERM.
PROBES = [f"call {name}" for name in """swapon swapoff reboot kexec_load kexec_file_load init_module finit_module
          delete_module acct quotactl settimeofday clock_settime fanotify_init syslog iopl ioperm modify_ldt personality
          personality_high add_key request_key keyctl io_uring_setup io_uring_enter io_uring_register userfaultfd
          process_madvise process_mrelease umount2 mount fsopen fsconfig fsmount fspick open_tree move_mount
          mount_setattr pivot_root chroot open_by_handle_at""".split()]
PROBES += ["unshare 0x10000000", "clone 0x10000000", "clone3 0x10000000", "bpf", "perf", "sethostname", "int80"]


# Each act must be done outside, by the account or by root, before its refusal inside counts.

class Bait:
    """What the acts reach for on the host: a secret, a file outside, listeners, and the runner's own process."""

    def __init__(self, account):
        self.secret, self.outside = account.home + "/secret", account.home + "/outside"
        write(self.secret, "secret")
        write(self.outside, "")
        for path in (self.secret, self.outside):
            os.chown(path, account.uid, account.uid)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0wardenv-vm")
        self.abstract.listen(16)
        self.process = account.start([*PYTHON, "-c", "import time; time.sleep(1000)", "main.py"])

    def arguments(self, nonce):
        return [nonce, self.secret, self.outside, self.tcp.getsockname()[1], self.process.pid]

    def close(self):
        self.tcp.close()
        self.abstract.close()
        self.process.kill()
        self.process.communicate()


def attempts(output, nonce, stderr=""):
    lines = output.splitlines()
    expect(len(lines) >= 2 and lines[0] == nonce, f"the acts did not run: {output[:200]!r} {stderr[-300:]!r}")
    return json.loads(lines[1])


def acts_are_refused(setting):
    root = Account("root", 0, setting.account.home)
    bait = Bait(setting.account)
    try:
        outside = attempts(setting.account.run(attack("acts", *bait.arguments("n1"), *USER_ACTS)).stdout, "n1")
        outside |= attempts(root.run(attack("acts", *bait.arguments("n2"), *ROOT_ACTS)).stdout, "n2")
        no_control = {act: why for act, why in outside.items() if why != "done"}
        expect(not no_control, f"control: not possible outside: {no_control}")
        report = setting.account.report(*inside("--", *attack("acts", *bait.arguments("n3"), *USER_ACTS, *ROOT_ACTS)))
        answers = attempts(report["stdout"], "n3", report["stderr"])
    finally:
        bait.close()
    wrong = {act: why for act, why in answers.items() if why in ("done", "died")}
    expect(not wrong and len(answers) == len(USER_ACTS + ROOT_ACTS), f"not refused: {wrong}")
    expect(any(found["kind"] == "syscall" for found in report["violations"]), "no refused system call in the report")
    return f"{len(answers)} acts"


def probes_are_refused(setting):
    if not os.path.exists(PROBE):
        raise Skipped("the image has no probes")
    root = Account("root", 0, setting.account.home)
    outside = attempts(root.run(attack("probe_all", "n1", *PROBES)).stdout, "n1")
    no_control = {probe: result for probe, result in outside.items() if not can_be_done(result)}
    expect(not no_control, f"control: refused or broken outside: {no_control}")
    report = setting.account.report(*inside("--", *attack("probe_all", "n2", *PROBES)))
    inside_results = attempts(report["stdout"], "n2", report["stderr"])
    refused = ("denied EPERM", "denied ENOSYS", "denied SIGSYS")
    wrong = {probe: result for probe, result in inside_results.items() if result not in refused}
    expect(not wrong and len(inside_results) == len(PROBES), f"not refused: {wrong}")
    return f"{len(inside_results)} probes"


def can_be_done(result):
    return result == "allowed" or result.startswith("denied ") and result not in ("denied EPERM", "denied ENOSYS")


def status_seen_from_outside(setting):
    run = setting.account.start(["wardenv", "run", *inside("--timeout", "80s", "--", *attack("stay", "MARK-STATUS"))])
    try:
        wait_for_attack(run, "MARK-STATUS")
        for pid in marked("MARK-STATUS"):
            expect_powerless(dict(re.findall(r"^(\w+):[\t ]*(.*)$", read(f"/proc/{pid}/status"), re.MULTILINE)))
    finally:
        kill(run.pid)
        run.communicate()


def expect_powerless(status):
    expect(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", f"{status['NoNewPrivs']} {status['Seccomp']}")
    held = [kind for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[kind], 16)]
    expect(not held, f"capabilities in {held}")
    expect("0" not in status["Uid"].split(), f"Uid {status['Uid']}")
    expect(not status["Groups"].strip(), f"Groups {status['Groups']}")
