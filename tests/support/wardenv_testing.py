# SPDX-License-Identifier: Apache-2.0
"""Helpers of the tests that run the real program. Standard library only.

Where things are, by the environment, with what a dev build leaves as default:
  WARDENV_BIN     the wardenv program               (build-dev/bin/wardenv)
  WARDENV_PROBES  the folder with the program probe (probes/ beside the folder of WARDENV_BIN)
  WARDENV_WALLS   the program wardenv-walls         (beside WARDENV_BIN)

run_wardenv(options, command, user=…) runs `wardenv run --json` and gives a Run; make_user() an ordinary user of the host for the
length of the tests; Scratch(user) a folder with a workspace in it; Scratch.probe(...) runs a probe outside or inside.
As root, `user=None` means root; as anyone else there is only oneself.
"""
import atexit
import contextlib
import dataclasses
import json
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time

_ROOT = pathlib.Path(__file__).resolve().parents[2]
WARDENV = os.environ.get("WARDENV_BIN", str(_ROOT / "build-dev/bin/wardenv"))
_BUILD = pathlib.Path(WARDENV).resolve().parent.parent
PROBE = os.path.join(os.environ.get("WARDENV_PROBES", str(_BUILD / "probes")), "probe")
WALLS = os.environ.get("WARDENV_WALLS", str(pathlib.Path(WARDENV).resolve().parent / "wardenv-walls"))
IS_ROOT = os.geteuid() == 0


@dataclasses.dataclass(frozen=True)
class User:
    """An ordinary user of the host. `home` belongs to that user and nobody else may enter it."""
    name: str
    uid: int
    gid: int
    home: str


@dataclasses.dataclass
class Run:
    """What came of `wardenv run`. `report` is None where no report was printed; `stdout` and `stderr` are wardenv's own."""
    status: int
    report: dict | None
    stdout: bytes
    stderr: bytes

    @property
    def text(self):
        """What the command wrote to its standard output."""
        return self.report["stdout"] if self.report else self.stdout.decode(errors="replace")

    def __str__(self):
        return f"status {self.status}\nreport {json.dumps(self.report, indent=1)}\nstderr {self.stderr.decode(errors='replace')}"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a probe said. `result` is "allowed", "denied" or None (it never said); `why` an errno or signal name."""
    began: bool
    result: str | None
    why: str
    data: dict          # key -> list of values
    text: str
    run: Run | None = None

    def one(self, key):
        values = self.data.get(key, [])
        return values[0] if values else None


_users = []


def make_user():
    """Makes an ordinary user with a unique name, or names the one that we are. Removed at the end of the program."""
    if not IS_ROOT:
        entry = pwd.getpwuid(os.getuid())
        return User(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
    name = f"wdtest{secrets.token_hex(4)}"
    home = tempfile.mkdtemp(prefix="wardenv-user-", dir="/var/tmp")
    subprocess.run(["useradd", "--no-create-home", "--home-dir", home, "--shell", "/bin/sh", name], check=True, capture_output=True)
    entry = pwd.getpwnam(name)
    os.chown(home, entry.pw_uid, entry.pw_gid)
    user = User(name, entry.pw_uid, entry.pw_gid, home)
    _users.append(user)
    return user


def remove_user(user):
    if user in _users:
        _users.remove(user)
        subprocess.run(["userdel", user.name], capture_output=True)
        shutil.rmtree(user.home, ignore_errors=True)


_shared_user = None


def shared_user():
    """The ordinary user that all tests of this program share."""
    global _shared_user
    if _shared_user is None:
        _shared_user = make_user()
    return _shared_user


@atexit.register
def _remove_users():
    for user in list(_users):
        remove_user(user)


def as_user(user):
    """Arguments for subprocess that start a program as `user`; none for None."""
    if user is None or not IS_ROOT:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}


def environment(user=None, state=None, **extra):
    """The environment that wardenv itself is started with."""
    values = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
              "HOME": user.home if user else os.environ.get("HOME", "/root")}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
        if name in os.environ:
            values[name] = os.environ[name]
    if state:
        values["WARDENV_STATE"] = state
    return values | extra


def execute(argv, user=None, timeout=120, env=None, cwd=None, stdin=subprocess.DEVNULL, pass_fds=(), **more):
    """Runs a program to its end; kills it and fails when it takes longer than any test should."""
    return subprocess.run(argv, capture_output=True, timeout=timeout, env=env or environment(user), cwd=cwd, stdin=stdin,
                          pass_fds=pass_fds, **as_user(user), **more)


def to_run(done):
    report = None
    with contextlib.suppress(ValueError):
        report = json.loads(done.stdout)
    return Run(done.returncode, report if isinstance(report, dict) else None, done.stdout, done.stderr)


def run_wardenv(options, command, user=None, json_report=True, env=None, **more):
    """`wardenv run OPTIONS [--json] -- COMMAND` as `user`. Options are a list; `--no-venv` is not added."""
    argv = [WARDENV, "run", *options, *(["--json"] if json_report else []), "--", *command]
    done = execute(argv, user, env=env, **more)
    return to_run(done) if json_report else Run(done.returncode, None, done.stdout, done.stderr)


def parse_answer(text, nonce, run=None):
    """Reads a probe's lines. Terminals and floods may have put other bytes between them."""
    result, why, data = None, "", {}
    for line in text.replace("\r\n", "\n").split("\n"):
        word, _, rest = line.partition(" ")
        if word == "RESULT":
            result, _, why = rest.partition(" ")
        elif word == "DATA":
            key, _, value = rest.partition(" ")
            data.setdefault(key, []).append(value)
        elif word == "BROKEN":
            result, why = "broken", rest
    return Answer(f"NONCE {nonce}" in text, result, why, data, text, run)


