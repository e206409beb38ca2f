// SPDX-License-Identifier: Apache-2.0
// Helpers of the tests that make real sandboxes through the library.
#pragma once

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

// A request without a venv, in `workspace`.
engine::RunRequest request(const ScratchFolder& workspace, std::vector<std::string> argv);

// Processes whose command line contains `marker`.
std::vector<int> processes_with(const std::string& marker);

// True once no process has `marker` any more; waits up to five seconds.
bool gone(const std::string& marker);

// True once no process `pid` exists any more (a zombie counts as gone); waits up to five seconds.
bool gone(int pid);

// Children of a process, by /proc.
std::vector<int> children_of(int pid);

// Control groups that were left behind: no living engine holds them.
std::size_t cgroup_count();

std::size_t open_descriptors();

}  // namespace wardenv::testing
