// SPDX-License-Identifier: Apache-2.0
// Policies that were read before: what their YAML says, kept in the state folder as JSON. A one-shot run would spend more time on the YAML of a policy
// than on judging by it: 1 µs for each byte.
#pragma once

#include <string>
#include <string_view>

#include "policy/core/load.h"

namespace wardenv::engine {

// The document that load_policy() makes of `text`, without its warnings, or its findings where it makes none. Where this very program has read the very
// same text before, it is not read again; all that depends on the host is looked at anew. What is kept is taken only from files that nobody else could
// have written, and whole; anything else means reading the text. REQUIRES: who may write `state_dir` is trusted with the policy, too.
policy::Loaded load_kept_policy(std::string_view text, policy::Format format, const std::string& state_dir);

}  // namespace wardenv::engine
