// SPDX-License-Identifier: Apache-2.0
// The regular expressions of a document: RE2's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace wardenv::policy::core {

using re2::RE2;

// Error: what is wrong with the pattern; then there is no expression.
struct MadeRegex {
  std::shared_ptr<const RE2> regex{};
  std::string error{};
};
MadeRegex make_regex(const std::string& pattern);

bool occurs_in(const RE2& regex, std::string_view text);   // anywhere

}  // namespace wardenv::policy::core
