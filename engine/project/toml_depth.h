// SPDX-License-Identifier: Apache-2.0
// A look at a TOML text before a parser that recurses gets it.
#pragma once

#include <string_view>

namespace wardenv::engine {

// False where a dotted key or a header has more than 16 parts: each part is a table in a table, and half a million of them would
// exhaust the stack of whoever frees them. (Nesting by brackets is limited by the parser itself.)
bool is_shallow(std::string_view text);

}  // namespace wardenv::engine
