// SPDX-License-Identifier: Apache-2.0
// The compiled rules of a document: what authorize() walks over. Seen by policy/core only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/commands/commands.h"
#include "policy/core/document.h"
#include "policy/core/number.h"
#include "policy/core/regex.h"

namespace wardenv::policy::core {

enum class Op : std::uint8_t { kEq, kNeq, kIn, kNotIn, kLt, kLte, kGt, kGte, kRegex, kContains, kExists, kUnder, kGlob };

// One step into an argument. A number goes into an array where there is one, and into an object by that name otherwise.
struct Segment {
  std::string key{};
  std::optional<std::size_t> index{};
  bool each = false;   // `*`: every element of an array
};

struct ArgPath {
  std::string text{};               // as it was written
  std::vector<Segment> segments{};
  std::size_t each_at = SIZE_MAX;   // place of the `*`; SIZE_MAX: there is none
};

// What an argument is compared with. Scalars are kept flat; arrays and objects as JSON.
struct Operand {
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kDeep };
  Kind kind = Kind::kNull;
  bool truth = false;
  Number number{};
  std::string text{};
  std::shared_ptr<const nlohmann::json> deep{};
};

// The list of `in` and `not_in`: strings sorted, the rest in the order of the file.
struct Members {
  std::vector<std::string> texts{};
  std::vector<Operand> others{};
};

struct Predicate {
  Op op = Op::kEq;
  std::uint32_t path = 0;                        // index in ToolRule::paths
  Operand operand{};
  std::shared_ptr<const RE2> regex{};            // kRegex, kGlob
  std::shared_ptr<const Members> members{};      // kIn, kNotIn
  std::string reason{};
};

struct PredicateList {
  std::string pointer{};                         // "/tools/x/deny_if"; the predicate's index follows it
  std::vector<Predicate> all{};
};

// A limit and how its key is made. `bound` limits only look: they add a maximum to a counter that another rule counts.
struct CompiledLimit {
  Limit limit{};
  ArgPath from{};                                // of limit.increment_from
  std::string owner{};                           // kTool: the tool whose counter it is; empty: the tool that is called
  std::string key_tail{};                        // "/counter/60000" or "/counter/60000/fixed"
  std::string reason{};                          // the document's own words for a refusal; may be empty
  bool bound = false;
};

// `state.*` conditions that no reservation can express: they read the counter.
struct StateCondition {
  CompiledLimit counter{};
  bool counts = false;                           // this call adds to the counter: it is judged by what it will be
  Op op = Op::kEq;
  Operand operand{};
  std::shared_ptr<const Members> members{};
  std::size_t index = 0;                         // among the conditions of its rule
};

enum class RuleAction : std::uint8_t { kEvaluate, kAllow, kDeny, kRequireApproval };

// A rule of the older list.
struct OldRule {
  std::string pointer{};                         // "/tools/x/rules/0"
  RuleAction action = RuleAction::kEvaluate;
  std::vector<std::pair<std::size_t, Predicate>> conditions{};   // with their index among all conditions
  std::vector<StateCondition> state{};
  bool spend = false;                            // limits what a call pays, which nothing here knows: it denies
  std::string reason{};
  std::chrono::milliseconds approval_timeout{0};  // 0: the document's
};

enum class Action : std::uint8_t { kAllow, kDeny, kRequireApproval };

struct ToolRule {
  std::string pointer{};                         // "/tools/run_in_venv", "/all_tools"
  Action action = Action::kAllow;
  std::string reason{};
  std::chrono::milliseconds approval_timeout{0};
  std::vector<ArgPath> paths{};                  // what the predicates look at, each once
  PredicateList deny_if{};
  PredicateList require{};
  std::shared_ptr<const CommandSet> commands{};
  std::vector<OldRule> rules{};
  std::vector<CompiledLimit> limits{};           // its own; Plan::quotas has what a call reserves
  std::string profile{};
};

// A ToolRule and every quota that a call it decides takes from: its own, those of all_tools and of the wildcard, each counter once.
struct Plan {
  ToolRule rule{};
  std::vector<CompiledLimit> quotas{};
};

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};
template <typename T>
using NameMap = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;

// Names and globs that a list holds: exact ones by hash.
struct NameSet {
  NameMap<std::string> exact{};                        // name -> JSON pointer of its entry
  std::vector<std::pair<std::string, std::string>> globs{};
};

struct CompiledGrant {
  std::optional<NameSet> tools{};
  std::string pointer{};                         // "/grants/NAME"
  std::vector<CompiledLimit> limits{};
};

}  // namespace wardenv::policy::core

namespace wardenv::policy {

struct Rulebook {
  core::NameSet hide{};
  core::NameMap<std::size_t> exact{};            // tool -> index in plans
  std::vector<std::pair<std::string, std::size_t>> globs{};   // most specific first
  std::vector<core::Plan> plans{};
  core::Plan unlisted{};                         // its rule is empty: what applies where nothing is listed
  std::optional<core::ToolRule> all_tools{};
  std::optional<core::ToolRule> wildcard{};      // `"*"` of the older forms: applies besides a tool's own, lists nothing
  core::NameMap<core::CompiledGrant> grants{};
};

}  // namespace wardenv::policy
