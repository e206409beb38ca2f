// SPDX-License-Identifier: Apache-2.0
// The tools as a table.
#include "tools/mcp/tools/table.h"

#include <vector>

#include "tools/mcp/tools/handlers.h"
#include "tools/mcp/tools/schemas.h"

namespace wardenv::mcp {
namespace {

constexpr Annotations kReads{.read_only = Hint::kYes, .destructive = Hint::kNo, .idempotent = Hint::kYes, .open_world = Hint::kNo};
constexpr Annotations kMakes{.read_only = Hint::kNo, .destructive = Hint::kNo, .idempotent = Hint::kYes, .open_world = Hint::kNo};
constexpr Annotations kInstalls{.read_only = Hint::kNo, .destructive = Hint::kNo, .idempotent = Hint::kYes, .open_world = Hint::kYes};
constexpr Annotations kSyncs{.read_only = Hint::kNo, .destructive = Hint::kYes, .idempotent = Hint::kYes, .open_world = Hint::kYes};
constexpr Annotations kReplaces{.read_only = Hint::kNo, .destructive = Hint::kYes, .idempotent = Hint::kYes, .open_world = Hint::kNo};
// A command can do anything that its sandbox allows.
constexpr Annotations kRuns{.read_only = Hint::kNo, .destructive = Hint::kYes, .idempotent = Hint::kNo, .open_world = Hint::kYes};

std::string joined(std::string_view first, std::string_view second) { return std::string(first) + ", " + std::string(second); }

constexpr std::string_view kPackageName =
    R"("package_name": {"type": "string", "description": "One package as a dependency specifier (PEP 508): a name, with extras and versions if needed, such as requests or requests[socks]>=2.31,<3. No options, paths or addresses."})";

constexpr std::string_view kPath = R"("path": {"type": "string", "description": "Path in a served workspace: absolute, or relative to current_working_dir."})";
constexpr std::string_view kRunId = R"("run_id": {"type": "string", "description": "As start_run gave it."})";

void add_environment_tools(std::vector<ToolEntry>& table) {
  table.push_back({"venv", Lane::kWorker, call_init, {}, {
      .name = "init", .title = "Create a virtual environment",
      .description = "Creates the Python virtual environment .venv in the project's folder. One that is there and works is left as it is. Call this first, then "
                     "add_package or sync, then run_in_venv.",
      .input_schema = input_schema(kFolderProperty, R"("current_working_dir")"), .output_schema = outcomes_schema(), .annotations = kMakes, .long_running = LongRunning::kYes}});
  table.push_back({"venv", Lane::kWorker, call_sync, {}, {
      .name = "sync", .title = "Bring the environment in line with pyproject.toml",
      .description = "Installs what pyproject.toml lists (project.dependencies and the dependency group dev) and uninstalls packages that nothing listed needs. pip, "
                     "setuptools and wheel stay. The project itself is not installed.",
      .input_schema = input_schema(kFolderProperty, R"("current_working_dir")"), .output_schema = outcomes_schema(), .annotations = kSyncs, .long_running = LongRunning::kYes}});
  table.push_back({"venv", Lane::kWorker, call_add_package, {}, {
      .name = "add_package", .title = "Add a package",
      .description = "Installs a package into the environment from the package index and lists it in pyproject.toml, whose layout and comments stay. If installing fails, "
                     "pyproject.toml is untouched. Installing runs in a sandbox that can write the environment only.",
      .input_schema = input_schema(joined(joined(kPackageName, kDevProperty), kFolderProperty), R"("package_name", "current_working_dir")"), .output_schema = outcomes_schema(),
      .annotations = kInstalls, .long_running = LongRunning::kYes}});
  table.push_back({"venv", Lane::kWorker, call_add_packages, {}, {
      .name = "add_packages", .title = "Add several packages",
      .description = "Like add_package for several packages at once: all are installed and listed, or none is listed.",
      .input_schema = input_schema(joined(joined(R"("package_names": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 100, "description": "One package in each item, as dependency specifiers (PEP 508), such as [\"requests>=2.31\", \"rich\"]."})", kDevProperty), kFolderProperty),
                                   R"("package_names", "current_working_dir")"),
      .output_schema = outcomes_schema(), .annotations = kInstalls, .long_running = LongRunning::kYes}});
  table.push_back({"venv", Lane::kWorker, call_remove_package, {}, {
      .name = "remove_package", .title = "Remove a package",
      .description = "Takes a package out of pyproject.toml and uninstalls it, with what only it needed. What something else that is listed needs stays installed. Without dev, "
                     "both lists are looked at.",
      .input_schema = input_schema(joined(joined(R"("package_name": {"type": "string", "description": "Name of the package, without a version."})",
                                                 R"("dev": {"type": "boolean", "description": "True: only from the development group. False: only from the dependencies. Default: from both."})"), kFolderProperty),
                                   R"("package_name", "current_working_dir")"),
      .output_schema = outcomes_schema(), .annotations = kReplaces, .long_running = LongRunning::kYes}});
}

void add_run_tools(std::vector<ToolEntry>& table) {
  table.push_back({"venv", Lane::kWorker, call_run_in_venv, {}, {
      .name = "run_in_venv", .title = "Run a command in the environment",
      .description = "Runs one command, confined, in the project's virtual environment, waits for its end and reports exit code, output, time and memory. Commands see the "
                     "workspace and the environment (read-only) and nothing else of the host. A failing command is no error of the tool: look at exit_code. For long runs see start_run.",
      .input_schema = input_schema(joined(kFolderProperty, kCommandProperties), R"("current_working_dir", "command")"), .output_schema = report_schema(), .annotations = kRuns,
      .long_running = LongRunning::kYes}});
  table.push_back({"run", Lane::kWorker, call_run_python, {}, {
      .name = "run_python", .title = "Run Python code",
      .description = "Runs Python code, confined, in the project's virtual environment and reports its output. Print what you want to see. Nothing is kept from one call to the next "
                     "but files in the workspace.",
      .input_schema = input_schema(joined(R"("code": {"type": "string", "description": "The program, as it would stand in a file."},
"args": {"type": "array", "items": {"type": "string"}, "description": "sys.argv[1:]. Default: none."},
"timeout_seconds": {"type": "integer", "minimum": 1, "maximum": 86400, "description": "Ends the run after that time. Default, and longest: what the policy grants."})", kOwnFolderProperty), R"("code")"),
      .output_schema = report_schema(), .annotations = kRuns, .long_running = LongRunning::kYes}});
}

void add_package_tools(std::vector<ToolEntry>& table) {
  table.push_back({"packages", Lane::kWorker, call_list_packages, {}, {
      .name = "list_packages", .title = "List installed packages",
      .description = "Names and versions of what is installed in the project's environment, and whether pyproject.toml lists it itself (direct).",
      .input_schema = input_schema(kOwnFolderProperty, ""),
      .output_schema = output_schema(R"("venv": {"type": "string"}, "python": {"type": "string"}, "packages": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "version": {"type": "string"}, "direct": {"type": "boolean"}}}})"),
      .annotations = kReads}});
  table.push_back({"packages", Lane::kQuick, call_describe_environment, {}, {
      .name = "describe_environment", .title = "Describe workspace and environment",
      .description = "What is served, which project and virtual environment a folder belongs to, its Python, and what pyproject.toml lists. Runs nothing.",
      .input_schema = input_schema(kOwnFolderProperty, ""),
      .output_schema = output_schema(R"("workspaces": {"type": "array", "items": {"type": "string"}}, "current_working_dir": {"type": "string"}, "project": {"type": "object"}, "venv": {"type": "object"}, "installer": {"type": "string"})"),
      .annotations = kReads}});
}

void add_file_tools(std::vector<ToolEntry>& table) {
  table.push_back({"files", Lane::kQuick, call_read_file, {}, {
      .name = "read_file", .title = "Read a file",
      .description = "Reads a part of a file of the workspace as text; what is not UTF-8 comes as base64 too. Go on at next_offset until it is null.",
      .input_schema = input_schema(joined(joined(kPath, R"("offset": {"type": "integer", "minimum": 0, "description": "Byte to begin at. Default: 0."}, "max_bytes": {"type": "integer", "minimum": 4, "maximum": 1048576, "description": "Default: 65536."})"), kOwnFolderProperty), R"("path")"),
      .output_schema = output_schema(R"("path": {"type": "string"}, "size": {"type": "integer"}, "offset": {"type": "integer"}, "text": {"type": "string"}, "base64": {"type": "string"}, "next_offset": {"type": ["integer", "null"]})"),
      .annotations = kReads}});
  table.push_back({"files", Lane::kQuick, call_write_file, {}, {
      .name = "write_file", .title = "Write a file",
      .description = "Writes a whole file of the workspace, folders on the way included. Never through symbolic links; not into the virtual environment, git's metadata, or settings of "
                     "editors, shells and agents.",
      .input_schema = input_schema(joined(joined(kPath, R"("content": {"type": "string", "description": "The whole new text."}, "if_exists": {"type": "string", "enum": ["replace", "fail"], "description": "Default: replace."})"), kOwnFolderProperty), R"("path", "content")"),
      .output_schema = output_schema(R"("path": {"type": "string"}, "size": {"type": "integer"}, "created": {"type": "boolean"}, "old_size": {"type": "integer"})"),
      .annotations = kReplaces}});
  table.push_back({"files", Lane::kQuick, call_list_files, {}, {
      .name = "list_files", .title = "List files",
      .description = "Lists a folder of the workspace, sorted by name; with depth, what is in its sub-folders too (not of .git, .venv, node_modules, __pycache__).",
      .input_schema = input_schema(joined(R"("path": {"type": "string", "description": "Folder in a served workspace: absolute, or relative to current_working_dir. Default: that folder itself."}, "depth": {"type": "integer", "minimum": 1, "maximum": 16, "description": "Default: 1, the folder alone."}, "limit": {"type": "integer", "minimum": 1, "maximum": 2000, "description": "Most entries of one answer. Default: 200."}, "after": {"type": "string", "description": "With depth 1: next_after of the page before."})", kOwnFolderProperty), ""),
      .output_schema = output_schema(R"("path": {"type": "string"}, "entries": {"type": "array", "items": {"type": "object", "properties": {"path": {"type": "string"}, "kind": {"type": "string"}, "size": {"type": "integer"}, "target": {"type": "string"}, "path_base64": {"type": "string"}}}}, "complete": {"type": "boolean"}, "next_after": {"type": ["string", "null"]})"),
      .annotations = kReads}});
}

void add_job_tools(std::vector<ToolEntry>& table) {
  table.push_back({"jobs", Lane::kQuick, call_start_run, "run_in_venv", {
      .name = "start_run", .title = "Start a run in the background",
      .description = "Like run_in_venv, but answers at once with a run_id; the policy's rules for run_in_venv hold too. The run ends with its command, its time-out, cancel_run, or this server.",
      .input_schema = input_schema(joined(kFolderProperty, kCommandProperties), R"("current_working_dir", "command")"),
      .output_schema = output_schema(R"("run_id": {"type": "string"}, "state": {"type": "string"})"), .annotations = kRuns}});
  table.push_back({"jobs", Lane::kWorker, call_run_status, {}, {
      .name = "run_status", .title = "Look at a background run",
      .description = "State and new output of a run that start_run began; its report once it has ended. Give next_stdout_offset and next_stderr_offset back to get only what is new. "
                     "wait_seconds waits for news, so that you need not ask again and again.",
      .input_schema = input_schema(joined(kRunId, R"("stdout_offset": {"type": "integer", "minimum": 0, "description": "Default: 0."}, "stderr_offset": {"type": "integer", "minimum": 0, "description": "Default: 0."}, "max_bytes": {"type": "integer", "minimum": 1, "maximum": 262144, "description": "Most of each stream. Default: 65536."}, "wait_seconds": {"type": "integer", "minimum": 0, "maximum": 20, "description": "Default: 0, no waiting."})"), R"("run_id")"),
      .output_schema = job_status_schema(), .annotations = kReads}});
  table.push_back({"jobs", Lane::kQuick, call_cancel_run, {}, {
      .name = "cancel_run", .title = "End a background run",
      .description = "Ends a run that start_run began, with every process in it. One that has ended already stays as it is.",
      .input_schema = input_schema(kRunId, R"("run_id")"), .output_schema = job_summary_schema(), .annotations = kReplaces}});
  table.push_back({"jobs", Lane::kQuick, call_list_runs, {}, {
      .name = "list_runs", .title = "List background runs",
      .description = "Your runs in the background: those that go on, and those that ended a short while ago.",
      .input_schema = input_schema("", ""), .output_schema = job_list_schema(), .annotations = kReads}});
}

std::vector<ToolEntry> make_table() {
  std::vector<ToolEntry> table;
  add_environment_tools(table);
  add_run_tools(table);
  add_package_tools(table);
  add_file_tools(table);
  add_job_tools(table);
  return table;
}

}  // namespace

std::span<const ToolEntry> tool_table() {
  static const std::vector<ToolEntry> table = make_table();
  return table;
}

}  // namespace wardenv::mcp
