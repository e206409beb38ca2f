// SPDX-License-Identifier: Apache-2.0
// Globs of names of tools.
#pragma once

#include <string>
#include <string_view>

namespace wardenv::policy::core {

// Names of tools: `*` is any text, `?` any one character; everything else is itself.
bool is_name_glob(std::string_view pattern);
bool name_matches(std::string_view pattern, std::string_view name);

// How specific a name glob is: more characters that stand for themselves win, then more `?`.
int name_glob_rank(std::string_view pattern);

// Whether some name matches both.
bool name_globs_overlap(std::string_view one, std::string_view other);

// Whether every name that matches `narrow` (a glob, or a name) matches `wide`. May say no where `wide` has a `?`.
bool name_glob_covers(std::string_view wide, std::string_view narrow);

}  // namespace wardenv::policy::core
