// SPDX-License-Identifier: Apache-2.0
// Reads limits: the list, the short `rate_limit`, and the `rate_limit` of a rule.
#include <charconv>

#include "policy/core/reading.h"
#include "policy/core/text/units.h"

namespace wardenv::policy::core {
namespace {

constexpr std::array<Choice, 4> kScopes = {{{"grant", int(Scope::kGrant)}, {"session", int(Scope::kSession)}, {"tool", int(Scope::kTool)}, {"global", int(Scope::kGlobal)}}};
constexpr std::array<Choice, 2> kModes = {{{"sliding", int(LimitMode::kSliding)}, {"fixed", int(LimitMode::kFixed)}}};

// Counters that the short forms make begin with a slash, so that none of a document's own can be the same.
void read_counter(Reading& reading, const Cursor& at, CompiledLimit& to) {
  auto name = read_name(reading.notes, at, "the name of a counter");
  if (name && name->starts_with('/')) reading.notes.error(at, "the name of a counter may not begin with `/`");
  to.limit.counter = std::move(name).value_or("");
}

// "args.amount" is how the older forms write the path; an argument called `args` can be reached as "/args/…".
void read_increment_from(Reading& reading, const Cursor& at, CompiledLimit& to) {
  const auto text = read_text(reading.notes, at, "the name of an argument");
  if (!text) return;
  auto path = parse_path(reading.notes, at, text->starts_with("args.") ? std::string_view(*text).substr(5) : *text);
  if (!path) return;
  if (path->each_at != SIZE_MAX) reading.notes.error(at, "must name one argument: `*` is many");
  to.limit.increment_from = *text;
  to.from = std::move(*path);
}

using LimitField = Field<Reading, CompiledLimit>;
constexpr std::array<LimitField, 6> kLimitFields = {{
    {"counter", read_counter},
    {"window", [](Reading& reading, const Cursor& at, CompiledLimit& to) {
       to.limit.window = read_window(reading.notes, at).value_or(std::chrono::milliseconds(0));
     }},
    {"max", [](Reading& reading, const Cursor& at, CompiledLimit& to) { to.limit.max = read_count(reading.notes, at, 1, kLargestCount).value_or(0); }},
    {"scope", [](Reading& reading, const Cursor& at, CompiledLimit& to) {
       to.limit.scope = read_choice<Scope>(reading.notes, at, kScopes).value_or(Scope::kGrant);
     }},
    {"mode", [](Reading& reading, const Cursor& at, CompiledLimit& to) {
       to.limit.mode = read_choice<LimitMode>(reading.notes, at, kModes).value_or(LimitMode::kSliding);
     }},
    {"increment_from", read_increment_from},
}};
constexpr std::array<std::string_view, 3> kLimitNeeds = {"counter", "window", "max"};

// "10/minute"
bool parse_rate(std::string_view text, CompiledLimit& to) {
  std::uint64_t max = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), max);
  if (error != std::errc() || max == 0 || max > kLargestCount || text.front() == '0') return false;
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  const auto window = rest.starts_with('/') ? parse_window_name(rest.substr(1)) : std::nullopt;
  if (!window) return false;
  to.limit.max = max;
  to.limit.window = *window;
  return true;
}

constexpr std::array<LimitField, 2> kRateFields = {{kLimitFields[2], kLimitFields[1]}};
constexpr std::array<std::string_view, 2> kRateNeeds = {"max", "window"};

bool read_rate(Reading& reading, const Cursor& at, CompiledLimit& to) {
  to.limit.pointer = at.pointer();
  if (at.node.kind == Kind::kObject) {
    read_fields(reading, at, kRateFields, to, "a rate");
    return require_keys(reading.notes, at, kRateNeeds) && to.limit.max > 0 && to.limit.window.count() > 0;
  }
  if (at.node.kind == Kind::kString && parse_rate(at.node.text(), to)) return true;
  reading.notes.error(at, "must be a rate such as \"10/minute\" (second, minute, hour or day) or {\"max\": 10, \"window\": 60}");
  return false;
}

}  // namespace

void finish_limit(CompiledLimit& limit) { limit.key_tail = "/" + pointer_token(limit.limit.counter); }

void read_limits(Reading& reading, const Cursor& at, std::vector<CompiledLimit>& to) {
  if (!expect(reading.notes, at, Kind::kArray, "a list of limits {counter, window, max, scope}")) return;
  to.reserve(to.size() + at.node.size);
  for (std::size_t i = 0; i < at.node.size; ++i) {
    const Cursor item = at.to(i);
    CompiledLimit made;
    if (!read_fields(reading, item, kLimitFields, made, "a limit {counter, window, max, scope}")) continue;
    if (!require_keys(reading.notes, item, kLimitNeeds)) continue;
    made.limit.pointer = item.pointer();
    finish_limit(made);
    to.push_back(std::move(made));
  }
}

void read_rate_limit(Reading& reading, const Cursor& at, ToolRule& rule) {
  CompiledLimit made;
  if (!read_rate(reading, at, made)) return;
  made.limit.counter = made.limit.pointer;
  finish_limit(made);
  rule.limits.push_back(std::move(made));
}

// The string is the older form: a counter of the tool's, or of everybody for the wildcard, in windows of the calendar. The object counts by grant:
// its text says "by agent session", which a client could reset by beginning another.
void read_rule_rate_limit(Reading& reading, const Cursor& at, const std::string& words, ToolRule& rule) {
  CompiledLimit made;
  if (!read_rate(reading, at, made)) return;
  if (at.node.kind == Kind::kString) {
    made.limit.mode = LimitMode::kFixed;
    made.limit.scope = reading.entry_name == "*" || reading.entry_name.empty() ? Scope::kGlobal : Scope::kTool;
  }
  made.limit.counter = "/rules/" + reading.entry_name + "/rate_limit";
  made.reason = words;
  finish_limit(made);
  rule.limits.push_back(std::move(made));
}

}  // namespace wardenv::policy::core
