// SPDX-License-Identifier: Apache-2.0
// CgroupFiles: reads and writes the files of control groups by name, and keeps them open where a group serves again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::sandbox {

class CgroupFiles {
 public:
  // From now on what is opened stays open, as long as its descriptor is a low one: high ones are left for runs (`ulimit -n`).
  // Never v1's `tasks`: read again by the same descriptor, it tells what it told before (cgroup_pidlist_start()).
  void keep_open() { keep_ = true; }

  // `folder`: the group. None, with errno, where it can't be read.
  std::optional<std::string> read(int folder, const char* name);
  Status write(int folder, const char* name, const std::string& value);

 private:
  struct Open {
    int folder;
    int access;   // O_RDONLY or O_WRONLY
    std::string name;
    UniqueFd fd;
  };
  // -1 and errno. `fresh` owns what is not kept.
  int open(int folder, const char* name, int access, UniqueFd& fresh);

  std::vector<Open> open_;
  bool keep_ = false;
};

}  // namespace wardenv::sandbox
