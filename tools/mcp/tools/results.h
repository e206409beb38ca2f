// SPDX-License-Identifier: Apache-2.0
// What tools answer with: the report of a run, or a result object.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/engine.h"
#include "engine/gate/gate.h"
#include "engine/project/project.h"
#include "sandbox/base/error.h"
#include "tools/mcp/handler.h"

namespace wardenv::mcp {

// The report as the result. A call whose command never ran is an error that the model can mend; a command that failed is not.
ToolResult report_result(const engine::RunReport& report);

// The report of what was refused, with when to try again or what a person has to do.
ToolResult refused(const engine::Admission& admission);

// {"error": {code, message, hint}} as isError, with a text that says the same.
ToolResult error_result(const Error& error);
ToolResult bad_arguments(const std::string& problem);

// In the place of what came of a call, where a hook of the policy withholds it.
ToolResult withheld_result(const engine::Withholding& withheld);

ToolResult object_result(const nlohmann::ordered_json& object);

// The result object of init, sync, add_package, add_packages and remove_package.
ToolResult outcomes_result(const engine::Outcomes& outcomes);

// The report's JSON object.
nlohmann::ordered_json report_object(const engine::RunReport& report);

// Valid UTF-8, whatever the bytes were.
std::string printable(std::string_view bytes);

}  // namespace wardenv::mcp
