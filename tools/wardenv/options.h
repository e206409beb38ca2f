// SPDX-License-Identifier: Apache-2.0
// The options of `run` and `plan`: one table for parsing, help and completions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "tools/options/table.h"
#include "tools/wardenv/commands.h"

namespace wardenv::cli {

using tools::OptionInfo;
using tools::Takes;

const std::vector<OptionInfo>& run_options();

struct RunOptions {
  engine::RunRequest request;
  std::vector<std::string> asked{};        // names of the options that were given, without dashes: what a policy lets be tightened only
  std::string policy{};                    // of --policy, else of the configuration; empty: the call is not judged
  std::string profile{};
  std::string grant{};
  std::optional<std::string> config{};
  sandbox::IdRange ids{};                  // of the configuration
  bool json = false;
  bool quiet = false;
  bool help = false;
};

// How options are read: tools::parse_table, or something faster that is as strict.
using ReadOptions = Result<tools::OptionValues> (*)(std::span<const OptionInfo> table, std::vector<std::string> arguments, const std::string& hint);

// Reads "[options] -- COMMAND [ARG…]". `options.json` and `options.help` are set even where an error is answered.
Status parse_run(const Arguments& arguments, RunOptions& options, ReadOptions read);

// The help text of `run` or `plan`.
std::string run_help(const std::string& command);

}  // namespace wardenv::cli
