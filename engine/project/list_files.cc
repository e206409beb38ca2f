// SPDX-License-Identifier: Apache-2.0
// Listing folders.
#include "engine/project/list_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

namespace wardenv::engine {
namespace {

// Names that one call looks at, in all folders together: about a second.
constexpr std::size_t kMaxScanned = 2'000'000;

constexpr std::array<std::string_view, 4> kNotDescended = {".git", ".venv", "node_modules", "__pycache__"};

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

EntryKind kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return EntryKind::kFolder;
  if (S_ISLNK(mode)) return EntryKind::kLink;
  if (S_ISFIFO(mode)) return EntryKind::kFifo;
  if (S_ISSOCK(mode)) return EntryKind::kSocket;
  return S_ISREG(mode) ? EntryKind::kFile : EntryKind::kDevice;
}

class Lister {
 public:
  explicit Lister(const ListOptions& options) : options_(options) {}

  void list(UniqueFd folder, const std::string& prefix, int depth) {
    const int fd = folder.get();
    const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd));
    if (!dir) return;
    (void)folder.release();
    for (const std::string& name : names(dir.get(), depth)) {
      if (listing_.entries.size() >= options_.limit) {
        listing_.complete = false;
        return;
      }
      add(fd, prefix, name);
      if (depth < options_.depth && listing_.entries.back().kind == EntryKind::kFolder) descend(fd, prefix, name, depth);
    }
  }

  Listing take() {
    if (!listing_.complete && options_.depth <= 1 && !listing_.entries.empty()) listing_.next_after = listing_.entries.back().path;
    return std::move(listing_);
  }

 private:
  // The first names in byte order, one more than can be shown: memory does not grow with the folder.
  std::set<std::string> names(DIR* dir, int depth) {
    std::set<std::string> kept;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++scanned_ > kMaxScanned) {
        listing_.complete = false;
        break;
      }
      if (depth == 1 && !options_.after.empty() && name <= options_.after) continue;
      if (kept.size() > options_.limit && name >= *kept.rbegin()) continue;
      kept.emplace(name);
      if (kept.size() > options_.limit + 1) kept.erase(std::prev(kept.end()));
    }
    return kept;
  }

  void add(int folder, const std::string& prefix, const std::string& name) {
    Entry entry{prefix + name, EntryKind::kGone, 0, {}};
    struct stat status {};
    if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0) {
      entry.kind = kind_of(status.st_mode);
      if (entry.kind == EntryKind::kFile) entry.size = static_cast<std::uint64_t>(status.st_size);
    }
    if (entry.kind == EntryKind::kLink) {
      char target[PATH_MAX];
      const ssize_t length = ::readlinkat(folder, name.c_str(), target, sizeof target);
      if (length > 0) entry.target.assign(target, static_cast<std::size_t>(length));
    }
    listing_.entries.push_back(std::move(entry));
  }

  void descend(int folder, const std::string& prefix, const std::string& name, int depth) {
    if (std::find(kNotDescended.begin(), kNotDescended.end(), name) != kNotDescended.end()) return;
    struct stat above {};
    struct stat below {};
    UniqueFd next(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid() || ::fstat(folder, &above) < 0 || ::fstat(next.get(), &below) < 0 || above.st_dev != below.st_dev) return;
    list(std::move(next), prefix + name + "/", depth + 1);
  }

  const ListOptions& options_;
  Listing listing_;
  std::size_t scanned_ = 0;
};

}  // namespace

std::string_view to_string(EntryKind kind) {
  switch (kind) {
    case EntryKind::kFile: return "file";
    case EntryKind::kFolder: return "folder";
    case EntryKind::kLink: return "link";
    case EntryKind::kFifo: return "fifo";
    case EntryKind::kSocket: return "socket";
    case EntryKind::kDevice: return "device";
    case EntryKind::kGone: return "gone";
  }
  return "gone";
}

Result<Listing> list_files(const Place& place, const ListOptions& options) {
  auto folder = open_folder(place, Links::kInside);
  if (!folder) return tl::unexpected(folder.error());
  Lister lister(options);
  lister.list(std::move(*folder), "", 1);
  return lister.take();
}

}  // namespace wardenv::engine
