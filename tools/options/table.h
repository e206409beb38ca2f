// SPDX-License-Identifier: Apache-2.0
// Options of a command as a table: one for parsing, help and completions.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::tools {

enum class Takes { kNothing, kText, kChoice, kFile, kFolder };

struct OptionInfo {
  const char* name;          // "--timeout"
  Takes takes;
  const char* value;         // shown in help: "TIME"; kChoice: "a|b|c"
  const char* help;
  bool repeatable = false;
  const char* not_yet = nullptr;   // where set: the option is known and refused with this text
};

// By name; empty for a flag that was given.
using OptionValues = std::map<std::string, std::vector<std::string>>;

// Error kBadInput, in one line: an option that is not in the table, is given twice, or lacks its value. `hint` says where they are listed. `-h` is
// `--help`.
Result<OptionValues> parse_table(std::span<const OptionInfo> table, std::vector<std::string> arguments, const std::string& hint);

// Error kBadInput where one of the options was given an empty value: that is a variable which was not set. Taken for "none", it would let a call run
// that somebody wanted judged.
Status refuse_empty(const OptionValues& values, std::initializer_list<const char*> names);

// One line of help for each, what they say in column `width`.
std::string help_lines(std::span<const OptionInfo> table, std::size_t width);

}  // namespace wardenv::tools
