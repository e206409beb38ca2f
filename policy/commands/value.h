// SPDX-License-Identifier: Apache-2.0
// Judges one value against its rule. Private to this folder.
#pragma once

#include <string_view>

#include "policy/commands/commands.h"
#include "policy/commands/grammar.h"

namespace wardenv::policy {

// What a value is judged in: the call, and what the place where it stands allows besides the rule (bits of Allow).
struct Judging {
  const CommandContext& context;
  unsigned also = kAllowNone;
};

// What is wrong with the value, as words that go on after the value itself ("is not an integer from 1 to 100"); nullptr: it fits.
// The memory is static.
const char* misfit(const ValueRule& rule, std::string_view value, const Judging& judging);

// The same for an argument that is handed on unread.
const char* misfit_of_rest(std::string_view value);

}  // namespace wardenv::policy
