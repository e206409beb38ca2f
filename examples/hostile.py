# SPDX-License-Identifier: Apache-2.0
"""Tries what a hostile package would. Prints one line for each attempt; exit status 0 only where every one failed."""
import ctypes
import os
import pathlib
import signal
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)


def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def read_secrets():
    for path in ("/root/.ssh/id_rsa", "/etc/shadow", os.path.expanduser("~root/.bash_history"), "/proc/1/environ"):
        try:
            return pathlib.Path(path).read_bytes()
        except OSError as error:
            last = error
    raise last


def list_homes():
    found = [name for place in ("/root", "/home") if os.path.isdir(place) for name in os.listdir(place) if name != "wardenv"]
    return found or fail_with(FileNotFoundError("no home of anybody exists here"))


def fail_with(error):
    raise error


def see_others():
    others = [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) not in (1, os.getpid())]
    return others or fail_with(ProcessLookupError("no other process exists here"))


def connect_out():
    socket.create_connection(("192.0.2.1", 80), timeout=3)


def plant_in_venv():
    (pathlib.Path(sys.prefix) / "lib" / "planted.pth").write_text("import os")


def plant_git_hook():
    if not os.path.isdir(".git/hooks"):
        raise FileNotFoundError("no .git/hooks here")
    pathlib.Path(".git/hooks/post-checkout").write_text("#!/bin/sh\n")


ATTEMPTS = {
    "read secrets of the host": read_secrets,
    "list home folders": list_homes,
    "see processes of the host": see_others,
    "write to /usr": lambda: pathlib.Path("/usr/bin/ls").write_bytes(b""),
    "poison the virtual environment": plant_in_venv,
    "plant a git hook": plant_git_hook,
    "connect to the network": connect_out,
    "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "mount a file system": lambda: call(libc.mount, b"none", b"/tmp", b"tmpfs", 0, None),
    "make a user namespace": lambda: call(libc.unshare, 0x10000000),
    "trace another process": lambda: call(libc.ptrace, 16, 1, None, None),
    "become root": lambda: os.setuid(0),
    "load a kernel module": lambda: call(libc.syscall, 175, None, 0, b""),
    "kill everything": lambda: os.kill(1, signal.SIGKILL) or os.kill(-1, 0) or fail_with(PermissionError("init does not die")),
    "load BPF": lambda: call(libc.syscall, 321, 0, None, 0),
}


def main():
    if "WARDENV_RUN_ID" not in os.environ:
        sys.exit("this script does damage where it is not confined; run it with: wardenv run -- python hostile.py")
    succeeded = 0
    for name, attempt in ATTEMPTS.items():
        try:
            attempt()
        except OSError as error:
            print(f"  failed as it should: {name}: {error}")
        else:
            print(f"  SUCCEEDED: {name}")
            succeeded += 1
    print(f"{len(ATTEMPTS)} attempts, {succeeded} succeeded")
    return 1 if succeeded else 0


if __name__ == "__main__":
    sys.exit(main())
