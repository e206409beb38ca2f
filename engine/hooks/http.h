// SPDX-License-Identifier: Apache-2.0
// Asking an HTTP server: one POST, one answer, one deadline for everything.
#pragma once

#include <string>

#include "engine/hooks/program.h"
#include "sandbox/base/error.h"

namespace wardenv::engine::hooks {

struct HttpUrl {
  std::string host{};    // name or address, without brackets
  std::string port = "80";
  std::string target = "/";
  bool operator==(const HttpUrl&) const = default;
};

// "http://host[:port][/path[?query]]", nothing else: no user, no fragment, no other scheme. Error kBadInput.
Result<HttpUrl> parse_http_url(const std::string& url);

// The body of the answer to a POST of `body` as JSON. No proxy, no redirect. Errors: no connection, a status that is not 200, more than
// `max_bytes`, a malformed answer, or too late.
Result<std::string> ask_http(const std::string& url, const std::string& body, Deadline deadline, std::size_t max_bytes);

}  // namespace wardenv::engine::hooks
