// SPDX-License-Identifier: Apache-2.0
// JSON as it may come from anywhere: duplicate keys, broken UTF-8 and deep nesting are refused (RFC 8259, section 4 and 9).
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace wardenv::mcp {

inline constexpr std::size_t kMaxDepth = 64;

// Parses `text` into `value`. Answers what is wrong with it, in one line, or nothing.
std::optional<std::string> parse_strict(std::string_view text, nlohmann::json& value, std::size_t max_depth = kMaxDepth);

// `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

// A value as JSON text; bytes that are not UTF-8 become U+FFFD.
std::string to_text(const nlohmann::json& value);

}  // namespace wardenv::mcp
