// SPDX-License-Identifier: Apache-2.0
// Reads the older list `rules`: conditions on arguments and counters, rates, and what a rule does.
#include "policy/core/reading.h"

namespace wardenv::policy::core {
namespace {

constexpr std::array<Choice, 4> kActions = {{{"evaluate", int(RuleAction::kEvaluate)},
                                             {"allow", int(RuleAction::kAllow)},
                                             {"deny", int(RuleAction::kDeny)},
                                             {"require_approval", int(RuleAction::kRequireApproval)}}};

// The parts of a rule as they stand in the text: how they may go together is looked at when all are known.
struct RuleText {
  OldRule rule{};
  std::optional<Cursor> action{};
  std::optional<Cursor> name{};
  std::optional<Cursor> conditions{};
  std::optional<Cursor> rate_limit{};
  std::optional<Cursor> state{};
  std::optional<Cursor> on_deny{};
  std::optional<Cursor> approval_timeout{};
};

void read_payment(Reading& reading, const Cursor& at, RuleText&) {
  const Node& node = at.node;
  const bool good = node.kind == Kind::kNatural || (node.kind == Kind::kInteger && node.integer >= 0) || (node.kind == Kind::kReal && node.real >= 0);
  if (!good) reading.notes.error(at, "must be a number from 0 on");
}

using RuleField = Field<Reading, RuleText>;
constexpr std::array<RuleField, 2> kSpendFields = {{{"per_call", read_payment}, {"daily", read_payment}}};

void read_spend(Reading& reading, const Cursor& at, RuleText& to) {
  to.rule.spend = true;
  if (!read_fields(reading, at, kSpendFields, to, "an object {per_call, daily}")) return;
  if (at.node.size == 0) reading.notes.error(at, "must say `per_call` or `daily`");
  reading.notes.warning(at, "nothing here knows what a call pays, so the rule denies whatever it applies to: to limit an amount use limits with increment_from");
}

constexpr std::array<RuleField, 10> kRuleFields = {{
    {"name", [](Reading& reading, const Cursor& at, RuleText& to) {
       read_text(reading.notes, at, "a name");
       to.name.emplace(at);
     }},
    {"description", [](Reading& reading, const Cursor& at, RuleText&) { expect(reading.notes, at, Kind::kString, "a text"); }},
    {"action", [](Reading& reading, const Cursor& at, RuleText& to) {
       to.rule.action = read_choice<RuleAction>(reading.notes, at, kActions).value_or(RuleAction::kEvaluate);
       to.action.emplace(at);
     }},
    {"conditions", [](Reading& reading, const Cursor& at, RuleText& to) {
       if (expect(reading.notes, at, Kind::kArray, "a list of conditions {path, op, value}")) to.conditions.emplace(at);
     }},
    {"rate_limit", [](Reading&, const Cursor& at, RuleText& to) { to.rate_limit.emplace(at); }},
    {"state", [](Reading&, const Cursor& at, RuleText& to) { to.state.emplace(at); }},
    {"on_deny", [](Reading& reading, const Cursor& at, RuleText& to) {
       to.rule.reason = read_text(reading.notes, at, "a text").value_or("");
       to.on_deny.emplace(at);
     }},
    {"reason", [](Reading& reading, const Cursor& at, RuleText& to) {
       auto text = read_text(reading.notes, at, "a text");
       if (text && to.rule.reason.empty()) to.rule.reason = std::move(*text);
     }},
    {"approval_timeout", [](Reading& reading, const Cursor& at, RuleText& to) {
       to.rule.approval_timeout = read_duration(reading.notes, at).value_or(std::chrono::milliseconds(0));
       to.approval_timeout.emplace(at);
     }},
    {"spend", read_spend},
}};

// How the parts of a rule go together.
void check_parts(Reading& reading, const Cursor& at, const RuleText& text) {
  const bool deny = text.rule.action == RuleAction::kDeny;
  const bool older = text.state || text.on_deny || text.approval_timeout || (text.conditions && text.conditions->node.size > 0);
  const auto wrong = [&](const Cursor& where, const char* message) { reading.notes.error(where, message); };
  if (older && !text.name) wrong(at, "the rule needs a `name`");
  if (deny && text.conditions && text.conditions->node.size > 0) {
    wrong(*text.conditions, "a rule with action `deny` denies always and takes no conditions: to deny by an argument use deny_if");
  }
  if (deny && text.rate_limit) wrong(*text.rate_limit, "a rule with action `deny` takes no rate_limit");
  if (deny && text.state) wrong(*text.state, "a rule with action `deny` takes no state");
  if (text.rate_limit && text.conditions) wrong(*text.rate_limit, "rate_limit can't be combined with conditions: write two rules");
  if (text.rate_limit && text.state) wrong(*text.rate_limit, "rate_limit can't be combined with state: write two rules");
  const bool nothing = !text.rate_limit && (!text.conditions || text.conditions->node.size == 0) && !text.rule.spend;
  if (nothing && text.rule.action == RuleAction::kEvaluate) wrong(at, "the rule has nothing to evaluate: give it conditions, a rate_limit or an action");
  if (text.approval_timeout && text.rule.action != RuleAction::kRequireApproval) {
    wrong(*text.approval_timeout, "approval_timeout needs the action `require_approval`");
  }
}

struct StateText {
  CompiledLimit limit{};
};
using StateField = Field<Reading, StateText>;
constexpr std::array<StateField, 4> kStateFields = {{
    {"counter", [](Reading& reading, const Cursor& at, StateText& to) {
       to.limit.limit.counter = read_name(reading.notes, at, "the name of a counter").value_or("");
     }},
    {"window", [](Reading& reading, const Cursor& at, StateText& to) {
       to.limit.limit.window = read_window(reading.notes, at).value_or(std::chrono::milliseconds(0));
     }},
    {"increment", [](Reading& reading, const Cursor& at, StateText& to) {
       to.limit.limit.increment = read_count(reading.notes, at, 1, kLargestCount).value_or(1);
     }},
    {"increment_from", [](Reading& reading, const Cursor& at, StateText& to) {
       const auto text = read_text(reading.notes, at, "an argument such as \"args.amount\"");
       if (text && !text->starts_with("args.")) reading.notes.error(at, "must begin with `args.`");
       if (!text || !text->starts_with("args.")) return;
       if (auto path = parse_path(reading.notes, at, std::string_view(*text).substr(5))) to.limit.from = std::move(*path);
       if (to.limit.from.each_at != SIZE_MAX) reading.notes.error(at, "must name one argument: `*` is many");
       to.limit.limit.increment_from = *text;
     }},
}};
constexpr std::array<std::string_view, 2> kStateNeeds = {"counter", "window"};

// A declared counter is a limit without a maximum; link() gives it the smallest that a condition sets.
void read_state(Reading& reading, const Cursor& at, ToolRule& rule) {
  StateText text;
  if (!read_fields(reading, at, kStateFields, text, "an object {counter, window}") || !require_keys(reading.notes, at, kStateNeeds)) return;
  const bool wildcard = reading.entry_name == "*" || reading.entry_name.empty();
  Limit& limit = text.limit.limit;
  limit.max = kLargestCount;
  limit.mode = LimitMode::kFixed;
  limit.scope = wildcard ? Scope::kGlobal : Scope::kTool;
  limit.pointer = at.pointer();
  finish_limit(text.limit);
  reading.counters.push_back({wildcard ? "_global" : reading.entry_name, reading.entries.size(), rule.limits.size()});
  rule.limits.push_back(std::move(text.limit));
}

constexpr std::array<std::string_view, 3> kConditionNeeds = {"path", "op", "value"};
constexpr std::array<Field<Reading, OldRule>, 3> kConditionFields = {{
    {"path", [](Reading&, const Cursor&, OldRule&) {}},
    {"op", [](Reading&, const Cursor&, OldRule&) {}},
    {"value", [](Reading&, const Cursor&, OldRule&) {}},
}};

void read_state_condition(Reading& reading, const Cursor& at, OpValue value, std::string_view path, std::size_t rule) {
  if (value.op == Op::kRegex || value.op == Op::kContains) {
    reading.notes.error(at, "a counter is a number: `regex` and `contains` can't be asked of it");
    return;
  }
  reading.conditions.push_back({reading.entries.size(), rule, at.index, std::string(path.substr(6)), value.op, std::move(value.operand),
                                std::move(value.members), at.pointer(), at.node.place});
}

void read_condition(Reading& reading, const Cursor& at, OldRule& to, ToolRule& rule) {
  if (!read_fields(reading, at, kConditionFields, to, "a condition {path, op, value}")) return;
  const bool whole = require_keys(reading.notes, at, kConditionNeeds);
  auto value = read_op_value(reading, at, Ops::kOlder);
  if (!whole) return;
  const Cursor path_at{*at.node.find("path"), &at, "path", 0};
  const auto path = read_text(reading.notes, path_at, "a path that begins with `args.` or `state.`");
  if (!path) return;
  if (path->starts_with("state.") && value) return read_state_condition(reading, at, std::move(*value), *path, rule.rules.size());
  if (path->starts_with("state.")) return;
  if (!path->starts_with("args.")) return reading.notes.error(path_at, "must begin with `args.` or `state.`");
  const auto index = read_path(reading, path_at, std::string_view(*path).substr(5), rule);
  if (!value || !index) return;
  if (value->op == Op::kExists && rule.paths[*index].each_at != SIZE_MAX) reading.notes.error(path_at, "`exists` can't be asked of every element");
  to.conditions.emplace_back(at.index, Predicate{value->op, *index, std::move(value->operand), std::move(value->regex), std::move(value->members), {}});
}

void read_rule(Reading& reading, const Cursor& at, ToolRule& rule) {
  RuleText text;
  if (!read_fields(reading, at, kRuleFields, text, "a rule")) return;
  check_parts(reading, at, text);
  text.rule.pointer = at.pointer();
  if (text.conditions) {
    for (std::size_t i = 0; i < text.conditions->node.size; ++i) read_condition(reading, text.conditions->to(i), text.rule, rule);
  }
  if (text.state) read_state(reading, *text.state, rule);
  if (text.rate_limit) read_rule_rate_limit(reading, *text.rate_limit, text.rule.reason, rule);
  rule.rules.push_back(std::move(text.rule));
}

}  // namespace

void read_rules(Reading& reading, const Cursor& at, ToolRule& rule) {
  if (!expect(reading.notes, at, Kind::kArray, "a list of rules")) return;
  rule.rules.reserve(at.node.size);
  for (std::size_t i = 0; i < at.node.size; ++i) read_rule(reading, at.to(i), rule);
}

}  // namespace wardenv::policy::core
