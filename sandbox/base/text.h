// SPDX-License-Identifier: Apache-2.0
// Text files of the kernel and the system: whole, in words, lines and numbers.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/base/unique_fd.h"

namespace wardenv {

// The parts of `text` between any of the characters in `separators`; empty ones are left out. They point into `text`.
inline std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (std::size_t at = text.find_first_not_of(separators); at != std::string_view::npos; at = text.find_first_not_of(separators, at)) {
    const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end;
  }
  return parts;
}

inline std::vector<std::string_view> words_of(std::string_view text) { return split(text, " \t\n"); }
inline std::vector<std::string_view> lines_of(std::string_view text) { return split(text, "\n"); }

// What can be read of it: nothing, where there is no such file or it can't be read.
inline std::string text_of_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char chunk[4096];
  for (ssize_t got = 0; fd.valid() && (got = ::read(fd.get(), chunk, sizeof chunk)) > 0;) text.append(chunk, static_cast<std::size_t>(got));
  return text;
}

// Decimal and nothing else, or none.
template <std::integral T>
std::optional<T> number_in(std::string_view word) {
  T number{};
  const auto read = std::from_chars(word.data(), word.data() + word.size(), number);
  if (read.ec != std::errc() || read.ptr != word.data() + word.size()) return std::nullopt;
  return number;
}

}  // namespace wardenv
