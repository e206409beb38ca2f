// SPDX-License-Identifier: Apache-2.0
// Who hears of changes: open `subscriptions/listen` streams, and legacy sessions.
#include "tools/mcp/listeners.h"

#include <utility>

#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxListeners = 4096;
constexpr std::size_t kMaxNames = 256;   // URIs or tasks in one filter

bool wants(const json& filter, const char* name) {
  const json* flag = member(filter, name);
  return flag != nullptr && flag->is_boolean() && flag->get<bool>();
}

std::set<std::string> names(const json& filter, const char* name) {
  std::set<std::string> found;
  const json* list = member(filter, name);
  if (list == nullptr || !list->is_array()) return found;
  for (const json& each : *list) {
    if (each.is_string() && found.size() < kMaxNames) found.insert(each.get<std::string>());
  }
  return found;
}

Filter filter_of(const Core& core, const Exchange& exchange, const json& asked) {
  Filter filter;
  filter.tools = wants(asked, "toolsListChanged");
  filter.prompts = core.offers.prompts && wants(asked, "promptsListChanged");
  filter.resources = core.offers.resources && wants(asked, "resourcesListChanged");
  if (core.offers.resources) filter.uris = names(asked, "resourceSubscriptions");
  for (const std::string& id : names(asked, "taskIds")) {
    if (core.tasks.find(id, exchange.caller.grant)) filter.tasks.insert(id);
  }
  return filter;
}

std::string list_text(const std::set<std::string>& all) {
  std::string out = "[";
  for (const std::string& each : all) out += (out.size() > 1 ? "," : "") + json_string(each);
  return out + "]";
}

std::string filter_text(const Filter& filter) {
  std::string out;
  if (filter.tools) out += ",\"toolsListChanged\":true";
  if (filter.prompts) out += ",\"promptsListChanged\":true";
  if (filter.resources) out += ",\"resourcesListChanged\":true";
  if (!filter.uris.empty()) out += ",\"resourceSubscriptions\":" + list_text(filter.uris);
  if (!filter.tasks.empty()) out += ",\"taskIds\":" + list_text(filter.tasks);
  return "{" + (out.empty() ? out : out.substr(1)) + "}";
}

std::vector<std::shared_ptr<Listener>> listeners_of(Core& core) {
  std::lock_guard lock(core.mutex);
  return {core.listeners.begin(), core.listeners.end()};
}

std::vector<std::shared_ptr<Channel>> channels_of(Core& core) {
  std::vector<std::shared_ptr<Channel>> alive;
  std::lock_guard lock(core.mutex);
  for (const auto& each : core.channels) {
    if (auto channel = each.lock()) alive.push_back(std::move(channel));
  }
  return alive;
}

void list_changed(Core& core, std::string_view what, bool Filter::*wanted) {
  const std::string method = "notifications/" + std::string(what) + "/list_changed";
  for (const auto& listener : listeners_of(core)) {
    if (listener->filter().*wanted) listener->send(method);
  }
  const std::string message = notification(method, "");
  for (const auto& channel : channels_of(core)) channel->notify(message);
}

// Only those hear of it who see other tools than before: what the policy says of one grant is no other's business.
void tools_changed(Core& core) {
  {
    std::unique_lock lock(core.facts_mutex);
    core.facts.clear();
  }
  end_those_of(core, [&core](const std::string& grant) { return !core.features.has_grant(grant); });
  constexpr const char* kMethod = "notifications/tools/list_changed";
  for (const auto& listener : listeners_of(core)) {
    if (listener->filter().tools && core.features.tools_changed_for(listener->grant())) listener->send(kMethod);
  }
  for (const auto& channel : channels_of(core)) {
    if (core.features.tools_changed_for(channel->principal())) channel->notify(notification(kMethod, ""));
  }
}

void resource_updated(Core& core, const std::string& uri) {
  const std::string members = "\"uri\":" + json_string(uri);
  for (const auto& listener : listeners_of(core)) {
    if (listener->filter().uris.contains(uri)) listener->send("notifications/resources/updated", members);
  }
  for (const auto& channel : channels_of(core)) {
    if (channel->subscribed(uri)) channel->notify(notification("notifications/resources/updated", members));
  }
}

