// SPDX-License-Identifier: Apache-2.0
// wardenv plan
#include <cstdio>

#include "tools/wardenv/options.h"

namespace wardenv::cli {

int plan_command(const Arguments& arguments) {
  RunOptions options;
  if (const Status parsed = parse_run(arguments, options); !parsed) return complain(parsed.error());
  if (options.help) return std::fputs(run_help("plan").c_str(), stdout) < 0 ? kCannot : 0;
  auto text = options.json ? engine::Engine::plan_json(options.request) : engine::Engine::plan_text(options.request);
  if (!text) return complain(text.error());
  std::printf("%s%s", text->c_str(), text->ends_with('\n') ? "" : "\n");
  return std::fflush(stdout) == 0 ? 0 : kCannot;
}

}  // namespace wardenv::cli
