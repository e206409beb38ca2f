// SPDX-License-Identifier: Apache-2.0
#include "tools/options/text.h"

#include <cstdio>

#include "sandbox/base/utf8.h"
#include "tools/options/unicode.h"

namespace wardenv::tools {
namespace {

// ASCII as terminals take it.
std::string shown_ascii(char c) {
  if ((c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' || c == '\r') return {c};
  return c == 0x7f ? "\\x7f" : std::string{'^', static_cast<char>(c + 0x40)};
}

std::string stray_byte(char c) {
  char text[8];
  std::snprintf(text, sizeof text, "\\x%02x", static_cast<unsigned char>(c));
  return text;
}

}  // namespace

std::string visible(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8 next = decode_utf8(text, at);
    if (next.length == 0) shown += stray_byte(text[at]);
    else if (next.length == 1) shown += shown_ascii(text[at]);
    else if (is_unseen(next.character)) shown += escaped(next.character);
    else shown += text.substr(at, next.length);
    at += next.length == 0 ? 1 : next.length;
  }
  return shown;
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : visible(text)) {
    if (c == '\n' || c == '\r' || c == '\t') line += {'^', static_cast<char>(c + 0x40)};
    else line += c;
  }
  return line;
}

std::string one_line(const Error& error) { return one_line(error.message + (error.hint.empty() ? "" : " — ") + error.hint); }

}  // namespace wardenv::tools
