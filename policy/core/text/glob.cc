// SPDX-License-Identifier: Apache-2.0
// Globs. Matching of names keeps one place to go back to: time is the product of the lengths at worst, memory constant.
#include "policy/core/text/glob.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace wardenv::policy::core {
namespace {

// Length of the UTF-8 character at the front, so that `?` is one character and not one byte.
std::size_t character(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) ++length;
  return length;
}

struct Back {
  std::size_t pattern = std::string_view::npos;
  std::size_t text = 0;
  explicit operator bool() const { return pattern != std::string_view::npos; }
};

}  // namespace

bool is_name_glob(std::string_view pattern) { return pattern.find_first_of("*?") != std::string_view::npos; }

bool name_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  Back star;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = {++p, n};
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      n += character(name.substr(n));
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star) {
      star.text += character(name.substr(star.text));
      p = star.pattern;
      n = star.text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

int name_glob_rank(std::string_view pattern) {
  const auto marks = std::count(pattern.begin(), pattern.end(), '?');
  const auto stars = std::count(pattern.begin(), pattern.end(), '*');
  return static_cast<int>((static_cast<std::ptrdiff_t>(pattern.size()) - marks - stars) * 1024 + marks);
}

// row[j]: some text matches the first i characters of `one` and the first j of `other`. A star swallows the other side's next character, or ends.
bool name_globs_overlap(std::string_view one, std::string_view other) {
  std::vector<char> row(other.size() + 1, 0);
  std::vector<char> next(other.size() + 1, 0);
  row[0] = 1;
  for (std::size_t j = 0; j < other.size() && other[j] == '*'; ++j) row[j + 1] = 1;
  for (const char c : one) {
    next[0] = static_cast<char>(row[0] != 0 && c == '*');
    for (std::size_t j = 0; j < other.size(); ++j) {
      const bool star = c == '*' || other[j] == '*';
      const bool same = c == other[j] || c == '?' || other[j] == '?';
      next[j + 1] = static_cast<char>(star ? row[j + 1] != 0 || next[j] != 0 : same && row[j] != 0);
    }
    row.swap(next);
  }
  return row[other.size()] != 0;
}

}  // namespace wardenv::policy::core
