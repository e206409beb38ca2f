// SPDX-License-Identifier: Apache-2.0
// Sandboxes of a resident launcher are not born among the host's mounts: each would get a copy of all of them, only to detach it a moment later,
// and a host may have hundreds. They are born from a mount namespace that holds an empty folder and /proc, without which the kernel lets nobody
// in a user namespace mount another (mount_too_revealing()). As root all that a sandbox shows of the host is opened by the launcher.
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "sandbox/launch/context.h"

namespace wardenv::launch {
namespace {

constexpr unsigned kClone = 1, kRecursive = 0x8000;   // OPEN_TREE_CLONE, AT_RECURSIVE

int home = -1;       // our own mount namespace, and our root in it
int home_root = -1;
int few = -1;

// Our root folder need not be that of the namespace (chroot(2)). Among other mounts than ours we would open the wrong folders.
void go_home() {
  if (setns(home, CLONE_NEWNS) < 0 || fchdir(home_root) < 0 || chroot(".") < 0) _exit(1);
}

// In a copy of all mounts, which nobody else has: puts a new root there, and lets the old one go.
bool leave_all_but_proc() {
  const int proc = static_cast<int>(syscall(kernel::kSysOpenTree, AT_FDCWD, "/proc", kClone | kRecursive | O_CLOEXEC));
  const char* options[] = {"size", "4k", "nr_inodes", "4", "mode", "0755", nullptr};
  const int root = new_filesystem("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  mount_attr sealed{};
  sealed.attr_set = MOUNT_ATTR_RDONLY;
  const bool good = proc >= 0 && root >= 0 && mkdirat(root, "proc", 0555) == 0 &&
                    syscall(kernel::kSysMoveMount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
                    syscall(kernel::kSysMoveMount, proc, "", root, "proc", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
                    syscall(kernel::kSysMountSetattr, root, "", AT_EMPTY_PATH, &sealed, sizeof sealed) == 0 && fchdir(root) == 0 &&
                    syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0;
  close_and(proc, 0);
  close_and(root, 0);
  return good;
}

// Who can't come back must not leave: the same calls, while they change nothing.
bool can_return() {
  return fchdir(home_root) == 0 && chroot(".") == 0 && setns(home, CLONE_NEWNS) == 0 && fchdir(home_root) == 0 && chroot(".") == 0;
}

}  // namespace

// Where it can't be done, sandboxes are born among all mounts.
void make_few_mounts() {
  if (home >= 0) return;
  home = open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
  home_root = open_file(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
  if (home < 0 || home_root < 0 || !can_return() || unshare(CLONE_NEWNS) < 0) return;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 && leave_all_but_proc()) few = open_file(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY);
  go_home();
}

bool go_to_few_mounts() { return few >= 0 && setns(few, CLONE_NEWNS) == 0; }
void leave_few_mounts() { go_home(); }

}  // namespace wardenv::launch
