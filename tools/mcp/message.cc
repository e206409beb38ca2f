// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 2.0 in and out.
#include "tools/mcp/message.h"

#include <nlohmann/json.hpp>

#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxId = 256;

const json* member(const json& object, const char* name) {
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
}

Message invalid(std::string problem, std::string id = {}, int code = kInvalidRequest) {
  Message message;
  message.id = std::move(id);
  message.code = code;
  message.problem = std::move(problem);
  return message;
}

// RequestId of the schema: a string or an integer. What is neither has no id that an answer could carry.
std::optional<std::string> id_text(const json& id) {
  if (!id.is_string() && !id.is_number_integer()) return std::nullopt;
  std::string text = to_text(id);
  if (text.size() > kMaxId) return std::nullopt;
  return text;
}

Message response(const json& document, std::string id) {
  Message message;
  message.result = member(document, "result");
  message.error = member(document, "error");
  if (id.empty() || (message.result == nullptr) == (message.error == nullptr)) return invalid("neither a request nor a response", std::move(id));
  message.kind = Message::Kind::kResponse;
  message.id = std::move(id);
  return message;
}

}  // namespace

Message classify(const json& document) {
  if (document.is_array()) return invalid("batches are not part of MCP: send one message at a time");
  if (!document.is_object()) return invalid("a message must be an object");
  const json* given = member(document, "id");
  std::string id;
  if (given != nullptr) {
    auto text = id_text(*given);
    if (!text) return invalid("`id` must be a string or an integer, of at most 256 bytes");
    id = std::move(*text);
  }
  const json* version = member(document, "jsonrpc");
  if (version == nullptr || *version != "2.0") return invalid("`jsonrpc` must be \"2.0\"", std::move(id));
  const json* method = member(document, "method");
  if (method == nullptr) return response(document, std::move(id));
  if (!method->is_string()) return invalid("`method` must be a string", std::move(id));
  Message message;
  message.params = member(document, "params");
  if (message.params != nullptr && !message.params->is_object()) return invalid("`params` must be an object", std::move(id), kInvalidParams);
  message.kind = given != nullptr ? Message::Kind::kRequest : Message::Kind::kNotification;
  message.method = method->get_ref<const std::string&>();
  message.id = std::move(id);
  return message;
}

std::string error_message(std::string_view id, int code, std::string_view text, std::string_view data) {
  std::string out = R"({"jsonrpc":"2.0")";
  if (!id.empty()) out.append(R"(,"id":)").append(id);
  out.append(R"(,"error":{"code":)").append(std::to_string(code)).append(R"(,"message":)").append(json_string(text));
  if (!data.empty()) out.append(R"(,"data":)").append(data);
  return out.append("}}");
}

std::string result_message(std::string_view id, std::string_view members) {
  std::string out;
  out.reserve(members.size() + id.size() + 48);
  out.append(R"({"jsonrpc":"2.0","id":)").append(id).append(R"(,"result":{)").append(members).append("}}");
  return out;
}

std::string notification(std::string_view method, std::string_view params_members) {
  std::string out = R"({"jsonrpc":"2.0","method":")";
  out.append(method).append("\"");
  if (!params_members.empty()) out.append(R"(,"params":{)").append(params_members).append("}");
  return out.append("}");
}

std::string request(std::string_view id, std::string_view method, std::string_view params) {
  std::string out = R"({"jsonrpc":"2.0","id":)";
  out.append(id).append(R"(,"method":")").append(method).append("\"");
  if (!params.empty()) out.append(R"(,"params":)").append(params);
  return out.append("}");
}

void make_one_line(std::string& message) {
  for (std::size_t at = 0; (at = message.find_first_of("\r\n", at)) != std::string::npos; ++at) message[at] = ' ';
}

int http_status_of(int code) {
  switch (code) {
    case kParseError:
    case kInvalidRequest:
    case kHeaderMismatch:
    case kMissingCapability:
    case kUnsupportedVersion: return 400;
    case kMethodNotFound: return 404;
    default: return 200;
  }
}

}  // namespace wardenv::mcp
