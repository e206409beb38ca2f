// SPDX-License-Identifier: Apache-2.0
// Globs. Matching of names keeps one place to go back to: time is the product of the lengths at worst, memory constant.
#include "policy/core/text/glob.h"

#include <algorithm>
#include <cstddef>

namespace wardenv::policy::core {
namespace {

// Length of the UTF-8 character at the front, so that `?` is one character and not one byte.
std::size_t character(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) ++length;
  return length;
}

// The same at the back.
std::size_t last_character(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && (static_cast<unsigned char>(text[text.size() - length]) & 0xC0U) == 0x80U) ++length;
  return length;
}

struct Back {
  std::size_t pattern = std::string_view::npos;
  std::size_t text = 0;
  explicit operator bool() const { return pattern != std::string_view::npos; }
};

enum class Text { kName, kMarks };   // kMarks: a `?` in the text stands for whatever the pattern wants there

bool matches(std::string_view pattern, std::string_view name, Text kind) {
  std::size_t p = 0;
  std::size_t n = 0;
  Back star;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = {++p, n};
    } else if (p < pattern.size() && (pattern[p] == '?' || (kind == Text::kMarks && name[n] == '?'))) {
      p += character(pattern.substr(p));
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

// Whether some text begins as both do, as far as the shorter one says.
bool fronts_agree(std::string_view one, std::string_view other) {
  while (!one.empty() && !other.empty()) {
    const bool mark = one.front() == '?' || other.front() == '?';
    if (!mark && one.front() != other.front()) return false;
    one.remove_prefix(mark ? character(one) : 1);
    other.remove_prefix(mark ? character(other) : 1);
  }
  return true;
}

bool backs_agree(std::string_view one, std::string_view other) {
  while (!one.empty() && !other.empty()) {
    const bool mark = one.back() == '?' || other.back() == '?';
    if (!mark && one.back() != other.back()) return false;
    one.remove_suffix(mark ? last_character(one) : 1);
    other.remove_suffix(mark ? last_character(other) : 1);
  }
  return true;
}

}  // namespace

bool is_name_glob(std::string_view pattern) { return pattern.find_first_of("*?") != std::string_view::npos; }

bool name_matches(std::string_view pattern, std::string_view name) { return matches(pattern, name, Text::kName); }

int name_glob_rank(std::string_view pattern) {
  const auto marks = std::count(pattern.begin(), pattern.end(), '?');
  const auto stars = std::count(pattern.begin(), pattern.end(), '*');
  return static_cast<int>((static_cast<std::ptrdiff_t>(pattern.size()) - marks - stars) * 1024 + marks);
}

// Two globs with a star each meet where their fronts and their backs agree: what stands between the stars of one is swallowed by a star of the other.
bool name_globs_overlap(std::string_view one, std::string_view other) {
  const std::size_t star = one.find('*');
  const std::size_t other_star = other.find('*');
  if (star == std::string_view::npos) return matches(other, one, Text::kMarks);
  if (other_star == std::string_view::npos) return matches(one, other, Text::kMarks);
  return fronts_agree(one.substr(0, star), other.substr(0, other_star)) && backs_agree(one.substr(one.rfind('*') + 1), other.substr(other.rfind('*') + 1));
}

bool name_glob_covers(std::string_view wide, std::string_view narrow) { return wide == narrow || (wide.find('?') == std::string_view::npos && name_matches(wide, narrow)); }

}  // namespace wardenv::policy::core
