// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cgroup_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace wardenv::sandbox {
namespace {

constexpr int kHighest = 256;   // of a descriptor that is kept; many hosts give a process 1024

}  // namespace

int CgroupFiles::open(int folder, const char* name, int access, UniqueFd& fresh) {
  const auto same = [&](const Open& item) { return item.folder == folder && item.access == access && item.name == name; };
  const auto known = std::find_if(open_.begin(), open_.end(), same);
  if (known != open_.end()) return known->fd.get();
  fresh.reset(::openat(folder, name, access | O_CLOEXEC));
  const int fd = fresh.get();
  if (keep_ && fresh.valid() && fd <= kHighest && std::string_view(name) != "tasks") open_.push_back({folder, access, name, std::move(fresh)});
  return fd;
}

std::optional<std::string> CgroupFiles::read(int folder, const char* name) {
  UniqueFd fresh;
  const int fd = open(folder, name, O_RDONLY, fresh);
  char text[4096];
  const ssize_t got = fd >= 0 ? ::pread(fd, text, sizeof text, 0) : -1;
  if (got < 0) return std::nullopt;
  return std::string(text, static_cast<std::size_t>(got));
}

Status CgroupFiles::write(int folder, const char* name, const std::string& value) {
  UniqueFd fresh;
  const int fd = open(folder, name, O_WRONLY, fresh);
  if (fd < 0) return fail_errno(ErrorCode::kHost, std::string("cgroup file ") + name);
  if (::pwrite(fd, value.data(), value.size(), 0) < 0) return fail_errno(ErrorCode::kHost, "cgroup file " + std::string(name) + " does not take " + value);
  return {};
}

}  // namespace wardenv::sandbox
