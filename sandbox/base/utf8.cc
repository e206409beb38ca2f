// SPDX-License-Identifier: Apache-2.0
// UTF-8, by table 3-7 of Unicode 15.
#include "sandbox/base/utf8.h"

namespace wardenv {
namespace {

// What a lead byte promises: how many bytes, and the range of the second one, which is what rules out overlong forms and surrogates.
struct Lead {
  std::size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xBF;
};

Lead lead_of(unsigned byte) {
  if (byte < 0x80) return {1};
  if (byte >= 0xC2 && byte <= 0xDF) return {2};
  if (byte >= 0xE0 && byte <= 0xEF) return {3, byte == 0xE0 ? 0xA0U : 0x80U, byte == 0xED ? 0x9FU : 0xBFU};
  if (byte >= 0xF0 && byte <= 0xF4) return {4, byte == 0xF0 ? 0x90U : 0x80U, byte == 0xF4 ? 0x8FU : 0xBFU};
  return {};
}

}  // namespace

std::size_t utf8_length(char lead) { return lead_of(static_cast<unsigned char>(lead)).length; }

Utf8 decode_utf8(std::string_view text, std::size_t at) {
  const unsigned first = static_cast<unsigned char>(text[at]);
  Lead lead = lead_of(first);
  if (lead.length <= 1) return {first, lead.length, 1};
  char32_t character = first & (0xFFU >> (lead.length + 1));
  for (std::size_t i = 1; i < lead.length; ++i) {
    const unsigned next = at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
    if (next < lead.low || next > lead.high) return {0, 0, i};
    character = character << 6U | (next & 0x3FU);
    lead.low = 0x80;
    lead.high = 0xBF;
  }
  return {character, lead.length, lead.length};
}

void append_utf8(std::string& to, char32_t character) {
  const auto put = [&to](char32_t byte) { to += static_cast<char>(byte); };
  if (character < 0x80) return put(character);
  if (character < 0x800) {
    put(0xC0U | (character >> 6U));
  } else if (character < 0x10000) {
    put(0xE0U | (character >> 12U));
    put(0x80U | ((character >> 6U) & 0x3FU));
  } else {
    put(0xF0U | (character >> 18U));
    put(0x80U | ((character >> 12U) & 0x3FU));
    put(0x80U | ((character >> 6U) & 0x3FU));
  }
  put(0x80U | (character & 0x3FU));
}

}  // namespace wardenv
