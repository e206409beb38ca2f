// SPDX-License-Identifier: Apache-2.0
// Bytes of an argument: what they are, and how they are shown to people.
#include "policy/commands/text.h"

#include <cstddef>
#include <cstdint>

#include "sandbox/base/utf8.h"

namespace wardenv::policy {
namespace {

constexpr std::size_t kShown = 80;

std::uint8_t byte_at(std::string_view text, std::size_t at) { return at < text.size() ? static_cast<std::uint8_t>(text[at]) : 0; }

unsigned oddity_of_ascii(std::uint8_t byte) {
  if (byte == 0) return kHasNul;
  if (byte == '\n' || byte == '\r') return kHasNewline;
  return (byte < 0x20 && byte != '\t') || byte == 0x7F ? kHasControl : kNothingOdd;
}

void append_escaped(std::string& out, std::uint8_t byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += "\\x";
  out += kDigits[byte >> 4U];
  out += kDigits[byte & 15U];
}

// C1 control characters (U+0080 to U+009F) are two bytes, valid, and obeyed by terminals.
bool is_c1(std::string_view text, std::size_t at) { return byte_at(text, at) == 0xC2 && byte_at(text, at + 1) < 0xA0; }

// Shows what begins at `at` and returns how many bytes that were.
std::size_t append_shown(std::string& out, std::string_view text, std::size_t at) {
  const std::uint8_t byte = byte_at(text, at);
  const std::size_t length = byte < 0x80 ? 0 : decode_utf8(text, at).length;
  if (length > 0 && !is_c1(text, at)) {
    out += text.substr(at, length);
    return length;
  }
  if (byte < 0x20 || byte >= 0x7F || byte == '`' || byte == '\\') {
    append_escaped(out, byte);
  } else {
    out += static_cast<char>(byte);
  }
  return 1;
}

}  // namespace

unsigned oddities_of(std::string_view text) {
  unsigned found = kNothingOdd;
  for (std::size_t at = 0; at < text.size();) {
    const std::uint8_t byte = byte_at(text, at);
    if (byte < 0x80) {
      found |= oddity_of_ascii(byte);
      ++at;
      continue;
    }
    const Utf8 next = decode_utf8(text, at);
    if (next.length == 0) found |= kHasInvalidUtf8;
    at += next.read;
  }
  return found;
}

std::string in_backticks(std::string_view text) {
  std::string out = "`";
  std::size_t at = 0;
  while (at < text.size() && at < kShown) at += append_shown(out, text, at);
  return out + (at < text.size() ? "…`" : "`");
}

std::string pointer_step(std::string_view key) {
  std::string out = "/";
  for (const char letter : key) {
    if (letter == '~') {
      out += "~0";
    } else if (letter == '/') {
      out += "~1";
    } else {
      out += letter;
    }
  }
  return out;
}

}  // namespace wardenv::policy
