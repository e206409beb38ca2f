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

// As people write it, exactly: "512M", "1000". What parse_size() reads back.
std::string size_text(std::uint64_t bytes);

// "90s", "1500ms". What parse_duration() reads back, if it is not zero.
std::string duration_text(std::chrono::milliseconds time);

// "1.5", "2". At most nine digits behind the point, as parse_cores() reads.
std::string cores_text(double cores);

}  // namespace wardenv::engine
