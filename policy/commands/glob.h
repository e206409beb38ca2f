// SPDX-License-Identifier: Apache-2.0
// Globs of paths, the same for arguments and for predicates.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wardenv::policy {

// The RE2 pattern, without anchors, of what `glob` matches: `*` and `?` stay within one folder, `**` does not, `[a-z]` and `[!a-z]` are classes
// without a slash (glob(7)). None where a class is not closed.
std::optional<std::string> pattern_of_glob(std::string_view glob);

// Braces, which a shell would read as a choice. They stand for themselves here: kBracesAreText says so to people.
bool has_braces(std::string_view glob);
inline constexpr const char* kBracesAreText = "braces stand for themselves in a glob: special are `*`, `?`, `**` and `[a-z]`";

}  // namespace wardenv::policy
