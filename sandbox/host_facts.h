// SPDX-License-Identifier: Apache-2.0
// HostFacts: what this host and kernel can do, probed once. Plain data; everything that compile() may depend on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::sandbox {

enum class CgroupKind { kNone, kV1, kV2 };

// A place where this process may make control groups of its own.
struct CgroupHost {
  CgroupKind kind = CgroupKind::kNone;
  std::string memory_dir{};   // v1: the folder of our own group in the memory hierarchy; v2: the writable parent group
  std::string pids_dir{};     // v1 only
  std::string cpu_dir{};      // v1 only
  bool must_leave_parent = false;  // v2: our processes sit in the parent and have to move to a leaf of ours first
  bool swap_uncounted = false;  // the host has swap, and its groups don't limit it
  std::string why_not{};      // with kNone: one line that says what is missing
  bool operator==(const CgroupHost&) const = default;
};

// Ids of the host, from `first` on. count 0: none is named.
struct IdRange {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  bool operator==(const IdRange&) const = default;
};

struct HostFacts {
  std::uint32_t uid = 0;                // effective ids of the engine
  std::uint32_t gid = 0;
  int landlock_abi = 0;                 // 0: not available (landlock_create_ruleset(2))
  CgroupHost cgroup;
  std::vector<int> cpus{};                // CPUs that this process may run on (sched_getaffinity(2))
  std::uint64_t max_open_files = 0;     // hard RLIMIT_NOFILE of the engine: a sandbox cannot have more
  bool shared_trees = false;            // what all runs of a launcher see alike is made once: only where launcher and kernel can, see can_nest_trees
  std::uint32_t uid_range_first = 0;    // as root: host ids that sandboxes run under
  std::uint32_t uid_range_count = 0;
  bool operator==(const HostFacts&) const = default;
  [[nodiscard]] bool is_root() const { return uid == 0; }
};

// `ids`: as root, what sandboxes are to run under; none named: a range far above what others use. Error kBadInput where the user namespace that
// we are in lacks a part of it.
Result<HostFacts> probe_host(const IdRange& ids = {});

// Whether we may attach mounts to a tree that is attached nowhere itself (Linux 6.15): tried out.
bool can_nest_trees();

// Whether anything can be swapped out on this host.
bool has_swap();

// Finds where control groups can be made. Separate because `doctor` explains it.
CgroupHost probe_cgroup();

}  // namespace wardenv::sandbox
