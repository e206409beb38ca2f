// SPDX-License-Identifier: Apache-2.0
#include "tools/options/text.h"

#include <cstdio>

namespace wardenv::tools {
namespace {

bool plain(unsigned char c) { return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' || c == '\r' || c >= 0xa0; }

}  // namespace

// Bytes 0x80-0x9f are C1 controls where a terminal takes single bytes, and continuation bytes in UTF-8. After a lead byte they pass,
// but for U+0080 to U+009F (0xc2 0x80-0x9f), which are the same controls in UTF-8.
std::string visible(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  std::size_t continuation = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool continues = continuation > 0 && c >= 0x80 && c < 0xc0;
    const bool c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    continuation = continues ? continuation - 1 : c >= 0xf0 ? 3U : c >= 0xe0 ? 2U : c >= 0xc2 ? 1U : 0U;
    if ((continues || (plain(c) && (c < 0x80 || c >= 0xc2))) && !c1) {
      shown += text[i];
      continue;
    }
    if (c1) continuation = 0;
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, c < 0x20 ? "^%c" : "\\x%02x", c < 0x20 ? c + 0x40 : c);
    shown += escaped;
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
