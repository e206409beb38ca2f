// SPDX-License-Identifier: Apache-2.0
// Looking into a request.
#include <array>

#include "tools/mcp/core.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

constexpr std::array kLevels{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"};

}  // namespace

const json* member(const json& object, const char* name) {
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
}

std::optional<LogLevel> log_level_of(std::string_view name) {
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (name == kLevels[i]) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

const char* name_of(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

const json* Exchange::param(const char* name) const { return message.params == nullptr ? nullptr : member(*message.params, name); }

const std::string* Exchange::text_param(const char* name) const {
  const json* value = param(name);
  return value != nullptr && value->is_string() ? &value->get_ref<const std::string&>() : nullptr;
}

const json* Exchange::meta(const char* name) const {
  const json* meta = param("_meta");
  return meta != nullptr && meta->is_object() ? member(*meta, name) : nullptr;
}

bool Exchange::client_can(std::string_view path) const {
  const json* at = &capabilities;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    at = at->is_object() ? member(*at, std::string(path.substr(0, slash)).c_str()) : nullptr;
    if (at == nullptr || at->is_null()) return false;
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return true;
}

bool Exchange::knows_tasks() const {
  const json* extensions = member(capabilities, "extensions");
  return extensions != nullptr && extensions->is_object() && extensions->contains(kTasksExtension);
}

void Exchange::refuse(int code, std::string_view text, std::string_view data) const {
  sink->finish(error_message(message.id, code, text, data), era == Era::kModern ? http_status_of(code) : 200);
}

}  // namespace wardenv::mcp
