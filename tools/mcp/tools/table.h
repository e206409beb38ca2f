// SPDX-License-Identifier: Apache-2.0
// The tools as a table.
#pragma once

#include <span>
#include <string_view>

#include "tools/mcp/handler.h"
#include "tools/mcp/tools/service.h"

namespace wardenv::mcp {

struct ToolEntry {
  std::string_view set;
  Lane lane = Lane::kWorker;
  ToolResult (*call)(Call& call) = nullptr;
  std::string_view judged_as{};   // besides its own name; hidden where that one is
  Tool tool;
};

// In the order in which they are listed.
std::span<const ToolEntry> tool_table();

}  // namespace wardenv::mcp
