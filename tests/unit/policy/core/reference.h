// SPDX-License-Identifier: Apache-2.0
// A second evaluator, written from the contract alone and for nothing but being easy to check: it walks the document's JSON for every call,
// remembers nothing and shares no code with policy/core. It knows everything but `commands`, counters of the older rules and path tests.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace wardenv::policy::reference {

using Json = nlohmann::json;

struct Verdict {
  std::string effect{};
  std::set<std::string> rules{};   // one; where an approval is asked for, all that ask
};

// "*" is any text, "?" one character (the names of the tests are ASCII).
inline bool matches(const std::string& glob, const std::string& name, std::size_t g = 0, std::size_t n = 0) {
  if (g == glob.size()) return n == name.size();
  if (glob[g] == '*') return matches(glob, name, g + 1, n) || (n < name.size() && matches(glob, name, g, n + 1));
  return n < name.size() && (glob[g] == '?' || glob[g] == name[n]) && matches(glob, name, g + 1, n + 1);
}

inline bool is_glob(const std::string& name) { return name.find('*') != std::string::npos || name.find('?') != std::string::npos; }

// How specific: characters that stand for themselves, then question marks.
inline std::pair<long, long> rank(const std::string& glob) {
  long letters = 0;
  long marks = 0;
  for (const char c : glob) (c == '?' ? marks : letters) += c == '*' ? 0 : 1;
  return {letters, marks};
}

inline bool in_names(const Json& list, const std::string& name) {
  for (const Json& entry : list) {
    if (matches(entry.get<std::string>(), name)) return true;
  }
  return false;
}

// The wildcard of the older form: rules for every tool besides its own, which lists nothing.
inline bool is_wildcard(const std::string& name, const Json& rule) { return name == "*" && rule.contains("rules"); }

inline std::optional<std::string> entry_of(const Json& document, const std::string& tool) {
  std::optional<std::string> best;
  const Json tools = document.value("tools", Json::object());
  for (const auto& [name, rule] : tools.items()) {
    if (is_wildcard(name, rule)) continue;
    if (name == tool) return name;
    if (is_glob(name) && matches(name, tool) && (!best || rank(name) > rank(*best))) best = name;
  }
  return best;
}

inline long double exact(const Json& number) {   // 64 bits of mantissa hold every integer of 64 bits and every double
  if (number.is_number_unsigned()) return static_cast<long double>(number.get<std::uint64_t>());
  if (number.is_number_integer()) return static_cast<long double>(number.get<std::int64_t>());
  return static_cast<long double>(number.get<double>());
}

inline bool same(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return exact(a) == exact(b);
  if (a.is_array() && b.is_array()) {
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
      if (!same(a[i], b[i])) return false;
    }
    return a.size() == b.size();
  }
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : a.items()) {
      if (!b.contains(key) || !same(value, b[key])) return false;
    }
    return a.size() == b.size();
  }
  return a.type() == b.type() && a == b;
}

inline bool holds_in(const Json& list, const Json& value) {
  for (const Json& item : list) {
    if (same(item, value)) return true;
  }
  return false;
}

enum class Truth { kYes, kNo, kCannot };
inline Truth truth(bool value) { return value ? Truth::kYes : Truth::kNo; }

inline Truth compare(const std::string& op, const Json& argument, const Json& value) {
  if (op == "eq") return truth(same(argument, value));
  if (op == "neq") return truth(!same(argument, value));
  if (op == "in") return truth(holds_in(value, argument));
  if (op == "not_in") return truth(!holds_in(value, argument));
  if (op == "exists") return truth(value.get<bool>());
  if (op == "contains") {
    if (argument.is_array()) return truth(holds_in(argument, value));
    if (!argument.is_string() || !value.is_string()) return Truth::kCannot;
    return truth(argument.get<std::string>().find(value.get<std::string>()) != std::string::npos);
  }
  if (op == "regex") return argument.is_string() ? truth(std::regex_search(argument.get<std::string>(), std::regex(value.get<std::string>()))) : Truth::kCannot;
  if (!argument.is_number()) return Truth::kCannot;
  const long double a = exact(argument);
  const long double b = exact(value);
  return truth(op == "lt" ? a < b : op == "lte" ? a <= b : op == "gt" ? a > b : a >= b);
}

// Dots go down; a number is a place in a list. Nothing: the argument is absent.
inline std::optional<Json> lookup(const Json& arguments, const std::string& path) {
  Json at = arguments;
  std::string rest = path;
  while (!rest.empty()) {
    const std::string step = rest.substr(0, rest.find('.'));
    rest.erase(0, step.size() + 1);
    if (at.is_array()) {
      if (step.find_first_not_of("0123456789") != std::string::npos || std::stoul(step) >= at.size()) return std::nullopt;
      const Json item = at[std::stoul(step)];
      at = item;
    } else {
      if (!at.is_object() || !at.contains(step)) return std::nullopt;
      const Json member = at[step];
      at = member;
    }
  }
  return at;
}

