// SPDX-License-Identifier: Apache-2.0
// HTTP headers that repeat what is in the body (2026-07-28, Streamable HTTP, "Request Metadata"): they must agree, or the request is refused,
// so that nobody between the client and us decides on something else than we do.
#include <openssl/evp.h>

#include <cmath>

#include "tools/mcp/core.h"
#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

constexpr std::string_view kPrefix = "=?base64?";
constexpr std::string_view kSuffix = "?=";
constexpr int kMaxSchemaDepth = 16;

void collect(const json& schema, const std::string& path, int depth, std::vector<HeaderParam>& found) {
  const json* properties = schema.is_object() ? member(schema, "properties") : nullptr;
  if (properties == nullptr || !properties->is_object() || depth > kMaxSchemaDepth) return;
  for (const auto& [name, property] : properties->items()) {
    json::json_pointer at(path);
    at /= name;
    const json* header = property.is_object() ? member(property, "x-mcp-header") : nullptr;
    if (header != nullptr && header->is_string()) found.push_back({"Mcp-Param-" + header->get<std::string>(), at});
    collect(property, at.to_string(), depth + 1, found);
  }
}

bool plain(std::string_view value) {
  for (const char c : value) {
    if ((c < 0x20 || c > 0x7e) && c != '\t') return false;
  }
  return true;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes.resize(static_cast<std::size_t>(length) - padding);
  return bytes;
}

// The value that a header stands for; none: it has characters that no header may have, or broken base64.
std::optional<std::string> decoded(std::string_view value) {
  if (!plain(value)) return std::nullopt;
  if (value.size() < kPrefix.size() + kSuffix.size() || !value.starts_with(kPrefix) || !value.ends_with(kSuffix)) return std::string(value);
  return decode_base64(value.substr(kPrefix.size(), value.size() - kPrefix.size() - kSuffix.size()));
}

bool same_number(const std::string& header, const json& value) {
  char* end = nullptr;
  const double number = std::strtod(header.c_str(), &end);
  return !header.empty() && end == header.c_str() + header.size() && std::isfinite(number) && value.get<double>() == number;
}

bool matches(const std::string& header, const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>() == header;
  if (value.is_boolean()) return header == (value.get<bool>() ? "true" : "false");
  if (value.is_number()) return to_text(value) == header || same_number(header, value);
  return false;
}

std::optional<std::string> check_one(const Headers& headers, const std::string& name, const json* value) {
  const std::string_view header = headers.find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;   // nothing to mirror, nothing to expect
  if (header.empty() && !(value->is_string() && value->get_ref<const std::string&>().empty())) return "the header " + name + " is missing";
  const auto text = decoded(header);
  if (!text) return "the header " + name + " has characters or an encoding that it must not have";
  if (!matches(*text, *value)) return "the header " + name + " is not what the body says";
  return std::nullopt;
}

// Which parameter Mcp-Name repeats; null: the method has none.
const char* named_by(const std::string& method) {
  if (method == "tools/call" || method == "prompts/get") return "name";
  if (method == "resources/read") return "uri";
  if (method == "tasks/get" || method == "tasks/update" || method == "tasks/cancel") return "taskId";   // SEP-2663
  return nullptr;
}

}  // namespace

std::vector<HeaderParam> mirrored_params(const std::string& input_schema) {
  std::vector<HeaderParam> found;
  if (input_schema.find("x-mcp-header") == std::string::npos) return found;
  json schema;
  if (!parse_strict(input_schema, schema)) collect(schema, "", 0, found);
  return found;
}

std::optional<std::string> check_headers(Core& core, const Exchange& exchange) {
  if (exchange.headers == nullptr) return std::nullopt;
  const std::string& method = exchange.message.method;
  const std::string_view given = exchange.headers->find("Mcp-Method");
  if (given.empty()) return "the header Mcp-Method is missing";
  if (given != method) return "the header Mcp-Method is not what the body says";
  const char* parameter = named_by(method);
  if (parameter == nullptr) return std::nullopt;
  const json* name = exchange.param(parameter);
  if (auto problem = check_one(*exchange.headers, "Mcp-Name", name)) return problem;
  if (method != "tools/call" || name == nullptr || !name->is_string()) return std::nullopt;
  const json* arguments = exchange.param("arguments");
  if (arguments == nullptr || !arguments->is_object()) return std::nullopt;
  for (const HeaderParam& mirrored : facts_of(core, name->get_ref<const std::string&>(), exchange.caller).headers) {
    const json* value = arguments->contains(mirrored.path) ? &(*arguments)[mirrored.path] : nullptr;
    if (auto problem = check_one(*exchange.headers, mirrored.header, value)) return problem;
  }
  return std::nullopt;
}

}  // namespace wardenv::mcp
