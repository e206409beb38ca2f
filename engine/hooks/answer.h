// SPDX-License-Identifier: Apache-2.0
// What a hook answered, read strictly.
#pragma once

#include <string>
#include <string_view>

#include "engine/hooks/hooks.h"
#include "sandbox/base/error.h"

namespace wardenv::engine::hooks {

inline constexpr std::size_t kMaxAnswerBytes = 65536;

// {"decision": "allow | deny | require_approval | abstain", "reason": "…"?}. Other members are left alone.
// Errors say what is wrong with it, and never what is in it.
Result<HookAnswer> read_program_answer(std::string_view text);

// Open Policy Agent's data API (docs/rest-api, "Get a Document (with Input)"): {"result": …}, where the result is an object as above, or a
// boolean (allow, deny). A document that is undefined has no result.
Result<HookAnswer> read_http_answer(std::string_view text);

}  // namespace wardenv::engine::hooks
