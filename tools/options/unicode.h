// SPDX-License-Identifier: Apache-2.0
// Characters that are cut, and those that nobody sees.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wardenv::tools {

// How many bytes of `text` are whole: less than all where it ends in the middle of a character that may go on.
std::size_t whole_characters(std::string_view text);

// Characters that show nothing themselves or that change what is shown around them (Unicode 15: Cc beyond ASCII, Cf, Zl, Zp, variation
// selectors of the supplement, tags, fillers): in a name they make it look like another.
bool is_unseen(char32_t character);

// "\u202e", or "\U000e0041" where 16 bits don't do.
std::string escaped(char32_t character);

}  // namespace wardenv::tools
