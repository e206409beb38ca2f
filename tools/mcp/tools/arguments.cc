// SPDX-License-Identifier: Apache-2.0
// The arguments of a call.
#include "tools/mcp/tools/arguments.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace wardenv::mcp {
namespace {

using nlohmann::json;

std::string ticked(std::string_view name) { return "`" + std::string(name) + "`"; }

std::string kind_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null: return "null";
    case json::value_t::boolean: return "a boolean";
    case json::value_t::string: return "a string";
    case json::value_t::array: return "a list";
    case json::value_t::object: return "an object";
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
    case json::value_t::number_float: return "a number";
    case json::value_t::binary:
    case json::value_t::discarded: break;
  }
  return "something else";
}

std::optional<std::uint64_t> whole_number(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_integer() && value.get<std::int64_t>() >= 0) return static_cast<std::uint64_t>(value.get<std::int64_t>());
  // 3.0 is an integer to JSON Schema; beyond 2^53 a double no longer says which.
  if (!value.is_number_float()) return {};
  const double number = value.get<double>();
  if (number < 0 || number > 9007199254740992.0 || number != std::floor(number)) return {};
  return static_cast<std::uint64_t>(number);
}

}  // namespace

void Arguments::wrong(std::string message) {
  if (!problem_) problem_ = std::move(message);
}

const json* Arguments::find(std::string_view name) {
  known_.push_back(name);
  const auto item = object_.find(std::string(name));
  return item == object_.end() ? nullptr : &*item;
}

std::optional<std::string> Arguments::optional_text(std::string_view name) {
  const json* value = find(name);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    wrong(ticked(name) + " must be a string, not " + kind_of(*value));
    return {};
  }
  return value->get<std::string>();
}

std::string Arguments::text(std::string_view name) {
  auto value = optional_text(name);
  if (!value && object_.find(std::string(name)) == object_.end()) wrong(ticked(name) + " is missing: it must be a string");
  if (value && value->empty()) wrong(ticked(name) + " is empty");
  return value.value_or("");
}

std::vector<std::string> Arguments::list(std::string_view name, std::size_t max) {
  const json* value = find(name);
  if (value == nullptr) return {};
  std::vector<std::string> items;
  if (!value->is_array()) wrong(ticked(name) + " must be a list of strings, such as [\"a\", \"b\"], not " + kind_of(*value));
  else if (value->size() > max) wrong(ticked(name) + " has more than " + std::to_string(max) + " items");
  else {
    for (const json& item : *value) {
      if (item.is_string()) items.push_back(item.get<std::string>());
      else wrong(ticked(name) + " must hold strings only, not " + kind_of(item));
    }
  }
  return items;
}

std::optional<bool> Arguments::flag(std::string_view name) {
  const json* value = find(name);
  if (value == nullptr) return {};
  if (value->is_boolean()) return value->get<bool>();
  wrong(ticked(name) + " must be true or false, not " + kind_of(*value));
  return {};
}

std::optional<std::uint64_t> Arguments::number(std::string_view name, std::uint64_t min, std::uint64_t max) {
  const json* value = find(name);
  if (value == nullptr) return {};
  const auto number = whole_number(*value);
  if (number && *number >= min && *number <= max) return number;
  wrong(ticked(name) + " must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return {};
}

std::optional<std::string> Arguments::problem() {
  if (problem_) return problem_;
  for (const auto& item : object_.items()) {
    if (std::find(known_.begin(), known_.end(), item.key()) != known_.end()) continue;
    std::string known;
    for (const std::string_view name : known_) known += (known.empty() ? "" : ", ") + ticked(name);
    return "there is no argument " + ticked(item.key().substr(0, 60)) + "; there are: " + known;
  }
  return {};
}

}  // namespace wardenv::mcp
