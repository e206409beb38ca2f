// SPDX-License-Identifier: Apache-2.0
// Files that decide what is allowed.
#include "engine/gate/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "engine/trusted.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

constexpr const char* kNameOne = "name a file that exists and that you can read";

Status check(const std::string& path, const struct stat& status, std::size_t max_bytes) {
  const std::string quoted = "`" + path + "`";
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kBadInput, quoted + " is not a regular file", kNameOne);
  if (static_cast<std::size_t>(status.st_size) > max_bytes) return fail(ErrorCode::kBadInput, quoted + " is larger than " + std::to_string(max_bytes) + " bytes");
  return check_trusted(status, ErrorCode::kBadInput, quoted, path);
}

Result<std::string> read_all(int fd, const std::string& path, std::size_t max_bytes) {
  std::string text;
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(ErrorCode::kBadInput, "`" + path + "`", kNameOne);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > max_bytes) return fail(ErrorCode::kBadInput, "`" + path + "` is larger than " + std::to_string(max_bytes) + " bytes");
  }
}

}  // namespace

Result<std::string> read_trusted_file(const std::string& path, std::size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) return fail_errno(ErrorCode::kBadInput, "`" + path + "`", kNameOne);
  struct stat status {};
  if (::fstat(fd.get(), &status) < 0) return fail_errno(ErrorCode::kBadInput, "`" + path + "`", kNameOne);
  WARDENV_TRY(check(path, status, max_bytes));
  return read_all(fd.get(), path, max_bytes);
}

}  // namespace wardenv::engine
