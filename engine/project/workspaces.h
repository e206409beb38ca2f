// SPDX-License-Identifier: Apache-2.0
// The folders that are served, and where in them a caller's path leads. By descriptor, as the sandbox does: openat2(2) with RESOLVE_BENEATH.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {

enum class Links {
  kInside,  // symbolic links are followed as long as they stay in the workspace
  kRefuse,  // any link on the way is an error: for what is going to be written
};

// A path in a served folder. Says nothing of whether it exists.
struct Place {
  std::string workspace{};  // real path
  std::string inside{};     // relative to it, as the caller wrote it: may hold `..`; empty: the workspace itself
  std::string shown{};      // for messages: what the caller wrote

  [[nodiscard]] std::string path() const { return inside.empty() ? workspace : workspace + "/" + inside; }
};

class Workspaces {
 public:
  // Each folder is checked as the workspace of a run is (engine/workspace.h). Errors kBadInput, kNotFound.
  static Result<Workspaces> open(const std::vector<std::string>& dirs, const std::string& state_dir);

  // `path`: absolute, or relative to `base` (a real path in a served folder; empty: the first one served). Error kBadInput where it isn't in a
  // served folder; that says nothing of what exists elsewhere.
  [[nodiscard]] Result<Place> place(std::string_view path, const std::string& base = {}) const;

  // An existing folder, links followed: its real path, in `inside` too. For `current_working_dir`.
  [[nodiscard]] Result<Place> folder(std::string_view path) const;

  [[nodiscard]] const std::vector<std::string>& real_dirs() const { return real_; }

 private:
  std::vector<std::string> named_;   // absolute, as given
  std::vector<std::string> real_;
};

// What the place leads to, as an O_PATH descriptor: whatever it is, it is not opened. Errors kNotFound and kBadInput (leads out of the workspace, a link).
Result<UniqueFd> open_place(const Place& place, Links links);

// The folder at `place`, for reading. Error as above, and where it is no folder.
Result<UniqueFd> open_folder(const Place& place, Links links);

// The path of an open descriptor as the kernel tells it.
Result<std::string> path_of(int fd);

// Opens again what an O_PATH descriptor stands for. REQUIRES: it is known to be a regular file or a folder.
UniqueFd reopen(int fd, int flags);

}  // namespace wardenv::engine
