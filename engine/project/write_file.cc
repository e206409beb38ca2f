// SPDX-License-Identifier: Apache-2.0
// Writing files of a workspace.
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "engine/paths.h"
#include "engine/project/files.h"
#include "engine/workspace.h"

namespace wardenv::engine {
namespace {

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) parts.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return parts;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

tl::unexpected<Error> refuse(const Place& place, const std::string& why, std::string hint = {}) {
  return fail(ErrorCode::kBadInput, "`" + place.shown + "` " + why, std::move(hint));
}

std::string random_name() {
  std::array<unsigned char, 12> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  std::string name = ".wardenv-";
  for (const unsigned char byte : bytes) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", byte);
    name += hex;
  }
  return name + ".tmp";
}

// Whoever owns the folder owns what is made in it: as root we write for the one whose workspace it is.
void adopt_owner(int fd, const struct stat& folder) {
  if (::geteuid() == 0) (void)!::fchown(fd, folder.st_uid, folder.st_gid);
}

bool is_venv(int folder) { return ::faccessat(folder, "pyvenv.cfg", F_OK, AT_SYMLINK_NOFOLLOW) == 0; }

// The next folder on the way; made where it is missing. A link is an error.
Result<UniqueFd> step_into(const Place& place, int folder, const std::string& name) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    UniqueFd next(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (next.valid()) return next;
    if (errno == ELOOP || errno == ENOTDIR) return refuse(place, "is reached through something that is no folder, or a link: `" + name + "`", "name a place that no link leads to");
    if (errno != ENOENT) return fail_errno(ErrorCode::kBadInput, "`" + place.shown + "`");
    if (::mkdirat(folder, name.c_str(), 0755) < 0 && errno != EEXIST) return fail_errno(ErrorCode::kBadInput, "cannot make the folder `" + name + "`");
    struct stat parent {};
    UniqueFd made(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (made.valid() && ::fstat(folder, &parent) == 0) adopt_owner(made.get(), parent);
  }
  return refuse(place, "could not be reached: its folders change meanwhile");
}

// The folder that the file is to be in.
Result<UniqueFd> open_parent(const Place& place, const std::vector<std::string>& parts) {
  auto folder = open_folder({place.workspace, "", place.shown}, Links::kRefuse);
  for (std::size_t i = 0; folder && i + 1 < parts.size(); ++i) {
    folder = step_into(place, folder->get(), parts[i]);
    if (folder && is_venv(folder->get())) return refuse(place, "lies in a virtual environment", "use add_package or remove_package to change that");
  }
  if (!folder) return folder;
  // By now it may have been moved somewhere else in the workspace, where writing is refused.
  auto real = path_of(folder->get());
  if (!real) return tl::unexpected(real.error());
  if (!is_beneath(*real, place.workspace)) return refuse(place, "was moved out of the workspace meanwhile");
  const std::string inside = *real == place.workspace ? parts.back() : real->substr(place.workspace.size() + 1) + "/" + parts.back();
  if (const std::string reason = protected_reason(inside); !reason.empty()) return refuse(place, reason);
  return folder;
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(ErrorCode::kHost, "cannot write the file");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

struct Target {
  int folder = -1;
  std::string name{};
  bool exists = false;
  struct stat status {};
};

Result<Target> look_at(const Place& place, int folder, const std::string& name, IfExists if_exists) {
  Target target{folder, name, false, {}};
  if (::fstatat(folder, name.c_str(), &target.status, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno != ENOENT) return fail_errno(ErrorCode::kBadInput, "`" + place.shown + "`");
    return target;
  }
  if (!S_ISREG(target.status.st_mode)) return refuse(place, S_ISLNK(target.status.st_mode) ? "is a symbolic link" : "is not a file", "name a file");
  if (if_exists == IfExists::kFail) return refuse(place, "exists already", "say `if_exists: \"replace\"` to write over it");
  target.exists = true;
  return target;
}

Status fill(const UniqueFd& file, const Target& target, std::string_view bytes) {
  struct stat folder {};
  if (::fstat(target.folder, &folder) < 0) return fail_errno(ErrorCode::kHost, "cannot look at the folder");
  adopt_owner(file.get(), target.exists ? target.status : folder);
  const mode_t mode = target.exists ? target.status.st_mode & 0777 : 0644;
  if (::fchmod(file.get(), mode) < 0) return fail_errno(ErrorCode::kHost, "cannot set the file's mode");
  WARDENV_TRY(write_all(file.get(), bytes));
  if (::fdatasync(file.get()) < 0) return fail_errno(ErrorCode::kHost, "cannot write the file");
  return {};
}

Status put_in_place(const Target& target, std::string_view bytes, IfExists if_exists) {
  const std::string temporary = random_name();
  UniqueFd file(temporary.empty() ? -1 : ::openat(target.folder, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return fail_errno(ErrorCode::kHost, "cannot make a file in this folder");
  Status done = fill(file, target, bytes);
  const unsigned flags = if_exists == IfExists::kFail ? 1U /* RENAME_NOREPLACE */ : 0U;
  if (done && ::renameat2(target.folder, temporary.c_str(), target.folder, target.name.c_str(), flags) < 0) done = fail_errno(ErrorCode::kHost, "cannot put the file in its place");
  if (!done) ::unlinkat(target.folder, temporary.c_str(), 0);
  return done;
}

}  // namespace

std::string protected_reason(std::string_view inside) {
  const std::vector<std::string> parts = parts_of(lower(inside));
  std::string rest;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    rest = rest.empty() ? *part : *part + "/" + rest;
    if (*part == ".git" || *part == ".hg" || *part == ".svn" || *part == ".venv" || *part == "pyvenv.cfg" || is_protected_name(rest)) {
      return "is protected: `" + *part + "` changes what other programs do later, so no tool writes it";
    }
  }
  return {};
}

Result<Written> write_whole(const Place& place, std::string_view bytes, IfExists if_exists) {
  const std::vector<std::string> parts = parts_of(place.inside);
  if (parts.empty() || place.inside.ends_with('/')) return refuse(place, "is a folder", "name a file in it");
  const auto dots = [](const std::string& part) { return part == "." || part == ".."; };
  if (std::any_of(parts.begin(), parts.end(), dots)) return refuse(place, "contains `..`", "name the file without it");
  if (const std::string reason = protected_reason(place.inside); !reason.empty()) return refuse(place, reason);
  auto folder = open_parent(place, parts);
  if (!folder) return tl::unexpected(folder.error());
  auto target = look_at(place, folder->get(), parts.back(), if_exists);
  if (!target) return tl::unexpected(target.error());
  WARDENV_TRY(put_in_place(*target, bytes, if_exists));
  return Written{!target->exists, target->exists ? static_cast<std::uint64_t>(target->status.st_size) : 0};
}

}  // namespace wardenv::engine
