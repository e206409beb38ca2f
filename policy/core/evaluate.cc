// SPDX-License-Identifier: Apache-2.0
// Evaluates predicates. Nothing is coerced; what has the wrong type to be ordered or searched can't be evaluated.
#include "policy/core/evaluate.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace wardenv::policy::core {
namespace {

using nlohmann::json;

constexpr Answer kHolds{Outcome::kHolds, "holds"};
constexpr Answer kFails{Outcome::kFails, "does not hold"};
constexpr Answer kAbsent{Outcome::kAbsent, "is absent"};

constexpr Answer cannot(const char* why) { return {Outcome::kCannot, why}; }
Answer answer(bool holds) { return holds ? kHolds : kFails; }

std::optional<Number> number_of(const json& value) {
  if (value.is_number_unsigned()) return make_number(value.get<std::uint64_t>());
  if (value.is_number_integer()) return make_number(value.get<std::int64_t>());
  if (value.is_number_float()) return make_number(value.get<double>());
  return std::nullopt;
}

bool equal_deep(const json& one, const json& other);

bool equal_objects(const json& one, const json& other) {
  if (one.size() != other.size()) return false;
  for (auto item = one.begin(); item != one.end(); ++item) {
    const auto match = other.find(item.key());
    if (match == other.end() || !equal_deep(*item, *match)) return false;
  }
  return true;
}

// nlohmann's operator== would take integers through a double where the other side is one.
bool equal_deep(const json& one, const json& other) {
  if (const auto number = number_of(one)) {
    const auto match = number_of(other);
    return match && compare(*number, *match) == std::strong_ordering::equal;
  }
  if (one.type() != other.type()) return false;
  if (one.is_object()) return equal_objects(one, other);
  if (one.is_array()) return one.size() == other.size() && std::equal(one.begin(), one.end(), other.begin(), equal_deep);
  return one == other;
}

const std::string* text_of(const json& value) { return value.get_ptr<const json::string_t*>(); }

bool equals(const json& value, const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kNull: return value.is_null();
    case Operand::Kind::kBool: return value.is_boolean() && value.get<bool>() == operand.truth;
    case Operand::Kind::kString: return value.is_string() && *text_of(value) == operand.text;
    case Operand::Kind::kDeep: return equal_deep(value, *operand.deep);
    case Operand::Kind::kNumber: {
      const auto number = number_of(value);
      return number && compare(*number, operand.number) == std::strong_ordering::equal;
    }
  }
  return false;
}

bool is_member(const json& value, const Members& members) {
  if (value.is_string() && std::binary_search(members.texts.begin(), members.texts.end(), *text_of(value))) return true;
  return std::any_of(members.others.begin(), members.others.end(), [&](const Operand& operand) { return equals(value, operand); });
}

bool ordered(Op op, std::strong_ordering order) {
  switch (op) {
    case Op::kLt: return order < 0;
    case Op::kLte: return order <= 0;
    case Op::kGt: return order > 0;
    case Op::kGte: return order >= 0;
    case Op::kEq:
    case Op::kNeq:
    case Op::kIn:
    case Op::kNotIn:
    case Op::kRegex:
    case Op::kContains:
    case Op::kExists:
    case Op::kUnder:
    case Op::kGlob: break;
  }
  return false;
}

Answer ask_order(const Predicate& predicate, const json& value) {
  const auto number = number_of(value);
  if (!number) return cannot("is no number");
  return answer(ordered(predicate.op, compare(*number, predicate.operand.number)));
}

Answer ask_regex(const Predicate& predicate, const json& value) {
  if (!value.is_string()) return cannot("is no string");
  return answer(occurs_in(*predicate.regex, *text_of(value)));
}

Answer ask_contains(const Predicate& predicate, const json& value) {
  if (value.is_array()) return answer(std::any_of(value.begin(), value.end(), [&](const json& item) { return equals(item, predicate.operand); }));
  if (!value.is_string()) return cannot("is neither a string nor a list");
  if (predicate.operand.kind != Operand::Kind::kString) return cannot("is a string, and the rule looks for something else in it");
  return answer(text_of(value)->find(predicate.operand.text) != std::string::npos);
}

