// SPDX-License-Identifier: Apache-2.0
// What of our own sentences may stand in the audit log, which holds argument values as hashes: they quote such values, in backticks.
#pragma once

#include <string>
#include <vector>

#include "engine/gate/gate.h"
#include "policy/core/decision.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

// The reason of a decision about `call`. The grammars of commands, and who can't read a call, word theirs from values; all else is the policy's, a
// hook's, or names.
std::string words_for_log(const policy::Decision& decision, const ToolCall& call, const std::vector<std::string>& plain_arguments);

// The error of a run of `call`. A value may be shortened, resolved or escaped in it, so none is looked for.
std::string words_for_log(const Error& error, const ToolCall& call, const std::vector<std::string>& plain_arguments);

}  // namespace wardenv::engine
