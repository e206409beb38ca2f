// SPDX-License-Identifier: Apache-2.0
// Requirement: one dependency specifier (PEP 508, now the PyPA specification "Dependency specifiers"), parsed and never passed on as it came.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::engine {

struct VersionClause {
  std::string op{};        // one of <= < != == >= > ~= ===
  std::string version{};
  bool operator==(const VersionClause&) const = default;
};

struct Requirement {
  std::string name{};                     // as it was written
  std::vector<std::string> extras{};
  std::vector<VersionClause> versions{};
  std::optional<std::string> url{};       // of a direct reference, `name @ url`
  std::string marker{};                   // after the semicolon, without white space around; empty: none
  bool operator==(const Requirement&) const = default;
};

enum class DirectReference { kRefuse, kAllow };

// Longest text that is looked at.
inline constexpr std::size_t kMaxRequirementBytes = 1024;

// Error kBadInput: one line that says what is wrong, and a hint how a good one looks. What could be read as an option, a path, a file in the
// current folder or an address is refused by name.
Result<Requirement> parse_requirement(std::string_view text, DirectReference direct = DirectReference::kRefuse);

// A name alone, as for removing. Errors as above.
Result<std::string> parse_package_name(std::string_view text);

// Written anew from the parts: `name[extra]>=1,<2; marker`.
std::string to_string(const Requirement& requirement);

// PEP 503: lower case, runs of `-`, `_` and `.` are one `-`.
std::string normalized_name(std::string_view name);

}  // namespace wardenv::engine
