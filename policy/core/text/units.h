// SPDX-License-Identifier: Apache-2.0
// Sizes, durations and windows as people write them in a policy.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace wardenv::policy::core {

// "512M": digits, then nothing, K, M or G (1024 each). None where it is anything else or does not fit 63 bits.
std::optional<std::uint64_t> parse_size(std::string_view text);

// "90s": digits, then ms, s, m, h or d; at least 1 ms, at most kLongestSpan.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
inline constexpr std::chrono::milliseconds kLongestSpan = std::chrono::hours(24 * 366);

// second, minute, hour, day.
std::optional<std::chrono::milliseconds> parse_window_name(std::string_view text);

}  // namespace wardenv::policy::core
