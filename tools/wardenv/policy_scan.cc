// SPDX-License-Identifier: Apache-2.0
// wardenv policy scan: a list of tools on standard input becomes a starting policy.
#include "tools/wardenv/policy_scan.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "policy/commands/presets.h"
#include "tools/wardenv/policy_commands.h"

namespace wardenv::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{16} << 20;

const PolicyUsage kScan = {
    "scan",
    "[FILE]",
    "Reads what an MCP server answers to tools/list (the result, the whole JSON-RPC answer, or the bare list) from FILE or standard input and\n"
    "prints a policy to start from, in YAML, with comments that say why. Read it before you use it: names and annotations are the server's word.",
    {},
    "  wardenv policy scan < tools.json > policy.yaml && wardenv policy check policy.yaml\n"};

std::string quoted(const std::string& text) { return Json(text).dump(-1, ' ', true, Json::error_handler_t::replace); }

// Properties of the input schema, and which of them a call must have.
struct Inputs {
  Json properties = Json::object();
  std::set<std::string> required{};
};

Inputs inputs_of(const Json& tool) {
  Inputs inputs;
  const Json schema = tool.value("inputSchema", Json::object());
  if (!schema.is_object()) return inputs;
  if (schema.contains("properties") && schema["properties"].is_object()) inputs.properties = schema["properties"];
  if (!schema.contains("required") || !schema["required"].is_array()) return inputs;
  for (const Json& name : schema["required"]) {
    if (name.is_string()) inputs.required.insert(name.get<std::string>());
  }
  return inputs;
}

bool has_type(const Json& property, const char* type) { return property.is_object() && property.contains("type") && property["type"] == type; }

// How an argument is named in a predicate: as a JSON pointer where it has characters that mean something in a path.
std::string argument_path(const std::string& name) {
  if (name.find_first_of("./*~") == std::string::npos) return name;
  std::string path = "/";
  for (const char c : name) path += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return path;
}

std::string predicate(const std::string& path, const char* op, const std::string& value) {
  return "      - {arg: " + quoted(path) + ", op: " + op + ", value: " + value + "}\n";
}

// What the schema itself bounds, so that the bound holds even where the server does not look.
std::string bounds(const std::string& name, const Json& schema) {
  std::string text;
  const bool listed = schema.contains("enum") && schema["enum"].is_array() && !schema["enum"].empty();
  if (listed) text += predicate(argument_path(name), "not_in", schema["enum"].dump(-1, ' ', true, Json::error_handler_t::replace));
  if (!has_type(schema, "integer") && !has_type(schema, "number")) return text;
  if (schema.contains("minimum") && schema["minimum"].is_number()) text += predicate(argument_path(name), "lt", schema["minimum"].dump());
  if (schema.contains("maximum") && schema["maximum"].is_number()) text += predicate(argument_path(name), "gt", schema["maximum"].dump());
  return text;
}

// For what is executed: text without control characters, until someone says more exactly what it may be.
std::string one_line_only(const std::string& name, const Json& schema) {
  constexpr const char* kControl = R"("[\\x00-\\x1f\\x7f]")";
  if (schema.contains("enum")) return "";
  if (has_type(schema, "string")) return predicate(argument_path(name), "regex", kControl);
  const bool texts = has_type(schema, "array") && schema.contains("items") && has_type(schema["items"], "string") && argument_path(name) == name;
  return texts ? predicate(name + ".*", "regex", kControl) : "";
}

std::string denials(const Inputs& inputs, ToolClass is) {
  std::string text;
  for (const auto& property : inputs.properties.items()) {
    const Json& schema = property.value();
    if (!schema.is_object() || property.key().empty()) continue;
    text += bounds(property.key(), schema);
    if (is == ToolClass::kExecute) text += one_line_only(property.key(), schema);
  }
  const char* why = is == ToolClass::kExecute ? "the bounds of the tool's own schema, and control characters: say more exactly what it may get" : "the bounds of the tool's own schema";
  return text.empty() ? "" : std::string("    deny_if:   # ") + why + "\n" + text;
}

bool is_path_name(const std::string& name) {
  constexpr std::array<std::string_view, 10> kEnds = {"path", "dir", "directory", "folder", "file", "filename", "cwd", "current_working_dir", "root", "workspace"};
  return std::any_of(kEnds.begin(), kEnds.end(), [&](std::string_view end) { return name == end || name.ends_with("_" + std::string(end)); });
}

