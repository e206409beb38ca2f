// SPDX-License-Identifier: Apache-2.0
// Reads predicates: the argument, the operator and what it is compared with.
#include <algorithm>
#include <charconv>

#include "policy/commands/glob.h"
#include "policy/core/reading.h"

namespace wardenv::policy::core {
namespace {

constexpr std::size_t kLongestRegex = 4096;
constexpr std::size_t kMostPaths = 100'000;

enum class Takes { kAny, kList, kNumber, kString, kBool, kRegex, kGlob, kFolder };

struct OpInfo {
  std::string_view name;
  Op op;
  Takes takes;
  std::string_view needs;   // for the error
};
constexpr std::array kOps = {
    OpInfo{"eq", Op::kEq, Takes::kAny, ""},
    OpInfo{"neq", Op::kNeq, Takes::kAny, ""},
    OpInfo{"in", Op::kIn, Takes::kList, "a list"},
    OpInfo{"not_in", Op::kNotIn, Takes::kList, "a list"},
    OpInfo{"lt", Op::kLt, Takes::kNumber, "a number"},
    OpInfo{"lte", Op::kLte, Takes::kNumber, "a number"},
    OpInfo{"gt", Op::kGt, Takes::kNumber, "a number"},
    OpInfo{"gte", Op::kGte, Takes::kNumber, "a number"},
    OpInfo{"regex", Op::kRegex, Takes::kRegex, "a string with a regular expression"},
    OpInfo{"contains", Op::kContains, Takes::kAny, ""},
    OpInfo{"exists", Op::kExists, Takes::kBool, "true or false"},
    OpInfo{"under", Op::kUnder, Takes::kFolder, "an absolute folder or one that begins with {workspace}"},
    OpInfo{"glob", Op::kGlob, Takes::kGlob, "a string with a glob"},
};

const OpInfo* find_op(std::string_view name, Ops ops) {
  for (const OpInfo& info : kOps) {
    const bool older = info.op != Op::kUnder && info.op != Op::kGlob;
    if (info.name == name && (older || ops == Ops::kAll)) return &info;
  }
  return nullptr;
}

std::string op_names(Ops ops) {
  std::string names;
  for (const OpInfo& info : kOps) {
    if (find_op(info.name, ops) != nullptr) names += (names.empty() ? "" : " ") + std::string(info.name);
  }
  return names;
}

bool is_number(const Node& node) { return node.kind == Kind::kInteger || node.kind == Kind::kNatural || node.kind == Kind::kReal; }

Number number_of(const Node& node) {
  if (node.kind == Kind::kInteger) return make_number(node.integer);
  return node.kind == Kind::kNatural ? make_number(node.natural) : make_number(node.real);
}

Operand operand_of(const Node& node) {
  Operand made;
  switch (node.kind) {
    case Kind::kNull: break;
    case Kind::kBool:
      made.kind = Operand::Kind::kBool;
      made.truth = node.truth;
      break;
    case Kind::kInteger:
    case Kind::kNatural:
    case Kind::kReal:
      made.kind = Operand::Kind::kNumber;
      made.number = number_of(node);
      break;
    case Kind::kString:
      made.kind = Operand::Kind::kString;
      made.text = node.text();
      break;
    case Kind::kArray:
    case Kind::kObject:
      made.kind = Operand::Kind::kDeep;
      made.deep = std::make_shared<const nlohmann::json>(to_json(node));
      break;
  }
  return made;
}

std::shared_ptr<const Members> members_of(const Node& list) {
  auto made = std::make_shared<Members>();
  for (const Node& item : list.items()) {
    if (item.kind == Kind::kString) made->texts.emplace_back(item.text());
    else made->others.push_back(operand_of(item));
  }
  std::sort(made->texts.begin(), made->texts.end());
  return made;
}

// Patterns that occur often are compiled once.
std::shared_ptr<const RE2> compile_regex(Reading& reading, const Cursor& at, const std::string& pattern) {
  if (const auto known = reading.regexes.find(pattern); known != reading.regexes.end()) return known->second;
  MadeRegex made = make_regex(pattern);
  if (made.regex != nullptr) reading.regexes.emplace(pattern, made.regex);
  else reading.notes.error(at, "not a regular expression of RE2: " + made.error);
  return std::move(made.regex);
}

std::shared_ptr<const RE2> compile_glob(Reading& reading, const Cursor& at, const std::string& glob) {
  if (has_braces(glob)) reading.notes.warning(at, kBracesAreText);
  const auto pattern = pattern_of_glob(glob);
  if (pattern) return compile_regex(reading, at, "(?s)\\A(?:" + *pattern + ")\\z");
  reading.notes.error(at, "not a glob: a `[` is not closed; write `[[]` for the character");
  return nullptr;
}

bool is_folder(std::string_view text) {
  if (text.starts_with("{workspace}")) text.remove_prefix(11);
  else if (text.empty()) return false;
  if (!text.empty() && text.front() != '/') return false;
  const std::string padded = std::string(text) + "/";
  return padded.find("/../") == std::string::npos && padded.find("/./") == std::string::npos && text.find('{') == std::string_view::npos;
}

bool fits(Takes takes, const Node& value) {
  switch (takes) {
    case Takes::kAny: return true;
    case Takes::kList: return value.kind == Kind::kArray;
    case Takes::kNumber: return is_number(value);
    case Takes::kBool: return value.kind == Kind::kBool;
    case Takes::kString: return value.kind == Kind::kString;
    case Takes::kRegex:
    case Takes::kGlob: return value.kind == Kind::kString && value.size <= kLongestRegex;
    case Takes::kFolder: return value.kind == Kind::kString && is_folder(value.text());
  }
  return false;
}

std::optional<OpValue> read_value(Reading& reading, const Cursor& at, const OpInfo& info) {
  if (!fits(info.takes, at.node)) {
    reading.notes.error(at, "operator `" + std::string(info.name) + "` needs " + std::string(info.needs) + ", not " + kind_name(at.node));
    return std::nullopt;
  }
  OpValue made;
  made.op = info.op;
  if (info.takes == Takes::kList) {
    made.members = members_of(at.node);
    if (at.node.size == 0) reading.notes.warning(at, "the list is empty: `in` never holds, `not_in` always does");
    return made;
  }
  made.operand = operand_of(at.node);
  if (info.takes == Takes::kRegex) made.regex = compile_regex(reading, at, made.operand.text);
  if (info.takes == Takes::kGlob) made.regex = compile_glob(reading, at, made.operand.text);
  return made;
}

Segment segment_of(std::string text, bool dotted) {
  Segment made;
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error == std::errc() && end == text.data() + text.size() && (text == "0" || text.front() != '0')) made.index = index;
  made.each = dotted && text == "*";
  made.key = std::move(text);
  return made;
}

std::string unescaped(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
    text += !escape ? token[i] : token[i + 1] == '1' ? '/' : '~';
    if (escape) ++i;
  }
  return text;
}

