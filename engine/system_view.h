// SPDX-License-Identifier: Apache-2.0
// What of the host's system files every sandbox sees.
#pragma once

#include <string>
#include <vector>

#include "sandbox/spec.h"

namespace wardenv::engine {

struct SystemView {
  std::vector<sandbox::Mount> mounts;
  std::vector<sandbox::Symlink> symlinks;
  std::vector<sandbox::SyntheticFile> files;
};

// /usr read-only, links such as /bin where the host has them, chosen files of /etc, and small files of our own.
SystemView system_view(const std::string& hostname, const std::string& home);

}  // namespace wardenv::engine
