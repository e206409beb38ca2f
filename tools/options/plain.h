// SPDX-License-Identifier: Apache-2.0
// Options that are written plainly: `--name VALUE`, `--name=VALUE`, flags. A program that is to start fast reads no others.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "tools/options/table.h"

namespace wardenv::tools {

// What parse_table() answers for the same arguments, or none: then it is for parse_table() to read them, or to say what is wrong.
std::optional<OptionValues> parse_plain(std::span<const OptionInfo> table, std::span<const std::string> arguments);

}  // namespace wardenv::tools
