// SPDX-License-Identifier: Apache-2.0
// What only the legacy era has: `initialize`, log levels, subscriptions to single resources.
#include <algorithm>
#include <compare>

#include "tools/mcp/core.h"
#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

// The version that was asked for where we know it, else our latest (2025-11-25, "Version Negotiation").
std::string_view negotiated(const std::string& asked) { return is_legacy_version(asked) ? std::string_view(asked) : kLegacyVersions[0]; }

std::string name_of_client(const json* info) {
  if (info == nullptr || !info->is_object()) return "";
  const json* name = member(*info, "name");
  return name != nullptr && name->is_string() ? name->get_ref<const std::string&>() : "";
}

// How little a session would be missed by the caller who wants its place: the least goes. What holds runs or is listened to comes last.
struct Rank {
  bool holds = false;
  bool of_another = false;
  std::chrono::steady_clock::time_point used{};
  auto operator<=>(const Rank&) const = default;
};

Rank rank_of(Core& core, const Channel& channel, const std::string& grant) {
  const Caller caller{.grant = channel.principal(), .session = channel.id(), .era = Era::kLegacy};
  return {channel.is_heard() || core.features.session_has_runs(caller), channel.principal() != grant, channel.used()};
}

// Makes room by a session that does nothing and has been quiet for a while, the caller's own before another's: clients that never end their
// sessions must not lock out others, nor end what others still use. Its client is told 404, and starts again. Null: all are in use.
// REQUIRES: core.mutex is held, so the features are told by the caller, later.
std::shared_ptr<Channel> take_quietest(Core& core, const std::string& grant) {
  const auto since = std::chrono::steady_clock::now() - core.options.session_quiet;
  auto taken = core.sessions.end();
  Rank least;
  for (auto at = core.sessions.begin(); at != core.sessions.end(); ++at) {
    if (at->second->under_way() > 0 || at->second->used() > since) continue;
    const Rank rank = rank_of(core, *at->second, grant);
    if ((rank.holds && rank.of_another) || (taken != core.sessions.end() && least < rank)) continue;
    least = rank;
    taken = at;
  }
  if (taken == core.sessions.end()) return nullptr;
  std::shared_ptr<Channel> channel = taken->second;
  core.sessions.erase(taken);
  return channel;
}

// Null: too many sessions. `dropped`: who made room.
std::shared_ptr<Channel> enter_session(Core& core, const std::string& grant, std::shared_ptr<Channel>& dropped) {
  auto channel = std::make_shared<Channel>(random_id(), grant);
  std::lock_guard lock(core.mutex);
  if (core.closing) return nullptr;
  if (core.sessions.size() >= core.options.max_sessions && !(dropped = take_quietest(core, grant))) return nullptr;
  core.sessions.emplace(channel->id(), channel);
  std::erase_if(core.channels, [](const auto& each) { return each.expired(); });
  core.channels.push_back(channel);
  return channel;
}

// The channel of a new session; over stdio the process has one already. Null: too many sessions.
std::shared_ptr<Channel> channel_for(Core& core, const Exchange& exchange) {
  if (exchange.channel) return exchange.channel;
  std::shared_ptr<Channel> dropped;
  auto channel = enter_session(core, exchange.caller.grant, dropped);
  if (dropped) core.features.session_ended(dropped->id());
  if (channel) exchange.sink->set_session(channel->id());
  return channel;
}

}  // namespace

bool is_legacy_version(std::string_view version) { return std::ranges::find(kLegacyVersions, version) != std::end(kLegacyVersions); }

void initialize(Core& core, const Exchange& exchange) {
  const std::string* asked = exchange.text_param("protocolVersion");
  const json* capabilities = exchange.param("capabilities");
  const json* client = exchange.param("clientInfo");
  if (asked == nullptr) return exchange.refuse(kInvalidParams, "`protocolVersion` must be a string");
  if (capabilities != nullptr && !capabilities->is_object()) return exchange.refuse(kInvalidParams, "`capabilities` must be an object");
  if (client != nullptr && !client->is_object()) return exchange.refuse(kInvalidParams, "`clientInfo` must be an object");
  const std::shared_ptr<Channel> channel = channel_for(core, exchange);
  if (!channel) {
    exchange.sink->finish(error_message(exchange.message.id, kBusy, "busy: too many sessions are open; end one, or try again later"), 503);
    return;
  }
  const std::string version(negotiated(*asked));
  channel->open({version, name_of_client(client), capabilities == nullptr ? "{}" : to_text(*capabilities)});
  std::string members = "\"protocolVersion\":" + json_string(version) + ",\"capabilities\":" + capabilities_text(core, Era::kLegacy) +
                        ",\"serverInfo\":" + server_info_text(core.info);
  if (!core.info.instructions.empty()) members += ",\"instructions\":" + json_string(core.info.instructions);
  exchange.answer(members);
}

void set_level(Core& core, const Exchange& exchange) {
  if (!core.offers.logging) return exchange.refuse(kMethodNotFound, "this server sends no log messages");
  const std::string* name = exchange.text_param("level");
  const auto level = name == nullptr ? std::nullopt : log_level_of(*name);
  if (!level) return exchange.refuse(kInvalidParams, "`level` must be one of debug, info, notice, warning, error, critical, alert, emergency");
  exchange.channel->set_log_level(*level);
  exchange.answer("");
}

void subscribe(Core& core, const Exchange& exchange) {
  if (!core.offers.resources) return exchange.refuse(kMethodNotFound, "this server has no resources");
  const std::string* uri = exchange.text_param("uri");
  if (uri == nullptr) return exchange.refuse(kInvalidParams, "`uri` must be a string");
  exchange.channel->subscribe(*uri);
  exchange.answer("");
}

void unsubscribe(Core& core, const Exchange& exchange) {
  if (!core.offers.resources) return exchange.refuse(kMethodNotFound, "this server has no resources");
  const std::string* uri = exchange.text_param("uri");
  if (uri == nullptr) return exchange.refuse(kInvalidParams, "`uri` must be a string");
  exchange.channel->unsubscribe(*uri);
  exchange.answer("");
}

}  // namespace wardenv::mcp
