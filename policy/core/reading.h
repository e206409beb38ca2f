// SPDX-License-Identifier: Apache-2.0
// The parts of the loader: what each reads, and what they share while a document is read.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/core/compiled.h"
#include "policy/core/cursor.h"
#include "policy/core/fields.h"

namespace wardenv::policy::core {

// A counter that a rule of the older list declares; conditions on `state.<tool>.<counter>` look for it here.
struct DeclaredCounter {
  std::string tool{};      // "_global" for the wildcard
  std::size_t entry = 0;   // which ToolRule: index in Reading::entries
  std::size_t limit = 0;   // index in that rule's limits
};

// A condition on a counter, to be settled when every counter is known.
struct PendingCondition {
  std::size_t entry = 0;
  std::size_t rule = 0;
  std::size_t index = 0;
  std::string path{};      // what follows "state."
  Op op = Op::kEq;
  Operand operand{};
  std::shared_ptr<const Members> members{};
  std::string pointer{};
  Place place{};
};

// A name that must be there when everything is read.
struct Reference {
  std::string name{};
  std::string pointer{};
  Place place{};
};

// One entry of `tools` (or all_tools) while it is read.
struct Entry {
  std::string name{};      // "run_in_venv", "read_*", "*"; empty: all_tools
  ToolRule rule{};
  Place place{};
  bool wildcard = false;   // `"*"` with `rules`: the older form's
};

struct Reading {
  Notes notes;
  const Node& root;
  Document document{};
  Rulebook book{};
  std::vector<Entry> entries{};
  std::vector<DeclaredCounter> counters{};
  std::vector<PendingCondition> conditions{};
  std::vector<Reference> profiles{};
  std::map<std::string, std::shared_ptr<const RE2>, std::less<>> regexes{};
  std::string entry_name{};   // of the entry that is read now
};

// What a list of predicates or rules is read into: the ToolRule, and where the values of arguments are remembered.
std::optional<std::uint32_t> read_path(Reading& reading, const Cursor& at, std::string_view text, ToolRule& rule);
std::optional<ArgPath> parse_path(Notes& notes, const Cursor& at, std::string_view text);

struct OpValue {
  Op op = Op::kEq;
  Operand operand{};
  std::shared_ptr<const RE2> regex{};
  std::shared_ptr<const Members> members{};
};
enum class Ops { kAll, kOlder };   // kOlder: without under and glob
// Reads `op` and `value` of an object that has both; every error is noted.
std::optional<OpValue> read_op_value(Reading& reading, const Cursor& object, Ops ops);

void read_predicates(Reading& reading, const Cursor& at, PredicateList& to, ToolRule& rule);
void read_limits(Reading& reading, const Cursor& at, std::vector<CompiledLimit>& to);
void read_rate_limit(Reading& reading, const Cursor& at, ToolRule& rule);
// `rate_limit` in a rule of the older list, "N/minute|hour|day" or {max, window}.
void read_rule_rate_limit(Reading& reading, const Cursor& at, const std::string& words, ToolRule& rule);
void read_rules(Reading& reading, const Cursor& at, ToolRule& rule);
void read_tool_rule(Reading& reading, const Cursor& at, ToolRule& rule);
void read_tools(Reading& reading, const Cursor& at);
// Warns where the name of a tool looks like a pattern of a shell that knows more signs than ours.
void warn_of_signs(Notes& notes, std::string pointer, Place place, std::string_view name);
void read_name_list(Reading& reading, const Cursor& at, NameSet& to, std::string_view what);
void read_profiles(Reading& reading, const Cursor& at);
void read_grants(Reading& reading, const Cursor& at);
void read_approvals(Reading& reading, const Cursor& at);
void read_hooks(Reading& reading, const Cursor& at);
void read_audit(Reading& reading, const Cursor& at);

// When all is read: conditions on counters, the tables of tools, what each call reserves, names that must exist.
void link(Reading& reading);

// Fills in what keys are made of. `from`: the text of increment_from, empty for none.
void finish_limit(CompiledLimit& limit);

}  // namespace wardenv::policy::core
