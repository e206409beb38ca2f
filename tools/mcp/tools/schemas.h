// SPDX-License-Identifier: Apache-2.0
// Input and output schemas of the tools: JSON Schema 2020-12, a plain object at the root, nothing that a known client trips over.
#pragma once

#include <string>
#include <string_view>

namespace wardenv::mcp {

// An object schema: `properties` is the JSON text of its members; `required` of a list. Unknown arguments are refused.
std::string input_schema(std::string_view properties, std::string_view required);

// Of results; nothing is required, since what failed early has an `error` alone.
std::string output_schema(std::string_view properties);

// Properties that several tools take.
extern const std::string_view kFolderProperty;       // current_working_dir, where it must be given
extern const std::string_view kOwnFolderProperty;    // the same, optional
extern const std::string_view kDevProperty;
extern const std::string_view kCommandProperties;    // command, args, stdin, timeout_seconds

std::string report_schema();     // the report of a run (interfaces.md)
std::string outcomes_schema();   // of init, sync, add_package, add_packages, remove_package
std::string job_status_schema();
std::string job_summary_schema();
std::string job_list_schema();

}  // namespace wardenv::mcp
