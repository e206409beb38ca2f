// SPDX-License-Identifier: Apache-2.0
// The environment of a command, built from nothing.
#pragma once

#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::engine {

struct EnvironmentInput {
  std::string venv_dir;            // empty: none
  std::string home;
  std::string run_id;
  std::vector<std::string> extra;  // "NAME=VALUE"
  std::vector<std::string> egress{};   // the same, set by us with named egress: nobody else may
  std::vector<std::string> profile{};  // the same, from a policy profile: dangerous names are taken, ours are not
};

// The variables of interfaces.md and the extra ones. Errors kBadInput: a malformed name, one given twice, one that is ours, or one that
// changes how programs load or start.
Result<std::vector<std::string>> build_environment(const EnvironmentInput& input);

}  // namespace wardenv::engine
