// SPDX-License-Identifier: Apache-2.0
// One JSON-RPC message as it came, and how answers are written. JSON-RPC 2.0; what MCP allows of it (no batches, ids are strings or integers).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace wardenv::mcp {

enum : int {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
  kInternalError = -32603,
  kResourceNotFound = -32002,        // legacy; the modern era uses kInvalidParams (SEP-2164)
  kHeaderMismatch = -32020,
  kMissingCapability = -32021,
  kUnsupportedVersion = -32022,
  kBusy = -31000,                    // ours: outside of the range that JSON-RPC reserves
};

struct Message {
  enum class Kind { kRequest, kNotification, kResponse, kInvalid };
  Kind kind = Kind::kInvalid;
  std::string id{};                             // JSON text, as it goes back; empty: none
  std::string method{};
  const nlohmann::json* params = nullptr;       // an object, into the document; null: none
  const nlohmann::json* result = nullptr;       // of a response
  const nlohmann::json* error = nullptr;        // of a response
  int code = 0;                                 // of what is invalid
  std::string problem{};
};

// Looks at a document; the message points into it.
Message classify(const nlohmann::json& document);

// {"jsonrpc": "2.0", "id": …, "error": …}. `id` is JSON text, empty: left out. `data` is JSON text, empty: left out.
std::string error_message(std::string_view id, int code, std::string_view text, std::string_view data = {});

// `members`: the members of the result object, comma-separated, without its braces; may be empty.
std::string result_message(std::string_view id, std::string_view members);

std::string notification(std::string_view method, std::string_view params_members);
std::string request(std::string_view id, std::string_view method, std::string_view params);

// Line breaks between the tokens of JSON text, as tools may write them in a schema, become spaces: a message is one line on every wire.
void make_one_line(std::string& message);

// The HTTP status that an error goes out with (2026-07-28, Streamable HTTP).
int http_status_of(int code);

}  // namespace wardenv::mcp
