// SPDX-License-Identifier: Apache-2.0
// Makes a kept view, in a folder beside it that gets its name once all is there and on disk. While it is made it is locked: one that nobody has locked
// was never finished.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "engine/kept_name.h"
#include "engine/kept_view.h"
#include "engine/paths.h"
#include "engine/state_place.h"
#include "sandbox/own_places.h"

namespace wardenv::engine {
namespace {

constexpr off_t kLargestFile = 4 << 20;
constexpr std::time_t kSettled = 2;      // seconds. A file that changes twice within a tick of its times would be the same by these
constexpr std::time_t kLongAgo = 3600;
constexpr std::uint64_t kLeastSpace = 32 << 20;
constexpr std::uint64_t kLeastFiles = 1000;

// In the folder `root`. The first thing that fails makes the rest fail.
class Maker {
 public:
  Maker(std::string root, const SystemView& system) : root_(std::move(root)), system_(system) {}

  void make() {
    for (const char* place : {"/dev", "/etc", "/var"}) folder(place);
    for (const char* path : sandbox::kDeviceFolders) folder(path);
    for (const sandbox::DeviceLink& item : sandbox::kDeviceLinks) link(item.path, item.target);
    devices();
    folder(sandbox::kEmptyFolder, 0555);
    file(sandbox::kEmptyFile, "");
    for (const sandbox::SyntheticFile& item : system_.files) file(item.path, item.content);
    for (const sandbox::Symlink& item : system_.symlinks) {
      if (is_in_etc(item.path)) link(item.path, item.target);
    }
    for (std::size_t i = 0; i < system_.mounts.size(); ++i) {
      if (is_in_etc(system_.mounts[i].target)) mount(system_.mounts[i], system_.looks[i]);
    }
  }

