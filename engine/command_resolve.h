// SPDX-License-Identifier: Apache-2.0
// Looks a command up once: the file that a policy judges by its name, or path, is the file that is executed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/spec.h"

namespace wardenv::engine {

struct ResolvedCommand {
  std::string name{};                 // as the caller gave it
  std::string cwd{};                  // absolute: where the run starts, and a path that is none begins
  std::optional<std::string> venv{};  // where it was looked for
  std::string found{};                // "<venv>/bin/<name>", or in a folder of the system, or the path; may be a symbolic link
  sandbox::Program program;           // what that leads to
  UniqueFd file;                      // O_PATH: as long as it is open, no other file can get the same inode number
};

// A path is looked up from `cwd`, as it is for the command, which sees the same files by the same paths. Looks for a bare name where the sandbox looks for it: the venv's `bin` first, then the folders of the system in its PATH. The first
// folder that has the name decides. Every symbolic link is followed, component by component; the file itself is opened by openat2(2) without
// any. Errors: kBadInput for a name that is none; kNotFound where no folder has it, or what it leads to is no program.
Result<ResolvedCommand> resolve_command(const std::string& name, const std::optional<std::string>& venv, const std::string& cwd);

// The same for a request's `command`; nullptr where there is nothing to bind: a name that no folder has, and a path that leads to nothing here,
// which fails when it is run, or is there inside only.
std::shared_ptr<const ResolvedCommand> look_up_command(const std::string& name, const std::optional<std::string>& venv, const std::string& cwd);

// Whether the name still leads to that very file, unchanged. Error kNotFound where not.
Status check_unchanged(const ResolvedCommand& command);

}  // namespace wardenv::engine
