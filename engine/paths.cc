// SPDX-License-Identifier: Apache-2.0
// Paths, resolved component by component.
#include "engine/paths.h"

#include <limits.h>
#include <sys/stat.h>
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

}  // namespace

std::string absolute(std::string_view path) {
  std::string full(path);
  if (!path.starts_with('/')) {
    char here[PATH_MAX];
    full = std::string(::getcwd(here, sizeof here) != nullptr ? here : "/") + "/" + full;
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

Result<ResolvedPath> resolve_path(const std::string& path) {
  if (path.find('\0') != std::string::npos) return fail(ErrorCode::kBadInput, "a path contains a NUL byte");
  ResolvedPath resolved;
  std::vector<std::string> todo;
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
    if (text.starts_with('/')) resolved.real.clear();
    push_components(todo, text);
  }
  if (resolved.real.empty()) resolved.real = "/";
  return resolved;
}

}  // namespace wardenv::engine
