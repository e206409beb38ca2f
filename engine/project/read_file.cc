// SPDX-License-Identifier: Apache-2.0
// Reading files of a workspace.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/project/files.h"

namespace wardenv::engine {
namespace {

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISLNK(mode)) return "a symbolic link";
  return "a device";
}

struct OpenFile {
  UniqueFd fd;
  std::uint64_t size = 0;
};

// First as O_PATH, which opens nothing; only what is a regular file is then opened.
Result<OpenFile> open_file(const Place& place) {
  auto path = open_place(place, Links::kInside);
  if (!path) return tl::unexpected(path.error());
  struct stat status {};
  if (::fstat(path->get(), &status) < 0) return fail_errno(ErrorCode::kBadInput, "`" + place.shown + "`");
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kBadInput, "`" + place.shown + "` is " + kind_of(status.st_mode) + ", not a file", S_ISDIR(status.st_mode) ? "use list_files for folders" : "");
  }
  OpenFile file{reopen(path->get(), O_RDONLY | O_NONBLOCK | O_NOCTTY), static_cast<std::uint64_t>(status.st_size)};
  if (!file.fd.valid()) return fail_errno(ErrorCode::kBadInput, "`" + place.shown + "`");
  return file;
}

Result<std::string> read_at(const OpenFile& file, const Place& place, std::uint64_t offset, std::size_t max_bytes) {
  std::string bytes(std::min<std::uint64_t>(max_bytes, file.size > offset ? file.size - offset : 0), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(file.fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(ErrorCode::kBadInput, "`" + place.shown + "`");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

Result<FileSlice> read_slice(const Place& place, std::uint64_t offset, std::size_t max_bytes) {
  auto file = open_file(place);
  if (!file) return tl::unexpected(file.error());
  auto bytes = read_at(*file, place, offset, max_bytes);
  if (!bytes) return tl::unexpected(bytes.error());
  return FileSlice{std::move(*bytes), offset, file->size};
}

Result<std::string> read_whole(const Place& place, std::size_t max_bytes) {
  auto file = open_file(place);
  if (!file) return tl::unexpected(file.error());
  if (file->size > max_bytes) return fail(ErrorCode::kBadInput, "`" + place.shown + "` is larger than " + std::to_string(max_bytes) + " bytes");
  return read_at(*file, place, 0, max_bytes);
}

}  // namespace wardenv::engine
