# SPDX-License-Identifier: Apache-2.0
"""Section C: the kernel's surface."""
import os
import random
import struct
import unittest

import wardenv_testing as t
from battery import Attack, Battery, MOUNTS, REFUSED, SECCOMP, both, tests_of

NO = frozenset({"EPERM"})
KILLED = frozenset({"SIGSYS"})


def call(name, held_by=SECCOMP, reached=(), real=None):
    """A system call of the probe's table, which the report has to name."""
    return Attack(f"call_{name}", ("call", name), held_by=held_by, reached=frozenset(reached), call=real or name, denials=NO)


# Held by the missing capabilities as well where MOUNTS is said: these check for one before anything else.
CALLS = [
    call("swapon", MOUNTS, ["ENOENT"]), call("swapoff", MOUNTS, ["ENOENT"]), call("reboot", MOUNTS, ["EINVAL"]),
    call("acct", MOUNTS, ["ENOENT"]), call("settimeofday", MOUNTS), call("fanotify_init", MOUNTS, ["ENOSYS"]),
    call("pivot_root", MOUNTS, ["ENOENT"]), call("fsopen", MOUNTS), call("fsmount", MOUNTS, ["EBADF"]),
    call("fspick", MOUNTS, ["ENOENT"]), call("open_tree", MOUNTS), call("move_mount", MOUNTS, ["EBADF"]),
    call("kexec_load", reached=["EINVAL", "ENOSYS"]), call("kexec_file_load", reached=["EINVAL", "EBADF", "ENOSYS"]),
    call("init_module", reached=["ENOSYS", "ENOEXEC", "EFAULT"]), call("finit_module", reached=["ENOSYS", "EBADF"]),
    call("delete_module", reached=["ENOSYS", "ENOENT"]), call("quotactl", reached=["ENOENT", "ENOTBLK", "ENOSYS"]),
    call("quotactl_fd", reached=["EBADF", "ENOSYS"]), call("clock_settime", reached=["EINVAL"]), call("syslog"),
    call("iopl", reached=["ENOSYS"]), call("ioperm", reached=["ENOSYS"]), call("modify_ldt", reached=["ENOSYS"]),
    call("personality"), call("personality_high", real="personality"),
    call("add_key", reached=["ENOSYS"]), call("request_key", reached=["ENOKEY", "ENOSYS"]), call("keyctl", reached=["ENOSYS"]),
    call("io_uring_setup", reached=["ENOSYS"]), call("io_uring_enter", reached=["EBADF", "ENOSYS"]),
    call("io_uring_register", reached=["EBADF", "EINVAL", "ENOSYS"]), call("userfaultfd", reached=["ENOSYS"]),
    call("process_madvise", reached=["EBADF", "ENOSYS"]), call("process_mrelease", reached=["EBADF", "ENOSYS"]),
    call("mount", reached=["ENOENT"]), call("umount2", reached=["ENOENT"]), call("fsconfig", reached=["EINVAL"]),
    call("mount_setattr"), call("chroot", reached=["ENOENT"]), call("open_by_handle_at", reached=["EINVAL", "EBADF"]),
    Attack("bpf", ("bpf",), held_by=SECCOMP, call="bpf", denials=NO, reached=frozenset({"ENOSYS"})),
    Attack("perf_event_open", ("perf",), held_by=SECCOMP, call="perf_event_open", denials=NO, reached=frozenset({"ENOSYS"})),
    Attack("vmsplice", ("vmsplice",), held_by=SECCOMP, call="vmsplice", denials=NO),
    Attack("sethostname", ("sethostname",), call="sethostname", denials=NO),
]

NAMESPACES = {"user": 0x10000000, "mount": 0x00020000, "pid": 0x20000000, "network": 0x40000000, "ipc": 0x08000000,
              "uts": 0x04000000, "cgroup": 0x02000000}
SPACES = [attack for name, flag in NAMESPACES.items() for attack in (
    Attack(f"unshare_{name}", ("unshare", flag), call="unshare", denials=NO),
    Attack(f"clone_{name}", ("clone", flag), call="clone", denials=NO),
    Attack(f"clone_{name}_high_bits", ("clone", flag, "high"), call="clone", denials=NO),
    Attack(f"clone3_{name}", ("clone3", flag), denials=frozenset({"ENOSYS"})))]
SPACES += [
    Attack("unshare_time", ("unshare", 0x80), call="unshare", denials=NO),
    Attack("clone3_plain", ("clone3", 0), denials=frozenset({"ENOSYS"}), held_by=SECCOMP),
    Attack("setns_user", ("setns", "user", "self"), reached=frozenset({"EINVAL"}), call="setns", denials=NO, held_by=SECCOMP)]
SPACES += [Attack(f"setns_{name}", ("setns", name, "self"), call="setns", denials=NO) for name in ("mnt", "net", "ipc", "uts", "cgroup", "pid")]
SPACES += [Attack(f"setns_{name}_of_init", ("setns", name, "1"), control=("setns", name, "self"), denials=frozenset(REFUSED))
           for name in ("mnt", "net", "uts")]

