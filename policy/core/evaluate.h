// SPDX-License-Identifier: Apache-2.0
// Evaluates predicates on the arguments of a call.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "policy/core/authorize.h"
#include "policy/core/compiled.h"

namespace wardenv::policy::core {

enum class Outcome { kHolds, kFails, kAbsent, kCannot };

struct Answer {
  Outcome outcome = Outcome::kCannot;
  const char* why = "";   // kCannot: what was wrong, e.g. "is no number"; kFails and kAbsent: "does not hold", "is absent". Static.
};

// For a path with `*`: kAll must hold for each element, kAny is enough with one.
enum class Elements { kAll, kAny };

// The arguments of one call as one ToolRule looks at them: each path is walked once.
class Arguments {
 public:
  Arguments(const Call& call, const ToolRule& rule);
  Answer ask(const Predicate& predicate, Elements elements);

 private:
  // What the path leads to, up to a `*`; nullptr: nothing is there.
  const nlohmann::json* at(std::uint32_t path);

  const Call& call_;
  const ToolRule& rule_;
  static constexpr std::size_t kRemembered = 16;
  std::array<const nlohmann::json*, kRemembered> values_{};
  std::array<bool, kRemembered> known_{};
};

// Walks `path` from segment `first`; stops before a `*`.
const nlohmann::json* walk(const nlohmann::json& from, const ArgPath& path, std::size_t first = 0);

// Whether `path` is `folder` or lies in it; both resolved.
bool is_below(std::string_view path, std::string_view folder);

// A predicate on a counter: `used` compared with its operand.
Outcome ask_count(Op op, const Operand& operand, const Members* members, std::uint64_t used);

// The value as a count: a whole number from 0 on, that was written as an integer.
std::optional<std::uint64_t> count_of(const nlohmann::json& value);

}  // namespace wardenv::policy::core
