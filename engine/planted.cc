// SPDX-License-Identifier: Apache-2.0
#include "engine/planted.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/git_folders.h"
#include "engine/paths.h"

namespace wardenv::engine {
namespace {

// What git looks for by itself in a repository's folder, and takes programs from (gitrepository-layout(5)). A
// `commondir` names another folder to look in. A repository without `config` is none yet, and what else is protected in
// one takes no effect alone.
constexpr std::array kWatched = {"commondir", "config.worktree", "hooks"};
constexpr int kFolder = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Does `act` (-1 and errno) in `folder`; where the run took our right to, once more with it.
template <typename Act>
auto insist(int folder, const Act& act) {
  auto result = act();
  if (result >= 0 || errno != EACCES) return result;
  struct stat status {};
  const std::string path = "/proc/self/fd/" + std::to_string(folder);
  if (::fstat(folder, &status) < 0 || ::chmod(path.c_str(), (status.st_mode & 07777) | 0700) < 0)
    return errno = EACCES, result;
  return act();
}

// The folder at `path`, one component at a time: the run's mounts held them, and are gone.
UniqueFd open_folder(int workspace, const std::string& path) {
  UniqueFd folder(::fcntl(workspace, F_DUPFD_CLOEXEC, 0));
  for (std::size_t begin = 0; folder.valid() && begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    folder = UniqueFd(insist(folder.get(), [&] { return ::openat(folder.get(), part.c_str(), kFolder); }));
    begin = end + 1;
  }
  return folder;
}

bool is_gone() { return errno == ENOENT || errno == ENOTDIR || errno == ELOOP; }

Status stays(const std::string& path) {
  return fail_errno(ErrorCode::kHost,
                    "this run made `" + path + "`, which git on this host would obey, and it can't be put away", errno,
                    "remove it before you use git there");
}

}  // namespace

PlantWatch::PlantWatch(const RunRequest& request) {
  if (request.access != Access::kDirect || !exists(request.workspace + "/.git")) return;
  const auto workspace = resolve_path(request.workspace);
  if (!workspace) return;
  const auto folders = git_folders(workspace->real);
  if (!folders || folders->repositories.empty()) return;   // an error here is one of resolve_workspace() as well
  workspace_ = UniqueFd(::open(workspace->real.c_str(), kFolder));
  for (const std::string& folder : folders->repositories) {
    // None yet: what a run makes of it is its own (engine/made_inside.h).
    if (!exists(folder + "/config") && !exists(folder + "/commondir")) continue;
    const std::string inside = folder.substr(workspace->real.size() + 1);
    for (const char* name : kWatched) spots_.push_back({inside, name, identity_of(AT_FDCWD, folder + "/" + name)});
  }
}

Status PlantWatch::end(std::vector<Violation>& violations) const {
  for (const Spot& spot : spots_) {
    const std::string path = spot.folder + "/" + spot.name;
    const UniqueFd folder = open_folder(workspace_.get(), spot.folder);
    if (!folder.valid() && is_gone()) continue;
    if (!folder.valid()) return stays(path);
    struct stat status {};
    const auto look = [&] { return ::fstatat(folder.get(), spot.name.c_str(), &status, AT_SYMLINK_NOFOLLOW); };
    if (insist(folder.get(), look) < 0 && is_gone()) continue;
    if (identity_of(folder.get(), spot.name) == spot.identity && !spot.identity.empty()) continue;
    const std::string away = spot.name + "." + new_run_id();   // a name that nothing which still runs can have guessed
    const auto put_away = [&] { return ::renameat(folder.get(), spot.name.c_str(), folder.get(), away.c_str()); };
    if (insist(folder.get(), put_away) < 0) return stays(path);
    violations.push_back({.kind = "path", .what = path, .count = 1, .hint = "git on this host would obey it; it is now `" + away + "`"});
  }
  return {};
}

}  // namespace wardenv::engine
