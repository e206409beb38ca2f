// SPDX-License-Identifier: Apache-2.0
// authorize(): judges one call by a document. Pure: no operating system, no clock, no log, no side effect.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "policy/commands/commands.h"
#include "policy/core/decision.h"
#include "policy/core/document.h"
#include "sandbox/base/error.h"

namespace wardenv::policy {

// Answers how much of a counter is used. None: it can't be read, and the rule that needs it denies.
class QuotaView {
 public:
  virtual ~QuotaView() = default;
  [[nodiscard]] virtual std::optional<std::uint64_t> used(const std::string& key, std::chrono::milliseconds window, LimitMode mode) const = 0;
};

// Everything is zero: for explain and tests.
class NothingUsed final : public QuotaView {
 public:
  [[nodiscard]] std::optional<std::uint64_t> used(const std::string&, std::chrono::milliseconds, LimitMode) const override { return 0; }
};

// One call. Everything that it points to must live as long as the judging.
struct Call {
  std::string_view tool;
  const nlohmann::json& arguments;          // from parse_arguments: an object, or the call is denied as malformed
  std::string_view grant{};                 // one that the document declares; empty: nobody in particular, where it declares none
  std::string_view session{};
  std::string_view cwd{};                   // absolute
  std::string_view workspace{};             // absolute, resolved
  const ResolvePath* resolve = nullptr;     // see commands.h; nullptr: no path test can pass
};

enum class Trace { kNo, kYes };

// In the order of policy.md: hide, default, action: deny, deny_if, require, commands, rules; then, if nothing denied, whether an approval is
// needed and which quotas are to be reserved. Deny beats allow; what can't be evaluated denies. Thread-safe.
Decision authorize(const Call& call, const Document& document, const QuotaView& quota, Trace trace = Trace::kNo);

// Whether a tool is to be left out of the list of tools that the grant is shown.
bool is_hidden(const Document& document, std::string_view tool, std::string_view grant);

// Reads the arguments of a call strictly: one JSON object, no duplicate keys, UTF-8, at most `kMaxArgumentBytes` and 64 levels,
// integers of 64 bits (a larger one would lose digits, so it is refused). Error kBadInput says where.
inline constexpr std::size_t kMaxArgumentBytes = std::size_t{4} << 20;
inline constexpr int kMaxArgumentDepth = 64;
Result<nlohmann::json> parse_arguments(std::string_view text);

}  // namespace wardenv::policy