struct PredicateText {
  Reading& reading;
  std::optional<Cursor> arg{};
  std::string reason{};
};

using PredicateField = Field<Reading, PredicateText>;
constexpr std::array<PredicateField, 4> kPredicateFields = {{
    {"arg", [](Reading&, const Cursor& at, PredicateText& to) { to.arg.emplace(at); }},
    {"op", [](Reading&, const Cursor&, PredicateText&) {}},
    {"value", [](Reading&, const Cursor&, PredicateText&) {}},
    {"reason", [](Reading& reading, const Cursor& at, PredicateText& to) { to.reason = read_text(reading.notes, at, "a text").value_or(""); }},
}};
constexpr std::array<std::string_view, 3> kPredicateNeeds = {"arg", "op", "value"};

void read_predicate(Reading& reading, const Cursor& at, PredicateList& to, ToolRule& rule) {
  PredicateText text{reading};
  if (!read_fields(reading, at, kPredicateFields, text, "a predicate {arg, op, value}")) return;
  require_keys(reading.notes, at, kPredicateNeeds);
  auto value = read_op_value(reading, at, Ops::kAll);
  if (!text.arg || !expect(reading.notes, *text.arg, Kind::kString, "the name of an argument")) return;
  const auto path = read_path(reading, *text.arg, text.arg->node.text(), rule);
  if (!value || !path) return;
  if (value->op == Op::kExists && rule.paths[*path].each_at != SIZE_MAX) reading.notes.error(*text.arg, "`exists` can't be asked of every element");
  to.all.push_back({value->op, *path, std::move(value->operand), std::move(value->regex), std::move(value->members), std::move(text.reason)});
}

}  // namespace

std::optional<ArgPath> parse_path(Notes& notes, const Cursor& at, std::string_view text) {
  ArgPath path;
  path.text = text;
  const bool dotted = !text.starts_with('/');
  const char separator = dotted ? '.' : '/';
  std::string_view rest = dotted ? text : text.substr(1);
  for (bool more = true; more;) {
    const std::string_view token = rest.substr(0, rest.find(separator));
    more = token.size() < rest.size();
    rest.remove_prefix(more ? token.size() + 1 : token.size());
    if (token.empty()) {
      notes.error(at, "must be the name of an argument such as \"command\", \"options.depth\", \"args.*\" or \"/name.with.dots\"");
      return std::nullopt;
    }
    path.segments.push_back(segment_of(dotted ? std::string(token) : unescaped(token), dotted));
    if (!path.segments.back().each) continue;
    if (path.each_at != SIZE_MAX || path.segments.size() == 1) {
      notes.error(at, "`*` may stand once, after the name of a list");
      return std::nullopt;
    }
    path.each_at = path.segments.size() - 1;
  }
  return path;
}

std::optional<std::uint32_t> read_path(Reading& reading, const Cursor& at, std::string_view text, ToolRule& rule) {
  for (std::size_t i = 0; i < rule.paths.size(); ++i) {
    if (rule.paths[i].text == text) return static_cast<std::uint32_t>(i);
  }
  auto path = parse_path(reading.notes, at, text);
  if (!path || rule.paths.size() >= kMostPaths) return std::nullopt;
  rule.paths.push_back(std::move(*path));
  return static_cast<std::uint32_t>(rule.paths.size() - 1);
}

std::optional<OpValue> read_op_value(Reading& reading, const Cursor& object, Ops ops) {
  std::optional<OpValue> made;
  const Node* value = object.node.find("value");
  const Node* name = object.node.find("op");
  for (const Member& member : object.node.members()) {
    if (&member.value != name) continue;
    const Cursor at = object.to(member);
    const OpInfo* info = name->kind == Kind::kString ? find_op(name->text(), ops) : nullptr;
    if (info == nullptr) {
      reading.notes.error(at, "unknown operator: known are " + op_names(ops));
    } else if (value != nullptr) {
      const Cursor value_at{*value, &object, "value", 0};
      made = read_value(reading, value_at, *info);
    }
  }
  return made;
}

void read_predicates(Reading& reading, const Cursor& at, PredicateList& to, ToolRule& rule) {
  if (!expect(reading.notes, at, Kind::kArray, "a list of predicates {arg, op, value}")) return;
  to.pointer = at.pointer();
  to.all.reserve(at.node.size);
  for (std::size_t i = 0; i < at.node.size; ++i) read_predicate(reading, at.to(i), to, rule);
}

}  // namespace wardenv::policy::core
