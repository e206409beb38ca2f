// SPDX-License-Identifier: Apache-2.0
// Finds a kept view. Whatever is not as it has to be means that there is none.
#include "engine/kept_view.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/kept_name.h"
#include "engine/spec_builder.h"

namespace wardenv::engine {
namespace {

// Ours, and for nobody else to write.
bool is_our_folder(const struct stat& status) { return S_ISDIR(status.st_mode) && status.st_uid == ::geteuid() && (status.st_mode & 0022) == 0; }

std::optional<sandbox::FolderId> our_folder(int view, const char* name) {
  struct stat status {};
  if (::fstatat(view, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !is_our_folder(status) || status.st_mtim.tv_sec != kMadeTime) return std::nullopt;
  return sandbox::FolderId{status.st_dev, status.st_ino};
}

// As root they are made where that is possible (keep_view.cc). Where they can't be opened by now, the view is of no use.
enum class Devices { kNone, kThere, kUseless };
Devices devices_of(int view) {
  struct stat status {};
  if (::fstatat(view, "dev/null", &status, AT_SYMLINK_NOFOLLOW) < 0) return Devices::kUseless;
  if (S_ISREG(status.st_mode)) return Devices::kNone;
  struct statvfs place {};
  return ::fstatvfs(view, &place) == 0 && (place.f_flag & ST_NODEV) == 0 ? Devices::kThere : Devices::kUseless;
}

// Empty where it has none any more, or one that leads somewhere else when it is used.
std::string path_of(int fd) {
  char path[PATH_MAX];
  const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  return length > 0 && length < PATH_MAX && path[0] == '/' ? std::string(path, static_cast<std::size_t>(length)) : std::string();
}

// After the lock: what was removed before is no folder with a name.
std::optional<sandbox::KeptView> look_at(int view) {
  struct stat status {};
  if (::fstat(view, &status) < 0 || !is_our_folder(status) || status.st_nlink == 0 || is_old_view(status)) return std::nullopt;
  const auto dev = our_folder(view, "dev");
  const auto etc = our_folder(view, "etc");
  const auto var = our_folder(view, "var");
  const Devices devices = devices_of(view);
  std::string path = path_of(view);
  if (!dev || !etc || !var || devices == Devices::kUseless || path.empty()) return std::nullopt;
  return sandbox::KeptView{std::move(path), *dev, *etc, *var, devices == Devices::kThere};
}

}  // namespace

std::string views_folder() {
  const std::string state = state_folder();
  for (const std::string& folder : {state, state + "/views"}) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) < 0 || !is_our_folder(status)) return {};
  }
  return state + "/views";
}

std::optional<HeldView> find_kept_view(const std::string& views, const SystemView& system) {
  if (views.empty()) return std::nullopt;
  UniqueFd view(::open((views + "/" + kept_name(system)).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!view.valid() || ::flock(view.get(), LOCK_SH | LOCK_NB) < 0) return std::nullopt;
  auto place = look_at(view.get());
  if (!place) return std::nullopt;
  return HeldView{std::move(*place), std::move(view)};
}

}  // namespace wardenv::engine
