// SPDX-License-Identifier: Apache-2.0
// Asking: who asks for more or less than a profile grants, and what is said where it is more.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sandbox/base/error.h"

namespace wardenv::engine {

struct Asking {
  std::span<const std::string> options{};   // names of the options of `wardenv run`, without dashes, whose values are the caller's own
  std::string profile{};                    // where it chose them by a profile's name: that name

  [[nodiscard]] bool has(std::string_view option) const;
  // Error kBadInput: which option or profile asks for what, and how much is `granted`.
  [[nodiscard]] tl::unexpected<Error> too_much(const char* option, const std::string& granted) const;
};

// As they are written in a policy.
std::string granted_text(std::chrono::milliseconds time);
std::string granted_text(std::uint64_t bytes);
std::string granted_text(std::uint32_t count);
std::string granted_text(double cores);
std::string granted_text(std::span<const std::string> names);   // "none" where there is none; cut where there are many

}  // namespace wardenv::engine