Answer ask_under(const Predicate& predicate, const json& value, const Call& call) {
  constexpr std::string_view kWorkspace = "{workspace}";
  if (!value.is_string()) return cannot("is no path");
  const std::string& text = *text_of(value);
  if (text.empty() || text.find('\0') != std::string::npos) return cannot("is no path");
  if (call.resolve == nullptr) return cannot("can't be resolved here");
  std::string folder = predicate.operand.text;
  if (folder.starts_with(kWorkspace)) {
    if (call.workspace.empty()) return cannot("can't be resolved here: the call has no workspace");
    folder.replace(0, kWorkspace.size(), call.workspace);
  }
  const auto resolved_folder = (*call.resolve)(folder);
  const auto resolved = (*call.resolve)(text);
  if (!resolved || !resolved_folder) return cannot("can't be resolved");
  return answer(is_below(*resolved, *resolved_folder));
}

Answer ask_value(const Predicate& predicate, const json& value, const Call& call) {
  switch (predicate.op) {
    case Op::kEq: return answer(equals(value, predicate.operand));
    case Op::kNeq: return answer(!equals(value, predicate.operand));
    case Op::kIn: return answer(is_member(value, *predicate.members));
    case Op::kNotIn: return answer(!is_member(value, *predicate.members));
    case Op::kLt:
    case Op::kLte:
    case Op::kGt:
    case Op::kGte: return ask_order(predicate, value);
    case Op::kRegex:
    case Op::kGlob: return ask_regex(predicate, value);
    case Op::kContains: return ask_contains(predicate, value);
    case Op::kExists: return answer(predicate.operand.truth);
    case Op::kUnder: return ask_under(predicate, value, call);
  }
  return cannot("has an unknown operator");
}

const json* step(const json& from, const Segment& segment) {
  if (from.is_array()) return segment.index && *segment.index < from.size() ? &from[*segment.index] : nullptr;
  if (!from.is_object()) return nullptr;
  const auto& members = from.get_ref<const json::object_t&>();
  const auto found = members.find(segment.key);
  return found == members.end() ? nullptr : &found->second;
}

// Of what the elements answer: what can't be judged outweighs all, then what decides (a failure of kAll, a success of kAny).
Answer ask_elements(const Predicate& predicate, const json& list, const ArgPath& path, const Call& call, Elements elements) {
  if (!list.is_array()) return cannot("is no list");
  Answer all = answer(elements == Elements::kAll);
  for (const json& item : list) {
    const json* value = walk(item, path, path.each_at + 1);
    const Answer one = value == nullptr ? kAbsent : ask_value(predicate, *value, call);
    if (one.outcome == Outcome::kCannot) return one;
    const bool decides = (one.outcome == Outcome::kHolds) == (elements == Elements::kAny);
    if (decides) all = one;
  }
  return all;
}

}  // namespace

bool is_below(std::string_view path, std::string_view folder) {
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

const json* walk(const json& from, const ArgPath& path, std::size_t first) {
  const json* at = &from;
  for (std::size_t i = first; i < path.segments.size() && at != nullptr && i != path.each_at; ++i) at = step(*at, path.segments[i]);
  return at;
}

std::optional<std::uint64_t> count_of(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_integer() && value.get<std::int64_t>() >= 0) return static_cast<std::uint64_t>(value.get<std::int64_t>());
  return std::nullopt;
}

Outcome ask_count(Op op, const Operand& operand, const Members* members, std::uint64_t used) {
  const json value = used;
  if (op == Op::kIn || op == Op::kNotIn) return is_member(value, *members) == (op == Op::kIn) ? Outcome::kHolds : Outcome::kFails;
  if (op == Op::kExists) return operand.truth ? Outcome::kHolds : Outcome::kFails;
  if (op == Op::kEq || op == Op::kNeq) return equals(value, operand) == (op == Op::kEq) ? Outcome::kHolds : Outcome::kFails;
  return ordered(op, compare(make_number(used), operand.number)) ? Outcome::kHolds : Outcome::kFails;
}

Arguments::Arguments(const Call& call, const ToolRule& rule) : call_(call), rule_(rule) {}

const json* Arguments::at(std::uint32_t path) {
  if (path >= kRemembered) return walk(call_.arguments, rule_.paths[path]);
  if (!known_[path]) {
    known_[path] = true;
    values_[path] = walk(call_.arguments, rule_.paths[path]);
  }
  return values_[path];
}

Answer Arguments::ask(const Predicate& predicate, Elements elements) {
  const json* value = at(predicate.path);
  if (value == nullptr) return predicate.op == Op::kExists ? answer(!predicate.operand.truth) : kAbsent;
  const ArgPath& path = rule_.paths[predicate.path];
  if (path.each_at != SIZE_MAX) return ask_elements(predicate, *value, path, call_, elements);
  return ask_value(predicate, *value, call_);
}

}  // namespace wardenv::policy::core
