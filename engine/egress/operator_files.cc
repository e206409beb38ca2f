// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/operator_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "engine/paths.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

constexpr std::size_t kMaxFile = 256 * 1024;

bool is_written(const std::vector<std::string>& written, const ResolvedPath& path) {
  return std::any_of(written.begin(), written.end(), [&](const std::string& folder) {
    const auto leads = [&](const sandbox::Symlink& link) { return is_beneath(link.path, folder); };
    return is_beneath(path.real, folder) || std::any_of(path.symlinks.begin(), path.symlinks.end(), leads);
  });
}

}  // namespace

std::string read_plain(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) < 0 || !S_ISREG(status.st_mode)) return {};
  std::string text(kMaxFile, '\0');
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

std::string OperatorFiles::read(const std::string& path) {
  const auto resolved = resolve_path(path);
  if (!resolved) return {};
  if (!is_written(written_, *resolved)) return read_plain(resolved->real);
  if (std::find(passed_over_.begin(), passed_over_.end(), path) == passed_over_.end()) passed_over_.push_back(path);
  return {};
}

bool OperatorFiles::in_reach(const std::string& path) const {
  const auto resolved = resolve_path(path);
  return !resolved || is_written(written_, *resolved);
}

}  // namespace wardenv::engine
