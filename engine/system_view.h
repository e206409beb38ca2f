// SPDX-License-Identifier: Apache-2.0
// What of the host's system files every sandbox sees.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "sandbox/spec.h"

namespace wardenv::engine {

struct SystemView {
  std::vector<sandbox::Mount> mounts{};
  std::vector<struct stat> looks{};      // of each of them, in their order: what lstat(2) said of the source; all zeros where it was not asked
  std::vector<sandbox::Symlink> symlinks{};
  std::vector<sandbox::SyntheticFile> files{};
  std::optional<sandbox::KeptView> kept{};   // engine/kept_view.h
};

// /usr read-only, links such as /bin where the host has them, chosen files of /etc, and small files of our own. Nothing is kept.
SystemView system_view(const std::string& hostname, const std::string& home);

// With the names that sandboxes have unless told otherwise.
SystemView system_view();

}  // namespace wardenv::engine
