// SPDX-License-Identifier: Apache-2.0
// The headers that rules inject, with their secrets, read from the engine's files and variables.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/egress/settings.h"

namespace wardenv::engine {

// One list for each rule. Errors: kNotFound where a secret is missing, kBadInput where it or a header name is malformed.
// No message shows a secret.
Result<std::vector<std::vector<std::pair<std::string, std::string>>>> read_secrets(const std::vector<EgressRule>& rules);

}  // namespace wardenv::engine
