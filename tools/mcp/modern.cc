// SPDX-License-Identifier: Apache-2.0
// What only the modern era has: the envelope of each request, `server/discover`, tasks.
#include "tools/mcp/core.h"
#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

constexpr auto kDiscoverTtl = std::chrono::minutes(5);

void refuse_version(const Exchange& exchange, std::string_view requested) {
  exchange.refuse(kUnsupportedVersion, "unsupported protocol version",
                  "{\"supported\":[" + json_string(kModernVersion) + "],\"requested\":" + json_string(requested) + "}");
}

bool refused(const Exchange& exchange, int code, std::string_view text) {
  exchange.refuse(code, text);
  return false;
}

// -32602 for a malformed envelope goes out as HTTP 400 (2026-07-28, "_meta").
bool bad_envelope(const Exchange& exchange, std::string_view text) {
  exchange.sink->finish(error_message(exchange.message.id, kInvalidParams, text), 400);
  return false;
}

// The version that the transport's header and the envelope agree on.
bool check_version(const Exchange& exchange, const json* version) {
  if (exchange.headers == nullptr) return true;
  const std::string_view header = exchange.headers->find("MCP-Protocol-Version");
  if (header.empty()) return refused(exchange, kHeaderMismatch, "the header MCP-Protocol-Version is missing");
  if (version != nullptr && version->is_string() && version->get_ref<const std::string&>() != header) {
    return refused(exchange, kHeaderMismatch, "the header MCP-Protocol-Version is not what `_meta` says");
  }
  return true;
}

std::shared_ptr<Task> task_named(Core& core, const Exchange& exchange) {
  if (!exchange.knows_tasks()) {
    exchange.refuse(kMissingCapability, "this needs the extension io.modelcontextprotocol/tasks among the client's capabilities", kTasksMissing);
    return nullptr;
  }
  const std::string* id = exchange.text_param("taskId");
  if (id == nullptr) {
    exchange.refuse(kInvalidParams, "`taskId` must be a string");
    return nullptr;
  }
  auto task = core.tasks.find(*id, exchange.caller.grant);
  if (!task) exchange.refuse(kInvalidParams, "no such task");
  return task;
}

}  // namespace

bool open_modern(Core& core, Exchange& exchange) {
  const json* version = exchange.meta(kMetaVersion);
  if (!check_version(exchange, version)) return false;
  if (version == nullptr && exchange.headers != nullptr) {
    const std::string_view header = exchange.headers->find("MCP-Protocol-Version");
    if (header != kModernVersion) return refuse_version(exchange, header), false;
  }
  if (version == nullptr || !version->is_string()) {
    return bad_envelope(exchange, "`_meta` lacks io.modelcontextprotocol/protocolVersion; older clients send `initialize` first");
  }
  if (*version != kModernVersion) return refuse_version(exchange, version->get_ref<const std::string&>()), false;
  const json* capabilities = exchange.meta(kMetaCapabilities);
  if (capabilities == nullptr || !capabilities->is_object()) return bad_envelope(exchange, "`_meta` lacks io.modelcontextprotocol/clientCapabilities");
  const json* client = exchange.meta(kMetaClientInfo);
  if (client != nullptr && !client->is_object()) return bad_envelope(exchange, "io.modelcontextprotocol/clientInfo must be an object");
  const json* level = exchange.meta(kMetaLogLevel);
  if (level != nullptr && (!level->is_string() || !log_level_of(level->get_ref<const std::string&>()))) {
    return bad_envelope(exchange, "io.modelcontextprotocol/logLevel must be one of debug, info, notice, warning, error, critical, alert, emergency");
  }
  exchange.capabilities = *capabilities;
  exchange.caller.protocol_version = kModernVersion;
  if (const json* name = client == nullptr ? nullptr : member(*client, "name"); name != nullptr && name->is_string()) exchange.caller.client_name = *name;
  if (const auto problem = check_headers(core, exchange)) return refused(exchange, kHeaderMismatch, *problem);
  return true;
}

void discover(Core& core, const Exchange& exchange) {
  std::string members = "\"supportedVersions\":[" + json_string(kModernVersion) + "],\"capabilities\":" + capabilities_text(core, Era::kModern);
  if (!core.info.instructions.empty()) members += ",\"instructions\":" + json_string(core.info.instructions);
  core.answer_cacheable(exchange, members, kDiscoverTtl);
}

void task_get(Core& core, const Exchange& exchange) {
  if (const auto task = task_named(core, exchange)) core.answer(exchange, task->members());
}

void task_update(Core& core, const Exchange& exchange) {
  const auto task = task_named(core, exchange);
  if (!task) return;
  const json* responses = exchange.param("inputResponses");
  if (responses == nullptr || !responses->is_object()) return exchange.refuse(kInvalidParams, "`inputResponses` must be an object");
  task->update(*responses);
  core.answer(exchange, "");
}

void task_cancel(Core& core, const Exchange& exchange) {
  const auto task = task_named(core, exchange);
  if (!task) return;
  if (task->cancel()) tell_task(core, *task);
  core.answer(exchange, "");
}

}  // namespace wardenv::mcp
