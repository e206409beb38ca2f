// SPDX-License-Identifier: Apache-2.0
#include "engine/git_folders.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "engine/paths.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

// What a file that points to a folder says, after `prefix`; empty where it is no such file. As git, without the line
// ends behind it.
std::string pointer_in(const std::string& file, std::string_view prefix) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  char bytes[PATH_MAX];
  const ssize_t got = fd.valid() ? ::read(fd.get(), bytes, sizeof bytes) : -1;
  std::string_view text(bytes, got > 0 ? static_cast<std::size_t>(got) : 0);
  if (!text.starts_with(prefix)) return {};
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text.size() <= prefix.size() ? "" : std::string(text.substr(prefix.size()));
}

constexpr std::size_t kMaxWorktrees = 16;  // a few steps of the plan each

Error by_link(const std::string& workspace, const std::string& link) {
  return {ErrorCode::kBadInput,
          "the repository of `" + workspace + "` is reached through the symbolic link `" + link +
              "`, which a command could replace",
          "replace the link by what it points to, or use --access read-only", 0};
}

// Adds where `text`, said in the folder `base`, leads. What leads nowhere is no repository.
Status follow(const std::string& workspace, const std::string& base, const std::string& text,
              std::vector<std::string>& folders) {
  if (text.empty()) return {};
  auto place = resolve_path(text.starts_with('/') ? text : base + "/" + text);
  if (!place) return {};
  for (const sandbox::Symlink& link : place->symlinks) {
    if (is_beneath(link.path, workspace)) return tl::unexpected(by_link(workspace, link.path));
  }
  if (is_beneath(place->real, workspace) && is_folder(place->real)) folders.push_back(place->real);
  return {};
}

// What a repository knows of its worktrees: each names the folder with its configuration anew.
Status add_worktrees(const std::string& workspace, const std::string& repository, GitFolders& found) {
  const std::string folder = repository + "/worktrees";
  struct stat status {};
  if (::lstat(folder.c_str(), &status) < 0) return {};
  if (S_ISLNK(status.st_mode)) return tl::unexpected(by_link(workspace, folder));
  auto names = names_in(folder);
  if (!names) return tl::unexpected(names.error());
  if (names->size() > kMaxWorktrees) {
    found.crowded.push_back(folder);
    return {};
  }
  for (std::string& name : *names) {
    name.insert(0, folder + "/");
    if (::lstat(name.c_str(), &status) < 0) return fail_errno(ErrorCode::kBadInput, "`" + name + "`");
    if (S_ISLNK(status.st_mode)) return tl::unexpected(by_link(workspace, name));
  }
  for (std::string& worktree : *names) {
    if (std::find(found.repositories.begin(), found.repositories.end(), worktree) == found.repositories.end())
      found.repositories.push_back(std::move(worktree));
  }
  return {};
}

}  // namespace

Result<GitFolders> git_folders(const std::string& workspace) {
  GitFolders found;
  const std::string git = workspace + "/.git";
  struct stat status {};
  if (::lstat(git.c_str(), &status) < 0) return found;
  if (S_ISDIR(status.st_mode)) {
    found.repositories.push_back(git);
  } else {
    WARDENV_TRY(follow(workspace, workspace, pointer_in(git, "gitdir: "), found.repositories));
  }
  if (!found.repositories.empty()) {
    const std::string first = found.repositories[0];
    WARDENV_TRY(follow(workspace, first, pointer_in(first + "/commondir", ""), found.repositories));
  }
  for (const std::string& repository : std::vector<std::string>(found.repositories))
    WARDENV_TRY(add_worktrees(workspace, repository, found));
  return found;
}

}  // namespace wardenv::engine
