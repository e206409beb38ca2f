// SPDX-License-Identifier: Apache-2.0
// The folder that a command works in: which can be one, and what in it stays read-only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace wardenv::engine {

struct WorkspaceView {
  std::string dir;                           // real path
  std::string cwd;                           // real path, in it
  std::vector<sandbox::Mount> mounts;
  std::vector<std::string> read_only_again;  // protected paths that exist (interfaces.md, "Protected in a writable workspace")
  std::vector<sandbox::Symlink> symlinks;
};

// `state_dir`: wardenv's own state, which must not lie in a workspace, nor a workspace in it; may be empty.
// Errors kBadInput and kNotFound, each with one line that says what to do.
Result<WorkspaceView> resolve_workspace(const std::string& dir, const std::optional<std::string>& cwd, Access access, const std::string& state_dir);

// Whether `name` is one of the protected paths of a writable workspace, or lies in one: relative to the workspace, in lower case.
bool is_protected_name(std::string_view name);

}  // namespace wardenv::engine
