// SPDX-License-Identifier: Apache-2.0
// What the readers of a grammar share: where they are, and where they say what is wrong. Private to this folder.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/commands/grammar.h"
#include "policy/finding.h"

namespace wardenv::policy {

// A place below `commands`. All of a preset stands where the policy names it.
struct Place {
  std::string pointer{};
  bool in_preset = false;
  [[nodiscard]] Place member(std::string_view key) const;
  [[nodiscard]] Place item(std::size_t index) const;
};

struct Compiler {
  const std::string& base;  // pointer of `commands`
  Findings& findings;
  int depth = 0;            // of grammars within grammars

  // Always false, so that a reader can `return wrong(...)`.
  bool wrong(const Place& place, std::string message);
  void warn(const Place& place, std::string message);
};

// Where a value stands decides what it may say.
enum class Slot { kFlag, kPositional, kListedPositional, kPart };

struct DeclaredValue {
  Takes takes = Takes::kValue;
  ValueRule rule;
  Times times;
};

// A value of the grammar: "string", {"integer": [1, 9], "max": 1} and so on. Nothing where it is wrong; then that is found.
std::optional<DeclaredValue> compile_value(Compiler& compiler, const nlohmann::json& json, const Place& place, Slot slot);

// True where `json` is an object whose keys are all among `known`.
bool check_keys(Compiler& compiler, const nlohmann::json& json, const Place& place, const std::vector<std::string_view>& known);

}  // namespace wardenv::policy