bool enter(Core& core, const std::shared_ptr<Listener>& listener) {
  std::lock_guard lock(core.mutex);
  return !core.closing && core.listeners.size() < kMaxListeners && core.listeners.insert(listener).second;
}

}  // namespace

Listener::Listener(Core& core, const Exchange& exchange, Filter filter)
    : core_(core), id_(exchange.message.id), grant_(exchange.caller.grant), filter_(std::move(filter)), sink_(exchange.sink), channel_(exchange.channel) {}

bool Listener::acknowledge() { return send("notifications/subscriptions/acknowledged", "\"notifications\":" + filter_text(filter_)); }

bool Listener::send(std::string_view method, std::string_view params) {
  std::string members = "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":" + id_ + "}";
  if (!params.empty()) members.append(",").append(params);
  const bool sent = sink_->send(notification(method, members));
  if (!sent) forget();
  return sent;
}

void Listener::close() {
  forget();
  const std::string& meta = core_.modern_meta;   // `"_meta":{…}`: the id goes in before its last brace
  sink_->finish(result_message(id_, "\"resultType\":\"complete\"," + meta.substr(0, meta.size() - 1) +
                                        ",\"io.modelcontextprotocol/subscriptionId\":" + id_ + "}"), 200);
}

void Listener::cancel() {
  forget();
  sink_->abandon();
}

void Listener::forget() {
  if (channel_) channel_->end(id_);
  std::lock_guard lock(core_.mutex);
  core_.listeners.erase(shared_from_this());
}

void listen(Core& core, const ExchangePtr& exchange) {
  const json* asked = exchange->param("notifications");
  if (asked == nullptr || !asked->is_object()) return exchange->refuse(kInvalidParams, "`notifications` must be an object");
  if (member(*asked, "taskIds") != nullptr && !exchange->knows_tasks()) {
    return exchange->refuse(kMissingCapability, "`taskIds` needs the extension io.modelcontextprotocol/tasks among the client's capabilities", kTasksMissing);
  }
  auto listener = std::make_shared<Listener>(core, *exchange, filter_of(core, *exchange, *asked));
  if (exchange->channel && !exchange->channel->begin(exchange->message.id, listener)) {
    return exchange->refuse(kInvalidRequest, "a request with this id is under way");
  }
  exchange->sink->bind(listener);
  if (!enter(core, listener)) return exchange->refuse(kBusy, "busy: too many subscriptions are open");
  if (!listener->acknowledge()) exchange->refuse(kInvalidRequest, "a subscription is a stream of events: Accept must list text/event-stream");
}

Changes changes_to(Core& core) {
  return {.tools = [&core] { tools_changed(core); },
          .prompts = [&core] { list_changed(core, "prompts", &Filter::prompts); },
          .resources = [&core] { list_changed(core, "resources", &Filter::resources); },
          .resource_updated = [&core](const std::string& uri) { resource_updated(core, uri); }};
}

void end_those_of(Core& core, const std::function<bool(const std::string& grant)>& is_gone) {
  for (const auto& listener : listeners_of(core)) {
    if (is_gone(listener->grant())) listener->close();
  }
  std::vector<std::shared_ptr<Channel>> gone;
  {
    std::lock_guard lock(core.mutex);
    for (const auto& [id, channel] : core.sessions) {
      if (is_gone(channel->principal())) gone.push_back(channel);
    }
    for (const auto& channel : gone) core.sessions.erase(channel->id());
  }
  for (const auto& channel : gone) {
    channel->cancel_all();
    core.features.session_ended(channel->id());
  }
}

void tell_task(Core& core, const Task& task) {
  for (const auto& listener : listeners_of(core)) {
    if (listener->grant() == task.owner() && listener->filter().tasks.contains(task.id())) listener->send("notifications/tasks", task.members());
  }
}

void close_listeners(Core& core) {
  for (const auto& listener : listeners_of(core)) listener->close();
}

}  // namespace wardenv::mcp
