// SPDX-License-Identifier: Apache-2.0
// The contestants that are programs: plain exec, the wardenv command, and other sandboxes.
#pragma once

#include <string>
#include <vector>

#include "tools/bench/contestant.h"
#include "tools/bench/site.h"

namespace wardenv::bench {

inline constexpr const char* kPlainExec = "exec";
inline constexpr const char* kReference = "bwrap_filter";  // what the others are compared with

// All that we know of, also those that are not installed. REQUIRES: `site` outlives the result.
std::vector<Contestant> program_contestants(const Site& site, const std::string& wardenv);

}  // namespace wardenv::bench
