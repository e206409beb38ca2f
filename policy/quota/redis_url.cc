// SPDX-License-Identifier: Apache-2.0
// Where a Redis server is.
#include "policy/quota/redis_url.h"

#include <charconv>
#include <optional>
#include <string_view>

namespace wardenv::policy {
namespace {

constexpr const char* kGood = "for example redis://:password@quota.example:6379/0 or unix:///run/redis/redis.sock";

tl::unexpected<Error> bad(const char* what) { return fail(ErrorCode::kBadInput, std::string("the URL of the Redis server: ") + what, kGood); }

std::optional<int> number(std::string_view text, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0 || value > most) return std::nullopt;
  return value;
}

std::optional<std::string> decode(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    if (error != std::errc() || end != text.data() + i + 3) return std::nullopt;
    plain += static_cast<char>(value);
    i += 2;
  }
  return plain;
}

// Takes "[USER]:PASSWORD@" off the front.
Status take_login(std::string_view& rest, RedisAddress& address) {
  const std::size_t at = rest.rfind('@');
  if (at == std::string_view::npos) return {};
  const std::string_view login = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  const std::size_t colon = login.find(':');
  if (colon == std::string_view::npos) return bad("a user without a password");
  auto user = decode(login.substr(0, colon));
  auto password = decode(login.substr(colon + 1));
  if (!user || !password) return bad("a malformed %-escape");
  if (password->empty()) return bad("an empty password");
  address.user = std::move(*user);
  address.password = std::move(*password);
  return {};
}

Status take_host(std::string_view rest, RedisAddress& address) {
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos && slash + 1 < rest.size()) {
    const auto database = number(rest.substr(slash + 1), 1'000'000);
    if (!database) return bad("the database after the last `/` is no number");
    address.database = *database;
  }
  std::string_view host = rest.substr(0, slash);
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos) return bad("a `[` without `]`");
    port = host.substr(close + 1);
    host = host.substr(1, close - 1);
  } else if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
    host = host.substr(0, colon);
  }
  if (host.empty()) return bad("no host");
  address.host = host;
  if (port.empty()) return {};
  const auto value = port.front() == ':' ? number(port.substr(1), 65535) : std::nullopt;
  if (!value || *value == 0) return bad("a malformed port");
  address.port = *value;
  return {};
}

Status take_socket(std::string_view rest, RedisAddress& address) {
  const std::size_t query = rest.find('?');
  if (query != std::string_view::npos) {
    const std::string_view text = rest.substr(query + 1);
    const auto database = text.starts_with("db=") ? number(text.substr(3), 1'000'000) : std::nullopt;
    if (!database) return bad("only ?db=NUMBER is understood");
    address.database = *database;
  }
  address.socket = rest.substr(0, query);
  return address.socket.starts_with('/') ? Status() : bad("the path of a socket begins with `/`");
}

}  // namespace

std::string RedisAddress::shown() const {
  return host.empty() ? "unix:" + socket : host + ":" + std::to_string(port);
}

Result<RedisAddress> parse_redis_url(const std::string& url) {
  RedisAddress address;
  std::string_view rest = url;
  if (rest.find('\0') != std::string_view::npos) return bad("a NUL byte");
  const bool tcp = rest.starts_with("redis://");
  if (rest.starts_with("rediss://")) return bad("TLS is not built in; put a TLS tunnel in between");
  if (!tcp && !rest.starts_with("unix://")) return bad("neither redis:// nor unix://");
  rest.remove_prefix(tcp ? 8 : 7);
  WARDENV_TRY(take_login(rest, address));
  WARDENV_TRY(tcp ? take_host(rest, address) : take_socket(rest, address));
  return address;
}

}  // namespace wardenv::policy
