// SPDX-License-Identifier: Apache-2.0
// What `wardenv doctor` looks at: each wall is used, in a child process.
#pragma once

#include <string>
#include <vector>

namespace wardenv::cli {

enum class CheckStatus { kOk, kMissing, kDegraded, kNotTried };

struct CheckResult {
  std::string name;
  CheckStatus status = CheckStatus::kOk;
  std::string detail;   // what was seen
  std::string fix;      // commands, files or flags that mend it; empty where nothing is to mend
};

// In doctor_egress.cc. `workspace`: an empty folder.
CheckResult check_egress(const char* workspace);

// Runs every check. kMissing: the default profile can't be enforced. kDegraded: it can, by weaker means than control groups.
std::vector<CheckResult> run_checks();

}  // namespace wardenv::cli