  // All is there, and on disk.
  bool finish() {
    for (const char* place : {"/dev", "/etc", "/var"}) {
      const timespec times[] = {{kMadeTime, 0}, {kMadeTime, 0}};
      check(good_ && ::utimensat(AT_FDCWD, (root_ + place).c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
    }
    for (const std::string& path : folders_) check(is_synced(UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
    check(is_synced(UniqueFd(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
    return good_;
  }

  [[nodiscard]] bool is_hopeless() const { return hopeless_; }

 private:
  void check(bool done) { good_ = good_ && done; }

  // What fails today fails tomorrow.
  void check_for_ever(bool done) {
    hopeless_ = hopeless_ || (good_ && !done);
    check(done);
  }

  static bool is_synced(const UniqueFd& fd) { return fd.valid() && ::fsync(fd.get()) == 0; }

  // With those above it.
  void folder(const std::string& path, mode_t mode = 0755) {
    const std::string place = root_ + path;
    if (path.empty() || !good_ || std::find(folders_.begin(), folders_.end(), place) != folders_.end()) return;
    folder(path.substr(0, path.rfind('/')));
    check(::mkdir(place.c_str(), 0700) == 0 && ::chmod(place.c_str(), mode) == 0);
    folders_.push_back(place);
  }

  void folder_of(const std::string& path) { folder(path.substr(0, path.rfind('/'))); }

  void link(const std::string& path, const std::string& target) {
    folder_of(path);
    if (!good_ || ::symlink(target.c_str(), (root_ + path).c_str()) == 0) return;
    check_for_ever(errno != EPERM && errno != EOPNOTSUPP);   // a file system without links
    check(false);
  }

  void file(const std::string& path, std::string_view content) {
    folder_of(path);
    const UniqueFd fd(good_ ? ::open((root_ + path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1);
    for (ssize_t written = 0; fd.valid() && good_ && !content.empty(); content.remove_prefix(static_cast<std::size_t>(written))) {
      written = ::write(fd.get(), content.data(), content.size());
      check(written > 0);
      if (!good_) written = 0;
    }
    check(fd.valid() && ::fchmod(fd.get(), 0444) == 0 && is_synced(fd));
  }

  void mount(const sandbox::Mount& mount, const struct stat& look) {
    if (!mount.kept) return folder(mount.target);
    check_for_ever(S_ISREG(look.st_mode) && look.st_size <= kLargestFile);
    const auto content = read(mount.source, look);
    check(content.has_value());
    if (content) file(mount.target, *content);
  }

  static std::optional<std::string> read(const std::string& path, const struct stat& look) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!fd.valid() || ::fstat(fd.get(), &status) < 0 || status.st_ino != look.st_ino || status.st_dev != look.st_dev) return std::nullopt;
    if (!S_ISREG(status.st_mode) || status.st_size > kLargestFile) return std::nullopt;
    std::string content(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t size = 0;
    for (ssize_t got = 1; got > 0 && size < content.size(); size += static_cast<std::size_t>(got)) {
      got = ::read(fd.get(), content.data() + size, content.size() - size);
      if (got < 0) return std::nullopt;
    }
    if (size != content.size()) return std::nullopt;
    return content;
  }

  // Where we can't make nodes that anybody can open, the host's are mounted on empty files.
  void devices() {
    const bool nodes = good_ && std::all_of(sandbox::kDevices.begin(), sandbox::kDevices.end(), [&](const auto& device) { return node(device); });
    if (nodes) return;
    for (const sandbox::Device& device : sandbox::kDevices) {
      ::unlink((root_ + device.path).c_str());
      file(device.path, "");
    }
  }

  bool node(const sandbox::Device& device) const {
    const std::string path = root_ + device.path;
    const dev_t number = makedev(device.major, device.minor);
    struct stat host {};
    if (::geteuid() != 0 || ::lstat(device.path, &host) < 0 || !S_ISCHR(host.st_mode) || host.st_rdev != number) return false;
    if (::mknod(path.c_str(), S_IFCHR | 0600, number) < 0 || ::chmod(path.c_str(), 0666) < 0) return false;
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    return fd.valid() || errno == ENXIO;   // tty(4), where we have none
  }

  std::string root_;
  const SystemView& system_;
  std::vector<std::string> folders_;
  bool good_ = true;
  bool hopeless_ = false;
};

void remove_all(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) < 0) return;
  if (!S_ISDIR(status.st_mode)) return (void)::unlink(path.c_str());
  if (const auto names = names_in(path)) {
    for (const std::string& name : *names) remove_all(path + "/" + name);
  }
  ::rmdir(path.c_str());
}

UniqueFd lock_alone(const std::string& path) {
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (folder.valid() && ::flock(folder.get(), LOCK_EX | LOCK_NB) < 0) folder.reset();
  return folder;
}

// Under a name that nothing has: an earlier one may still be held. Empty where it stays.
std::string take_out_of_use(const std::string& views, const std::string& name) {
  std::string old = views + "/.old-XXXXXX";
  if (::mkdtemp(old.data()) == nullptr) return {};
  if (std::rename((views + "/" + name).c_str(), old.c_str()) == 0) return old;
  ::rmdir(old.c_str());
  return {};
}

// Nothing that somebody holds. What still has the name of a view is complete, also where we die meanwhile.
void discard(const std::string& views, const std::string& name) {
  const std::string path = views + "/" + name;
  if (is_regular_file(path)) return (void)::unlink(path.c_str());
  const UniqueFd lock = lock_alone(path);
  struct stat locked {};
  struct stat named {};
  if (!lock.valid() || ::fstat(lock.get(), &locked) < 0 || ::lstat(path.c_str(), &named) < 0) return;
  if (locked.st_dev != named.st_dev || locked.st_ino != named.st_ino) return;   // another one has its name by now
  if (const std::string old = name.starts_with('.') ? path : take_out_of_use(views, name); !old.empty()) remove_all(old);
}

std::time_t time_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mtim.tv_sec : 0;
}

// What was never ready, or was taken out of use.
void sweep(const std::string& views) {
  const auto names = names_in(views);
  for (std::size_t i = 0; names && i < names->size(); ++i) {
    if ((*names)[i].starts_with('.')) discard(views, (*names)[i]);
  }
}

void discard_old(const std::string& views, const std::string& name) {
  struct stat status {};
  if (::lstat((views + "/" + name).c_str(), &status) == 0 && is_old_view(status)) discard(views, name);
}

// False where one more would be too many: what is young is in use, by containers that share our state folder.
bool make_room(const std::string& views) {
  auto names = names_in(views);
  if (!names) return false;
  std::erase_if(*names, [](const std::string& name) { return name.starts_with('.'); });
  std::sort(names->begin(), names->end(), [&](const auto& a, const auto& b) { return time_of(views + "/" + a) < time_of(views + "/" + b); });
  for (std::size_t i = 0; i + kMostKeptViews <= names->size(); ++i) {
    if (::time(nullptr) - time_of(views + "/" + (*names)[i]) < kLongAgo) return false;
    discard(views, (*names)[i]);
  }
  return true;
}

// In the place of a view that can't be made, or used: nobody tries again, for a day.
void put_mark(const std::string& place) { const UniqueFd mark(::open(place.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)); }

// What others keep there, the audit log above all, may need the last of it.
bool is_spacious(const std::string& views) {
  struct statvfs disk {};
  return ::statvfs(views.c_str(), &disk) == 0 && std::uint64_t{disk.f_bavail} * disk.f_frsize >= kLeastSpace && (disk.f_files == 0 || disk.f_favail >= kLeastFiles);
}

bool is_settled(const SystemView& system) {
  const std::time_t latest = ::time(nullptr) - kSettled;
  const auto settled = [&](const struct stat& look) { return std::max(look.st_mtim.tv_sec, look.st_ctim.tv_sec) < latest; };
  for (std::size_t i = 0; i < system.mounts.size(); ++i) {
    if (system.mounts[i].kept && !settled(system.looks[i])) return false;
  }
  return true;
}

void look_again(const std::string& path, struct stat& look) {
  look = {};
  (void)!::lstat(path.c_str(), &look);
}

// As it is now.
std::string name_now(SystemView system) {
  for (std::size_t i = 0; i < system.mounts.size(); ++i) {
    if (system.mounts[i].kept) look_again(system.mounts[i].source, system.looks[i]);
  }
  return kept_name(system);
}

}  // namespace

void keep_view(const SystemView& system) {
  if (!is_settled(system) || !make_state_place("views") || !is_spacious(views_folder())) return;
  keep_view(views_folder(), system);
}

void keep_view(const std::string& views, const SystemView& system) {
  const std::string name = kept_name(system);
  const std::string place = views + "/" + name;
  if (views.empty()) return;
  sweep(views);
  discard_old(views, name);
  if (exists(place) || !make_room(views)) return;
  std::string made = views + "/.new-XXXXXX";
  if (::mkdtemp(made.data()) == nullptr || ::chmod(made.c_str(), 0700) < 0) return;   // whatever the umask
  UniqueFd lock = lock_alone(made);
  if (!lock.valid()) return remove_all(made);
  Maker maker(made, system);
  maker.make();
  const bool finished = maker.finish();
  if (maker.is_hopeless()) put_mark(place);
  if (!finished || name_now(system) != name || std::rename(made.c_str(), place.c_str()) < 0) return remove_all(made);
  const UniqueFd folder(::open(views.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.valid()) ::fsync(folder.get());
  lock.reset();
  if (!find_kept_view(views, system)) set_kept_view_aside(views, system);   // a file system that does not keep what it was given
}

void set_kept_view_aside(const std::string& views, const SystemView& system) {
  const std::string place = views + "/" + kept_name(system);
  if (views.empty() || !is_folder(place) || take_out_of_use(views, kept_name(system)).empty()) return;
  put_mark(place);
}

}  // namespace wardenv::engine
