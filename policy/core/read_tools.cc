// SPDX-License-Identifier: Apache-2.0
// Reads ToolRules: the entries of `tools` and all_tools; and lists of names such as `hide`.
#include <algorithm>
#include <functional>
#include <set>

#include "policy/commands/commands.h"
#include "policy/core/reading.h"
#include "policy/core/text/glob.h"

namespace wardenv::policy::core {
namespace {

constexpr std::array<Choice, 3> kActions = {{{"allow", int(Action::kAllow)}, {"deny", int(Action::kDeny)}, {"require_approval", int(Action::kRequireApproval)}}};

void read_commands(Reading& reading, const Cursor& at, ToolRule& to) {
  if (!expect(reading.notes, at, Kind::kObject, "an object of commands")) return;
  Findings findings;
  to.commands = compile_commands(to_json(at.node), at.pointer(), findings);
  for (Finding& finding : findings) {
    const Node* node = find_by_pointer(reading.root, finding.pointer);
    reading.notes.add(std::move(finding.pointer), node != nullptr ? node->place : at.node.place, std::move(finding.message), finding.severity);
  }
  if (to.commands == nullptr && !reading.notes.failed()) reading.notes.error(at, "the commands can't be compiled");
}

void read_profile_name(Reading& reading, const Cursor& at, ToolRule& to) {
  auto name = read_name(reading.notes, at, "the name of a profile");
  if (!name) return;
  to.profile = *name;
  reading.profiles.push_back({std::move(*name), at.pointer(), at.node.place});
}

using ToolField = Field<Reading, ToolRule>;
constexpr std::array<ToolField, 11> kToolFields = {{
    {"description", [](Reading& reading, const Cursor& at, ToolRule&) { expect(reading.notes, at, Kind::kString, "a text"); }},
    {"action", [](Reading& reading, const Cursor& at, ToolRule& to) {
       to.action = read_choice<Action>(reading.notes, at, kActions).value_or(Action::kDeny);
     }},
    {"reason", [](Reading& reading, const Cursor& at, ToolRule& to) { to.reason = read_text(reading.notes, at, "a text").value_or(""); }},
    {"approval_timeout", [](Reading& reading, const Cursor& at, ToolRule& to) {
       to.approval_timeout = read_duration(reading.notes, at).value_or(std::chrono::milliseconds(0));
     }},
    {"require", [](Reading& reading, const Cursor& at, ToolRule& to) { read_predicates(reading, at, to.require, to); }},
    {"deny_if", [](Reading& reading, const Cursor& at, ToolRule& to) { read_predicates(reading, at, to.deny_if, to); }},
    {"commands", read_commands},
    {"limits", [](Reading& reading, const Cursor& at, ToolRule& to) { read_limits(reading, at, to.limits); }},
    {"rate_limit", read_rate_limit},
    {"rules", read_rules},
    {"profile", read_profile_name},
}};

// `"*"` with `rules` is the older form's wildcard, also where it is described. Whatever else judges would make it a glob, which lists every tool and
// whose rules apply to none that has an entry of its own: nobody who writes `rules` there means that.
bool is_wildcard(const Member& tool) { return tool.key == "*" && tool.value.kind == Kind::kObject && tool.value.find("rules") != nullptr; }

void check_wildcard(Reading& reading, const Cursor& at) {
  constexpr std::array<std::string_view, 3> kJudgeNothingElse = {"rules", "description", "reason"};
  for (const Member& member : at.node.members()) {
    if (std::find(kJudgeNothingElse.begin(), kJudgeNothingElse.end(), member.key) != kJudgeNothingElse.end()) continue;
    const bool known = std::any_of(kToolFields.begin(), kToolFields.end(), [&](const ToolField& field) { return field.key == member.key; });
    if (known) reading.notes.error_at_key(at, member, "`*` with `rules` is the older form's wildcard, which has nothing but rules: put `" + std::string(member.key) + "` into `all_tools`");
  }
}

}  // namespace

void read_tool_rule(Reading& reading, const Cursor& at, ToolRule& rule) {
  rule.pointer = at.pointer();
  read_fields(reading, at, kToolFields, rule, "an object; {} allows the tool without conditions");
  const bool asks = rule.action == Action::kRequireApproval;
  if (!asks && rule.approval_timeout.count() > 0) reading.notes.error(at, "approval_timeout needs the action `require_approval`");
}

void warn_of_signs(Notes& notes, std::string pointer, Place place, std::string_view name) {
  const auto pair = [name](char open, char close) {
    const std::size_t at = name.find(open);
    return at != std::string_view::npos && name.find(close, at) != std::string_view::npos;
  };
  if (pair('[', ']') || pair('{', '}')) notes.add(std::move(pointer), place, "only `*` and `?` are special in the name of a tool: brackets and braces stand for themselves", Severity::kWarning);
}

void read_tools(Reading& reading, const Cursor& at) {
  if (!expect(reading.notes, at, Kind::kObject, "an object of tools")) return;
  reading.entries.reserve(at.node.size + 1);
  for (const Member& member : at.node.members()) {
    check_name(reading.notes, at, member, "the name of a tool");
    warn_of_signs(reading.notes, at.to(member).pointer(), member.place, member.key);
    Entry entry;
    entry.name = member.key;
    entry.place = member.place;
    entry.wildcard = is_wildcard(member);
    if (entry.wildcard) check_wildcard(reading, at.to(member));
    reading.entry_name = entry.name;
    read_tool_rule(reading, at.to(member), entry.rule);
    reading.entries.push_back(std::move(entry));
  }
}

void read_name_list(Reading& reading, const Cursor& at, NameSet& to, std::string_view what) {
  if (!expect(reading.notes, at, Kind::kArray, "a list of names or globs of tools")) return;
  std::set<std::string, std::less<>> known;
  for (std::size_t i = 0; i < at.node.size; ++i) {
    const Cursor item = at.to(i);
    const auto name = read_name(reading.notes, item, what);
    if (!name) continue;
    warn_of_signs(reading.notes, item.pointer(), item.node.place, *name);
    if (!known.insert(*name).second) reading.notes.error(item, "`" + *name + "` is listed twice");
    else if (is_name_glob(*name)) to.globs.emplace_back(*name, item.pointer());
    else to.exact.emplace(*name, item.pointer());
  }
}

}  // namespace wardenv::policy::core
