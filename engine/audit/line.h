// SPDX-License-Identifier: Apache-2.0
// One line of the log: how a record is sealed into the chain, and taken apart again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/audit/crypto.h"

namespace wardenv::engine::audit {

// {"seq":N,"time":"…",<payload>,"prev":"<64 digits>","hash":"<64>","mac":"<32>"}
// hash: SHA-256 of all bytes before `,"hash"`; anyone can check it. prev: the hash of the record before. mac: the first half of HMAC-SHA-256 of the
// hash under the log's key, so that only who has the key can make a record that holds.
inline constexpr std::size_t kMaxLineBytes = 1U << 20;  // with its newline; a longer one is damage

// Where a chain stands: behind which record the next one goes.
struct ChainEnd {
  std::uint64_t seq = 0;
  std::string hash{};       // 64 digits
  bool operator==(const ChainEnd&) const = default;
};

struct Line {
  std::uint64_t seq = 0;
  std::string_view body{};   // what the hash covers
  std::string_view payload{};  // between seq and prev: "time" and all fields of the event
  std::string_view prev{};
  std::string_view hash{};
  std::string_view mac{};
};

// Takes a line (without its newline) apart; none where it has not exactly the form above. Nothing is verified.
std::optional<Line> split_line(std::string_view line);

// Makes and checks lines under one key. Not thread-safe.
class Sealer {
 public:
  explicit Sealer(Hmac records) : mac_(std::move(records)) {}

  // Appends the line of the record that follows `end`, newline included, and moves `end` to it.
  void seal(std::string_view time, std::string_view payload, ChainEnd& end, std::string& out);

  enum class Check { kHolds, kForm, kSequence, kPrevious, kHash, kMac };
  // Checks that `line` is the record after `end`, and moves `end` to it where it holds.
  Check check(std::string_view line, ChainEnd& end);

 private:
  Hmac mac_;
};

std::string_view describe(Sealer::Check check);   // what is wrong, in words

// "2026-01-31T23:59:59.123456Z"
std::string time_text(std::int64_t microseconds_since_epoch);

}  // namespace wardenv::engine::audit
