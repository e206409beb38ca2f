# SPDX-License-Identifier: Apache-2.0
"""Section B: files, mounts and what they give away."""
import fcntl
import os
import shutil
import subprocess
import unittest

import wardenv_testing as t
from battery import Attack, Battery, OWN_MOUNTS, SECCOMP, both, tests_of

# What can be done to a file, {file}, with {new} a free name and {other} another file of the same folder, {folder}.
WAYS = {
    "append": ("append", "{file}", "x"), "truncate": ("truncate", "{file}"), "ftruncate": ("ftruncate", "{file}"),
    "chmod": ("chmod", "{file}"), "chown": ("chown", "{file}"), "utimes": ("utimes", "{file}"), "setxattr": ("setxattr", "{file}"),
    "fallocate": ("fallocate", "{file}"), "clone_range": ("clone_range", "{file}"), "map_shared": ("map_shared", "{file}"),
    "reopen": ("reopen", "{file}"), "reopen_reader": ("reopen_reader", "{file}"), "unlink": ("unlink", "{file}"),
    "set_flags": ("set_flags", "{file}"), "rename": ("rename", "{file}", "{new}"), "replace": ("rename", "{other}", "{file}"),
    "exchange": ("exchange", "{other}", "{file}"), "link": ("link", "{file}", "{new}"), "open_by_handle": ("open_by_handle", "{file}"),
    "double_slash": ("append", "/{file}", "x"), "dot": ("append", "{folder}/./{name}", "x"), "root_alias": ("append", "/proc/self/root{file}", "x"),
    "cwd_alias": ("append", "/proc/self/cwd/{relative}", "x"), "dotdot": ("append", "{folder}/../{last}/{name}", "x"),
}
# What can be done to a folder.
FOLDER_WAYS = {
    "create": ("create", "{new}"), "mkdir": ("mkdir", "{new}"), "symlink": ("symlink", "/nowhere", "{new}"), "fifo": ("mknod", "{new}", "fifo", 0, 0),
    "tmpfile_link": ("tmpfile_link", "{folder}", "{new}"), "link_into": ("link", "{other}", "{new}"),
}
REACHED = {"clone_range": frozenset({"EOPNOTSUPP", "EXDEV", "EINVAL"})}


def names_for(scratch, name):
    scratch.write(name, "precious\n")
    other = scratch.write("other", "other\n")
    file = scratch.path(name)
    folder = os.path.dirname(file)
    return {"file": file, "folder": folder, "name": os.path.basename(file), "last": os.path.basename(folder), "relative": name,
            "new": os.path.join(folder, "new"), "other": other}


def attacks_on(label, name, options, ways):
    return [Attack(f"{label}_{way}", act, options=options, reached=REACHED.get(way, frozenset()), unchanged="{ws}/" + name,
                   prepare=lambda scratch: names_for(scratch, name)) for way, act in ways.items()]


@tests_of(attacks_on("read_only", "folder/file", ("--access", "read-only"), WAYS | FOLDER_WAYS))
class ReadOnlyWorkspace(Battery):
    """A file of a workspace that is read-only as a whole."""


# Into the protected folder, not out of it: link_into and rename cross into a mount, replace and exchange take its place.
@tests_of(attacks_on("git_config", ".git/config", (), WAYS) +
          attacks_on("git_hooks", ".git/hooks/pre-commit", (), WAYS | FOLDER_WAYS))
class ProtectedFile(Battery):
    """A protected file and a protected folder in a workspace that can be written."""


def git_folder(scratch):
    scratch.write(".git/config", "[core]\n")
    scratch.write("evil/config", "[core]\n\tfsmonitor = evil\n")
    return {"git": scratch.path(".git"), "evil": scratch.path("evil")}