# AF_* and protocols by number: not every system's headers have them. What the host's kernel lacks still has to be refused by the filter.
LACKING = frozenset({"EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EINVAL"})
STREAM, DATAGRAM, RAW, SEQPACKET = 1, 2, 3, 5


def socket(name, family, kind, protocol=0, held_by=SECCOMP, *more):
    return Attack(f"socket_{name}", ("socket", family, kind, protocol, *more), held_by=held_by, call="socket", denials=NO, reached=LACKING)


SOCKETS = [
    socket("vsock", 40, STREAM), socket("alg", 38, SEQPACKET), socket("packet", 17, RAW, 0x0300, MOUNTS), socket("raw_ip", 2, RAW, 255, MOUNTS),
    socket("raw_icmp", 2, RAW, 1, MOUNTS), socket("raw_ip6", 10, RAW, 255, MOUNTS), socket("sctp", 2, STREAM, 132), socket("mptcp", 2, STREAM, 262),
    socket("dccp", 2, 6, 33), socket("netfilter", 16, RAW, 12), socket("audit", 16, RAW, 9), socket("uevent", 16, RAW, 15),
    socket("generic_netlink", 16, RAW, 16), socket("crypto_netlink", 16, RAW, 21), socket("bluetooth", 31, RAW, 1), socket("can", 29, RAW, 1),
    socket("tipc", 30, STREAM), socket("xdp", 44, RAW), socket("kcm", 41, DATAGRAM), socket("qipcrtr", 42, DATAGRAM), socket("smc", 43, STREAM),
    socket("x25", 9, SEQPACKET), socket("packet_high_bits", 17, RAW, 0x0300, MOUNTS, "high"), socket("alg_high_bits", 38, SEQPACKET, 0, SECCOMP, "high"),
]

FOREIGN = [
    Attack("int80", ("int80",), held_by=SECCOMP, reached=frozenset({"SIGSEGV", "ENOSYS"}), denials=KILLED),
    Attack("x32", ("x32",), held_by=SECCOMP, reached=frozenset({"ENOSYS"}), denials=KILLED),
]


def program_32_bit():
    """A whole 32-bit program: writes "RESULT allowed" and leaves with 0, by the 32-bit gate."""
    base, text = 0x08048000, b"RESULT allowed\n"
    code = bytes.fromhex("b804000000bb01000000b9") + struct.pack("<I", base + 84 + 34) + b"\xba" + struct.pack("<I", len(text))
    code += bytes.fromhex("cd80b80100000031dbcd80")
    code = code.ljust(34, b"\x90")
    size = 84 + len(code) + len(text)
    header = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return header + struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096) + code + text


def add_program(scratch):
    return {"program": scratch.write("program32", program_32_bit(), 0o755)}


FOREIGN.append(Attack("elf32", ("run", "{program}"), held_by=SECCOMP, denials=KILLED | {"ENOEXEC"}, prepare=add_program))


@tests_of(CALLS)
class Calls(Battery):
    """Calls that a command has no business with; most are held by the lack of capabilities, too."""


@tests_of(SPACES)
class Namespaces(Battery):
    """No namespace of its own, and none of another; clone3, whose flags a filter cannot see, does not exist."""


@tests_of(SOCKETS)
class Sockets(Battery):
    """Families and protocols beside unix, TCP and UDP."""

    @both
    def test_ordinary_sockets_work(self, who):
        """The other side: a filter that refuses everything would pass all tests above."""
        scratch = self.scratch(who)
        for family, kind in ((1, STREAM), (1, DATAGRAM), (2, STREAM), (2, DATAGRAM), (10, STREAM), (10, DATAGRAM)):
            self.assertEqual(scratch.probe("socket", family, kind, 0).result, "allowed")

    @both
    def test_listeners_of_the_host_are_not_there(self, who):
        import socket as sockets
        scratch = self.scratch(who)
        abstract, path = f"wardenv-{t.nonce()}", os.path.join(scratch.root, "listener")
        with sockets.create_server(("127.0.0.1", 0)) as tcp, sockets.socket(sockets.AF_UNIX) as hidden, sockets.socket(sockets.AF_UNIX) as named:
            hidden.bind("\0" + abstract)
            hidden.listen()
            named.bind(path)
            named.listen()
            os.chmod(path, 0o777)
            acts = [("connect_tcp", "127.0.0.1", tcp.getsockname()[1]), ("connect_unix", "abstract", abstract), ("connect_unix", "path", path)]
            for act in acts:
                with self.subTest(act=act):
                    self.assertEqual(scratch.probe_outside(*act).result, "allowed")
                    self.assert_denied(scratch.probe(*act))
                    self.assert_denied(scratch.probe_walls("no-seccomp", *act))
                    self.assert_denied(scratch.probe_walls("no-landlock", *act))


@tests_of(FOREIGN)
class ForeignCalls(Battery):
    """Other tables of system calls, which a filter for this one does not see."""


