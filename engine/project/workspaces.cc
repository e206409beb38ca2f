// SPDX-License-Identifier: Apache-2.0
// Paths of callers, resolved by the kernel beneath a served folder.
#include "engine/project/workspaces.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "engine/paths.h"
#include "engine/workspace.h"

namespace wardenv::engine {
namespace {

constexpr std::size_t kMaxPathBytes = 4095;

tl::unexpected<Error> not_served(std::string_view path, const std::vector<std::string>& served) {
  std::string list;
  for (const std::string& dir : served) list += (list.empty() ? "`" : ", `") + dir + "`";
  return fail(ErrorCode::kBadInput, "`" + std::string(path) + "` is not inside a served workspace", "served: " + list);
}

Status check_text(std::string_view path) {
  if (path.empty()) return fail(ErrorCode::kBadInput, "the path is empty");
  if (path.find('\0') != std::string_view::npos) return fail(ErrorCode::kBadInput, "the path contains a NUL byte");
  if (path.size() > kMaxPathBytes) return fail(ErrorCode::kBadInput, "the path is longer than 4095 bytes");
  return {};
}

// `path` without `folder` in front; none where it is not beneath it.
std::optional<std::string> rest_of(const std::string& path, const std::string& folder) {
  if (!is_beneath(path, folder)) return {};
  return path.size() == folder.size() ? "" : path.substr(folder.size() + 1);
}

int openat2_retrying(int folder, const char* path, const open_how& how) {
  // EAGAIN: something on the way was renamed meanwhile (openat2(2)).
  for (int attempt = 0; attempt < 32; ++attempt) {
    const long fd = ::syscall(SYS_openat2, folder, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
  }
  return -1;
}

tl::unexpected<Error> open_failed(const Place& place, int error) {
  const std::string quoted = "`" + place.shown + "`";
  if (error == EXDEV) return fail(ErrorCode::kBadInput, quoted + " leads out of the workspace", "name something inside of it");
  if (error == ELOOP) return fail(ErrorCode::kBadInput, quoted + " is reached through a symbolic link", "name the place that the link leads to");
  return fail_errno(error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kBadInput, quoted, error);
}

}  // namespace

Result<Workspaces> Workspaces::open(const std::vector<std::string>& dirs, const std::string& state_dir) {
  Workspaces served;
  for (const std::string& dir : dirs) {
    auto view = resolve_workspace(dir, {}, Access::kReadOnly, state_dir);
    if (!view) return tl::unexpected(view.error());
    served.named_.push_back(absolute(dir));
    served.real_.push_back(view->dir);
  }
  if (served.real_.empty()) return fail(ErrorCode::kBadInput, "no workspace is served", "name one with --workspace DIR");
  return served;
}

Result<Place> Workspaces::place(std::string_view path, const std::string& base) const {
  WARDENV_TRY(check_text(path));
  const std::string full = absolute(path.starts_with('/') ? std::string(path) : (base.empty() ? real_[0] : base) + "/" + std::string(path));
  for (std::size_t i = 0; i < real_.size(); ++i) {
    auto inside = rest_of(full, real_[i]);
    if (!inside) inside = rest_of(full, named_[i]);
    if (inside) return Place{real_[i], std::move(*inside), std::string(path)};
  }
  return not_served(path, real_);
}

Result<Place> Workspaces::folder(std::string_view path) const {
  auto place = this->place(path);
  if (!place) return tl::unexpected(place.error());
  auto fd = open_folder(*place, Links::kInside);
  if (!fd) return tl::unexpected(fd.error());
  auto real = path_of(fd->get());
  if (!real) return tl::unexpected(real.error());
  auto inside = rest_of(*real, place->workspace);
  if (!inside) return fail(ErrorCode::kBadInput, "`" + std::string(path) + "` leads out of the workspace", "name something inside of it");
  place->inside = std::move(*inside);
  return place;
}

Result<UniqueFd> open_place(const Place& place, Links links) {
  UniqueFd root(::open(place.workspace.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!root.valid()) return fail_errno(ErrorCode::kNotFound, "the workspace `" + place.workspace + "`");
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (links == Links::kRefuse ? RESOLVE_NO_SYMLINKS : 0ULL);
  UniqueFd fd(openat2_retrying(root.get(), place.inside.empty() ? "." : place.inside.c_str(), how));
  if (!fd.valid()) return open_failed(place, errno);
  return fd;
}

Result<UniqueFd> open_folder(const Place& place, Links links) {
  auto fd = open_place(place, links);
  if (!fd) return fd;
  UniqueFd folder(::openat(fd->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() && errno == ENOTDIR) return fail(ErrorCode::kBadInput, "`" + place.shown + "` is not a folder");
  if (!folder.valid()) return open_failed(place, errno);
  return folder;
}

Result<std::string> path_of(int fd) {
  char target[PATH_MAX];
  const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof target);
  if (length <= 0) return fail_errno(ErrorCode::kHost, "/proc/self/fd");
  return std::string(target, static_cast<std::size_t>(length));
}

UniqueFd reopen(int fd, int flags) { return UniqueFd(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), flags | O_CLOEXEC)); }

}  // namespace wardenv::engine
