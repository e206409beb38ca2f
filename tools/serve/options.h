// SPDX-License-Identifier: Apache-2.0
// The options of `wardenv serve`: one table for parsing and help.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::serve {

struct Options {
  bool help = false;
  bool stdio = false;
  std::string host{};                     // empty: not over HTTP
  std::uint16_t port = 0;
  std::string policy{};
  std::vector<std::string> workspaces{};  // empty: the current folder
  std::string grant{};
  std::vector<std::string> tools{};       // sets of tools; empty: all
  std::optional<std::string> config{};
  std::string tls_cert{};
  std::string tls_key{};
  std::vector<std::string> origins{};
  std::size_t concurrency = 0;            // 0: twice the processors, at least 4
};

// Error kBadInput, in one line.
Result<Options> parse_options(std::vector<std::string> arguments);
std::string help_text();

}  // namespace wardenv::serve
