// SPDX-License-Identifier: Apache-2.0
#include "engine/made_inside.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <set>

#include "engine/paths.h"
#include "engine/spec_builder.h"
#include "engine/state_place.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

std::mutex mutex;
std::multiset<std::string> under_way;   // workspaces of runs that began without a repository

bool has_repository(const std::string& workspace) { return exists(workspace + "/.git/config"); }

std::string identity_of_repository(const std::string& workspace) { return identity_of(AT_FDCWD, workspace + "/.git"); }

std::string folder() { return state_folder() + "/made-inside"; }

Status note(const std::string& workspace) {
  const std::string identity = identity_of_repository(workspace);
  const std::string path = folder() + "/" + identity;
  const UniqueFd fd(identity.empty() ? -1 : ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.valid()) return {};
  return fail_errno(ErrorCode::kHost, "this run made the repository `" + workspace + "/.git`, and that can't be noted in `" + folder() + "`", errno,
                    "remove `.git`, or the preset git-remote will take its remotes for yours");
}

}  // namespace

RepositoryWatch::RepositoryWatch(const RunRequest& request) {
  if (request.access != Access::kDirect || has_repository(request.workspace)) return;
  workspace_ = absolute(request.workspace);
  const std::lock_guard lock(mutex);
  under_way.insert(workspace_);
}

RepositoryWatch::~RepositoryWatch() {
  if (workspace_.empty()) return;
  const std::lock_guard lock(mutex);
  under_way.erase(under_way.find(workspace_));
}

Status RepositoryWatch::make_place() const {
  if (workspace_.empty()) return {};
  constexpr const char* kHint = "name a folder of your own with WARDENV_STATE, or use --access read-only";
  const auto place = make_state_place("made-inside");
  if (place && ::access(place->c_str(), W_OK | X_OK) == 0) return {};
  if (std::getenv("WARDENV_STATE") == nullptr && !exists(state_folder())) return {};
  const std::string purpose = ", where a repository that the command makes is noted";
  if (!place) return fail(place.error().code, place.error().message + purpose, kHint);
  return fail_errno(ErrorCode::kHost, "`" + *place + "`" + purpose, kHint);
}

Status RepositoryWatch::end() const {
  return workspace_.empty() || !has_repository(workspace_) ? Status() : note(workspace_);
}

bool repository_made_inside(const std::string& workspace) {
  {
    const std::lock_guard lock(mutex);
    if (under_way.count(absolute(workspace)) != 0) return true;
  }
  const std::string identity = identity_of_repository(workspace);
  return !identity.empty() && exists(folder() + "/" + identity);
}

}  // namespace wardenv::engine
