// SPDX-License-Identifier: Apache-2.0
// Site: the temporary folder with all that the contestants need. Removed at the end.
#pragma once

#include <string>

#include "sandbox/base/error.h"

namespace wardenv::bench {

class Site {
 public:
  // Makes the folder, an empty workspace, a virtual environment, an empty root and the filter for bwrap.
  static Result<Site> create();
  Site(Site&&) noexcept;
  Site& operator=(Site&&) = delete;
  ~Site();

  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::string workspace() const { return folder_ + "/workspace"; }
  [[nodiscard]] std::string venv() const { return folder_ + "/venv"; }
  [[nodiscard]] std::string root() const { return folder_ + "/root"; }
  [[nodiscard]] std::string filter() const { return folder_ + "/filter.bpf"; }
  [[nodiscard]] std::string errors() const { return folder_ + "/stderr.txt"; }

 private:
  explicit Site(std::string folder);
  std::string folder_;
};

}  // namespace wardenv::bench
