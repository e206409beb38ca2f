// SPDX-License-Identifier: Apache-2.0
// CgroupLeaf: one run's control group, v1 or v2, made with its limits before the run and removed after it, or made as new for another.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/cgroup_files.h"
#include "sandbox/plan.h"

namespace wardenv::sandbox {

struct CgroupUsage {
  std::uint64_t peak_memory_bytes = 0;  // 0: this kernel does not tell
  std::uint32_t peak_processes = 0;
  std::uint64_t oom_kills = 0;
};

class CgroupLeaf {
 public:
  // Makes the group below the places of `host` and writes the limits. Errors: kHost, where the kernel refuses; nothing is left then.
  static Result<CgroupLeaf> create(const CgroupHost& host, const CgroupPlan& plan);
  CgroupLeaf() = default;
  CgroupLeaf(CgroupLeaf&&) noexcept = default;
  CgroupLeaf& operator=(CgroupLeaf&& other) noexcept;
  ~CgroupLeaf() { remove(); }

  // What the launcher needs, in the order of the plan's slots: v1: the `tasks` files; v2: the folder. Not owned by the caller.
  [[nodiscard]] std::vector<int> join_fds() const;

  // Once every process of the group is gone. The destructor does it too, but may have to wait for the last one.
  void remove();

  // After a run that ended by itself: makes the group as good as a new one with limits(), for another run. False where that can't be shown, or where
  // it can't be done (v2); the group is fit for nothing but removal then.
  bool renew();

  [[nodiscard]] const CgroupPlan& limits() const { return plan_; }

  // Readable once the kernel has run out of memory for this group; -1 where there is no such descriptor.
  [[nodiscard]] int oom_fd() const { return oom_event_.get(); }

  [[nodiscard]] CgroupUsage usage();

 private:
  struct Folder {
    std::string path;
    UniqueFd fd;     // of the folder; locked shared: a sweep leaves it alone
    UniqueFd tasks;  // v1
  };
  Status make_folders(const CgroupHost& host);
  Status make_folder(const std::string& parent, const std::string& name);
  Status limit_v1();
  Status limit_v2() const;
  Status watch_oom_v1();
  [[nodiscard]] bool is_untouched_v1();
  bool restart_peak_v1();

  CgroupPlan plan_;
  std::vector<Folder> folders_;  // v1: memory, pids, cpu; v2: one
  UniqueFd oom_event_;
  CgroupFiles files_;
  std::uint64_t left_bytes_ = 0;   // what the kernel still charged the group with when this run got it
};

// Removes groups that an engine which died has left behind. Those of live engines are locked and stay.
void sweep_cgroups(const CgroupHost& host);

// v2, must_leave_parent: moves this process and its children into a leaf of its own, so that the parent may pass controllers on
// (cgroups(7), "no internal processes"). Changes `host` accordingly.
Status leave_parent(CgroupHost& host);

}  // namespace wardenv::sandbox
