# SPDX-License-Identifier: Apache-2.0
# What every check in the test machine uses: accounts, running wardenv as one, counting results, what is left behind.
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass

ATTACKS = "/usr/lib/wardenv-vm/attacks"
PYTHON = ["/usr/bin/python3", "-ISE"]
SLOW = 90  # seconds after which a command of a check counts as hung: the machine is emulated


class Failed(Exception):
    """A check did not hold; the text says why."""


class Skipped(Exception):
    """A check could not be made here; counted and shown."""


def expect(condition, why):
    if not condition:
        raise Failed(why)


@dataclass(frozen=True)
class Account:
    """Who runs a command, and in which control group (None: where the runner itself sits)."""

    name: str
    uid: int
    home: str
    cgroup: str = None

    def enter(self):
        """Becomes this account in a new process; joining the group comes first, while still root."""
        if self.cgroup:
            with open(self.cgroup + "/cgroup.procs", "w") as procs:
                procs.write("0")
        os.setgroups([])
        os.setresgid(self.uid, self.uid, self.uid)
        os.setresuid(self.uid, self.uid, self.uid)

    def environment(self):
        return {"HOME": self.home, "USER": self.name, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

    def start(self, argv):
        return subprocess.Popen(argv, cwd=self.workspace, env=self.environment(), preexec_fn=self.enter,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, argv):
        process = self.start(argv)
        try:
            out, err = process.communicate(timeout=SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Failed(f"`{' '.join(argv[:6])}` hung; stderr: {err[-300:]!r}")
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def wardenv(self, *arguments):
        return self.run(["wardenv", *arguments])

    def report(self, *arguments):
        """The JSON report of a run, with the exit status of wardenv as `status`."""
        done = self.wardenv("run", "--json", *arguments)
        try:
            return {**json.loads(done.stdout), "status": done.returncode}
        except ValueError:
            raise Failed(f"no JSON report, status {done.returncode}, stderr: {done.stderr[-300:]!r}")

    @property
    def workspace(self):
        return self.home + "/project"


@dataclass(frozen=True)
class Setting:
    """One account on one host, and the names of what must hold its limits there."""

    account: Account
    memory: str
    processes: str
    cpu: str

    @property
    def has_cgroup(self):
        return self.memory.startswith("cgroup")


def attack(name, *arguments):
    return [*PYTHON, f"{ATTACKS}/{name}.py", *map(str, arguments)]


def said(report):
    """What a failed check shows of a report."""
    return f"{report['status']} {report['outcome']} {report['error']} {report['stderr'][-300:]}"


def inside(*options_and_command):
    return ["--no-venv", *options_and_command]


class Results:
    """Prints one line for each check and counts them."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def add(self, name, check, *arguments):
        started = time.monotonic()
        try:
            note = check(*arguments)
            self.line("passed", f"ok {name} ({time.monotonic() - started:.1f} s)" + (f" [{note}]" if note else ""))
        except Skipped as why:
            self.line("skipped", f"skip {name} - {why}")
        except Failed as why:
            self.line("failed", f"not ok {name} - {why}")
        except Exception as error:  # a broken check is a failed one, and the others still run
            self.line("failed", f"not ok {name} - {type(error).__name__}: {error}")

    def line(self, kind, text):
        self.counts[kind] += 1
        print(" ".join(text.split()), flush=True)

    def total(self):
        print("VM-RESULT " + " ".join(f"{kind}={count}" for kind, count in self.counts.items()), flush=True)


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def processes():
    """{pid: command line} of every process that is no thread of the kernel and no zombie."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        command = read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
        if command:
            found[int(pid)] = command
    return found


def marked(marker):
    """Pids of attack programs (not of wardenv) that were started with this marker."""
    return [pid for pid, command in processes().items() if marker in command and command.startswith(" ".join(PYTHON))]


def control_groups():
    return {folder for folder, _, _ in os.walk("/sys/fs/cgroup")} if os.path.ismount("/sys/fs/cgroup") else set()


def residue():
    """Everything that a run might leave behind, as comparable lines."""
    lines = {f"process {pid} {command}" for pid, command in processes().items()}
    lines |= {f"mount {line}" for line in read("/proc/mounts").splitlines()}
    lines |= {f"cgroup {folder}" for folder in control_groups()}
    for folder in ("/tmp", "/dev/shm", "/run", "/var/tmp"):
        lines |= {f"file {folder}/{name}" for name in os.listdir(folder)}
    return lines


def expect_nothing_new(before, seconds=15):
    """Waits until what is there is what was there before; names what stays."""
    wait_until(lambda: residue() <= before, seconds, lambda: f"left behind: {sorted(residue() - before)[:4]}")


def wait_until(condition, seconds, why):
    deadline = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < deadline, why() if callable(why) else why)
        time.sleep(0.05)


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def children_of(parent):
    found = []
    for pid in processes():
        stat = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if len(stat) > 1 and int(stat[1]) == parent:
            found.append(pid)
    return sorted(found)


def wait_for_attack(engine, marker):
    wait_until(lambda: len(marked(marker)) >= 2 or engine.poll() is not None, 30, "the command never started")
    expect(engine.poll() is None, f"wardenv ended early: {engine.returncode}")
