// SPDX-License-Identifier: Apache-2.0
#include "sandbox/spec_check.h"

#include <algorithm>
#include <string>

namespace wardenv::sandbox {

Status check(const SandboxSpec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) return fail(ErrorCode::kBadInput, "no command to run");
  auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (std::any_of(spec.argv.begin(), spec.argv.end(), has_nul)) {
    return fail(ErrorCode::kBadInput, "an argument of the command contains a NUL byte");
  }
  if (std::any_of(spec.env.begin(), spec.env.end(), has_nul)) {
    return fail(ErrorCode::kBadInput, "an environment variable contains a NUL byte");
  }
  auto too_long = [](const std::string& text) { return text.size() >= 128 * 1024; };  // MAX_ARG_STRLEN, execve(2)
  if (std::any_of(spec.argv.begin(), spec.argv.end(), too_long)) {
    return fail(ErrorCode::kBadInput, "an argument of the command is longer than 128 KiB", "put the text into a file of the workspace");
  }
  if ((spec.network == Network::kEgress) != (spec.listen_port != 0)) return fail(ErrorCode::kBadInput, "a proxy belongs to named egress, and that to a proxy");
  if (spec.limits.processes == 0) return fail(ErrorCode::kBadInput, "a sandbox needs at least one process");
  if (spec.limits.memory_bytes < (4ULL << 20)) return fail(ErrorCode::kBadInput, "a memory limit below 4M cannot start any program");
  if (!(spec.limits.cpus > 0.0)) return fail(ErrorCode::kBadInput, "a sandbox needs some CPU; for example 1.0");
  return {};
}

}  // namespace wardenv::sandbox
