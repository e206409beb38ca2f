// SPDX-License-Identifier: Apache-2.0
// The stdio transport: one JSON message a line. Serves one client until it closes its end, its output breaks, or it is told to stop.
#pragma once

#include <cstddef>
#include <string>

#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"
#include "tools/mcp/server.h"

namespace wardenv::mcp {

struct StdioOptions {
  std::string grant{};                          // the policy's name for the client; empty: none
  std::size_t max_line_bytes = 8U << 20;        // a longer line is refused, and never kept
  std::size_t max_backlog_bytes = 4U << 20;     // output that the client does not take: no more is read from it meanwhile
};

// The wire, taken away from the rest of the process.
struct StdioWire {
  UniqueFd in;
  UniqueFd out;
};

// Takes descriptors 0 and 1 for the wire, close-on-exec, and puts /dev/null and standard error in their place: nothing else in this process,
// and none of its children, can read from the client or write to it by mistake. Call before anything is started.
Result<StdioWire> take_stdio();

enum class StdioEnd { kInput, kOutput, kStopped };

// Blocks until the end. Then everything is cancelled; what does not end within a second is left running: the caller must exit.
// `stop_fd`: readable when it is time to stop, for example a signalfd.
StdioEnd serve_stdio(Server& server, const StdioWire& wire, const StdioOptions& options, int stop_fd);

}  // namespace wardenv::mcp
