// SPDX-License-Identifier: Apache-2.0
// What is wrong with values, whatever they are for.
#include "tools/options/table.h"

namespace wardenv::tools {

Status refuse_empty(const OptionValues& values, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = values.find(name);
    if (found == values.end() || found->second.empty() || !found->second.front().empty()) continue;
    return fail(ErrorCode::kBadInput, std::string(name) + " is empty", "name one, or leave the option out");
  }
  return {};
}

}  // namespace wardenv::tools
