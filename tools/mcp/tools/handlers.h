// SPDX-License-Identifier: Apache-2.0
// One function for each tool: reads the arguments, asks to be admitted, calls the engine, answers.
#pragma once

#include "tools/mcp/handler.h"
#include "tools/mcp/tools/service.h"

namespace wardenv::mcp {

ToolResult call_init(Call& call);
ToolResult call_sync(Call& call);
ToolResult call_add_package(Call& call);
ToolResult call_add_packages(Call& call);
ToolResult call_remove_package(Call& call);
ToolResult call_list_packages(Call& call);
ToolResult call_describe_environment(Call& call);

ToolResult call_run_in_venv(Call& call);
ToolResult call_run_python(Call& call);

ToolResult call_start_run(Call& call);
ToolResult call_run_status(Call& call);
ToolResult call_cancel_run(Call& call);
ToolResult call_list_runs(Call& call);

ToolResult call_read_file(Call& call);
ToolResult call_write_file(Call& call);
ToolResult call_list_files(Call& call);

}  // namespace wardenv::mcp
