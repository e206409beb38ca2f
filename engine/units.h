// SPDX-License-Identifier: Apache-2.0
// Sizes and durations as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "sandbox/base/error.h"

namespace wardenv::engine {

// "512M": digits, then nothing, K, M or G (1024 each). Error kBadInput shows a good value.
Result<std::uint64_t> parse_size(std::string_view text);

// "30s": digits, then ms, s, m or h. Zero is refused. Error kBadInput shows a good value.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// "1.5": a positive number. Error kBadInput shows a good value.
Result<double> parse_cores(std::string_view text);

// A whole number from 1 on. Error kBadInput shows a good value.
Result<std::uint32_t> parse_count(std::string_view text);

}  // namespace wardenv::engine
