// SPDX-License-Identifier: Apache-2.0
// The options of nearly every call, read without a library.
#include "tools/options/plain.h"

#include <algorithm>

namespace wardenv::tools {
namespace {

const OptionInfo* find(std::span<const OptionInfo> table, std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const OptionInfo& option) { return name == option.name; });
  return found == table.end() ? nullptr : &*found;
}

// What could be an option, a list, or a mistake is for CLI11 to judge.
bool is_plain_value(std::string_view value) { return !value.empty() && value[0] != '-' && value[0] != '['; }

}  // namespace

std::optional<OptionValues> parse_plain(std::span<const OptionInfo> table, std::span<const std::string> arguments) {
  OptionValues values;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const std::size_t equals = std::min(argument.find('='), argument.size());
    const OptionInfo* option = find(table, argument.substr(0, equals));
    if (option == nullptr) return std::nullopt;
    const bool first = values.count(option->name) == 0;
    if (!first && !option->repeatable) return std::nullopt;
    std::vector<std::string>& given = values[option->name];
    if (option->takes == Takes::kNothing) {
      if (equals != argument.size()) return std::nullopt;
      continue;
    }
    const bool joined = equals != argument.size();
    if (!joined && ++i == arguments.size()) return std::nullopt;
    const std::string_view value = joined ? argument.substr(equals + 1) : std::string_view(arguments[i]);
    if (!is_plain_value(value)) return std::nullopt;
    given.emplace_back(value);
  }
  return values;
}

}  // namespace wardenv::tools
