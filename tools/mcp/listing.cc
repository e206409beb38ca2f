// SPDX-License-Identifier: Apache-2.0
// What the server has: lists with their pages, resources, completions, capabilities.
#include <charconv>
#include <functional>

#include "tools/mcp/core.h"
#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

void put(std::string& out, const char* name, std::string_view text) {
  if (!text.empty()) out.append(",\"").append(name).append("\":").append(json_string(text));
}

void put_hint(std::string& out, const char* name, Hint hint) {
  if (hint == Hint::kUnset) return;
  if (out.back() != '{') out += ',';
  out.append("\"").append(name).append(hint == Hint::kYes ? "\":true" : "\":false");
}

std::string annotations_text(const Annotations& annotations) {
  std::string out = "{";
  put_hint(out, "readOnlyHint", annotations.read_only);
  put_hint(out, "destructiveHint", annotations.destructive);
  put_hint(out, "idempotentHint", annotations.idempotent);
  put_hint(out, "openWorldHint", annotations.open_world);
  return out + "}";
}

std::string tool_text(const Tool& tool) {
  std::string out = "{\"name\":" + json_string(tool.name);
  put(out, "title", tool.title);
  put(out, "description", tool.description);
  out += ",\"inputSchema\":" + (tool.input_schema.empty() ? std::string(R"({"type":"object","properties":{}})") : tool.input_schema);
  if (!tool.output_schema.empty()) out += ",\"outputSchema\":" + tool.output_schema;
  const std::string annotations = annotations_text(tool.annotations);
  if (annotations != "{}") out += ",\"annotations\":" + annotations;
  return out + "}";
}

std::string resource_entry(const Resource& resource, const char* uri_name) {
  std::string out = std::string("{\"") + uri_name + "\":" + json_string(resource.uri) + ",\"name\":" + json_string(resource.name);
  put(out, "description", resource.description);
  put(out, "mimeType", resource.mime_type);
  return out + "}";
}

std::string prompt_text(const Prompt& prompt) {
  std::string out = "{\"name\":" + json_string(prompt.name);
  put(out, "description", prompt.description);
  if (prompt.arguments.empty()) return out + "}";
  out += ",\"arguments\":[";
  for (std::size_t i = 0; i < prompt.arguments.size(); ++i) {
    const PromptArgument& argument = prompt.arguments[i];
    out += (i > 0 ? ",{\"name\":" : "{\"name\":") + json_string(argument.name);
    put(out, "description", argument.description);
    out += argument.required ? ",\"required\":true}" : ",\"required\":false}";
  }
  return out + "]}";
}

// A cursor is "p" and the place where its page begins: opaque to clients, checked when it comes back.
std::optional<std::size_t> page_start(const Exchange& exchange, std::size_t count) {
  const json* cursor = exchange.param("cursor");
  if (cursor == nullptr) return 0;
  if (!cursor->is_string()) return std::nullopt;
  const std::string& text = cursor->get_ref<const std::string&>();
  std::size_t start = 0;
  const char* end = text.data() + text.size();
  if (text.size() < 2 || text[0] != 'p') return std::nullopt;
  const auto parsed = std::from_chars(text.data() + 1, end, start);
  if (parsed.ec != std::errc() || parsed.ptr != end || start >= count) return std::nullopt;
  return start;
}

void answer_list(Core& core, const Exchange& exchange, const char* name, std::size_t count, const std::function<std::string(std::size_t)>& entry) {
  const auto start = page_start(exchange, count);
  if (!start) return exchange.refuse(kInvalidParams, "`cursor` is none of ours: list again without one");
  const std::size_t stop = std::min(count, *start + core.options.page_size);
  std::string members = std::string("\"") + name + "\":[";
  for (std::size_t i = *start; i < stop; ++i) {
    if (i > *start) members += ',';
    members += entry(i);
  }
  members += "]";
  if (stop < count) members += ",\"nextCursor\":\"p" + std::to_string(stop) + "\"";
  core.answer_cacheable(exchange, members, core.options.list_ttl);
}

}  // namespace

std::string server_info_text(const ServerInfo& info) {
  std::string out = "{\"name\":" + json_string(info.name);
  put(out, "title", info.title);
  return out + ",\"version\":" + json_string(info.version.empty() ? "0" : info.version) + "}";
}

