// SPDX-License-Identifier: Apache-2.0
// wardenv version
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/wardenv/commands.h"

namespace wardenv::cli {

int version_command(const Arguments& arguments) {
  const bool json = !arguments.empty() && arguments[0] == "--json";
  if (!arguments.empty() && arguments[0] == "--help") return say("Usage: wardenv version [--json]");
  if (arguments.size() > (json ? 1U : 0U)) return complain({ErrorCode::kBadInput, "version takes no argument but --json", "", 0});
  if (json) return say(nlohmann::ordered_json{{"version", WARDENV_VERSION}, {"commit", WARDENV_COMMIT}, {"compiler", __VERSION__}, {"features", features()}}.dump());
  std::printf("wardenv %s (commit %s, compiler %s)\n", WARDENV_VERSION, WARDENV_COMMIT, __VERSION__);
  return written();
}

}  // namespace wardenv::cli
