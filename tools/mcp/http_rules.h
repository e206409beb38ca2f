// SPDX-License-Identifier: Apache-2.0
// Rules on the head of an HTTP request, as pure functions: who may talk to us (DNS rebinding), who it is, what it accepts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wardenv::mcp {

// Whether an address is one of this machine only: 127.0.0.0/8, ::1, localhost.
bool is_loopback(std::string_view host);

// "name:port" or "[::1]:port" without its port; empty where it is none (RFC 9110, 7.2).
std::string_view host_part(std::string_view authority);

struct OriginRules {
  bool loopback_only = true;            // we listen on loopback: only its names may be in Host and Origin
  std::vector<std::string> allowed{};   // further origins, "https://host[:port]"
};

// A missing or strange Host is refused. Not on loopback any name goes: a token is needed there, which no rebinding has.
bool host_allowed(std::string_view host, const OriginRules& rules);
// No Origin: not a browser, allowed.
bool origin_allowed(std::string_view origin, const OriginRules& rules);

// The token of "Bearer <token>" (RFC 6750, 2.1); none: another scheme, or malformed.
std::optional<std::string_view> bearer_of(std::string_view authorization);

// Whether a list of media ranges (RFC 9110, 12.5.1) names `type`, e.g. "text/event-stream". Parameters are not looked at, except q=0.
bool accepts(std::string_view accept, std::string_view type);

// Whether a Content-Type is application/json, with any parameters.
bool is_json(std::string_view content_type);

bool same_text(std::string_view a, std::string_view b);   // without regard to ASCII case

}  // namespace wardenv::mcp
