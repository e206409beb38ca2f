// SPDX-License-Identifier: Apache-2.0
#include "policy/commands/glob.h"

namespace wardenv::policy {
namespace {

// A byte beyond ASCII is part of a letter and stands for itself.
std::string escaped(char letter) {
  constexpr std::string_view kSpecial = "\\.+*?()|[]{}^$-";
  return kSpecial.find(letter) == std::string_view::npos ? std::string(1, letter) : std::string{'\\', letter};
}

// "[" up to its "]", as a class of RE2, with "!" for "not"; never a slash (glob(7)).
std::size_t append_class(std::string& pattern, std::string_view glob) {
  const std::size_t first = glob.size() > 1 && (glob[1] == '!' || glob[1] == '^') ? 2 : 1;
  const std::size_t end = glob.find(']', first + 1);
  if (end == std::string_view::npos || glob.substr(0, end).find('/') != std::string_view::npos) return 0;
  pattern += first == 2 ? "[^/" : "[";
  for (const char letter : glob.substr(first, end - first)) {
    pattern += letter == '-' ? "-" : escaped(letter);
  }
  pattern += ']';
  return end + 1;
}

}  // namespace

bool has_braces(std::string_view glob) {
  const std::size_t open = glob.find('{');
  return open != std::string_view::npos && glob.find('}', open) != std::string_view::npos;
}

std::optional<std::string> pattern_of_glob(std::string_view glob) {
  std::string pattern;
  while (!glob.empty()) {
    std::size_t used = 1;
    if (glob.starts_with("**")) {
      pattern += ".*";
      used = 2;
    } else if (glob[0] == '*') {
      pattern += "[^/]*";
    } else if (glob[0] == '?') {
      pattern += "[^/]";
    } else if (glob[0] == '[') {
      used = append_class(pattern, glob);
      if (used == 0) return std::nullopt;
    } else {
      pattern += escaped(glob[0]);
    }
    glob.remove_prefix(used);
  }
  return pattern;
}

}  // namespace wardenv::policy
