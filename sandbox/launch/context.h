// SPDX-License-Identifier: Apache-2.0
// The launcher's view of one run while its plan is applied, and small helpers. C++ without the standard library: built against musl.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "sandbox/base/kernel.h"
#include "sandbox/plan_wire.h"

namespace wardenv::launch {

// A plan in memory. Offsets were checked once by valid_plan(), so that the accessors need not.
struct Plan {
  const uint8_t* bytes = nullptr;

  [[nodiscard]] const wire::PlanHeader& header() const { return *reinterpret_cast<const wire::PlanHeader*>(bytes); }
  [[nodiscard]] const wire::Step& step(uint32_t index) const {
    return reinterpret_cast<const wire::Step*>(bytes + header().steps)[index];
  }
  [[nodiscard]] const char* text(uint32_t offset) const { return reinterpret_cast<const char*>(bytes + offset); }
  [[nodiscard]] const char* text_at(uint32_t array, uint32_t index) const {
    return text(reinterpret_cast<const uint32_t*>(bytes + array)[index]);
  }
};

// The whole plan in the sandbox's first process, and behind it room for what is made of it.
inline constexpr size_t kMaxStrings = size_t{2} * 16384;
extern uint8_t sandbox_plan[wire::kMaxPlanBytes + 1 + (kMaxStrings + 1) * sizeof(char*)];

// True where every offset, count and string of the datagram lies inside it.
bool valid_plan(const uint8_t* bytes, size_t size);

// Everything that steps read and write. Descriptors are -1 where there is none.
struct Context {
  Plan plan;
  int slots[wire::kMaxSlots];
  int stdio[3];
  int status = -1;         // our end of the socket between launcher and init
  int launcher_end = -1;   // the end that this side has closed
  int pidfd = -1;          // launcher: of init
  pid_t pid = -1;          // launcher: init
  uint32_t host_id = 0;    // as root: uid and gid outside
  uint32_t sequence = 0;   // differs between runs that live beside each other
  int root = -1;           // init: the new root
  int files = -1;          // init: the run's own tmpfs, which is the root where that is not a copy of the tree
  int tree = -1;           // launcher: what runs share, see tree.cc
  bool tree_is_kept = false;   // it belongs to the launcher, and is complete
  bool at_root = false;    // init: the current folder is the new root
  int proc = -1;           // init: the new procfs
  int ruleset = -1;        // init: Landlock
  int listener = -1;       // init: seccomp notifications
};

// A step does its work and answers 0 or an errno.
using StepFunction = int (*)(Context&, const wire::Step&);

inline int error_of(long result) { return result < 0 ? errno : 0; }
inline int close_and(int fd, int error) {
  if (fd >= 0) close(fd);
  return error;
}
inline bool same(const char* a, const char* b) { return strcmp(a, b) == 0; }

// openat(2), close-on-exec. (musl's own open() spends a second system call on that flag.)
inline int open_file(int dir, const char* path, int flags, mode_t mode = 0) {
  return static_cast<int>(syscall(SYS_openat, dir, path, flags | O_CLOEXEC, mode));
}

// For the *at() calls: below the new root.
inline const char* relative(const char* path) {
  while (*path == '/') ++path;
  return *path == 0 ? "." : path;
}

// fsopen(2) … fsmount(2): a new file system as a detached mount; options as key, value, …, nullptr. -1 and errno.
int new_filesystem(const char* type, const char* const* options, unsigned attributes);

// Writes all of `size` bytes into an existing file; 0 or an errno.
int write_file(int dir, const char* path, const char* data, size_t size);

// Opens `path` below `dir` (AT_FDCWD: absolute) without following any symbolic link; O_PATH. Answers -1 and errno.
int open_beneath(int dir, const char* path, uint64_t extra_flags);

// Whether what a step has mounted is still at its place, where the step says which file that is; ESTALE where not. The second ends the sandbox with the
// first of `done` steps of which that is not so.
int check_place(const Context& context, const wire::Step& step);
void check_places(const Context& context, uint32_t done);

// kernel facilities, one file each
int open_tree_step(Context&, const wire::Step&);
int new_root_step(Context&, const wire::Step&);
int folder_step(Context&, const wire::Step&);
int symlink_step(Context&, const wire::Step&);
int file_step(Context&, const wire::Step&);
int attach_step(Context&, const wire::Step&);
int rebind_step(Context&, const wire::Step&);
int proc_step(Context&, const wire::Step&);
int pts_step(Context&, const wire::Step&);
int mask_step(Context&, const wire::Step&);
int pivot_step(Context&, const wire::Step&);
int seal_root_step(Context&, const wire::Step&);
int no_nested_userns_step(Context&, const wire::Step&);

int tree_step(Context&, const wire::Step&);
int keep_tree_step(Context&, const wire::Step&);
int apply_in_tree(Context&, const wire::Step&, StepFunction);   // a step with kFlagInTree
int open_from_tree(Context&, const wire::Step&);                // kOpenTree with kFlagFromTree
void release_tree(Context&);                                    // closes a tree that was not kept

int clone_step(Context&, const wire::Step&);
int unshare_step(Context&, const wire::Step&);
int map_ids_by_parent_step(Context&, const wire::Step&);
int map_ids_by_self_step(Context&, const wire::Step&);
int await_maps_step(Context&, const wire::Step&);
int become_user_step(Context&, const wire::Step&);
int detach_step(Context&, const wire::Step&);
int drop_bounding_step(Context&, const wire::Step&);
int drop_capabilities_step(Context&, const wire::Step&);
int no_new_privileges_step(Context&, const wire::Step&);

int join_cgroup1_step(Context&, const wire::Step&);
int rlimit_step(Context&, const wire::Step&);
int affinity_step(Context&, const wire::Step&);

int loopback_up_step(Context&, const wire::Step&);
int listen_step(Context&, const wire::Step&);
int hostname_step(Context&, const wire::Step&);

int landlock_ruleset_step(Context&, const wire::Step&);
int landlock_allow_step(Context&, const wire::Step&);
int landlock_restrict_step(Context&, const wire::Step&);
int seccomp_step(Context&, const wire::Step&);

int close_descriptors_step(Context&, const wire::Step&);
[[noreturn]] void become_init(Context&, uint32_t step_number);

// A user namespace whose map turns owner (uid, gid) of files into `host_id`, for idmapped mounts. Kept; not owned by the caller.
int idmap_namespace(uint32_t uid, uint32_t gid, uint32_t host_id);

// In a prepared sandbox: waits for the rest of the plan, which takes the place of the early one, and for its descriptors.
void await_rest(Context& context);

// few_mounts.cc: where sandboxes are born. Between the second and the third the launcher is there itself.
void make_few_mounts();
bool go_to_few_mounts();
void leave_few_mounts();

// Back to the CPUs that we came with, where we kept off some of them. 0 or an errno.
int use_all_cpus();

// Sends one frame with up to three descriptors (those that are -1 are left out) to the launcher.
void send_frame(int socket, const wire::Frame& frame, const int* fds = nullptr, int fd_count = 0);

}  // namespace wardenv::launch
