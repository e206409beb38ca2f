# SPDX-License-Identifier: Apache-2.0
# Forbidden acts, each attempted in a process of its own; prints {act: "done" or why not} after the nonce.
# Usage: acts.py NONCE SECRET_FILE WRITABLE_OUTSIDE PORT HOST_PID ACT…
import ctypes
import json
import os
import socket
import sys

nonce, secret, outside, port, host_pid = sys.argv[1:6]
libc = ctypes.CDLL(None, use_errno=True)


def syscall(number, *arguments):
    result = libc.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def expect(condition):
    if not condition:
        raise OSError(0, "no effect")


def reach(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(address)


def setup_io_uring():
    syscall(425, 4, ctypes.create_string_buffer(120))


ARRAY_MAP = b"".join(field.to_bytes(4, "little") for field in (2, 4, 4, 1))  # type, key size, value size, entries
ACTS = {
    # As an ordinary user
    "read_secret": lambda: open(secret).read(),
    "write_outside": lambda: open(outside, "w").write("x"),
    "signal_host_process": lambda: os.kill(int(host_pid), 0),
    "see_host_process": lambda: expect(b"main.py" in open(f"/proc/{host_pid}/cmdline", "rb").read()),
    "connect_loopback": lambda: reach(socket.AF_INET, ("127.0.0.1", int(port))),
    "connect_abstract": lambda: reach(socket.AF_UNIX, "\0wardenv-vm"),
    "new_user_namespace": lambda: syscall(272, 0x10000000),
    "clone3_user_namespace": lambda: clone3_user_namespace(),
    "io_uring": setup_io_uring,
    "add_key": lambda: syscall(248, b"user", b"wardenv", b"x", 1, -3),
    "userfaultfd": lambda: syscall(323, 1),
    "read_sys": lambda: expect(os.listdir("/sys/kernel")),
    # As root
    "mount": lambda: mount_and_undo(),
    "new_mount_namespace": lambda: syscall(272, 0x00020000),
    "chroot": lambda: os.chroot("/"),
    "mknod": lambda: make_and_undo("/tmp/act", lambda path: os.mknod(path, 0o20600, os.makedev(1, 2))),
    "packet_socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "write_usr": lambda: make_and_undo("/usr/act", lambda path: open(path, "w").close()),
    "core_pattern": lambda: open("/proc/sys/kernel/core_pattern", "w").write("core"),
    "host_name": lambda: socket.sethostname("vm"),
    "bpf": lambda: syscall(321, 0, ctypes.create_string_buffer(ARRAY_MAP, 128), 128),
    "kernel_log": lambda: syscall(103, 10, 0, 0),
    "become_root": lambda: expect(os.setuid(0) is None and os.setgroups([4]) is None),
}


def mount_and_undo():
    syscall(165, b"none", b"/tmp", b"tmpfs", 0, 0)
    syscall(166, b"/tmp", 2)


def make_and_undo(path, make):
    make(path)
    os.unlink(path)


def clone3_user_namespace():
    arguments = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
    child = syscall(435, arguments, 88)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def attempt(act):
    """Runs one act in a child, so that what it changes or breaks ends with it."""
    answer_read, answer_write = os.pipe()
    if os.fork() == 0:
        try:
            ACTS[act]()
            os.write(answer_write, b"done")
        except Exception as error:
            os.write(answer_write, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(answer_write)
    os.wait()
    return os.read(answer_read, 4096).decode() or "died"


print(nonce)
print(json.dumps({act: attempt(act) for act in sys.argv[6:]}))
