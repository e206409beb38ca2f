// SPDX-License-Identifier: Apache-2.0
// The little that presets read of other programs' configuration. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/egress/settings.h"

namespace wardenv::engine {

struct IniEntry {
  std::string section{};   // as it stands between the brackets
  std::string key{};       // lower case, "_" as "-"
  std::string value{};     // continued lines are joined by a newline
};

// pip.conf, .npmrc, .git/config, deb822: sections in brackets, "key = value" or "key: value", lines that begin with space go on, # and ; begin comments.
std::vector<IniEntry> parse_ini(std::string_view text);

struct HttpUrl {
  bool tls = false;
  std::string user{};      // "name:password", percent-encoded as it stands; empty: none
  std::string host{};      // normalised, or an address
  std::uint16_t port = 0;
  std::string rest{};      // path and what follows, as it stands
};

// http:// and https:// only.
std::optional<HttpUrl> parse_http_url(std::string_view text);

// The URL without user and password.
std::string without_user(const HttpUrl& url);

// Every http(s) URL among the words of `text` (between white space, quotes and brackets).
std::vector<std::string> urls_in(std::string_view text);

// What allows the host and port of `url`. The user of a plain-HTTP URL becomes an injected header.
EgressRule rule_for(const HttpUrl& url);

}  // namespace wardenv::engine
