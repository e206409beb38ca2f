// SPDX-License-Identifier: Apache-2.0
// Help out of a table.
#include <algorithm>

#include "tools/options/table.h"

namespace wardenv::tools {

std::string help_lines(std::span<const OptionInfo> table, std::size_t width) {
  std::string text;
  for (const OptionInfo& option : table) {
    std::string left = std::string("  ") + option.name + (option.takes == Takes::kNothing ? "" : std::string(" ") + option.value);
    left.resize(std::max<std::size_t>(left.size() + 1, width), ' ');
    text += left + option.help + (option.not_yet != nullptr ? " (not in this version)" : "") + "\n";
  }
  return text;
}

}  // namespace wardenv::tools
