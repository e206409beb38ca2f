// SPDX-License-Identifier: Apache-2.0
// Which era a message is of, and who answers it.
#include "tools/mcp/server.h"

#include <algorithm>
#include <array>

#include "tools/mcp/core.h"
#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

enum class Needs { kNothing, kResources, kPrompts, kCompletions };
enum class Eras { kBoth, kLegacy, kModern };

struct Method {
  std::string_view name;
  Eras eras;
  Needs needs;
  void (*answer)(Core&, const ExchangePtr&);
};

template <void (*F)(Core&, const Exchange&)>
void plain(Core& core, const ExchangePtr& exchange) {
  F(core, *exchange);
}

void ping(Core&, const ExchangePtr& exchange) { exchange->answer(""); }

constexpr std::array kMethods{
    Method{"tools/call", Eras::kBoth, Needs::kNothing, call_tool},
    Method{"tools/list", Eras::kBoth, Needs::kNothing, plain<list_tools>},
    Method{"server/discover", Eras::kModern, Needs::kNothing, plain<discover>},
    Method{"subscriptions/listen", Eras::kModern, Needs::kNothing, listen},
    Method{"tasks/get", Eras::kModern, Needs::kNothing, plain<task_get>},
    Method{"tasks/update", Eras::kModern, Needs::kNothing, plain<task_update>},
    Method{"tasks/cancel", Eras::kModern, Needs::kNothing, plain<task_cancel>},
    Method{"ping", Eras::kLegacy, Needs::kNothing, ping},
    Method{"logging/setLevel", Eras::kLegacy, Needs::kNothing, plain<set_level>},
    Method{"resources/subscribe", Eras::kLegacy, Needs::kResources, plain<subscribe>},
    Method{"resources/unsubscribe", Eras::kLegacy, Needs::kResources, plain<unsubscribe>},
    Method{"resources/list", Eras::kBoth, Needs::kResources, plain<list_resources>},
    Method{"resources/templates/list", Eras::kBoth, Needs::kResources, plain<list_templates>},
    Method{"resources/read", Eras::kBoth, Needs::kResources, plain<read_resource>},
    Method{"prompts/list", Eras::kBoth, Needs::kPrompts, plain<list_prompts>},
    Method{"prompts/get", Eras::kBoth, Needs::kPrompts, get_prompt},
    Method{"completion/complete", Eras::kBoth, Needs::kCompletions, plain<complete>},
};

bool offered(const Offers& offers, Needs needs) {
  switch (needs) {
    case Needs::kNothing: return true;
    case Needs::kResources: return offers.resources;
    case Needs::kPrompts: return offers.prompts;
    case Needs::kCompletions: return offers.completions;
  }
  return false;
}

const Method* method_named(const Core& core, const std::string& name, Era era) {
  for (const Method& method : kMethods) {
    if (method.name != name) continue;
    const bool right_era = method.eras == Eras::kBoth || (method.eras == Eras::kModern) == (era == Era::kModern);
    return right_era && offered(core.offers, method.needs) ? &method : nullptr;
  }
  return nullptr;
}

bool has_modern_meta(const Exchange& exchange) { return exchange.meta(kMetaVersion) != nullptr; }

// HTTP: a header of a version without sessions, or of none that we know; `initialize` and what names a session are legacy.
bool is_modern(const Exchange& exchange) {
  if (has_modern_meta(exchange)) return true;
  if (exchange.headers == nullptr) return exchange.message.method == "server/discover" || !exchange.channel->opened();
  const std::string_view version = exchange.headers->find("MCP-Protocol-Version");
  if (version == kModernVersion) return true;
  return !version.empty() && !is_legacy_version(version) && exchange.headers->find("Mcp-Session-Id").empty() && exchange.message.method != "initialize";
}

bool refuse_legacy(const Exchange& exchange, int status, std::string_view text) {
  exchange.sink->finish(error_message(exchange.message.id, kInvalidRequest, text), status);
  return false;
}