@tests_of([
    Attack("rename_git", ("rename", "{git}", "{git}2"), prepare=git_folder, unchanged="{ws}/.git/config"),
    Attack("exchange_git", ("exchange", "{git}", "{evil}"), prepare=git_folder, unchanged="{ws}/.git/config"),
    Attack("rename_claude", ("rename", "{ws}/.claude", "{ws}/free"), prepare=lambda s: s.write(".claude/settings.json", "{}") and {}),
    Attack("exchange_claude", ("exchange", "{ws}/.claude", "{ws}/evil"),
           prepare=lambda s: s.write(".claude/settings.json", "{}") and s.write("evil/settings.json", "{}") and {}),
])
class Ancestors(Battery):
    """A protected path whose folder is moved away, so that another can take its name."""


PROTECTED = (".git/hooks/pre-commit", ".git/config", ".claude/settings.json", ".codex/config.toml", ".cursor/rules", ".mcp.json", ".vscode/tasks.json",
             ".idea/workspace.xml", ".envrc", ".npmrc", ".pypirc", "pip.conf", "evil.pth", "sitecustomize.py", "usercustomize.py", ".bashrc", ".profile",
             ".zshrc", ".vimrc", ".gitconfig", ".GIT/Hooks/pre-commit", ".GIT/CONFIG", ".Envrc", "Other.PTH")


class Protected(Battery):
    @both
    def test_every_protected_name(self, who):
        scratch = self.scratch(who)
        for name in PROTECTED:
            scratch.write(name, "precious\n")
        for name in PROTECTED:
            with self.subTest(name=name):
                self.assert_denied(scratch.probe("append", name, "evil"))
                self.assertEqual(open(scratch.path(name)).read(), "precious\n")
                self.assertEqual(scratch.probe_outside("append", name, "").result, "allowed")
        self.assertEqual(scratch.probe("create", "ordinary").result, "allowed", "the workspace is to be writable")

    @both
    def test_protected_name_that_is_a_link_is_refused(self, who):
        scratch = self.scratch(who)
        scratch.write("elsewhere", "precious\n")
        os.symlink("elsewhere", scratch.path(".envrc"))
        run = scratch.run([scratch.binary, "append", "n", "elsewhere", "evil"])
        self.assertEqual(run.status, 125, run)
        self.assertEqual(open(scratch.path("elsewhere")).read(), "precious\n")
        os.unlink(scratch.path(".envrc"))   # the control: it was for the link
        self.assertEqual(scratch.probe("append", "elsewhere", "x").result, "allowed")

    @both
    def test_venv(self, who):
        scratch = self.scratch(who)
        venv = scratch.path(".venv")
        made = t.execute(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], scratch.user)
        self.assertEqual(made.returncode, 0, made.stderr)
        packages = next(os.path.join(folder, "site-packages") for folder, names, _ in os.walk(venv) if "site-packages" in names)
        for act in (("create", f"{packages}/evil.pth"), ("append", f"{venv}/pyvenv.cfg", "x"), ("unlink", f"{venv}/bin/python"), ("rename", venv, f"{venv}2"),
                    ("create", f"{venv}/bin/ls"), ("append", f"{venv}/bin/activate", "x"), ("reopen", f"{venv}/pyvenv.cfg")):
            with self.subTest(act=act):
                number = t.nonce()
                run = t.run_wardenv(["--venv", venv, "--workspace", scratch.workspace], [scratch.binary, act[0], number, *act[1:]], scratch.user,
                                    env=t.environment(scratch.user, scratch.state))
                self.assert_denied(t.parse_answer(run.text, number, run))
        for act in (("create", f"{packages}/evil.pth"), ("append", f"{venv}/pyvenv.cfg", ""), ("rename", venv, f"{venv}2")):
            self.assertEqual(scratch.probe_outside(*act).result, "allowed", act)

    @both
    def test_system_is_read_only(self, who):
        scratch = self.scratch(who)
        for path in ("/usr/bin/env", "/etc/passwd", "/etc/hosts", "/usr/lib/os-release"):
            self.assert_denied(scratch.probe("open_write", path))
            if t.IS_ROOT:
                self.assertEqual(scratch.probe_outside("open_write", path).result, "allowed")
        # The controls: the same acts in folders that are there to be written.
        mine = scratch.write("mine")
        for act in (("create", scratch.path("new")), ("mkdir", scratch.path("folder")), ("link", mine, scratch.path("linked")), ("symlink", "/tmp", "/tmp/link"),
                    ("create", "/home/wardenv/new"), ("create", "/dev/shm/new")):
            self.assertEqual(scratch.probe(*act).result, "allowed", act)
        for act in (("create", "/usr/evil"), ("create", "/etc/evil"), ("create", "/evil"), ("mkdir", "/home/evil"), ("create", "/dev/evil"),
                    ("link", "/usr/bin/env", "/tmp/env"), ("link", "/usr/bin/env", scratch.path("env")), ("symlink", "/tmp", "/usr/evil")):
            with self.subTest(act=act):
                answer = scratch.probe(*act)
                self.assert_denied(answer)
                self.assertIn(answer.why, ("EROFS", "EACCES", "EPERM", "EXDEV"), "denied for what it was, not for what is not there")


