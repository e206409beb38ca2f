// SPDX-License-Identifier: Apache-2.0
// A workspace /ws that is only a name: paths are resolved by their text, but for one link, /ws/link-out, that leads to /etc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/commands/commands.h"

namespace wardenv::testing {

inline std::optional<std::string> resolve_lexically(std::string_view path) {
  const std::string full = path.starts_with('/') ? std::string(path) : "/ws/" + std::string(path);
  std::string real;
  for (std::size_t at = 0; at < full.size();) {
    const std::size_t end = std::min(full.find('/', at), full.size());
    const std::string part = full.substr(at, end - at);
    at = end + 1;
    if (part == "..") {
      real.resize(real.empty() ? 0 : real.rfind('/'));
    } else if (!part.empty() && part != ".") {
      real += "/" + part;
    }
    if (real == "/ws/link-out") real = "/etc";
  }
  return real.empty() ? "/" : real;
}

inline policy::Verdict judge_in_ws(const policy::CommandSet& set, std::string_view command, const std::vector<std::string_view>& args) {
  static const policy::ResolvePath kResolve = resolve_lexically;
  return policy::judge_command(set, command, args, {"/ws", &kResolve});
}

}  // namespace wardenv::testing
