// SPDX-License-Identifier: Apache-2.0
// `requestState` (2026-07-28, multi round-trip requests): goes through the client, so it comes back from an attacker. Sealed with HMAC-SHA256
// over everything that it is bound to; each one can be used once, and for ten minutes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace wardenv::mcp {

// What a state belongs to.
struct StateBinding {
  std::string_view principal;
  std::string_view method;
  std::string_view name;         // of the tool or prompt
  std::string_view arguments;    // JSON text
};

class RequestStates {
 public:
  using Clock = std::chrono::steady_clock;

  RequestStates();   // with a key of its own, from the system's generator

  std::string seal(std::string_view state, const StateBinding& binding, Clock::time_point now = Clock::now());
  // The state, or none: altered, of another caller or request, expired, or used before.
  std::optional<std::string> open(std::string_view sealed, const StateBinding& binding, Clock::time_point now = Clock::now());

 private:
  [[nodiscard]] std::string mac(std::string_view payload, const StateBinding& binding) const;
  bool use(std::uint64_t serial, Clock::time_point until, Clock::time_point now);

  std::string key_;
  std::mutex mutex_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Clock::time_point> used_;
};

// A random name of 128 bits, in hexadecimal: session ids, task ids.
std::string random_id();

}  // namespace wardenv::mcp
