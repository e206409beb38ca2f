// SPDX-License-Identifier: Apache-2.0
// How a waiting call is shown to the person who decides: exactly, and so that nothing in it can look like something else.
#pragma once

#include <string>
#include <string_view>

#include "policy/approvals/store.h"

namespace wardenv::cli {

// Text in double quotes. Quotes, backslashes, control characters, bytes that are not UTF-8, and characters that are invisible, that change
// the direction of writing or that sit on top of others are escaped as in JSON (\u001b; beyond 16 bits \U000e0041; a stray byte \xff).
std::string in_quotes(std::string_view text);
// The same with every character beyond ASCII escaped.
std::string in_quotes_ascii(std::string_view text);

// The whole record, several lines. `now` is the reader's time.
std::string approval_text(const policy::Approval& approval, policy::WallTime now);
// One line for a list.
std::string approval_line(const policy::Approval& approval, policy::WallTime now);
// One JSON object, ASCII only. Times in UTC, RFC 3339.
std::string approval_json(const policy::Approval& approval);

std::string utc(policy::WallTime time);   // "2026-01-31T12:00:00Z"

}  // namespace wardenv::cli
