// SPDX-License-Identifier: Apache-2.0
// One POST over HTTP or HTTPS and its answer, with one deadline for everything: what hooks and webhooks speak.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::engine::post {

struct Url {
  enum class Scheme { kHttp, kHttps } scheme = Scheme::kHttp;
  std::string host{};         // name or address, without brackets
  std::string port{};
  std::string target = "/";
  bool operator==(const Url&) const = default;
};

enum class Schemes { kHttp, kHttpAndHttps };

// "http[s]://host[:port][/path[?query]]", nothing else: no user, no fragment. Error kBadInput, without the URL, which may hold a secret.
Result<Url> parse_url(const std::string& url, Schemes schemes);

struct Header {
  std::string name{};
  std::string value{};
};

struct Message {
  std::vector<Header> headers{};   // besides those of JSON
  std::string body{};              // JSON
};

struct Answer {
  unsigned status = 0;
  std::string body{};
};

// No proxy, no redirect; certificates are checked against the system's and the host's name. `max_bytes`: of the answer's body; 0: it is not read.
// It is given up soon after `cancel_fd` (-1: none) has become readable.
// The error's message is what follows a subject: "can't be reached: …", "took too long".
Result<Answer> send(const Url& url, const Message& message, std::chrono::steady_clock::time_point deadline, std::size_t max_bytes, int cancel_fd = -1);

}  // namespace wardenv::engine::post