bool take_session(Core& core, Exchange& exchange) {
  const std::string_view id = exchange.headers->find("Mcp-Session-Id");
  if (id.empty()) return refuse_legacy(exchange, 400, "Mcp-Session-Id is missing: send `initialize` first");
  std::lock_guard lock(core.mutex);
  const auto at = core.sessions.find(id);
  if (at == core.sessions.end() || at->second->principal() != exchange.caller.grant) {
    return refuse_legacy(exchange, 404, "no such session: send `initialize` again");
  }
  exchange.channel = at->second;
  exchange.channel->touch();
  return true;
}

// What a legacy message needs before it is looked at. False: refused.
bool open_legacy(Core& core, Exchange& exchange) {
  exchange.era = Era::kLegacy;
  exchange.caller.era = Era::kLegacy;
  if (exchange.headers != nullptr) {
    const std::string_view version = exchange.headers->find("MCP-Protocol-Version");
    if (!version.empty() && !is_legacy_version(version) && exchange.message.method != "initialize") {
      return refuse_legacy(exchange, 400, "MCP-Protocol-Version names no version that has sessions");
    }
    if (exchange.message.method == "initialize") return true;
    if (!take_session(core, exchange)) return false;
  }
  const auto opened = exchange.channel->opened();
  if (!opened) return true;   // stdio: `initialize` itself, or a ping before it
  exchange.caller.session = exchange.channel->id();
  exchange.caller.protocol_version = opened->protocol_version;
  exchange.caller.client_name = opened->client_name;
  if (parse_strict(opened->client_capabilities, exchange.capabilities)) exchange.capabilities = json::object();
  return true;
}

bool open_exchange(Core& core, Exchange& exchange) {
  const bool first = exchange.message.method == "initialize" || (exchange.headers == nullptr && exchange.message.method == "ping");
  if (first && !has_modern_meta(exchange) && (exchange.headers == nullptr || exchange.headers->find("MCP-Protocol-Version") != kModernVersion)) {
    return open_legacy(core, exchange);
  }
  if (!is_modern(exchange)) return open_legacy(core, exchange);
  exchange.era = Era::kModern;
  return open_modern(core, exchange);
}

void answer_request(Core& core, const ExchangePtr& exchange) {
  if (!open_exchange(core, *exchange)) return;
  const std::string& name = exchange->message.method;
  if (exchange->era == Era::kLegacy && name == "initialize") {
    if (core.options.observer != nullptr) core.options.observer->request(name, Era::kLegacy);
    return initialize(core, *exchange);
  }
  const Method* method = method_named(core, name, exchange->era);
  if (core.options.observer != nullptr) core.options.observer->request(method == nullptr ? "other" : method->name, exchange->era);
  if (method == nullptr) return exchange->refuse(kMethodNotFound, "unknown method `" + name.substr(0, 128) + "`");
  method->answer(core, exchange);
}

void take_notification(Core& core, Exchange& exchange) {
  const bool modern = exchange.headers != nullptr && is_modern(exchange);
  if (exchange.headers != nullptr && !modern && !open_legacy(core, exchange)) return;
  if (exchange.message.method == "notifications/cancelled" && exchange.channel) {
    const json* id = exchange.param("requestId");
    if (id != nullptr) exchange.channel->cancel(to_text(*id));
  }
  exchange.sink->abandon();
}

void take_response(Core& core, Exchange& exchange) {
  if (exchange.headers != nullptr && (exchange.headers->find("Mcp-Session-Id").empty() || !open_legacy(core, exchange))) {
    if (exchange.headers->find("Mcp-Session-Id").empty()) refuse_legacy(exchange, 400, "answers belong to a session: Mcp-Session-Id is missing");
    return;
  }
  const Message& message = exchange.message;
  exchange.channel->answer(message.id, message.result == nullptr ? std::nullopt : std::optional(to_text(*message.result)));
  exchange.sink->abandon();
}

}  // namespace

Core::Core(Features& features_in, ServerOptions options_in)
    : features(features_in), options(options_in), info(features_in.info()), offers(features_in.offers()),
      modern_meta("\"_meta\":{\"io.modelcontextprotocol/serverInfo\":" + server_info_text(info) + "}"), tasks({options_in.max_tasks, options_in.max_tasks_of_one, options_in.task_result_bytes}, options_in.task_ttl),
      workers(options_in.workers), quick(options_in.quick) {}

