// SPDX-License-Identifier: Apache-2.0
// An AuditRecord as the JSON members of its line.
#include "engine/audit/payload.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

namespace wardenv::engine::audit {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 64;                  // of values that are taken apart; deeper ones are hashed as text
constexpr std::size_t kMaxDetailBytes = 65536;
constexpr std::size_t kHashBytes = 16;
constexpr std::string_view kOwnEvents[] = {"begin", "healed", "head"};

std::string cut(std::string_view text) {
  if (text.size() <= kMaxTextBytes) return std::string(text);
  return std::string(text.substr(0, kMaxTextBytes)) + " … (" + std::to_string(text.size() - kMaxTextBytes) + " bytes more)";
}

// Never throws: bytes that are not UTF-8 are replaced.
std::string dump(const Json& value) { return value.dump(-1, ' ', true, Json::error_handler_t::replace); }

// None where it is not JSON or nested too deep: dumping recurses.
std::optional<Json> parse(const std::string& text) {
  bool deep = false;
  const auto watch = [&deep](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  Json value = Json::parse(text, watch, false);
  if (value.is_discarded() || deep) return std::nullopt;
  return value;
}

// The name is part of what is hashed: the same value of the same argument hashes alike, and nothing else does.
std::string hashed(const Hmac& values, const std::string& name, const std::string& value) {
  std::string digits(2 * kHashBytes, '0');
  write_hex(values.of(name + '\0' + value), kHashBytes, digits.data());
  return "hmac:" + digits;
}

Json arguments_of(const AuditRecord& record, const Hmac& values) {
  const auto arguments = parse(record.arguments_json);
  if (!arguments || !arguments->is_object()) return hashed(values, "", record.arguments_json);
  Json out = Json::object();
  for (const auto& [name, value] : arguments->items()) {
    if (out.size() == kMaxNames) {
      out["…"] = std::to_string(arguments->size() - kMaxNames) + " more, all: " + hashed(values, "", record.arguments_json);
      break;
    }
    const bool plain = std::find(record.plain_arguments.begin(), record.plain_arguments.end(), name) != record.plain_arguments.end();
    const std::string text = dump(value);
    out[cut(name)] = plain && text.size() <= kMaxTextBytes ? value : Json(hashed(values, name, text));
  }
  return out;
}

const char* word(AuditConnection::Verdict verdict) {
  switch (verdict) {
    case AuditConnection::Verdict::kConnected: return "connected";
    case AuditConnection::Verdict::kRefused: return "refused";
    case AuditConnection::Verdict::kFailed: return "failed";
  }
  return "refused";
}

Json connections_of(const std::vector<AuditConnection>& connections) {
  Json out = Json::array();
  for (const AuditConnection& connection : connections) {
    if (out.size() == kMaxConnections) {
      out.push_back({{"more", connections.size() - kMaxConnections}});
      break;
    }
    Json one{{"host", cut(connection.host)}, {"port", connection.port}, {"verdict", word(connection.verdict)}, {"count", connection.count}};
    if (!connection.reason.empty()) one["reason"] = cut(connection.reason);
    if (connection.bytes_sent + connection.bytes_received > 0) {
      one["bytes_sent"] = connection.bytes_sent;
      one["bytes_received"] = connection.bytes_received;
    }
    out.push_back(std::move(one));
  }
  return out;
}

Json usage_of(const sandbox::Usage& usage) {
  return {{"wall_ms", usage.wall_ms},
          {"cpu_user_ms", usage.cpu_user_ms},
          {"cpu_system_ms", usage.cpu_system_ms},
          {"peak_memory_bytes", usage.peak_memory_bytes},
          {"peak_processes", usage.peak_processes}};
}

Json details_of(const std::string& text) {
  if (text.size() > kMaxDetailBytes) return std::to_string(text.size()) + " bytes, too many for the log";
  const auto value = parse(text);
  return value ? *value : Json(cut(text));
}

void add_texts(const AuditRecord& record, Json& out) {
  const std::pair<const char*, const std::string*> before[] = {{"event", &record.event}, {"run_id", &record.run_id},   {"grant", &record.grant},
                                                               {"session", &record.session}, {"tool", &record.tool}};
  for (const auto& [name, text] : before) {
    if (!text->empty()) out[name] = cut(*text);
  }
}

void add_verdict(const AuditRecord& record, Json& out) {
  const std::pair<const char*, const std::string*> after[] = {{"decision", &record.decision},           {"rule", &record.rule},
                                                              {"reason", &record.reason},               {"policy_digest", &record.policy_digest},
                                                              {"profile", &record.profile},             {"workspace", &record.workspace},
                                                              {"cwd", &record.cwd},                     {"venv", &record.venv},
                                                              {"program", &record.program},             {"program_identity", &record.program_identity},
                                                              {"outcome", &record.outcome}};
  for (const auto& [name, text] : after) {
    if (!text->empty()) out[name] = cut(*text);
  }
}

}  // namespace

Result<std::string> payload_of(const AuditRecord& record, const Hmac& values) {
  if (record.event.empty()) return fail(ErrorCode::kBadInput, "audit log: a record without an event");
  if (std::find(std::begin(kOwnEvents), std::end(kOwnEvents), record.event) != std::end(kOwnEvents)) {
    return fail(ErrorCode::kBadInput, "audit log: `" + record.event + "` is an event of the log's own");
  }
  Json out = Json::object();
  add_texts(record, out);
  if (!record.arguments_json.empty()) out["arguments"] = arguments_of(record, values);
  add_verdict(record, out);
  if (record.exit_code) out["exit_code"] = *record.exit_code;
  if (record.usage) out["usage"] = usage_of(*record.usage);
  if (!record.connections.empty()) out["connections"] = connections_of(record.connections);
  if (!record.details_json.empty()) out["details"] = details_of(record.details_json);
  const std::string text = dump(out);
  return text.substr(1, text.size() - 2);
}

}  // namespace wardenv::engine::audit
