// SPDX-License-Identifier: Apache-2.0
// CLI11 declarations out of a table.
#include "tools/options/table.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace wardenv::tools {

Result<OptionValues> parse_table(std::span<const OptionInfo> table, std::vector<std::string> arguments, const std::string& hint) {
  CLI::App app;
  app.set_help_flag();
  std::map<std::string, bool> flags;
  OptionValues values;
  for (const OptionInfo& option : table) {
    CLI::Option* made = option.takes == Takes::kNothing ? app.add_flag(option.name, flags[option.name]) : app.add_option(option.name, values[option.name]);
    if (option.takes != Takes::kNothing) made->allow_extra_args(false)->expected(1, option.repeatable ? 1'000 : 1);
    if (!option.repeatable) made->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  }
  app.add_flag("-h", flags["--help"]);
  try {
    std::reverse(arguments.begin(), arguments.end());
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    std::string text = error.what();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return fail(ErrorCode::kBadInput, text, hint);
  }
  std::erase_if(values, [](const auto& entry) { return entry.second.empty(); });
  for (const auto& [name, set] : flags) {
    if (set) values[name] = {};
  }
  return values;
}

}  // namespace wardenv::tools