std::string requirements(const Inputs& inputs) {
  std::string text;
  for (const std::string& name : inputs.required) {
    const auto property = inputs.properties.find(name);
    if (property != inputs.properties.end() && is_path_name(name) && has_type(*property, "string")) text += predicate(argument_path(name), "under", "\"{workspace}\"");
  }
  return text.empty() ? "" : "    require:   # paths stay in the workspace\n" + text;
}

std::string preset_or(const char* name, const char* otherwise) {
  return policy::find_preset(name) != nullptr ? std::string("{preset: ") + name + "}" : otherwise;
}

// A tool with `command` and `args` runs programs: an allowlist of what it may run.
std::string commands(const Inputs& inputs) {
  const auto command = inputs.properties.find("command");
  const auto args = inputs.properties.find("args");
  if (command == inputs.properties.end() || args == inputs.properties.end() || !has_type(*command, "string") || !has_type(*args, "array")) return "";
  return "    commands:   # everything else is denied: list what you need\n"
         "      pytest: " + preset_or("pytest", "{flags: {-x: none, -q: none, -k: string}, positionals: {path_under: \"{workspace}\"}}") + "\n"
         "      ruff: " + preset_or("ruff", "{subcommands: {check: {positionals: {path_under: \"{workspace}\"}}}}") + "\n"
         "      mypy: " + preset_or("mypy", "{positionals: {path_under: \"{workspace}\"}}") + "\n";
}

std::string limit(const std::string& name, const char* window, const char* max) {
  return "    limits: [{counter: " + quoted(name + "_rate") + ", window: " + window + ", max: " + max + ", scope: grant}]\n";
}

std::string amount_limit(const std::string& name, const Inputs& inputs) {
  const auto amount = inputs.properties.find("amount");
  if (amount == inputs.properties.end() || !has_type(*amount, "integer") || inputs.required.count("amount") == 0) return limit(name, "day", "10");
  return "    limits:   # set max to what may be spent in a day\n"
         "      - {counter: " + quoted(name + "_rate") + ", window: day, max: 10, scope: grant}\n"
         "      - {counter: " + quoted(name + "_amount") + ", window: day, max: 10000, scope: grant, increment_from: amount}\n";
}

struct Policy {
  std::string hidden{};
  std::string tools{};
};

void add_hidden(const std::string& name, const Classified& classified, Policy& policy) {
  policy.hidden += "  # destructive: " + classified.why + ".\n  # To let a person agree instead, move it below with {action: require_approval}.\n  - " + quoted(name) + "\n";
}

void add_tool(const std::string& name, const Classified& classified, const Inputs& inputs, Policy& policy) {
  const std::string checks = denials(inputs, classified.is) + requirements(inputs);
  std::string head;
  std::string body;
  switch (classified.is) {
    case ToolClass::kDestructive: return add_hidden(name, classified, policy);
    case ToolClass::kRead:
      head = "read: " + classified.why;
      body = checks;
      break;
    case ToolClass::kWrite:
      head = "write: " + classified.why + "; 30 a minute";
      body = checks + limit(name, "minute", "30");
      break;
    case ToolClass::kExecute:
      head = "execute: " + classified.why + "; 10 a minute, and its arguments are checked";
      body = checks + commands(inputs) + limit(name, "minute", "10");
      break;
    case ToolClass::kFinancial:
      head = "financial: " + classified.why + "; a person agrees to each call";
      body = "    action: require_approval\n" + checks + amount_limit(name, inputs);
      break;
  }
  policy.tools += "  # " + head + ".\n  " + quoted(name) + ":" + (body.empty() ? " {}\n" : "\n" + body);
}

