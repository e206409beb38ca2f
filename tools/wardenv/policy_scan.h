// SPDX-License-Identifier: Apache-2.0
// What a tool of an MCP server does, as far as its list of tools tells.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace wardenv::cli {

// In order of risk: what shows more than one is taken for the last.
enum class ToolClass { kRead, kWrite, kExecute, kDestructive, kFinancial };

struct Classified {
  ToolClass is = ToolClass::kWrite;
  std::string why{};   // one line, for a comment
};

// By the name, the schema and the annotations of a tool (Tool of the MCP schema). Annotations are the server's own word: they can make a tool
// more dangerous than its name says, never less, except that readOnlyHint settles what nothing else tells.
Classified classify(const nlohmann::json& tool);

}  // namespace wardenv::cli
