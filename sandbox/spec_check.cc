// SPDX-License-Identifier: Apache-2.0
#include "sandbox/spec_check.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace wardenv::sandbox {
namespace {

constexpr std::uint64_t kLeastTmp = 4096;         // one page: tmpfs(5) counts in them, and takes 0 for no limit at all
constexpr std::uint64_t kMostTmp = 1ULL << 44;

constexpr std::size_t kMostText = 128 * 1024;     // MAX_ARG_STRLEN, execve(2)

}  // namespace

Status check(const SandboxSpec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) return fail(ErrorCode::kBadInput, "no command to run", "write it after two dashes: wardenv run -- python -m pytest");
  auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (std::any_of(spec.argv.begin(), spec.argv.end(), has_nul)) {
    return fail(ErrorCode::kBadInput, "an argument of the command contains a NUL byte", "put the text into a file of the workspace");
  }
  if (std::any_of(spec.env.begin(), spec.env.end(), has_nul)) {
    return fail(ErrorCode::kBadInput, "an environment variable contains a NUL byte", "leave the byte out");
  }
  auto too_long = [](const std::string& text) { return text.size() >= kMostText; };
  if (std::any_of(spec.argv.begin(), spec.argv.end(), too_long)) {
    return fail(ErrorCode::kBadInput, "an argument of the command is longer than 128 KiB", "put the text into a file of the workspace");
  }
  if (std::any_of(spec.env.begin(), spec.env.end(), too_long)) {
    return fail(ErrorCode::kBadInput, "an environment variable is longer than 128 KiB", "put the text into a file of the workspace");
  }
  if ((spec.network == Network::kEgress) != (spec.listen_port != 0)) return fail(ErrorCode::kBadInput, "a proxy belongs to named egress, and that to a proxy");
  if (spec.limits.processes == 0) return fail(ErrorCode::kBadInput, "a sandbox needs at least one process", "for example 64");
  if (spec.limits.memory_bytes < (4ULL << 20)) return fail(ErrorCode::kBadInput, "a memory limit below 4M cannot start any program", "for example 512M");
  if (spec.limits.tmp_bytes < kLeastTmp || spec.limits.tmp_bytes > kMostTmp) {
    return fail(ErrorCode::kBadInput, "a size of /tmp below 4K or above 16384G makes no sense", "for example --tmp-size 64M");
  }
  // The least quota that the kernel takes: 1 ms of each 100 ms (kernel/sched/core.c, min_cfs_quota_period).
  if (!(spec.limits.cpus >= 0.01)) return fail(ErrorCode::kBadInput, "less than 0.01 of a CPU can't be given", "for example 0.5");
  return {};
}

}  // namespace wardenv::sandbox
