// SPDX-License-Identifier: Apache-2.0
// What every run of a resident launcher sees alike is its root (/usr, the system's part of /etc, /dev, empty covers, and places for what it has of its
// own): a tree of ours that is made once, and cloned for each run by one call. Nobody inside can write it: its mounts are read-only, and its owner is
// the launcher's user, who is nobody in a sandbox. A few are kept, as runs have various folders in their roots. One is made again when a plan asks for
// another one, when one of the host's files in it was replaced, and after half a minute.
#include <linux/mount.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "sandbox/launch/launcher.h"

namespace wardenv::launch {
namespace {

constexpr uint64_t kMaxAgeMs = 30'000;
constexpr uint32_t kMaxKeptBytes = 32 * 1024;
constexpr int kMaxSources = 64;

// Zeros: nothing is there.
struct HostFile {
  dev_t device;
  ino_t inode;
};

struct Kept {
  int tree;       // 0, which is the engine's socket: none
  uint64_t since;
  HostFile sources[kMaxSources];   // as they were right before they were opened
};

constexpr int kMaxKept = 4;
Kept all_kept[kMaxKept];
alignas(4096) uint8_t kept_plans[kMaxKept][kMaxKeptBytes];   // of which they are the trees; of runs, so no sandbox gets a copy
HostFile found[kMaxSources];                                 // those of the tree that is being made

struct Range {
  uint32_t begin;
  uint32_t end;
};

// The steps from kTree to kKeepTree.
Range tree_of(const Plan& plan) {
  Range range{0, 0};
  for (uint32_t i = 0; i < plan.header().step_count; ++i) {
    if (plan.step(i).op == wire::Op::kTree) range.begin = i;
    if (plan.step(i).op == wire::Op::kKeepTree) range.end = i + 1;
  }
  return range;
}

HostFile look_at(const char* path) {
  struct stat status {};
  if (fstatat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) < 0) return {0, 0};
  return {status.st_dev, status.st_ino};
}

// Calls `each` with every source and its place, until it answers false.
template <class Each>
bool for_sources(const Plan& plan, const Range& range, HostFile* sources, Each each) {
  int place = 0;
  for (uint32_t i = range.begin; i < range.end; ++i) {
    if (plan.step(i).op != wire::Op::kOpenTree) continue;
    if (place == kMaxSources || !each(plan.text(plan.step(i).text), sources[place++])) return false;
  }
  return true;
}

bool is_of(int place, const Plan& plan, const Range& range) {
  if (all_kept[place].tree <= 0) return false;
  const Plan before{kept_plans[place]};
  const Range old = tree_of(before);
  return old.end - old.begin == range.end - range.begin && same_steps(before, old.begin, plan, range.begin, range.end - range.begin);
}

bool is_fresh(Kept& kept, const Plan& plan, const Range& range) {
  if (now_ms() - kept.since > kMaxAgeMs) return false;
  return for_sources(plan, range, kept.sources, [](const char* path, const HostFile& known) {
    const HostFile now = look_at(path);
    return now.device == known.device && now.inode == known.inode;
  });
}

void drop(Kept& kept) {
  if (kept.tree > 0) close(kept.tree);
  kept.tree = 0;
}

// Whether something was mounted or unmounted where we are since this was asked last (proc(5), /proc/self/mounts): below a source, that is, too. True where
// it can't be told.
bool mounts_changed() {
  static int mounts = -1;
  if (mounts < 0) mounts = open_file(AT_FDCWD, "/proc/self/mounts", O_RDONLY);
  pollfd state{mounts, POLLPRI, 0};
  return mounts < 0 || poll(&state, 1, 0) != 0;
}

// The tree of these steps, or -1; one that is not as the host is any more is dropped.
int find_kept(const Plan& plan, const Range& range) {
  for (int i = 0; i < kMaxKept; ++i) {
    if (!is_of(i, plan, range)) continue;
    if (is_fresh(all_kept[i], plan, range)) return all_kept[i].tree;
    drop(all_kept[i]);
  }
  return -1;
}

// A free place, or that of the oldest tree.
int place_for_tree() {
  int place = 0;
  for (int i = 0; i < kMaxKept; ++i) {
    if (all_kept[i].tree <= 0) return i;
    if (all_kept[i].since < all_kept[place].since) place = i;
  }
  drop(all_kept[place]);
  return place;
}

}  // namespace

int tree_step(Context& context, const wire::Step&) {
  release_tree(context);   // of an earlier attempt
  const Range range = tree_of(context.plan);
  if (mounts_changed()) {
    for (Kept& kept : all_kept) drop(kept);
  }
  context.tree = find_kept(context.plan, range);
  context.tree_is_kept = context.tree >= 0;
  if (context.tree_is_kept) return 0;
  const auto note = [](const char* path, HostFile& source) { return source = look_at(path), true; };
  if (!for_sources(context.plan, range, found, note)) return E2BIG;
  umask(022);
  const char* options[] = {"size", "1m", "nr_inodes", "1k", "mode", "0755", nullptr};
  context.tree = new_filesystem("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  return context.tree < 0 ? errno : 0;
}

// A plan that is too long to be remembered has a tree of its own.
int keep_tree_step(Context& context, const wire::Step& step) {
  const int error = seal_root_step(context, step);
  const uint32_t size = context.plan.header().size;
  if (error != 0 || size > kMaxKeptBytes) return error;
  madvise(kept_plans, sizeof kept_plans, MADV_DONTFORK);
  const int place = place_for_tree();
  memcpy(kept_plans[place], context.plan.bytes, size);
  memcpy(all_kept[place].sources, found, sizeof found);
  all_kept[place].tree = context.tree;
  all_kept[place].since = now_ms();
  context.tree_is_kept = true;
  make_few_mounts();
  return 0;
}

// Nobody may ask for another one for long, and what it has mounted stays in use.
uint64_t drop_old_trees(uint64_t now) {
  uint64_t next = kForever;
  for (Kept& kept : all_kept) {
    if (kept.tree > 0 && now - kept.since > kMaxAgeMs) drop(kept);
    if (kept.tree > 0 && kept.since + kMaxAgeMs + 1 < next) next = kept.since + kMaxAgeMs + 1;
  }
  return next;
}

int apply_in_tree(Context& context, const wire::Step& step, StepFunction function) {
  if (context.tree_is_kept) return 0;
  if (context.tree < 0) return EBADF;
  const int root = context.root;
  const int files = context.files;
  context.root = context.files = context.tree;
  const int error = function(context, step);
  context.root = root;
  context.files = files;
  return error;
}

int open_from_tree(Context& context, const wire::Step& step) {
  constexpr unsigned kClone = 1, kRecursive = 0x8000;   // OPEN_TREE_CLONE, AT_RECURSIVE
  if (context.tree < 0) return EBADF;
  const char* path = relative(context.plan.text(step.text));
  const int tree = static_cast<int>(syscall(kernel::kSysOpenTree, context.tree, path, kClone | kRecursive | O_CLOEXEC));
  if (tree < 0) return errno;
  close_and(context.slots[step.slot], 0);   // of an earlier attempt
  context.slots[step.slot] = tree;
  return 0;
}

void release_tree(Context& context) {
  if (!context.tree_is_kept) close_and(context.tree, 0);
  context.tree = -1;
  context.tree_is_kept = false;
}

}  // namespace wardenv::launch
