// SPDX-License-Identifier: Apache-2.0
// Bytes of an argument: what they are, and how they are shown to people.
#pragma once

#include <string>
#include <string_view>

namespace wardenv::policy {

// What of the unusual an argument holds. A set of bits.
enum Oddity : unsigned {
  kNothingOdd = 0,
  kHasNul = 1U << 0,
  kHasNewline = 1U << 1,      // \n or \r
  kHasControl = 1U << 2,      // other C0 characters but the tab, and DEL
  kHasInvalidUtf8 = 1U << 3,  // as RFC 3629 has it: also overlong forms, surrogates, beyond U+10FFFF
};
unsigned oddities_of(std::string_view text);

// In backticks, what is not printable ASCII or valid UTF-8 as \xNN, at most 80 bytes of it: fit for one line of a log.
std::string in_backticks(std::string_view text);

// One step of a JSON pointer: "~" and "/" escaped (RFC 6901), with its slash.
std::string pointer_step(std::string_view key);

}  // namespace wardenv::policy