def nonce():
    return secrets.token_hex(8)


class Scratch:
    """A folder of `user` below /var/tmp with a workspace (which holds a copy of the probe) and a place for secrets beside it."""

    def __init__(self, user=None):
        self.user = user
        base = user.home if user and IS_ROOT else "/var/tmp"
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="wardenv-scratch-", dir=base))
        self.workspace = os.path.join(self.root, "ws")
        self.state = os.path.join(self.root, "state")
        os.mkdir(self.workspace)
        self.own(self.root)
        self.own(self.workspace)
        self.binary = os.path.join(self.workspace, "probe")
        shutil.copy(PROBE, self.binary)
        self.own(self.binary)

    def own(self, path):
        if self.user and IS_ROOT:
            os.lchown(path, self.user.uid, self.user.gid)

    def path(self, name):
        return os.path.join(self.workspace, name)

    def write(self, name, content="", mode=None):
        """Writes a file of the workspace, or any file by its full path; makes the folders on the way."""
        path = self.path(name)
        missing = []
        folder = os.path.dirname(path)
        while not os.path.exists(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for folder in reversed(missing):
            os.mkdir(folder)
            self.own(folder)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            os.chmod(path, mode)
        self.own(path)
        return path

    def folder(self, name):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        self.own(path)
        return path

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def options(self, *more):
        return ["--no-venv", "--workspace", self.workspace, *more]

    def run(self, command, *options, **more):
        """wardenv in this workspace, with a report."""
        more.setdefault("env", environment(self.user, self.state))
        return run_wardenv(self.options(*options), command, self.user, **more)

    def probe(self, *act, options=(), **more):
        """One act inside."""
        number = nonce()
        run = self.run([self.binary, act[0], number, *map(str, act[1:])], *options, **more)
        return parse_answer(run.text, number, run)

    def probe_outside(self, *act, prefix=(), user=None, **more):
        """The same act without a sandbox, as root unless said otherwise: the positive control."""
        number = nonce()
        done = execute([*prefix, self.binary, act[0], number, *map(str, act[1:])], user, cwd=more.pop("cwd", self.workspace), **more)
        return parse_answer(done.stdout.decode(errors="replace"), number, Run(done.returncode, None, done.stdout, done.stderr))

    def probe_walls(self, walls, *act, options=()):
        """One act with a wall taken away: walls is "all", "no-seccomp" or "no-landlock"."""
        number = nonce()
        argv = [WALLS, "--walls", walls, "--workspace", self.workspace, *options, "--", self.binary, act[0], number, *map(str, act[1:])]
        run = to_run(execute(argv, self.user, env=environment(self.user, self.state)))
        return parse_answer(run.text, number, run)


def start_outside(argv, user=None, **more):
    """Starts a program and leaves it running; kill it by stop()."""
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                            env=environment(user), **as_user(user), **more)


def stop(process):
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def processes_with(token):
    """Ids of the host's processes that have `token` among their arguments."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                if token.encode() in file.read().split(b"\0"):
                    found.append(int(entry))
    return found


def eventually(condition, seconds=10.0):
    """True as soon as `condition()` is; false when it was not in the time given. For what needs a moment, never to measure."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


def kill_quietly(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@dataclasses.dataclass(frozen=True)
class HostState:
    """What a sandbox must not change or leave behind."""
    hostname: str
    mounts: tuple
    cgroups: tuple
    temporary: tuple
    processes: tuple
    ipc: tuple


def _lines(path):
    with contextlib.suppress(OSError):
        with open(path) as file:
            return tuple(file.read().splitlines())
    return ()


def _wardenv_cgroups():
    found = []
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(folder, name) for name in names if name.startswith("wardenv")]
    return tuple(sorted(found))


def _wardenv_processes():
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/comm") as file:
                name = file.read().strip()
            if name.startswith(("wardenv", "probe")):
                found.append((int(entry), name))
    return tuple(sorted(found))


def _wardenv_files():
    folders = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run")
    names = [f"{folder}/{name}" for folder in folders if os.path.isdir(folder) for name in os.listdir(folder)]
    return tuple(sorted(name for name in names if "wardenv" in name and not name.startswith(("/var/tmp/wardenv-scratch-", "/var/tmp/wardenv-user-"))))


def host_state():
    return HostState(hostname=os.uname().nodename, mounts=_lines("/proc/self/mountinfo"), cgroups=_wardenv_cgroups(),
                     temporary=_wardenv_files(),
                     processes=_wardenv_processes(),
                     ipc=tuple(len(_lines(f"/proc/sysvipc/{kind}")) for kind in ("shm", "sem", "msg")))


def left_since(before, what):
    """What is there now of "cgroups", "processes" or "temporary" and was not in `before`. What went away meanwhile is no leak."""
    return sorted(set(getattr(host_state(), what)) - set(getattr(before, what)))
