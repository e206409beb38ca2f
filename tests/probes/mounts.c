// SPDX-License-Identifier: Apache-2.0
// Acts on mounts and the root folder (threats, section B). Outside they run in a mount namespace of their own.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"

// Not from <sys/mount.h>, which does not go together with <linux/mount.h> in Debian 12's C library.
extern int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *options);
extern int umount2(const char *target, int flags);
enum { kDetach = 2 };

static void mount_tmpfs(int argc, char **argv) { finish(mount("none", argument(argc, argv, 0), "tmpfs", 0, NULL)); }
static void mount_proc(int argc, char **argv) { finish(mount("none", argument(argc, argv, 0), "proc", 0, NULL)); }
static void mount_bind(int argc, char **argv) {
  finish(mount(argument(argc, argv, 0), argument(argc, argv, 1), NULL, MS_BIND | MS_REC, NULL));
}
static void remount_writable(int argc, char **argv) {
  finish(mount(NULL, argument(argc, argv, 0), NULL, MS_REMOUNT | MS_BIND, NULL));
}
static void make_shared(int argc, char **argv) {
  finish(mount(NULL, argument(argc, argv, 0), NULL, MS_SHARED | MS_REC, NULL));
}
static void do_umount(int argc, char **argv) { finish(umount2(argument(argc, argv, 0), kDetach)); }

static void setattr_writable(int argc, char **argv) {
  struct mount_attr attributes = {.attr_clr = MOUNT_ATTR_RDONLY};
  finish(syscall(SYS_mount_setattr, AT_FDCWD, argument(argc, argv, 0), 0x8000 /* AT_RECURSIVE */, &attributes,
                 sizeof attributes));
}

// move_mount FROM TO: a copy of a tree, attached elsewhere, without its masks.
static void try_move_mount(int argc, char **argv) {
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, argument(argc, argv, 0), OPEN_TREE_CLONE);
  if (tree < 0) denied(errno);
  finish(syscall(SYS_move_mount, tree, "", AT_FDCWD, argument(argc, argv, 1), MOVE_MOUNT_F_EMPTY_PATH));
}

static void try_fsopen(int argc, char **argv) {
  (void)argc, (void)argv;
  finish(syscall(SYS_fsopen, "tmpfs", 0));
}

// The folder has to be a mount point: the workspace is one inside; outside the runner makes it one.
static void try_pivot_root(int argc, char **argv) {
  if (chdir(argument(argc, argv, 0)) != 0) broken("chdir");
  finish(syscall(SYS_pivot_root, ".", "."));
}

static void try_chroot(int argc, char **argv) { finish(chroot(argument(argc, argv, 0))); }

// chroot_escape FOLDER PATH: the classic: a root below the working folder, then up past it, to a file of the host.
static void chroot_escape(int argc, char **argv) {
  const char *file = argument(argc, argv, 1);
  if (chroot(argument(argc, argv, 0)) != 0) denied(errno);
  for (int i = 0; i < 64; ++i) {
    if (chdir("..") != 0) break;
  }
  if (chroot(".") != 0) denied(errno);
  finish(open(file, O_RDONLY));
}

const Act kMountActs[] = {
    {"mount_tmpfs", mount_tmpfs},
    {"mount_proc", mount_proc},
    {"mount_bind", mount_bind},
    {"remount_writable", remount_writable},
    {"make_shared", make_shared},
    {"umount", do_umount},
    {"setattr_writable", setattr_writable},
    {"move_mount", try_move_mount},
    {"fsopen", try_fsopen},
    {"pivot_root", try_pivot_root},
    {"chroot", try_chroot},
    {"chroot_escape", chroot_escape},
    {NULL, NULL},
};
