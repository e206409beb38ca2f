// SPDX-License-Identifier: Apache-2.0
// wardenv version
#include <cstdio>

#include "tools/wardenv/commands.h"

namespace wardenv::cli {

int version_command(const Arguments& arguments) {
  const bool json = !arguments.empty() && arguments[0] == "--json";
  if (!arguments.empty() && arguments[0] == "--help") return say("Usage: wardenv version [--json]");
  if (arguments.size() > (json ? 1U : 0U)) return complain({ErrorCode::kBadInput, "version takes no argument but --json", "", 0});
  const char* format = json ? "{\"version\":\"%s\",\"commit\":\"%s\",\"compiler\":\"%s\",\"features\":[\"run\",\"plan\",\"doctor\"]}\n"
                            : "wardenv %s (commit %s, compiler %s)\n";
  std::printf(format, WARDENV_VERSION, WARDENV_COMMIT, __VERSION__);
  return std::fflush(stdout) == 0 ? 0 : kCannot;
}

}  // namespace wardenv::cli
