// SPDX-License-Identifier: Apache-2.0
// One operation at a time on a virtual environment, among all processes that share a state folder.
#pragma once

#include <string>

#include "engine/project/project.h"
#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {

// A lock on a file in the state folder, where no run can write: `locks/`, named by the folder that the environment lies in. The kernel gives it
// back with the process. The file says which process holds it, and stays.
class ProjectLock {
 public:
  // Waits for whoever holds it, for half a minute at most; less where the runner says that it is cancelled. Then held() is an error.
  ProjectLock(const Runner& runner, const std::string& venv);

  [[nodiscard]] const Status& held() const { return held_; }
  // What was waited for, in words; empty where nothing was.
  [[nodiscard]] const std::string& waited_for() const { return waited_for_; }

 private:
  Status open(const std::string& venv);
  bool take();
  [[nodiscard]] std::string holder() const;

  UniqueFd file_;
  Status held_;
  std::string waited_for_;
};

}  // namespace wardenv::engine
