// SPDX-License-Identifier: Apache-2.0
// The regular expressions of a document: RE2's.
#include "policy/core/regex.h"

#include <re2/re2.h>

#include <cstdint>

namespace wardenv::policy::core {

constexpr std::int64_t kRegexMemory = 1 << 20;   // bytes for one pattern and what its matcher keeps

MadeRegex make_regex(const std::string& pattern) {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kRegexMemory);
  auto made = std::make_shared<const RE2>(pattern, options);
  if (!made->ok()) return {nullptr, made->error()};
  return {std::move(made), ""};
}

bool occurs_in(const RE2& regex, std::string_view text) { return regex.Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED, nullptr, 0); }

}  // namespace wardenv::policy::core