std::string capabilities_text(const Core& core, Era era) {
  std::string out = R"({"tools":{"listChanged":true})";
  if (core.offers.resources) out += R"(,"resources":{"subscribe":true,"listChanged":true})";
  if (core.offers.prompts) out += R"(,"prompts":{"listChanged":true})";
  if (core.offers.completions) out += R"(,"completions":{})";
  if (core.offers.logging) out += R"(,"logging":{})";
  if (era == Era::kModern) out += R"(,"extensions":{"io.modelcontextprotocol/tasks":{}})";
  return out + "}";
}

void list_tools(Core& core, const Exchange& exchange) {
  const std::vector<Tool> tools = core.features.list_tools(exchange.caller);
  answer_list(core, exchange, "tools", tools.size(), [&](std::size_t i) { return tool_text(tools[i]); });
}

void list_resources(Core& core, const Exchange& exchange) {
  const std::vector<Resource> all = core.features.list_resources(exchange.caller);
  answer_list(core, exchange, "resources", all.size(), [&](std::size_t i) { return resource_entry(all[i], "uri"); });
}

void list_templates(Core& core, const Exchange& exchange) {
  const std::vector<Resource> all = core.features.list_resource_templates(exchange.caller);
  answer_list(core, exchange, "resourceTemplates", all.size(), [&](std::size_t i) { return resource_entry(all[i], "uriTemplate"); });
}

void list_prompts(Core& core, const Exchange& exchange) {
  const std::vector<Prompt> all = core.features.list_prompts(exchange.caller);
  answer_list(core, exchange, "prompts", all.size(), [&](std::size_t i) { return prompt_text(all[i]); });
}

void read_resource(Core& core, const Exchange& exchange) {
  const std::string* uri = exchange.text_param("uri");
  if (uri == nullptr) return exchange.refuse(kInvalidParams, "`uri` must be a string");
  const auto content = core.features.read_resource(*uri, exchange.caller);
  if (!content) {
    const int code = exchange.era == Era::kModern ? kInvalidParams : kResourceNotFound;   // SEP-2164
    return exchange.refuse(code, "resource not found", "{\"uri\":" + json_string(*uri) + "}");
  }
  core.answer_cacheable(exchange, "\"contents\":[" + resource_text(*content) + "]", core.options.list_ttl);
}

void complete(Core& core, const Exchange& exchange) {
  const json* reference = exchange.param("ref");
  const json* argument = exchange.param("argument");
  if (reference == nullptr || !reference->is_object() || argument == nullptr || !argument->is_object()) {
    return exchange.refuse(kInvalidParams, "`ref` and `argument` must be objects");
  }
  const json* named = member(*reference, "name") != nullptr ? member(*reference, "name") : member(*reference, "uri");
  const json* name = member(*argument, "name");
  const json* value = member(*argument, "value");
  if (named == nullptr || !named->is_string() || name == nullptr || !name->is_string() || value == nullptr || !value->is_string()) {
    return exchange.refuse(kInvalidParams, "`ref` needs a `name` or `uri`, `argument` a `name` and a `value`, all strings");
  }
  const std::vector<std::string> values = core.features.complete(named->get_ref<const std::string&>(), name->get_ref<const std::string&>(),
                                                                value->get_ref<const std::string&>());
  const std::size_t shown = std::min<std::size_t>(values.size(), 100);   // the most that the specification allows
  std::string members = "\"completion\":{\"values\":[";
  for (std::size_t i = 0; i < shown; ++i) members += (i > 0 ? "," : "") + json_string(values[i]);
  members += "],\"total\":" + std::to_string(values.size()) + ",\"hasMore\":" + (shown < values.size() ? "true" : "false") + "}";
  core.answer(exchange, members);
}

ToolFacts facts_of(Core& core, const std::string& tool, const Caller& caller) {
  {
    std::shared_lock lock(core.facts_mutex);
    if (const auto at = core.facts.find(tool); at != core.facts.end()) return at->second;
  }
  std::map<std::string, ToolFacts, std::less<>> found;
  for (const Tool& each : core.features.list_tools(caller)) found[each.name] = {each.long_running, mirrored_params(each.input_schema)};
  std::unique_lock lock(core.facts_mutex);
  for (auto& [name, facts] : found) core.facts.insert_or_assign(name, std::move(facts));
  const auto at = core.facts.find(tool);
  return at == core.facts.end() ? ToolFacts{} : at->second;
}

}  // namespace wardenv::mcp