std::string Core::modern(std::string_view members, std::string_view type) const {
  std::string out;
  out.reserve(members.size() + modern_meta.size() + 40);
  out.append("\"resultType\":\"").append(type).append("\",").append(members);
  if (!members.empty()) out += ',';
  return out.append(modern_meta);
}

void Core::answer(const Exchange& exchange, std::string_view members) const {
  exchange.answer(exchange.era == Era::kModern ? modern(members) : members);
}

void Core::answer_cacheable(const Exchange& exchange, std::string_view members, std::chrono::milliseconds ttl) const {
  if (exchange.era == Era::kLegacy) return exchange.answer(members);
  // Private: what is listed depends on who asks.
  exchange.answer(modern(std::string(members) + ",\"ttlMs\":" + std::to_string(ttl.count()) + ",\"cacheScope\":\"private\""));
}

Server::Server(Features& features, ServerOptions options) : core_(std::make_unique<Core>(features, options)) { features.attach(changes_to(*core_)); }

Server::~Server() {
  shut_down(std::chrono::milliseconds(0));
  core_->features.attach({});
}

void Server::handle(const Incoming& incoming) {
  auto exchange = std::make_shared<Exchange>();
  exchange->sink = incoming.sink;
  exchange->headers = incoming.headers;
  exchange->channel = incoming.channel;
  exchange->caller.grant = incoming.grant;
  exchange->caller.session = incoming.channel ? incoming.channel->id() : "http:" + incoming.grant;
  if (const auto problem = parse_strict(incoming.text, exchange->document)) return incoming.sink->finish(error_message({}, kParseError, *problem), 400);
  exchange->message = classify(exchange->document);
  const Message& message = exchange->message;
  switch (message.kind) {
    case Message::Kind::kRequest: answer_request(*core_, exchange); break;
    case Message::Kind::kNotification: take_notification(*core_, *exchange); break;
    case Message::Kind::kResponse: take_response(*core_, *exchange); break;
    case Message::Kind::kInvalid: incoming.sink->finish(error_message(message.id, message.code, message.problem), 400); break;
  }
  exchange->headers = nullptr;
}

std::shared_ptr<Channel> Server::session(std::string_view id, std::string_view grant) const {
  std::lock_guard lock(core_->mutex);
  const auto at = core_->sessions.find(id);
  return at == core_->sessions.end() || at->second->principal() != grant ? nullptr : at->second;
}

bool Server::end_session(std::string_view id, std::string_view grant) {
  const auto channel = session(id, grant);
  if (!channel) return false;
  {
    std::lock_guard lock(core_->mutex);
    core_->sessions.erase(channel->id());
  }
  channel->cancel_all();
  core_->features.session_ended(channel->id());
  return true;
}

void Server::end_idle_sessions() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::shared_ptr<Channel>> idle;
  {
    std::lock_guard lock(core_->mutex);
    for (const auto& [id, channel] : core_->sessions) {
      if (channel->under_way() == 0 && now - channel->used() > core_->options.session_idle) idle.push_back(channel);
    }
  }
  for (const auto& channel : idle) end_session(channel->id(), channel->principal());
}

void Server::end_grant(const std::string& grant) {
  end_those_of(*core_, [&grant](const std::string& other) { return other == grant; });
}

void Server::listen_to(const std::shared_ptr<Channel>& channel) {
  std::lock_guard lock(core_->mutex);
  core_->channels.push_back(channel);
}

bool Server::shut_down(std::chrono::milliseconds patience) {
  {
    std::lock_guard lock(core_->mutex);
    core_->closing = true;
  }
  close_listeners(*core_);
  core_->tasks.cancel_all();
  cancel_running(*core_);
  const auto until = std::chrono::steady_clock::now() + patience;   // for both
  const bool drained = core_->workers.drain(patience);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  return core_->quick.drain(std::max(left, std::chrono::milliseconds(0))) && drained;
}

ServerLoad Server::load() const {
  std::lock_guard lock(core_->mutex);
  return {core_->workers.running() + core_->quick.running(), core_->workers.queued() + core_->quick.queued(), core_->sessions.size(), core_->tasks.count()};
}

}  // namespace wardenv::mcp
