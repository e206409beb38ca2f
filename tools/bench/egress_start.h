// SPDX-License-Identifier: Apache-2.0
// What it costs to start a run with named egress, beside one without network.
#pragma once

#include <string>

namespace wardenv::bench {

// `runs` of each kind, in turns, in three ways: an engine that stays, an engine for each run, and the program. Prints a line for each.
void measure_starts(int runs, const std::string& program);

}  // namespace wardenv::bench
