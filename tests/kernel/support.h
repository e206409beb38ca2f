// SPDX-License-Identifier: Apache-2.0
// Helpers of the tests that make real sandboxes through the library.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace wardenv::testing {

// A folder below the temporary folder; removed with all that is in it at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

// A state folder of its own for the engine of this process, until the end of the scope.
class StateFolder {
 public:
  StateFolder();
  ~StateFolder();
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return folder_.path(); }

 private:
  ScratchFolder folder_;
  std::optional<std::string> before_;
};

// A request without a venv, in `workspace`.
engine::RunRequest request(const ScratchFolder& workspace, std::vector<std::string> argv);

// Processes whose command line contains `marker`.
std::vector<int> processes_with(const std::string& marker);

// True once no process has `marker` any more, waits for it.
bool gone(const std::string& marker);

// True once no process `pid` exists any more (a zombie counts as gone), waits for it.
bool gone(int pid);

// Children of a process, by /proc.
std::vector<int> children_of(int pid);

// True as soon as `condition` is; asks every few milliseconds, for at most twenty seconds.
bool eventually(const std::function<bool()>& condition);

// True once no control group is left behind: none that no living engine holds. Waits, as other engines may just make or remove theirs.
bool no_cgroup_left();

std::size_t open_descriptors();

// Of another process; 0 where we may not look.
std::size_t descriptors_of(int pid);

// The mounts that we see.
std::string mount_table();

}  // namespace wardenv::testing