inline Truth ask(const Json& arguments, const std::string& path, const Json& predicate) {
  const std::string op = predicate["op"];
  const auto argument = lookup(arguments, path);
  if (!argument) return truth(op == "exists" && predicate["value"] == false);
  return compare(op, *argument, predicate["value"]);
}

class Judge {
 public:
  Judge(const Json& document, std::string tool, const Json& arguments, std::string grant)
      : document_(document), tool_(std::move(tool)), arguments_(arguments), grant_(std::move(grant)) {}

  Verdict judge() {
    if (const auto no = who_and_what()) return deny(*no);
    const auto entry = entry_of(document_, tool_);
    if (!entry && document_["default"] == "deny") return deny("(default deny)");
    if (entry) sides_.push_back({"/tools/" + *entry, document_["tools"][*entry]});
    if (document_.contains("all_tools")) sides_.push_back({"/all_tools", document_["all_tools"]});
    if (document_.contains("tools") && document_["tools"].contains("*") && is_wildcard("*", document_["tools"]["*"])) sides_.push_back({"/tools/*", document_["tools"]["*"]});
    for (auto stage : {&Judge::action, &Judge::deny_if, &Judge::require, &Judge::rules}) {
      if (const auto no = (this->*stage)()) return deny(*no);
    }
    if (const auto no = limits()) return deny(*no);
    for (const auto& [pointer, rule] : sides_) {
      if (rule.value("action", "allow") == "require_approval") approvals_.insert(pointer + "/action");
    }
    if (!approvals_.empty()) return {"require_approval", approvals_};
    return {"allow", {entry ? "/tools/" + *entry : "(default allow)"}};
  }

 private:
  static Verdict deny(const std::string& rule) { return {"deny", {rule}}; }
  static std::string at(const std::string& list, std::size_t index) { return list + "/" + std::to_string(index); }

  std::optional<std::string> who_and_what() {
    const Json grants = document_.value("grants", Json::object());
    const bool named = !grant_.empty();
    if (!named && !grants.empty()) return "(no grant)";
    if (named && !grants.contains(grant_)) return "(unknown grant)";
    if (in_names(document_.value("hide", Json::array()), tool_)) return "(hidden)";
    if (named && grants[grant_].contains("tools") && !in_names(grants[grant_]["tools"], tool_)) return "/grants/" + grant_ + "/tools";
    return std::nullopt;
  }

  std::optional<std::string> action() {
    for (const auto& [pointer, rule] : sides_) {
      if (rule.value("action", "allow") == "deny") return pointer + "/action";
    }
    return std::nullopt;
  }

  std::optional<std::string> deny_if() {
    for (const auto& [pointer, rule] : sides_) {
      const Json list = rule.value("deny_if", Json::array());
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (ask(arguments_, list[i]["arg"], list[i]) != Truth::kNo) return at(pointer + "/deny_if", i);
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> require() {
    for (const auto& [pointer, rule] : sides_) {
      const Json list = rule.value("require", Json::array());
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (ask(arguments_, list[i]["arg"], list[i]) != Truth::kYes) return at(pointer + "/require", i);
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> rules() {
    for (const auto& [pointer, rule] : sides_) {
      const Json list = rule.value("rules", Json::array());
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (const auto no = older(list[i], at(pointer + "/rules", i))) return no;
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> older(const Json& rule, const std::string& pointer) {
    const std::string action = rule.value("action", "evaluate");
    if (action == "deny") return pointer;
    const Json conditions = rule.value("conditions", Json::array());
    bool all = true;
    for (std::size_t i = 0; i < conditions.size(); ++i) {
      const Truth one = ask(arguments_, conditions[i]["path"].get<std::string>().substr(5), conditions[i]);
      all = all && one == Truth::kYes;
      const bool no = one == Truth::kCannot || (one == Truth::kNo && action != "require_approval");
      if (no) return at(pointer + "/conditions", i);
    }
    if (rule.contains("spend") && all) return pointer + "/spend";
    if (action == "require_approval" && all) approvals_.insert(pointer);
    return std::nullopt;
  }

  std::optional<std::string> limits() {
    for (const auto& [pointer, rule] : sides_) {
      const Json list = rule.value("limits", Json::array());
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (!list[i].contains("increment_from")) continue;
        const auto amount = lookup(arguments_, list[i]["increment_from"]);
        if (amount && amount->is_number() && exact(*amount) > list[i]["max"].get<int>()) return at(pointer + "/limits", i);   // never fits
        if (!amount || !amount->is_number_integer() || (!amount->is_number_unsigned() && amount->get<std::int64_t>() < 0)) return at(pointer + "/limits", i);
      }
    }
    return std::nullopt;
  }

  const Json& document_;
  std::string tool_;
  const Json& arguments_;
  std::string grant_;
  std::vector<std::pair<std::string, Json>> sides_{};   // pointer and rule: the tool's own, all_tools, the wildcard
  std::set<std::string> approvals_{};
};

}  // namespace wardenv::policy::reference
