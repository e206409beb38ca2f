// SPDX-License-Identifier: Apache-2.0
// One POST, over HTTP or HTTPS, with one deadline for everything.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::engine::webhook {

struct Url {
  enum class Scheme { kHttp, kHttps } scheme = Scheme::kHttp;
  std::string host{};         // name or address, without brackets
  std::string port{};
  std::string target = "/";
  bool operator==(const Url&) const = default;
};

// "http[s]://host[:port][/path[?query]]", nothing else: no user, no fragment. Error kBadInput, without the URL, which may hold a secret.
Result<Url> parse_url(const std::string& url);

struct Header {
  std::string name{};
  std::string value{};
};

// Any status from 200 to 299 is success. No proxy, no redirect; certificates are checked against the system's and the host's name.
Status post(const Url& url, const std::vector<Header>& headers, const std::string& body, std::chrono::steady_clock::time_point deadline);

}  // namespace wardenv::engine::webhook