def free_folder(scratch):
    scratch.write("folder/file", "x")
    return {"folder": scratch.folder("empty"), "tree": scratch.path("folder")}


def mounts(name, *act, **more):
    more.setdefault("prefix", OWN_MOUNTS)
    return Attack(name, act, prepare=free_folder, **more)


BIND_FIRST = (*OWN_MOUNTS, "sh", "-c", 'mount --bind "$PWD" "$PWD" && cd "$PWD" && exec "$0" "$@"')


@tests_of([
    mounts("mount_tmpfs", "mount_tmpfs", "{folder}", call="mount"),
    mounts("mount_proc", "mount_proc", "{folder}", call="mount"),
    mounts("mount_bind", "mount_bind", "/", "{folder}", call="mount"),
    mounts("mount_over_tmp", "mount_tmpfs", "/tmp", call="mount"),
    mounts("remount_workspace", "remount_writable", "{ws}", call="mount", prefix=BIND_FIRST),
    mounts("remount_proc", "remount_writable", "/proc", call="mount"),
    mounts("remount_root", "remount_writable", "/", call="mount"),
    mounts("make_shared", "make_shared", "/", call="mount"),
    mounts("setattr_writable", "setattr_writable", "/", call="mount_setattr"),
    mounts("umount_proc", "umount", "/proc", call="umount2"),
    mounts("umount_workspace", "umount", "{ws}", call="umount2", prefix=BIND_FIRST),
    mounts("move_mount", "move_mount", "{tree}", "{folder}", call="open_tree"),
    mounts("pivot_root", "pivot_root", "{ws}", call="pivot_root", prefix=BIND_FIRST),
    mounts("chroot", "chroot", "{ws}", call="chroot"),
    mounts("chroot_escape", "chroot_escape", "{folder}", "etc/shadow", call="chroot"),
    mounts("mknod_null", "mknod", "{ws}/null", "char", 1, 3, call="mknodat"),
    mounts("mknod_disk", "mknod", "{ws}/disk", "block", 7, 0, call="mknodat"),
    mounts("mknod_in_tmp", "mknod", "/tmp/wardenv-probe-null", "char", 1, 3, call="mknodat"),
])
class Mounts(Battery):
    """Mounts and device nodes are made by nobody."""

    def tearDown(self):
        for path in ("/tmp/wardenv-probe-null",):
            if os.path.exists(path):
                os.remove(path)

    @both
    def test_masks_stay(self, who):
        """Every mount point that is seen inside, remounted and unmounted."""
        scratch = self.scratch(who)
        lines = scratch.probe("cat", "/proc/self/mountinfo").text.splitlines()
        points = [line.split()[4] for line in lines if len(line.split()) > 6 and line.split()[0].isdigit()]
        self.assertGreater(len(points), 8)
        for point in points:
            for act in ("umount", "remount_writable"):
                self.assert_denied(scratch.probe(act, point))
            # Whichever of the two is for such a thing: the other is refused of any folder, or file.
            removals = [scratch.probe(act, point) for act in ("unlink", "rmdir")]
            for answer in removals:
                self.assert_denied(answer)
            self.assertTrue({answer.why for answer in removals} & {"EBUSY", "EROFS", "EACCES", "EPERM"}, (point, removals))
            self.assert_denied(scratch.probe_walls("no-seccomp", "umount", point))
            self.assert_denied(scratch.probe_walls("no-seccomp", "setattr_writable", point))

    @both
    def test_no_mount_lets_a_program_gain(self, who):
        """nosuid everywhere, and nodev but for the few nodes of /dev."""
        scratch = self.scratch(who)
        lines = [line.split() for line in scratch.probe("cat", "/proc/self/mountinfo").text.splitlines()]
        mounts = [fields for fields in lines if len(fields) > 6 and fields[0].isdigit()]
        self.assertGreater(len(mounts), 8)
        nodes = {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")}
        for fields in mounts:
            options = fields[5].split(",")
            self.assertTrue("nosuid" in options or fields[4] in nodes, fields)
            self.assertTrue("nodev" in options or fields[4] in nodes | {"/dev/pts"}, fields)   # its nodes are the kernel's own


GAINING_CALLS = {"chmod_high": "chmod", "tmpfile": "openat"}


@tests_of([Attack(f"gaining_{way}", ("make_gaining", "{ws}/gaining", way), held_by=SECCOMP, denials=frozenset({"EPERM", "ENOSYS"}),
                  reached=frozenset({"ENOSYS"}) if way == "fchmodat2" else frozenset(), call=None if way == "openat2" else GAINING_CALLS.get(way, way))
           for way in ("chmod", "chmod_high", "fchmod", "fchmodat", "fchmodat2", "creat", "open", "openat", "openat2", "tmpfile", "mknod", "mknodat")])
class Gaining(Battery):
    """A set-uid file in the workspace would be its owner's, root's maybe: whoever executes it outside would have that user's rights."""

    @both
    def test_ordinary_modes_are_set(self, who):
        scratch = self.scratch(who)
        run = scratch.run(["sh", "-c", "mkdir sticky && chmod 1777 sticky && touch plain && chmod 0751 plain && install -m 755 /usr/bin/true there && stat -c %a sticky plain there"])
        self.assertEqual((run.text, run.report["violations"]), ("1777\n751\n755\n", []), run)

    @both
    def test_folders_inherit_the_bit(self, who):
        """As ever: mkdir(2) in a folder with it. What is made there is the folder's group's anyway."""
        scratch = self.scratch(who)
        os.chmod(scratch.folder("shared"), 0o2775)
        run = scratch.run(["sh", "-c", "mkdir shared/inner && touch shared/inner/file && stat -c %a shared/inner/file && stat -c %A shared/inner"])
        self.assertRegex(run.text, "^644\ndrwxr-sr-x\n$", run)


class Privileges(Battery):
    @unittest.skipUnless(t.IS_ROOT, "only root makes set-uid programs")
    def test_setuid_program(self):
        for who in ("root", "user"):
            scratch = self.scratch(who)
            program = scratch.path("setuid")
            shutil.copy(t.PROBE, program)
            os.chown(program, 0, 0)
            os.chmod(program, 0o6755)
            os.chmod(scratch.root, 0o755)
            number = t.nonce()
            control = t.execute([program, "identity", number], t.shared_user(), cwd="/")
            self.assertEqual(t.parse_answer(control.stdout.decode(), number).one("uids").split()[1], "0")
            answer = t.parse_answer((run := scratch.run([program, "identity", number])).text, number, run)
            self.assertTrue(answer.began, run)
            self.assertEqual(answer.one("uids"), "1000 1000 1000")
            for walls in ("no-seccomp", "no-landlock"):
                done = t.to_run(t.execute([t.WALLS, "--walls", walls, "--workspace", scratch.workspace, "--", program, "identity", number], scratch.user,
                                          env=t.environment(scratch.user, scratch.state)))
                self.assertEqual(t.parse_answer(done.text, number).one("uids"), "1000 1000 1000", done)

    @unittest.skipUnless(t.IS_ROOT and shutil.which("setcap"), "only root gives capabilities to a file, by setcap")
    def test_program_with_capabilities(self):
        for who in ("root", "user"):
            scratch = self.scratch(who)
            program = scratch.path("capable")
            shutil.copy(t.PROBE, program)
            os.chmod(program, 0o755)
            os.chmod(scratch.root, 0o755)
            number = t.nonce()
            plain = scratch.run([program, "identity", number])
            self.assertTrue(t.parse_answer(plain.text, number).began, plain)   # without them it is executed
            subprocess.run(["setcap", "cap_sys_admin,cap_dac_override+ep", program], check=True)
            number = t.nonce()
            control = t.execute([program, "identity", number], t.shared_user(), cwd="/")
            self.assertNotEqual(int(t.parse_answer(control.stdout.decode(), number).one("capabilities"), 16), 0)
            run = scratch.run([program, "identity", number])
            if run.report["outcome"] == "exited" and run.status in (126, 127):
                continue  # not executed at all is as good
            self.assertEqual(t.parse_answer(run.text, number).one("capabilities"), "0" * 16, run)

    @both
    def test_no_other_identity(self, who):
        scratch = self.scratch(who)
        if t.IS_ROOT:
            self.assertEqual(scratch.probe_outside("set_id", 0).result, "allowed")
        for uid in (0, 1, 1001, 65534):
            self.assert_denied(scratch.probe("set_id", uid))
            self.assert_denied(scratch.probe_walls("no-seccomp", "set_id", uid))

    @both
    def test_no_core_dump(self, who):
        scratch = self.scratch(who)
        if open("/proc/sys/kernel/core_pattern").read().startswith("|"):
            self.skipTest("core dumps go to a program on this host")
        self.assertEqual(scratch.probe_outside("dump_core").result, "allowed")
        for name in [name for name in os.listdir(scratch.workspace) if name.startswith("core")]:
            os.remove(scratch.path(name))
        self.assert_denied(scratch.probe("dump_core"))
        self.assertFalse([name for name in os.listdir(scratch.workspace) if name.startswith("core")])


WRITE_PROC = ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hostname", "/proc/sys/kernel/hotplug",
              "/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/yama/ptrace_scope", "/proc/sys/vm/overcommit_memory",
              "/proc/sys/vm/drop_caches", "/proc/sys/fs/suid_dumpable", "/proc/sys/fs/binfmt_misc/register", "/proc/sys/net/ipv4/ip_forward",
              "/proc/sys/net/ipv4/ping_group_range", "/proc/sys/user/max_user_namespaces", "/proc/1/oom_score_adj", "/proc/1/uid_map",
              "/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/fs/cgroup/memory/release_agent",
              "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs", "/sys/fs/cgroup/pids/cgroup.procs", "/dev/mem", "/dev/kmsg", "/dev/port",
              "/dev/vda", "/dev/sda", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/loop-control", "/dev/cpu_dma_latency", "/dev/uinput", "/dev/vhost-vsock",
              "/dev/vsock", "/dev/userfaultfd", "/dev/rtc0", "/dev/watchdog", "/dev/hwrng")
