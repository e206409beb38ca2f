// SPDX-License-Identifier: Apache-2.0
// Environment markers of dependency specifiers: checked, not evaluated (the installer does that).
#pragma once

#include <string_view>

#include "sandbox/base/error.h"

namespace wardenv::engine {

// Errors kBadInput: what is wrong, in a few words.
Status check_marker(std::string_view text);

}  // namespace wardenv::engine
