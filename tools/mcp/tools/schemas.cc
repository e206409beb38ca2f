// SPDX-License-Identifier: Apache-2.0
// Input and output schemas.
#include "tools/mcp/tools/schemas.h"

namespace wardenv::mcp {
namespace {

constexpr std::string_view kError =
    R"("error": {"type": ["object", "null"], "description": "Set where something failed: what, and what to do about it.", "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "hint": {"type": "string"}}})";

constexpr std::string_view kReportProperties = R"(
"run_id": {"type": "string"},
"outcome": {"type": "string", "description": "How it ended.", "enum": ["exited", "signaled", "timed_out", "memory_exceeded", "output_exceeded", "cancelled", "denied", "approval_required", "setup_failed"]},
"exit_code": {"type": ["integer", "null"], "description": "The command's own exit code; null unless outcome is exited."},
"signal": {"type": ["string", "null"]},
"stdout": {"type": "string"}, "stderr": {"type": "string"},
"stdout_base64": {"type": "string"}, "stderr_base64": {"type": "string"},
"stdout_bytes": {"type": "integer"}, "stderr_bytes": {"type": "integer"},
"stdout_truncated": {"type": "boolean"}, "stderr_truncated": {"type": "boolean"},
"usage": {"type": "object"},
"violations": {"type": "array", "description": "What the sandbox refused.", "items": {"type": "object"}},
"enforced": {"type": "object"},
"decision": {"type": ["object", "null"], "description": "What the policy said: effect, rule and reason."},
"tier": {"type": "string"},
"retry_after_ms": {"type": "integer", "description": "Of a refusal: when the quota will be free again."},
"approval_id": {"type": "string", "description": "Of a refusal: what a person has to approve."})";

constexpr std::string_view kSummaryProperties = R"(
"run_id": {"type": "string"},
"command": {"type": "string"},
"state": {"type": "string", "enum": ["running", "cancelling", "ended"]},
"age_ms": {"type": "integer"},
"stdout_bytes": {"type": "integer"}, "stderr_bytes": {"type": "integer"})";

std::string with_error(std::string_view properties) { return std::string(properties) + ", " + std::string(kError); }

// The one for a run inside of another result.
std::string inner_report() { return R"("report": {"type": ["object", "null"], "description": "The report of the last run: its outcome, exit code and output.", "properties": {)" + with_error(kReportProperties) + "}}"; }

}  // namespace

const std::string_view kFolderProperty =
    R"("current_working_dir": {"type": "string", "description": "Folder of the project: an absolute path in a served workspace."})";

const std::string_view kOwnFolderProperty =
    R"("current_working_dir": {"type": "string", "description": "Folder to start from: an absolute path in a served workspace. Default: the first workspace."})";

const std::string_view kDevProperty = R"("dev": {"type": "boolean", "description": "True for the development group (PEP 735, dependency-groups.dev). Default: false."})";

const std::string_view kCommandProperties = R"(
"command": {"type": "string", "description": "Name of one program: in the environment's bin, or of the system. No shell, no arguments in it."},
"args": {"type": "array", "items": {"type": "string"}, "description": "Its arguments, one item each. Default: none."},
"stdin": {"type": "string", "description": "Text that the program reads from its standard input. Default: none."},
"timeout_seconds": {"type": "integer", "minimum": 1, "maximum": 86400, "description": "Ends the run after that time. Default, and longest: what the policy grants."})";

std::string input_schema(std::string_view properties, std::string_view required) {
  return R"({"type": "object", "properties": {)" + std::string(properties) + R"(}, "required": [)" + std::string(required) + R"(], "additionalProperties": false})";
}

std::string output_schema(std::string_view properties) { return R"({"type": "object", "properties": {)" + with_error(properties) + "}}"; }

std::string report_schema() { return output_schema(kReportProperties); }

std::string outcomes_schema() {
  return output_schema(R"(
"ok": {"type": "boolean"},
"project": {"type": "string"}, "venv": {"type": "string"},
"created": {"type": "boolean", "description": "The virtual environment was made by this call."},
"pyproject": {"type": "array", "description": "Entries of pyproject.toml that this call was about.", "items": {"type": "object", "properties": {"requirement": {"type": "string"}, "section": {"type": "string"}, "change": {"type": "string"}}}},
"packages": {"type": "array", "description": "Packages that changed in the environment: new ones have no from, those that are gone no to.", "items": {"type": "object", "properties": {"name": {"type": "string"}, "from": {"type": "string"}, "to": {"type": "string"}}}},
"notes": {"type": "array", "items": {"type": "string"}}, )" +
                       inner_report());
}

std::string job_summary_schema() { return output_schema(kSummaryProperties); }

std::string job_list_schema() { return output_schema(R"("runs": {"type": "array", "items": {"type": "object", "properties": {)" + std::string(kSummaryProperties) + "}}}"); }

std::string job_status_schema() {
  return output_schema(std::string(kSummaryProperties) + R"(,
"stdout": {"type": "string", "description": "Output from stdout_offset on."}, "stderr": {"type": "string"},
"stdout_offset": {"type": "integer", "description": "Where `stdout` begins: later than asked for where older output is no longer kept."}, "stderr_offset": {"type": "integer"},
"next_stdout_offset": {"type": "integer", "description": "Give this as stdout_offset to get what comes next."}, "next_stderr_offset": {"type": "integer"}, )" +
                       inner_report());
}

}  // namespace wardenv::mcp