class Status(Battery):
    EXPECTED = {"NoNewPrivs": "1", "Seccomp": "2", "CapInh": "0" * 16, "CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16,
                "CapAmb": "0" * 16, "Groups": ""}

    def check(self, lines):
        fields = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
        for key, value in self.EXPECTED.items():
            self.assertEqual(fields[key], value, key)
        return fields

    @both
    def test_from_inside(self, who):
        scratch = self.scratch(who)
        control = scratch.probe_outside("cat", "/proc/self/status")
        if t.IS_ROOT:
            self.assertNotIn("CapEff:\t" + "0" * 16, control.text, "the control has capabilities")
        self.assertIn("Seccomp:\t0", control.text)
        answer = scratch.probe("cat", "/proc/self/status")
        self.assertEqual(answer.result, "allowed", answer.run)
        fields = self.check(answer.text.splitlines())
        self.assertEqual(fields["Uid"].split(), ["1000"] * 4)
        self.assertEqual(fields["Gid"].split(), ["1000"] * 4)

    @both
    def test_from_outside(self, who):
        """What the host's kernel says of command and init; the command could have been lied to."""
        scratch = self.scratch(who)
        token = t.nonce()
        process = t.start_outside([t.WARDENV, "run", *scratch.options(), "--", scratch.binary, "sleep", token], scratch.user)
        self.addCleanup(t.stop, process)
        commands = lambda: [pid for pid in t.processes_with(token) if open(f"/proc/{pid}/comm").read().strip() == "probe"]
        self.assertTrue(t.eventually(commands), "it did not start")
        pid = commands()[0]
        fields = self.check(open(f"/proc/{pid}/status").read().splitlines())
        expected = scratch.user.uid if scratch.user else None
        for uid in map(int, fields["Uid"].split()):
            self.assertEqual(uid, expected) if expected is not None else self.assertGreaterEqual(uid, 1000)
        init = open(f"/proc/{fields['PPid']}/status").read().splitlines()
        self.assertEqual({key: value.strip() for key, _, value in (line.partition(":") for line in init)}["CapEff"], "0" * 16)
        for space in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
            self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/{space}"), os.readlink(f"/proc/self/ns/{space}"), space)


class Violations(Battery):
    @both
    def test_no_call_hides_another(self, who):
        scratch = self.scratch(who)
        answer = scratch.probe("hide_violations")
        self.assertEqual(answer.result, "allowed", answer.run)
        for call in ("acct", "ioctl", "socket", "unshare", "swapon", "keyctl", "ptrace", "mount", "bpf"):
            self.assert_violation(answer, call)
        counts = {violation["what"]: violation["count"] for violation in answer.run.report["violations"]}
        self.assertEqual((counts["acct"], counts["ptrace"]), (70, 1))
        self.assertEqual(sum(count for what, count in counts.items() if what.startswith("ioctl(")), 70)
        self.assertEqual(counts["system calls that do not exist"], 180)

    @both
    def test_asking_without_end(self, who):
        """The launcher answers, and its time is in no run's limit: so it takes its time, and the run waits."""
        scratch = self.scratch(who)
        answer = scratch.probe("ask_often", 5000, 16)
        self.assertEqual(answer.result, "allowed", answer.run)
        self.assertEqual(next(v["count"] for v in answer.run.report["violations"] if v["what"] == "acct"), 5000)
        answer = scratch.probe("ask_often", 1 << 30, 16, options=["--timeout", "1s"])
        self.assertEqual(answer.run.report["outcome"], "timed_out", answer.run)
        count = next(v["count"] for v in answer.run.report["violations"] if v["what"] == "acct")
        self.assertLessEqual(count, 4096 + answer.run.report["usage"]["wall_ms"] + 1)
        self.assertGreater(count, 1000, "too little was asked to show anything")


class Sweep(Battery):
    """Every number there is, with arguments at random: the sandbox survives, and nobody else notices."""

    def sweep(self, who, first, last):
        scratch = self.scratch(who)
        seed = int(os.environ.get("WARDENV_SEED", random.randrange(1 << 31)))
        before = t.host_state()
        clock = os.stat("/proc/self/ns/time").st_ino
        answer = scratch.probe("sweep", seed, first, last, options=["--timeout", "60s"])
        self.assertTrue(answer.began, answer.run)
        self.assertEqual(answer.result, "allowed", f"seed {seed}: {answer.run}")
        self.assertGreater(int(answer.one("calls")), (last - first) * 0.9)
        after = t.host_state()
        self.assertEqual((after.hostname, after.mounts, after.ipc), (before.hostname, before.mounts, before.ipc), f"seed {seed}")
        self.assertTrue(t.eventually(lambda: not t.left_since(before, "cgroups")), f"seed {seed}: {t.left_since(before, 'cgroups')}")
        self.assertEqual(os.stat("/proc/self/ns/time").st_ino, clock)
        return answer

    @both
    def test_all_numbers(self, who):
        answer = self.sweep(who, 0, 600)
        self.assertGreater(len(answer.run.report["violations"]), 50)

    @both
    def test_all_numbers_of_x32(self, who):
        answer = self.sweep(who, 0x40000000, 0x40000000 + 600)
        self.assertEqual(answer.one("killed"), answer.one("calls"), "a number of x32 was not answered by SIGSYS")


if __name__ == "__main__":
    unittest.main()
