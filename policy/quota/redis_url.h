// SPDX-License-Identifier: Apache-2.0
// Where a Redis server is, read from a URL.
#pragma once

#include <string>

#include "sandbox/base/error.h"

namespace wardenv::policy {

struct RedisAddress {
  std::string host{};           // empty: `socket` is used
  int port = 6379;
  std::string socket{};         // path of a unix socket
  std::string user{};           // empty: the default user
  std::string password{};       // empty: no AUTH
  int database = 0;

  // For messages: without user and password.
  [[nodiscard]] std::string shown() const;
};

// "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]" (IANA's provisional scheme) or "unix://[[USER]:PASSWORD@]/PATH[?db=N]"; user and password
// percent-encoded. Errors never quote the URL: it may hold a password.
Result<RedisAddress> parse_redis_url(const std::string& url);

}  // namespace wardenv::policy