READ_PROC = ("/proc/kcore", "/proc/kmsg", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/1/environ",
             "/proc/cmdline", "/proc/interrupts", "/proc/bus/pci/devices", "/proc/acpi/wakeup", "/proc/irq/default_smp_affinity", "/proc/fs/jbd2", "/sys/class/net/lo/address",
             "/sys/kernel/debug", "/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/etc/shadow", "/etc/machine-id", "/etc/gshadow", "/etc/fstab",
             "/var/lib/dpkg/status", "/run/utmp", "/root/.bashrc", "/boot")


class HostFiles(Battery):
    """Handles of the kernel and files of the host. What this host does not have is no attack; that most are there is checked."""

    def try_all(self, who, act, paths, at_least):
        scratch, tried = self.scratch(who), 0
        for path in paths:
            with self.subTest(path=path):
                control = scratch.probe_outside(act, path)
                answers = [scratch.probe(act, path), scratch.probe_walls("no-seccomp", act, path), scratch.probe_walls("no-landlock", act, path)]
                for answer in answers:
                    self.assert_denied(answer)
                tried += control.result == "allowed"
        if t.IS_ROOT:
            self.assertGreaterEqual(tried, at_least, "too few positive controls worked on this host")

    @both
    def test_handles_of_the_kernel(self, who):
        self.try_all(who, "open_write", WRITE_PROC, 12)

    @both
    def test_what_the_kernel_tells(self, who):
        self.try_all(who, "read", READ_PROC, 8)

    @both
    def test_secrets_of_the_host(self, who):
        scratch = self.scratch(who)
        beside = scratch.write(os.path.join(scratch.root, "secret"), "secret")
        os.symlink(beside, scratch.path("link"))
        os.symlink("..", scratch.path("up"))
        os.symlink("/", scratch.path("root"))
        for path in (beside, scratch.path("link"), scratch.path("up/secret"), scratch.path("../secret"), "/proc/self/root" + beside,
                     scratch.path("root") + beside, f"/proc/1/root{beside}", "/proc/1/cwd/../secret"):
            with self.subTest(path=path):
                control = path.replace("/proc/1/", "/proc/self/")  # the first process of a container lives elsewhere
                self.assertEqual(scratch.probe_outside("read", control).result, "allowed")
                for answer in (scratch.probe("read", path), scratch.probe("append", path, "x"), scratch.probe_walls("no-landlock", "read", path)):
                    self.assert_denied(answer)
        self.assertEqual(open(beside).read(), "secret")

    @both
    def test_nothing_else_exists(self, who):
        scratch = self.scratch(who)
        top = set(scratch.probe("list", "/").data["entry"]) - {".", ".."}
        self.assertLessEqual(top, {"bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "tmp", "usr", "var", "root", "run"})
        for path in ("/root", "/run", "/sys", "/boot", "/mnt", "/srv", "/opt", "/media"):
            entries = set(scratch.probe("list", path).data.get("entry", [])) - {".", ".."}
            self.assertFalse(entries, path)
        self.assertEqual(set(scratch.probe("list", "/home").data["entry"]) - {".", "..", "wardenv"}, set())
        devices = set(scratch.probe("list", "/dev").data["entry"]) - {".", ".."}
        self.assertLessEqual(devices, {"null", "zero", "full", "random", "urandom", "tty", "shm", "fd", "stdin", "stdout", "stderr", "pts", "ptmx", "mqueue"})
        numbers = {name for name in scratch.probe("list", "/proc").data["entry"] if name.isdigit()}
        self.assertLessEqual(len(numbers), 3, "other processes are seen")

    @both
    def test_what_gives_the_host_away(self, who):
        """Documented: the roots in mountinfo show where the sources of the mounts lie on their own file system."""
        scratch = self.scratch(who)
        host = os.uname().nodename
        self.assertIn(host, scratch.probe_outside("cat", "/proc/sys/kernel/hostname").text)
        for path in ("/proc/self/mountinfo", "/proc/sys/kernel/hostname", "/etc/hostname", "/etc/hosts", "/proc/self/environ", "/etc/resolv.conf"):
            answer = scratch.probe("cat", path)
            self.assertTrue(answer.began, answer.run)
            if len(host) > 3:
                self.assertNotIn(host, answer.text, path)
        self.assertIn("wardenv", scratch.probe("cat", "/proc/sys/kernel/hostname").text)
        groups = scratch.probe("cat", "/proc/self/cgroup").text
        for folder in filter(lambda path: len(path) > 3, (line.split(":", 2)[2].strip() for line in open("/proc/self/cgroup"))):
            self.assertNotIn(folder, groups)
        for path in ("/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid"):
            self.assert_denied(scratch.probe("cat", path))

    @both
    def test_boot_id_does_not_name_the_host(self, who):
        scratch = self.scratch(who)
        boot = open("/proc/sys/kernel/random/boot_id").read().strip()
        self.assertIn(boot, scratch.probe_outside("cat", "/proc/sys/kernel/random/boot_id").text)
        self.assertNotIn(boot, scratch.probe("cat", "/proc/sys/kernel/random/boot_id").text)


@tests_of([Attack(f"write_{file}", ("write_map", file, text, "here"), control=("write_map", file, text, "new"))
           for file, text in (("uid_map", "0 0 1"), ("gid_map", "0 0 1"), ("setgroups", "deny"))])
class IdentityMaps(Battery):
    """The maps of the sandbox's own user namespace."""


class Leftovers(Battery):
    @both
    def test_ipc_does_not_last(self, who):
        scratch = self.scratch(who)
        self.assertEqual(scratch.probe_outside("ipc", "leave").one("objects"), "5")
        try:
            self.assertEqual(scratch.probe_outside("ipc", "find").result, "allowed")
            self.assert_denied(scratch.probe("ipc", "find"))
            self.assert_denied(scratch.probe_walls("no-seccomp", "ipc", "find"))
        finally:
            scratch.probe_outside("ipc", "remove")
        left = scratch.probe("ipc", "leave")
        self.assertGreaterEqual(int(left.one("objects") or 0), 2, left.text)
        self.assert_denied(scratch.probe("ipc", "find"))
        self.assert_denied(scratch.probe_outside("ipc", "find"))

    @both
    def test_locks_do_not_last(self, who):
        scratch = self.scratch(who)
        file = scratch.write("locked", "x", 0o666)
        for kind in ("flock", "record", "lease"):
            with self.subTest(kind=kind):
                control = scratch.probe_outside("lock_and_leave", file, kind)
                self.assertEqual(control.result, "allowed", control.text)
                self.assertFalse(self.can_lock(file, kind), "the control holds no lock")
                t.kill_quietly(int(control.one("pid")))
                self.assertTrue(t.eventually(lambda: self.can_lock(file, kind)))
                answer = scratch.probe("lock_and_leave", file, kind)
                if kind == "lease":
                    self.assertIn("BROKEN lease: Operation not permitted", answer.text)   # none is given inside
                else:
                    self.assertEqual(answer.result, "allowed", answer.run)
                self.assertTrue(self.can_lock(file, kind), "a lock outlived the run")

    @staticmethod
    def can_lock(file, kind):
        try:
            opened = os.open(file, os.O_RDWR | os.O_NONBLOCK)  # fails where it would have to wait for the holder of a lease
        except BlockingIOError:
            return False
        try:
            if kind == "flock":
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            elif kind == "record":
                fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(opened)
        return True


def in_own_mounts(scratch, script, argv):
    """Arguments that run `script`, as root and in the workspace, in a mount namespace of its own, and then `argv` as the scratch's user."""
    become = ["setpriv", f"--reuid={scratch.user.uid}", f"--regid={scratch.user.gid}", "--clear-groups", "--"] if scratch.user else []
    return [*OWN_MOUNTS, "sh", "-ec", f"{script}\n" + 'exec "$@"', "sh", *become, *argv]


@unittest.skipUnless(t.IS_ROOT, "only root mounts something in a workspace")
class SubMounts(Battery):
    """What the host has mounted, writable, below something that the sandbox shows read-only."""

    def attempt_below(self, who, name, options):
        scratch = self.scratch(who)
        scratch.write(f"{name}/above", "precious\n")
        scratch.folder(f"{name}/sub")
        source = scratch.write(os.path.join(scratch.root, "source", "file"), "precious\n")
        script = f"mount --bind '{os.path.dirname(source)}' '{scratch.path(name)}/sub'"
        env = t.environment(scratch.user, scratch.state)

        def act(argv):
            number = t.nonce()
            done = t.execute(in_own_mounts(scratch, script, [*argv, scratch.binary, "append", number, scratch.path(f"{name}/sub/file"), "x"]), env=env,
                             cwd=scratch.workspace)
            run = t.to_run(done)
            return t.parse_answer(run.text, number, run)

        for walls in ("all", "no-landlock", "no-seccomp"):
            with self.subTest(walls=walls):
                self.assert_denied(act([t.WALLS, "--walls", walls, "--workspace", scratch.workspace, *options, "--"]))
        self.assertEqual(open(source).read(), "precious\n")
        self.assertEqual(act([]).result, "allowed", "the mount is not there, or not writable")
        self.assertEqual(open(source).read(), "precious\nx")

    @both
    def test_below_a_read_only_workspace(self, who):
        self.attempt_below(who, "folder", ["--read-only"])

    @both
    def test_below_a_protected_folder(self, who):
        self.attempt_below(who, ".claude", [])


HOME_SIGNS = (".ssh/id_rsa", ".aws/credentials", ".netrc", ".bash_history", ".config/gh/hosts.yml")


class Homes(Battery):
    """Somebody's home folder is no workspace: the keys in it could be read."""

    def run_in(self, scratch, workspace, home, *options):
        return t.run_wardenv(["--no-venv", "--workspace", workspace, *options], ["sh", "-c", "cat .ssh/id_rsa .aws/credentials .netrc; ls"], scratch.user,
                             env=t.environment(scratch.user, scratch.state, HOME=home))

    @both
    def test_a_home_folder(self, who):
        for sign in HOME_SIGNS:
            for options in ([], ["--access", "read-only"]):
                with self.subTest(sign=sign, options=options):
                    scratch = self.scratch(who)
                    home = scratch.folder("people/ann")
                    scratch.own(scratch.path("people"))
                    scratch.write("people/ann/project/code", "x")
                    self.assertEqual(self.run_in(scratch, home, home, *options).status, 0, "a project that is HOME, as containers have it")
                    scratch.write(f"people/ann/{sign}", "secret\n")
                    for folder, hint in ((home, "choose a project folder below it"), (scratch.path("people"), "name the folder of one project")):
                        run = self.run_in(scratch, folder, home, *options)
                        self.assertEqual((run.status, run.report["outcome"], run.text), (125, "setup_failed", ""), run)
                        self.assertIn(os.path.basename(sign.partition("/")[0]), run.report["error"]["message"])
                        self.assertEqual(run.report["error"]["hint"], hint)
                    self.assertEqual(self.run_in(scratch, scratch.path("people/ann/project"), home, *options).status, 0)
                    if sign in (".ssh/id_rsa", ".aws/credentials", ".netrc"):   # the control: it is there to be read
                        self.assertIn("secret", self.run_in(scratch, home, "/nonexistent", *options).text)

    @both
    def test_the_home_of_an_account(self, who):
        """As passwd(5) has it, whatever HOME says."""
        user = t.shared_user()
        if not t.IS_ROOT and os.path.isdir(os.path.join(user.home, ".ssh")):
            self.skipTest("this account's home has keys of its own")
        scratch = self.scratch(who)
        keys = os.path.join(user.home, ".ssh")
        os.mkdir(keys)
        try:
            run = self.run_in(scratch, user.home, "/nonexistent")
        finally:
            os.rmdir(keys)
        self.assertEqual((run.status, run.report["outcome"]), (125, "setup_failed"), run)
        self.assertIn("home folder", run.report["error"]["message"])


if __name__ == "__main__":
    unittest.main()
