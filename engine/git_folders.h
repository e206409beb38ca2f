// SPDX-License-Identifier: Apache-2.0
// Where the repository of a workspace lies, and those that belong to it.
#pragma once

#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::engine {

// All real paths in the workspace.
struct GitFolders {
  std::vector<std::string> repositories{};  // where git reads configuration: `.git` or where a file of that name leads,
                                            // where `commondir` leads, worktrees/*
  std::vector<std::string>
      crowded{};  // `worktrees` with more than a plan has room for; of these none is among `repositories`
};

// Of `workspace` (a real path). Nothing where it has no repository, or where that lies outside. Error kBadInput: what
// leads to one goes through a symbolic link of the workspace, which a command could replace, or can't be read.
Result<GitFolders> git_folders(const std::string& workspace);

}  // namespace wardenv::engine
