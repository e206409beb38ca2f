// SPDX-License-Identifier: Apache-2.0
// Mounts: detached trees, the new root and what is attached to it, pivot_root. Everything by descriptor, no symbolic link followed.
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "sandbox/launch/context.h"

namespace wardenv::launch {
namespace {

constexpr int kEmptyPath = 0x1000;        // AT_EMPTY_PATH
constexpr int kRecursive = 0x8000;        // AT_RECURSIVE
constexpr unsigned kTreeClone = 1;        // OPEN_TREE_CLONE
constexpr unsigned kTreeCloexec = O_CLOEXEC;

int clone_tree(int fd) {
  return static_cast<int>(syscall(kernel::kSysOpenTree, fd, "", kTreeClone | kTreeCloexec | kEmptyPath | kRecursive));
}

int set_attributes(int tree, const mount_attr& attributes) {
  return error_of(syscall(kernel::kSysMountSetattr, tree, "", kEmptyPath | kRecursive, &attributes, sizeof attributes));
}

int attach(int tree, int target) {
  return error_of(syscall(kernel::kSysMoveMount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

enum class Kind { kFolder, kFile };

// One path component below `dir`, made where it is missing. Takes ownership of `dir`.
int enter_or_make(int dir, const char* name, Kind kind) {
  int next = open_beneath(dir, name, O_NOFOLLOW);
  if (next < 0 && errno == ENOENT) {
    int made = kind == Kind::kFolder ? mkdirat(dir, name, 0755) : mknodat(dir, name, S_IFREG | 0444, 0);
    if (made >= 0) next = open_beneath(dir, name, O_NOFOLLOW);
  }
  int error = errno;
  close(dir);
  errno = error;
  return next;
}

// Opens `path` in the new root; folders on the way, and the last component as `kind`, are made where they are missing.
int mount_point(const Context& context, const char* path, Kind kind) {
  path = relative(path);
  int fd = open_beneath(context.root, path, 0);
  if (fd >= 0 || errno != ENOENT) return fd;
  fd = fcntl(context.root, F_DUPFD_CLOEXEC, 0);
  char name[256];
  while (fd >= 0 && *path != 0) {
    size_t length = strcspn(path, "/");
    if (length >= sizeof name) return close_and(fd, errno = ENAMETOOLONG), -1;
    memcpy(name, path, length);
    name[length] = 0;
    path += length;
    while (*path == '/') ++path;
    fd = enter_or_make(fd, name, *path == 0 ? kind : Kind::kFolder);
  }
  return fd;
}

const char* decimal(uint64_t value, char* end) {
  *--end = 0;
  do *--end = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  return end;
}

// As root: the owner of the tree's root becomes the sandbox's user (mount_setattr(2), ID-mapped mounts).
int add_owner_map(const Context& context, int tree, const char* expected, mount_attr& attributes) {
  struct stat owner {};
  char found[32];
  if (fstat(tree, &owner) < 0) return errno;
  const int length = snprintf(found, sizeof found, "%u %u ", owner.st_uid, owner.st_gid);
  if (*expected != 0 && strncmp(found, expected, static_cast<size_t>(length)) != 0) return ESTALE;
  int space = idmap_namespace(owner.st_uid, owner.st_gid, context.host_id);
  if (space < 0) return errno;
  attributes.attr_set |= MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<uint64_t>(space);
  return 0;
}

int attach_new(const Context& context, int mount, const char* path) {
  if (mount < 0) return errno;
  int target = mount_point(context, path, Kind::kFolder);
  if (target < 0) return close_and(mount, errno);
  int error = attach(mount, target);
  close(target);
  return error;
}

// What was looked at before is what is mounted, or nothing.
int check_identity(int tree, uint64_t inode, uint64_t device) {
  struct stat status {};
  if (inode == 0) return 0;
  if (fstat(tree, &status) < 0) return errno;
  return status.st_ino == inode && status.st_dev == device ? 0 : ESTALE;
}

// The layout of statx(2), which musl's headers lack.
struct Statx {
  uint32_t mask, block_size;
  uint64_t attributes;
  uint32_t links, uid, gid;
  uint16_t mode, spare;
  uint64_t inode, size, blocks, attributes_mask;
  uint8_t times[64];
  uint32_t node_major, node_minor, device_major, device_minor;
  uint64_t rest[14];
};
static_assert(sizeof(Statx) == 256);

// Where `path` is the root of a mount, and that very file.
int check_mounted(const char* path, uint64_t inode, uint64_t device) {
  constexpr uint64_t kMountRoot = 0x2000;   // STATX_ATTR_MOUNT_ROOT
  constexpr unsigned kInode = 0x100;        // STATX_INO
  Statx status{};
  if (syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kInode, &status) < 0) return errno;
  const bool that = status.inode == inode && makedev(status.device_major, status.device_minor) == device;
  return that && (status.attributes & kMountRoot) != 0 ? 0 : ESTALE;
}

// The step that opened what `attach` attaches, where it says which folder that is.
const wire::Step* opening_of(const Plan& plan, const wire::Step& attach) {
  for (uint32_t i = 0; i < plan.header().step_count; ++i) {
    const wire::Step& step = plan.step(i);
    if (step.op == wire::Op::kOpenTree && step.slot == attach.slot && step.a != 0) return &step;
  }
  return nullptr;
}

}  // namespace

// A mount of another mount namespace does not hold its place: who removes there what is mounted on, or puts something else there, takes the mount
// away from it (rename(2) and unlink(2) since Linux 3.19). While a sandbox waits for its run, or for the word, there is time for that.
int check_place(const Context& context, const wire::Step& step) {
  const char* path = context.plan.text(step.text);
  if (step.op == wire::Op::kRebind && step.b != 0) return check_mounted(path, step.b, step.c);
  if (step.op != wire::Op::kAttach || (step.flags & wire::kFlagOwnRoot) != 0) return 0;
  const wire::Step* opening = opening_of(context.plan, step);
  return opening == nullptr ? 0 : check_mounted(path, opening->a, opening->c);
}

int new_filesystem(const char* type, const char* const* options, unsigned attributes) {
  int context = static_cast<int>(syscall(kernel::kSysFsopen, type, 1 /* FSOPEN_CLOEXEC */));
  if (context < 0) return -1;
  bool good = true;
  for (; good && *options != nullptr; options += 2) {
    good = syscall(kernel::kSysFsconfig, context, FSCONFIG_SET_STRING, options[0], options[1], 0) == 0;
  }
  good = good && syscall(kernel::kSysFsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
  int mount = good ? static_cast<int>(syscall(kernel::kSysFsmount, context, 1 /* FSMOUNT_CLOEXEC */, attributes)) : -1;
  int error = errno;
  close(context);
  errno = error;
  return mount;
}

int open_beneath(int dir, const char* path, uint64_t extra_flags) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | extra_flags;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | (dir == AT_FDCWD ? 0U : RESOLVE_BENEATH);
  return static_cast<int>(syscall(kernel::kSysOpenat2, dir, path, &how, sizeof how));
}

int clone_anywhere(const char* path) {
  const int source = open_beneath(AT_FDCWD, path, 0);
  if (source < 0) return -1;
  const int tree = clone_tree(source);
  const int error = errno;
  close(source);
  errno = error;
  return tree;
}

int clone_in_own_root(const Context& context, const char* path) {
  return static_cast<int>(syscall(kernel::kSysOpenTree, context.files, relative(path), kTreeClone | kTreeCloexec | AT_SYMLINK_NOFOLLOW | kRecursive));
}

int open_tree_step(Context& context, const wire::Step& step) {
  if ((step.flags & wire::kFlagFromTree) != 0) return open_from_tree(context, step);
  const char* path = context.plan.text(step.text);
  const int tree = (step.flags & wire::kFlagOwnRoot) != 0 ? clone_in_own_root(context, path) : clone_anywhere(path);
  if (tree < 0) return errno;
  int error = check_identity(tree, step.a, step.c);
  mount_attr attributes{};
  attributes.attr_set = step.b;
  attributes.propagation = MS_PRIVATE;
  if (error == 0 && (step.flags & wire::kFlagOwnerMapped) != 0) error = add_owner_map(context, tree, context.plan.text(step.text2), attributes);
  if (error == 0 && step.b != 0) error = set_attributes(tree, attributes);
  if (error != 0) return close_and(tree, error);
  close_and(context.slots[step.slot], 0);  // of an earlier attempt
  context.slots[step.slot] = tree;
  return 0;
}

int mount_over_root(int mount) { return error_of(syscall(kernel::kSysMoveMount, mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH)); }

// A tmpfs that is attached nowhere would cost a grace period of the kernel's when its descriptor is closed: under the copy of the tree it goes with the old root.
int new_root_step(Context& context, const wire::Step& step) {
  char bytes[24];
  char inodes[24];
  const char* options[] = {"size", decimal(step.a, bytes + sizeof bytes), "nr_inodes", decimal(step.b, inodes + sizeof inodes),
                           "mode", "0755", nullptr};
  context.root = context.files = new_filesystem("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (context.files < 0) return errno;
  const int error = mount_over_root(context.files);
  if (error != 0 || (step.flags & wire::kFlagFromTree) == 0) return error;
  context.root = context.slots[step.slot];
  context.slots[step.slot] = -1;
  return mount_over_root(context.root);
}

// With just that mode, whatever the umask of 022 takes away of others.
int make_folder(int dir, const char* path, mode_t mode) {
  if ((mode & 022) == 0) return error_of(mkdirat(dir, path, mode));
  const mode_t before = umask(0);
  const int error = error_of(mkdirat(dir, path, mode));
  umask(before);
  return error;
}

int folder_step(Context& context, const wire::Step& step) {
  const char* path = relative(context.plan.text(step.text));
  const auto mode = static_cast<mode_t>(step.a);
  const int error = make_folder(context.files, path, mode);
  if (error == 0) return 0;
  if (error != EEXIST && error != ENOENT) return error;
  if (error == ENOENT) {
    int fd = mount_point(context, path, Kind::kFolder);
    if (fd < 0) return errno;
    close(fd);
  }
  return mode == 0755 ? 0 : error_of(fchmodat(context.files, path, mode, 0));
}

int symlink_step(Context& context, const wire::Step& step) {
  return error_of(symlinkat(context.plan.text(step.text2), context.files, relative(context.plan.text(step.text))));
}

int file_step(Context& context, const wire::Step& step) {
  int fd = open_file(context.root, relative(context.plan.text(step.text)), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, static_cast<mode_t>(step.a));
  if (fd < 0) return errno;
  if (step.b == 0) return close_and(fd, 0);
  ssize_t written = write(fd, context.plan.text(step.text2), step.b);
  return close_and(fd, written < 0 ? errno : static_cast<uint64_t>(written) == step.b ? 0 : ENOSPC);
}

// On our own tmpfs nobody can have put a symbolic link, so a path is as good as a descriptor, and cheaper.
int attach_in_own_root(const Context& context, int tree, const char* path, mode_t type) {
  const int made = S_ISDIR(type) ? mkdirat(context.files, path, 0755) : mknodat(context.files, path, S_IFREG | 0444, 0);
  if (made < 0 && errno != EEXIST) return errno;
  return error_of(syscall(kernel::kSysMoveMount, tree, "", context.root, path, MOVE_MOUNT_F_EMPTY_PATH));
}

int attach_anywhere(const Context& context, int tree, const char* path, mode_t type) {
  int target = mount_point(context, path, S_ISDIR(type) ? Kind::kFolder : Kind::kFile);
  if (target < 0) return errno;
  return close_and(target, attach(tree, target));
}

int attach_step(Context& context, const wire::Step& step) {
  int& tree = context.slots[step.slot];
  if (tree < 0) return (step.flags & wire::kFlagOptional) != 0 ? 0 : EBADF;
  struct stat status {};
  if (fstat(tree, &status) < 0) return errno;
  const char* path = relative(context.plan.text(step.text));
  int error = (step.flags & wire::kFlagOwnRoot) != 0 ? attach_in_own_root(context, tree, path, status.st_mode) : ENOENT;
  if (error == ENOENT) error = attach_anywhere(context, tree, path, status.st_mode);
  close(tree);
  tree = -1;
  return error;
}

int rebind_attributes(int tree, const wire::Step& step) {
  mount_attr attributes{};
  attributes.attr_set = step.a;
  attributes.propagation = MS_PRIVATE;
  return set_attributes(tree, attributes);
}

// On our own tmpfs a path is as good as a descriptor, see attach_in_own_root; its mount has the attributes that it was made with, and so has a copy.
int rebind_in_own_root(const Context& context, const wire::Step& step) {
  constexpr uint64_t kThere = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  const char* path = context.plan.text(step.text);
  const int tree = clone_in_own_root(context, path);
  if (tree < 0) return errno;
  int error = (step.a & ~kThere) != 0 ? rebind_attributes(tree, step) : 0;
  if (error == 0) error = error_of(syscall(kernel::kSysMoveMount, tree, "", context.root, relative(path), MOVE_MOUNT_F_EMPTY_PATH));
  return close_and(tree, error);
}

// Source and target are one descriptor, so that nothing can be swapped between them.
int rebind_step(Context& context, const wire::Step& step) {
  if ((step.flags & wire::kFlagOwnRoot) != 0) return rebind_in_own_root(context, step);
  int target = open_beneath(context.root, relative(context.plan.text(step.text)), 0);
  if (target < 0) return errno;
  int tree = clone_tree(target);
  if (tree < 0) return close_and(target, errno);
  const bool ahead = context.plan.header().kind == wire::Kind::kPrepare;
  int error = ahead ? check_identity(tree, step.b, step.c) : 0;
  if (error == 0) error = rebind_attributes(tree, step);
  if (error == 0) error = attach(tree, target);
  close(tree);
  return close_and(target, error);
}

int proc_step(Context& context, const wire::Step& step) {
  const char* options[] = {nullptr};
  context.proc = new_filesystem("proc", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  return attach_new(context, context.proc, context.plan.text(step.text));
}

int pts_step(Context& context, const wire::Step& step) {
  const char* options[] = {"ptmxmode", "0666", "mode", "0620", nullptr};
  int mount = new_filesystem("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  int error = attach_new(context, mount, context.plan.text(step.text));
  if (mount >= 0) close(mount);
  return error;
}

// Relative to the new root, where so far every path is ours or the kernel's. The cover is a read-only mount, and so is each copy of it.
int mask_step(Context& context, const wire::Step& step) {
  if (!context.at_root && fchdir(context.root) < 0) return errno;
  context.at_root = true;
  return error_of(mount(relative(context.plan.text(step.text2)), relative(context.plan.text(step.text)), nullptr, MS_BIND, nullptr));
}

int pivot_step(Context& context, const wire::Step&) {
  int old_root = open_file(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
  if (old_root < 0) return errno;
  if (fchdir(context.root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) return close_and(old_root, errno);
  if (fchdir(old_root) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) return close_and(old_root, errno);
  return close_and(old_root, 0);
}

int seal_root_step(Context& context, const wire::Step& step) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  return error_of(syscall(kernel::kSysMountSetattr, context.root, relative(context.plan.text(step.text)), AT_SYMLINK_NOFOLLOW, &attributes, sizeof attributes));
}

int no_nested_userns_step(Context& context, const wire::Step&) {
  return write_file(context.proc, "sys/user/max_user_namespaces", "0", 1);
}

}  // namespace wardenv::launch
