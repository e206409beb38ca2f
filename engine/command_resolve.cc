// SPDX-License-Identifier: Apache-2.0
// Looks a command up once.
#include "engine/command_resolve.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "engine/paths.h"
#include "sandbox/base/kernel.h"

namespace wardenv::engine {
namespace {

// As in engine/environment.cc.
constexpr const char* kSystemFolders[] = {"/usr/local/bin", "/usr/bin", "/bin"};

UniqueFd open_without_links(const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(kernel::kSysOpenat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
}

bool is_bare_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

bool is_path(const std::string& name) { return name.find('/') != std::string::npos && name.find('\0') == std::string::npos; }

// What `command.found` leads to, open. Error kNotFound.
Result<ResolvedCommand> open_command(ResolvedCommand command) {
  auto real = resolve_path(command.found);
  if (!real) return fail(ErrorCode::kNotFound, "the command " + real.error().message);
  command.file = open_without_links(real->real);
  struct stat status {};
  if (!command.file.valid() || ::fstat(command.file.get(), &status) < 0) return fail_errno(ErrorCode::kNotFound, "the command `" + command.name + "`");
  if (!S_ISREG(status.st_mode) || (status.st_mode & 0111U) == 0) {
    return fail(ErrorCode::kNotFound, "`" + command.name + "` can't be executed", "is it a program, and is its execute bit set?");
  }
  command.program = {std::move(real->real), status.st_dev, status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
  return command;
}

}  // namespace

Result<ResolvedCommand> resolve_command(const std::string& name, const std::optional<std::string>& venv, const std::string& cwd) {
  if (is_path(name)) return open_command({.name = name, .cwd = cwd, .venv = venv, .found = name.starts_with('/') ? name : cwd + "/" + name, .program = {}, .file = {}});
  if (!is_bare_name(name)) return fail(ErrorCode::kBadInput, "a command is a name, or a path");
  std::vector<std::string> folders(std::begin(kSystemFolders), std::end(kSystemFolders));
  if (venv) folders.insert(folders.begin(), absolute(*venv) + "/bin");
  std::optional<Result<ResolvedCommand>> first;   // what is there and can't be executed is passed over, as by execvp(3)
  for (const std::string& folder : folders) {
    std::string path = folder + "/" + name;
    if (!exists(path)) continue;
    auto command = open_command({.name = name, .cwd = cwd, .venv = venv, .found = std::move(path), .program = {}, .file = {}});
    if (command) return command;
    if (!first) first.emplace(std::move(command));
  }
  if (first) return std::move(*first);
  return fail(ErrorCode::kNotFound, "`" + name + "` was not found in the virtual environment or the system", "give a name in the venv's bin or in /usr/bin");
}

std::shared_ptr<const ResolvedCommand> look_up_command(const std::string& name, const std::optional<std::string>& venv, const std::string& cwd) {
  auto command = resolve_command(name, venv, cwd);
  return command ? std::make_shared<const ResolvedCommand>(std::move(*command)) : nullptr;
}

Status check_unchanged(const ResolvedCommand& command) {
  auto now = resolve_command(command.name, command.venv, command.cwd);
  if (now && now->program == command.program) return {};
  return fail(ErrorCode::kNotFound, "`" + command.name + "` was replaced or changed after it had been looked up", "run it again");
}

}  // namespace wardenv::engine
