// SPDX-License-Identifier: Apache-2.0
// UTF-8 (RFC 3629, section 4): one character at a time. No overlong form, no surrogate, nothing beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wardenv {

struct Utf8 {
  char32_t character = 0;
  std::size_t length = 0;   // 0: no well-formed sequence begins here
  std::size_t read = 1;     // bytes that belong together: `length`, or the maximal subpart of an ill-formed sequence (Unicode 15, section 3.9)
};

// REQUIRES: at < text.size().
Utf8 decode_utf8(std::string_view text, std::size_t at);

// Of the character that a byte begins; 0: it begins none.
std::size_t utf8_length(char lead);

void append_utf8(std::string& to, char32_t character);

}  // namespace wardenv
