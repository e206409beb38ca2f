// SPDX-License-Identifier: Apache-2.0
// The defaults of Features, and short ways to write a result.
#include "tools/mcp/handler.h"

#include <utility>

namespace wardenv::mcp {

CallContext::~CallContext() = default;
Features::~Features() = default;

ToolResult text_result(std::string text) { return {.content = {{.text = std::move(text)}}}; }

ToolResult structured_result(std::string json_object) { return {.structured = std::move(json_object)}; }

ToolResult failed(std::string text) { return {.content = {{.text = std::move(text)}}, .ending = Ending::kFailed}; }

ToolResult protocol_error(int code, std::string message) {
  return {.ending = Ending::kProtocolError, .error_code = code, .error_message = std::move(message)};
}

ToolResult input_required() { return {.ending = Ending::kInputRequired}; }

void Features::attach(Changes) {}
bool Features::tools_changed_for(const std::string&) { return true; }
bool Features::has_grant(const std::string&) { return true; }
void Features::note_unknown(std::string_view, const nlohmann::json&, const Caller&) {}
bool Features::session_has_runs(const Caller&) { return false; }
void Features::session_ended(const std::string&) {}

std::vector<Resource> Features::list_resources(const Caller&) { return {}; }
std::vector<Resource> Features::list_resource_templates(const Caller&) { return {}; }
std::optional<Content> Features::read_resource(std::string_view, const Caller&) { return std::nullopt; }
std::vector<Prompt> Features::list_prompts(const Caller&) { return {}; }

PromptResult Features::get_prompt(std::string_view name, const nlohmann::json&, CallContext&) {
  return {.ending = Ending::kProtocolError, .error_code = -32602, .error_message = "unknown prompt `" + std::string(name) + "`"};
}

std::vector<std::string> Features::complete(std::string_view, std::string_view, std::string_view) { return {}; }

}  // namespace wardenv::mcp
