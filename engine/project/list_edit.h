// SPDX-License-Identifier: Apache-2.0
// Edits of the text of one TOML array. Pure; knows places, not TOML.
#pragma once

#include <string>
#include <string_view>

#include "engine/project/toml_places.h"

namespace wardenv::engine {

// `value` as a TOML string, with double quotes where they need no escape.
std::string toml_string(std::string_view value);

// Each returns the whole new text. Layout follows the list's own: one item a line or all in one, trailing comma or none, its indentation
// and line ends. A comment behind a removed item goes with it.
std::string append_item(std::string_view text, const ListPlace& list, std::string_view value);
std::string replace_item(std::string_view text, const ListPlace& list, std::size_t index, std::string_view value);
std::string remove_item(std::string_view text, const ListPlace& list, std::size_t index);

// A list that was missing: `key = [` … `]`, one item a line.
std::string insert_list(std::string_view text, const NewListPlace& place, std::string_view table, std::string_view key, std::string_view value);

}  // namespace wardenv::engine
