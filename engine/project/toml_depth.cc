// SPDX-License-Identifier: Apache-2.0
// Counts the dots of keys; passes over strings and comments.
#include "engine/project/toml_depth.h"

#include <algorithm>

namespace wardenv::engine {
namespace {

constexpr int kMaxDots = 15;

// The place after a string that begins at `at`: all four kinds. Where it is not closed, the parser will say so.
std::size_t skip_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string_view three = quote == '"' ? "\"\"\"" : "'''";
  const bool multiline = text.substr(at).starts_with(three);
  std::size_t i = at + (multiline ? 3 : 1);
  for (; i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') ++i;
    else if (!multiline && text[i] == '\n') return i;
    else if (text[i] == quote && (!multiline || text.substr(i).starts_with(three))) return i + (multiline ? 3 : 1);
  }
  return text.size();
}

}  // namespace

bool is_shallow(std::string_view text) {
  int dots = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = skip_string(text, i);
      continue;
    }
    if (c == '#') i = std::min(text.find('\n', i), text.size());
    if (i >= text.size()) break;
    if (text[i] == '.' && ++dots > kMaxDots) return false;
    if (std::string_view("=,\n[]{}").find(text[i]) != std::string_view::npos) dots = 0;
    ++i;
  }
  return true;
}

}  // namespace wardenv::engine
