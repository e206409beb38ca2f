// SPDX-License-Identifier: Apache-2.0
// Inside of the server: what its parts share. Not for other folders.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "tools/mcp/message.h"
#include "tools/mcp/request_state.h"
#include "tools/mcp/server.h"
#include "tools/mcp/tasks.h"

namespace wardenv::mcp {

inline constexpr std::string_view kModernVersion = "2026-07-28";
inline constexpr std::string_view kLegacyVersions[] = {"2025-11-25", "2025-06-18", "2025-03-26"};   // the latest first
bool is_legacy_version(std::string_view version);

inline constexpr const char* kMetaVersion = "io.modelcontextprotocol/protocolVersion";
inline constexpr const char* kMetaCapabilities = "io.modelcontextprotocol/clientCapabilities";
inline constexpr const char* kMetaClientInfo = "io.modelcontextprotocol/clientInfo";
inline constexpr const char* kMetaLogLevel = "io.modelcontextprotocol/logLevel";
inline constexpr const char* kTasksExtension = "io.modelcontextprotocol/tasks";
inline constexpr const char* kTasksMissing = R"({"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}})";

// One request from its arrival to its answer.
struct Exchange {
  nlohmann::json document{};
  Message message{};                        // points into the document
  Era era = Era::kModern;
  Caller caller{};
  std::shared_ptr<Sink> sink{};
  std::shared_ptr<Channel> channel{};       // legacy, or stdio
  const Headers* headers = nullptr;         // valid while the message is handled only
  nlohmann::json capabilities = nlohmann::json::object();   // of the client

  [[nodiscard]] const nlohmann::json* param(const char* name) const;
  // A string parameter; null: not there or no string.
  [[nodiscard]] const std::string* text_param(const char* name) const;
  [[nodiscard]] const nlohmann::json* meta(const char* name) const;
  [[nodiscard]] bool client_can(std::string_view path) const;   // see CallContext::client_can
  [[nodiscard]] bool knows_tasks() const;

  void answer(std::string_view members) const { sink->finish(result_message(message.id, members), 200); }
  void refuse(int code, std::string_view text, std::string_view data = {}) const;
};

// A member of an object; null: not there.
const nlohmann::json* member(const nlohmann::json& object, const char* name);
std::optional<LogLevel> log_level_of(std::string_view name);
const char* name_of(LogLevel level);

// A parameter that is mirrored into a header `Mcp-Param-<header>` (2026-07-28, "Custom Headers from Tool Parameters").
struct HeaderParam {
  std::string header;
  nlohmann::json::json_pointer path;
};

// What the protocol must know of a tool before it is called.
struct ToolFacts {
  LongRunning long_running = LongRunning::kNo;
  std::vector<HeaderParam> headers{};
};

// An open `subscriptions/listen`.
class Listener;

class RunningCall;

struct Core {
  Core(Features& features_in, ServerOptions options_in);

  Features& features;
  const ServerOptions options;
  const ServerInfo info;
  const Offers offers;
  const std::string modern_meta;    // `"_meta":{"io.modelcontextprotocol/serverInfo":{…}}`
  RequestStates states;
  Tasks tasks;

  mutable std::mutex mutex;
  std::map<std::string, std::shared_ptr<Channel>, std::less<>> sessions;
  std::vector<std::weak_ptr<Channel>> channels;    // of stdio, and legacy sessions: who hears of changes
  std::set<std::shared_ptr<Listener>> listeners;
  std::set<std::shared_ptr<RunningCall>> running;
  bool closing = false;
  std::atomic<std::size_t> waiting{0};             // questions to clients, each with a thread of the workers

  std::shared_mutex facts_mutex;
  std::map<std::string, ToolFacts, std::less<>> facts;

  // Last: their threads use what is above.
  Pool workers;
  Pool quick;

  // Wraps the members of a modern result: resultType before, the server's name after.
  [[nodiscard]] std::string modern(std::string_view members, std::string_view type = "complete") const;
  void answer(const Exchange& exchange, std::string_view members) const;
  // The same for a result that may be kept: ttlMs, cacheScope.
  void answer_cacheable(const Exchange& exchange, std::string_view members, std::chrono::milliseconds ttl) const;
};

using ExchangePtr = std::shared_ptr<Exchange>;

// calls.cc
void call_tool(Core& core, const ExchangePtr& exchange);
void get_prompt(Core& core, const ExchangePtr& exchange);
void cancel_running(Core& core);
// listing.cc
void list_tools(Core& core, const Exchange& exchange);
void list_resources(Core& core, const Exchange& exchange);
void list_templates(Core& core, const Exchange& exchange);
void list_prompts(Core& core, const Exchange& exchange);
void read_resource(Core& core, const Exchange& exchange);
void complete(Core& core, const Exchange& exchange);
std::string capabilities_text(const Core& core, Era era);
std::string server_info_text(const ServerInfo& info);
ToolFacts facts_of(Core& core, const std::string& tool, const Caller& caller);
// legacy.cc
void initialize(Core& core, const Exchange& exchange);
void set_level(Core& core, const Exchange& exchange);
void subscribe(Core& core, const Exchange& exchange);
void unsubscribe(Core& core, const Exchange& exchange);
// modern.cc
bool open_modern(Core& core, Exchange& exchange);    // false: refused
void discover(Core& core, const Exchange& exchange);
void task_get(Core& core, const Exchange& exchange);
void task_update(Core& core, const Exchange& exchange);
void task_cancel(Core& core, const Exchange& exchange);
// listeners.cc
void listen(Core& core, const ExchangePtr& exchange);
Changes changes_to(Core& core);
void tell_task(Core& core, const Task& task);
void close_listeners(Core& core);
// Of grants that are nobody's any more: their streams end, and their sessions with what runs in them.
void end_those_of(Core& core, const std::function<bool(const std::string& grant)>& is_gone);
// mirrored.cc
std::vector<HeaderParam> mirrored_params(const std::string& input_schema);
std::optional<std::string> check_headers(Core& core, const Exchange& exchange);   // what is wrong

// content.cc: JSON text of what tools give.
std::string content_text(const Content& content);
std::string call_result_members(const ToolResult& result);
std::string prompt_result_members(const PromptResult& result);
std::string resource_text(const Content& content);

}  // namespace wardenv::mcp
