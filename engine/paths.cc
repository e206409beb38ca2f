// SPDX-License-Identifier: Apache-2.0
// Paths, resolved component by component.
#include "engine/paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <strings.h>
#ifndef __GLIBC__
#include <linux/stat.h>
#endif
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace wardenv::engine {
namespace {

// Components of a path, last first: a stack of what is still to do.
void push_components(std::vector<std::string>& stack, std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) parts.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  stack.insert(stack.end(), parts.rbegin(), parts.rend());
}

// What a resolution came to when it could not go on: "`a`", or, where links were walked through, "`a`, which leads to `b`".
std::string story(const std::string& path, const std::string& reached, const ResolvedPath& resolved, const std::vector<std::string>& todo) {
  if (resolved.symlinks.empty()) return "`" + path + "`";
  std::string end = reached;
  for (auto part = todo.rbegin(); part != todo.rend(); ++part) end += "/" + *part;
  return "`" + path + "`, which leads to `" + end + "`";
}

// What a symbolic link says, from the root on; empty where `path` is none.
std::string link_target(const std::string& path) {
  char text[PATH_MAX];
  const ssize_t length = ::readlink(path.c_str(), text, sizeof text);
  if (length <= 0) return {};
  const std::string target(text, static_cast<std::size_t>(length));
  return target.starts_with('/') ? absolute(target) : absolute(parent_of(path) + "/" + target);
}

// Where a path leads: the deepest place on it that exists, and what is left of it.
struct Spot {
  struct stat place {};
  std::string path{};
  std::string rest{};
};

Spot spot_of(std::string path) {
  Spot spot;
  int links = 0;
  while (::stat(path.c_str(), &spot.place) < 0 && path != "/") {
    if (std::string target = link_target(path); !target.empty() && ++links <= 40) {
      path = std::move(target);
      continue;
    }
    spot.rest.insert(0, path, path.rfind('/'));
    path = parent_of(path);
  }
  spot.path = std::move(path);
  return spot;
}

bool same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

// Whether `folder`, which is there, is on the way from the root to the spot, both ends included.
bool is_on_the_way(const struct stat& folder, const Spot& spot) {
  const auto real = resolve_path(spot.path);
  for (std::string path = real ? real->real : spot.path;; path = parent_of(path)) {
    struct stat at {};
    if (::stat(path.c_str(), &at) == 0 && same_file(at, folder)) return true;
    if (path == "/") return false;
  }
}

// Of what is not there below one folder that is: whether `path` is `folder` or would lie in it.
bool would_be_beneath(const std::string& path, const std::string& folder) {
  return ::strncasecmp(path.c_str(), folder.c_str(), folder.size()) == 0 && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool goes_up(const std::string& rest) { return rest.find("/../") != std::string::npos || rest.ends_with("/.."); }

}  // namespace

bool lead_to_same(const std::string& one, const std::string& other) {
  const Spot a = spot_of(absolute(one));
  const Spot b = spot_of(absolute(other));
  return same_file(a.place, b.place) && ::strcasecmp(a.rest.c_str(), b.rest.c_str()) == 0;
}

bool overlap(const std::string& one, const std::string& other) {
  const Spot a = spot_of(absolute(one));
  const Spot b = spot_of(absolute(other));
  if (goes_up(a.rest) || goes_up(b.rest)) return true;   // from a folder that is not there: it could lead anywhere
  if (!a.rest.empty() && !b.rest.empty()) return same_file(a.place, b.place) && (would_be_beneath(a.rest, b.rest) || would_be_beneath(b.rest, a.rest));
  return (a.rest.empty() && is_on_the_way(a.place, b)) || (b.rest.empty() && is_on_the_way(b.place, a));
}

// What is relative to a folder that is gone leads nowhere, and not to a namesake below the root.
constexpr const char* kNowhere = "/(the current folder is gone)";

std::string absolute(std::string_view path) {
  std::string full(path);
  if (!path.starts_with('/')) {
    char here[PATH_MAX];
    if (::getcwd(here, sizeof here) == nullptr) return kNowhere;
    full = std::string(here) + "/" + full;
  }
  std::vector<std::string> parts;
  push_components(parts, full);
  std::string result;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (*part != ".") result += "/" + *part;
  }
  return result.empty() ? "/" : result;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

bool is_beneath(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_regular_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

std::string identity_of(int dir, const std::string& path) {
  struct statx status {};   // by number, as musl has no statx(2)
  if (::syscall(SYS_statx, dir, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &status) < 0) return {};
  return std::to_string(status.stx_dev_major) + "-" + std::to_string(status.stx_dev_minor) + "-" + std::to_string(status.stx_ino) + "-" +
         std::to_string(status.stx_btime.tv_sec) + "-" + std::to_string(status.stx_btime.tv_nsec);
}

// Only what is missing gets the mode.
int make_folders(const std::string& path) {
  if (is_folder(path)) return 0;
  const std::string above = parent_of(path);
  const int error = above.empty() || above == path ? 0 : make_folders(above);
  if (error != 0) return error;
  return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST ? 0 : errno;
}

Result<std::vector<std::string>> names_in(const std::string& path) {
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr) return fail_errno(ErrorCode::kBadInput, "`" + path + "`");
  std::vector<std::string> names;
  int error = 0;   // of the end: a name that could not be read would go unprotected
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(folder);
    error = errno;
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(folder);
  if (error != 0) return fail_errno(ErrorCode::kBadInput, "`" + path + "` can't be read to its end", error);
  std::sort(names.begin(), names.end());
  return names;
}

Result<ResolvedPath> resolve_path(const std::string& path) {
  if (path.find('\0') != std::string::npos) return fail(ErrorCode::kBadInput, "a path contains a NUL byte");
  ResolvedPath resolved;
  std::vector<std::string> todo;
  char here[PATH_MAX];
  if (!path.starts_with('/') && ::getcwd(here, sizeof here) == nullptr) return fail_errno(ErrorCode::kNotFound, "`" + path + "`: the current folder");
  push_components(todo, absolute(path));
  while (!todo.empty()) {
    const std::string part = std::move(todo.back());
    todo.pop_back();
    if (part == ".") continue;
    if (part == "..") {
      resolved.real = resolved.real.empty() ? "" : resolved.real.substr(0, resolved.real.rfind('/'));
      continue;
    }
    const std::string next = resolved.real + "/" + part;
    struct stat status {};
    if (::lstat(next.c_str(), &status) < 0) {
      const int error = errno;
      return fail_errno(ErrorCode::kNotFound, story(path, next, resolved, todo), error);
    }
    if (!S_ISLNK(status.st_mode)) {
      resolved.real = next;
      continue;
    }
    if (resolved.symlinks.size() >= 40) return fail_errno(ErrorCode::kBadInput, "`" + path + "`", ELOOP);
    char target[PATH_MAX];
    const ssize_t length = ::readlink(next.c_str(), target, sizeof target);
    if (length < 0) return fail_errno(ErrorCode::kNotFound, "`" + path + "`");
    const std::string_view text(target, static_cast<std::size_t>(length));
    resolved.symlinks.push_back({next, std::string(text)});
    if (todo.empty()) resolved.ends_in_link = true;
    if (text.starts_with('/')) resolved.real.clear();
    push_components(todo, text);
  }
  if (resolved.real.empty()) resolved.real = "/";
  return resolved;
}

}  // namespace wardenv::engine
