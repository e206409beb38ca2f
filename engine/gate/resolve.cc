// SPDX-License-Identifier: Apache-2.0
// Path tests of a policy, on this file system.
#include "engine/gate/resolve.h"

#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "engine/paths.h"

namespace wardenv::engine {
namespace {

enum class Presence { kThere, kMissing, kUnknown };

Presence presence(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return Presence::kThere;
  return errno == ENOENT ? Presence::kMissing : Presence::kUnknown;
}

// What exists of `path`, and, taken off it, what is behind: "/name/name". `..` behind what does not exist has no meaning.
std::optional<std::string> take_missing(std::string& path) {
  std::string missing;
  Presence found = presence(path);
  while (found == Presence::kMissing) {
    const auto slash = path.rfind('/');
    const std::string name = path.substr(slash + 1);
    if (name.empty() || name == "." || name == "..") return std::nullopt;
    missing.insert(0, "/" + name);
    path.erase(slash == 0 ? 1 : slash);
    found = presence(path);
  }
  if (found == Presence::kUnknown) return std::nullopt;
  return missing;
}

std::optional<std::string> resolve(std::string path) {
  const auto missing = take_missing(path);
  if (!missing) return std::nullopt;
  auto real = resolve_path(path);
  if (!real || (!missing->empty() && !is_folder(real->real))) return std::nullopt;
  if (missing->empty()) return real->real;
  return (real->real == "/" ? "" : real->real) + *missing;
}

}  // namespace

policy::ResolvePath path_resolver(std::string cwd) {
  return [cwd = std::move(cwd)](std::string_view path) -> std::optional<std::string> {
    if (path.empty() || path.size() > 4096 || path.find('\0') != std::string_view::npos || !cwd.starts_with('/')) return std::nullopt;
    std::string whole = path.starts_with('/') ? std::string(path) : cwd + "/" + std::string(path);
    while (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
    return resolve(std::move(whole));
  };
}

}  // namespace wardenv::engine
