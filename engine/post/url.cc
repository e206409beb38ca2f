// SPDX-License-Identifier: Apache-2.0
// URLs that a policy names, read strictly.
#include <algorithm>

#include "engine/post/post.h"

namespace wardenv::engine::post {
namespace {

tl::unexpected<Error> bad() { return fail(ErrorCode::kBadInput, "has a URL that is none", "for example http://127.0.0.1:8181/v1/data/wardenv"); }

bool is_port(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits && std::stoul(text) >= 1 && std::stoul(text) <= 65535;
}

// "host", "host:port", "[address]", "[address]:port"
Status read_place(std::string place, Url& parts) {
  const bool bracket = place.starts_with('[');
  const std::size_t end = bracket ? place.find(']') : std::min(place.find(':'), place.size());
  if (end == std::string::npos) return bad();
  parts.host = bracket ? place.substr(1, end - 1) : place.substr(0, end);
  place.erase(0, bracket ? end + 1 : end);
  if (!place.empty() && place[0] != ':') return bad();
  if (!place.empty()) parts.port = place.substr(1);
  return parts.host.empty() || parts.host.find_first_of("@[]%") != std::string::npos || !is_port(parts.port) ? Status(bad()) : Status();
}

}  // namespace

Result<Url> parse_url(const std::string& url, Schemes schemes) {
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 127 && c != '#' && c != '\\' && c != '"'; });
  const bool tls = schemes == Schemes::kHttpAndHttps && url.starts_with("https://");
  if (!plain || (!tls && !url.starts_with("http://"))) return bad();
  const std::string rest = url.substr(tls ? 8 : 7);
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  Url parts{.scheme = tls ? Url::Scheme::kHttps : Url::Scheme::kHttp, .port = tls ? "443" : "80"};
  if (path < rest.size()) parts.target = (rest[path] == '?' ? "/" : "") + rest.substr(path);
  WARDENV_TRY(read_place(rest.substr(0, path), parts));
  return parts;
}

}  // namespace wardenv::engine::post