bool is_usable(const std::string& name) {
  return !name.empty() && name.size() <= 200 && name.find_first_of("*?") == std::string::npos &&
         std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// A list of tools, wherever it stands; null where there is none. A server that has more than it sent says where it goes on.
struct Listed {
  Json tools = nullptr;
  bool has_more = false;
};

Listed find_list(const Json& input) {
  if (input.is_array()) return {input};
  if (!input.is_object()) return {};
  if (!input.contains("tools")) return input.contains("result") ? find_list(input["result"]) : Listed{};
  return {input["tools"].is_array() ? input["tools"] : Json(nullptr), input.contains("nextCursor") && !input["nextCursor"].is_null()};
}

// Why an entry can't be listed; empty where it can.
std::string why_not(const Json& tool, const std::set<std::string>& seen) {
  const auto name = tool.is_object() ? tool.find("name") : tool.end();
  if (name == tool.end() || !name->is_string()) return "has no name";
  constexpr std::size_t kWidth = 60;
  std::string shown = quoted(name->get_ref<const std::string&>());
  for (std::size_t at = 0; (at = shown.find('\x7F', at)) != std::string::npos;) shown.replace(at, 1, "\\u007f");
  if (shown.size() > kWidth) shown = shown.substr(0, kWidth) + "...";
  if (!is_usable(name->get_ref<const std::string&>())) return shown + " can't be listed";
  return seen.contains(name->get<std::string>()) ? shown + " is named twice" : "";
}

// What was left out, as comments: the first of many.
std::string left_out(const std::vector<std::string>& reasons) {
  constexpr std::size_t kShown = 20;
  if (reasons.empty()) return "";
  std::string text = "\n# Left out, and so denied as what is not listed:\n";
  for (std::size_t i = 0; i < std::min(reasons.size(), kShown); ++i) text += "# - " + reasons[i] + "\n";
  if (reasons.size() > kShown) text += "# - and " + std::to_string(reasons.size() - kShown) + " more\n";
  return text;
}

constexpr const char* kIncomplete = "the list is not complete: its `nextCursor` says that the server has more tools than these";

std::string write_policy(const Listed& list) {
  Policy policy;
  std::set<std::string> seen;
  std::vector<std::string> skipped;
  for (std::size_t i = 0; i < list.tools.size(); ++i) {
    const Json& tool = list.tools[i];
    if (const std::string why = why_not(tool, seen); !why.empty()) {
      skipped.push_back("entry " + std::to_string(i + 1) + ": " + why);
      continue;
    }
    const std::string name = tool["name"].get<std::string>();
    seen.insert(name);
    add_tool(name, classify(tool), inputs_of(tool), policy);
  }
  std::string text = "# A policy to start from: " + std::to_string(seen.size()) + " tools, by their names, schemas and annotations. Read it before you use it.\n"
                     "version: \"1\"\n\n# What is not listed is denied: a tool that the server adds later does nothing until someone lists it.\ndefault: deny\n";
  if (list.has_more) text += std::string("\n# INCOMPLETE: ") + kIncomplete + ".\n# Ask it for the rest, put all tools into one list, and scan that.\n";
  text += left_out(skipped);
  if (!policy.hidden.empty()) text += "\n# Left out of the list that the agent sees, and refused when called.\nhide:\n" + policy.hidden;
  return text + "\ntools:" + (policy.tools.empty() ? " {}\n" : "\n" + policy.tools);
}

}  // namespace

int policy_scan(const Arguments& arguments) {
  int status = 0;
  const auto read = read_policy_arguments(kScan, arguments, status);
  if (!read) return status;
  if (read->files.size() > 1) return complain({ErrorCode::kBadInput, "scan takes one file, or standard input", "", 0});
  const auto text = read_text_file(read->files.empty() ? "-" : read->files[0], kMostBytes);
  if (!text) return complain(text.error());
  const auto input = policy::load_data(*text, policy::Format::kJson);
  if (!input) return complain({ErrorCode::kBadInput, "not JSON: " + input.error().message, R"(it must be what a server answers to tools/list: {"tools": [...]})", 0});
  const Listed list = find_list(*input);
  if (!list.tools.is_array()) return complain({ErrorCode::kBadInput, "no list of tools", R"(it must be what a server answers to tools/list: {"tools": [...]})", 0});
  const std::string made = write_policy(list);
  const policy::Loaded loaded = policy::load_document(made, policy::Format::kYaml);
  if (loaded.document == nullptr) return complain({ErrorCode::kInternal, "the policy that was written can't be loaded: " + loaded.findings.at(0).message, "please report it with the list", 0});
  if (list.has_more) tell(std::string(kIncomplete) + " — ask it for the rest, put all tools into one list, and scan that");
  return print(made);
}

}  // namespace wardenv::cli
