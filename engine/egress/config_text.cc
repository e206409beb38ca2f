// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/config_text.h"

#include <algorithm>
#include <charconv>

#include "engine/egress/rules.h"

namespace wardenv::engine {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? std::string_view{} : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string key_of(std::string_view text) {
  std::string key(trim(text));
  std::transform(key.begin(), key.end(), key.begin(), [](char c) { return c == '_' ? '-' : lower(c); });
  return key;
}

int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1; }

std::string percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
    result += escape ? static_cast<char>(hex(text[i + 1]) << 4 | hex(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return result;
}

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

bool set_port(std::string_view text, HttpUrl& url) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), url.port);
  return error == std::errc() && end == text.data() + text.size() && url.port != 0;
}

bool set_authority(std::string_view authority, HttpUrl& url) {
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  std::string_view host = authority.substr(0, authority.find(':'));
  std::string_view port = authority.substr(host.size());
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return false;
    host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
  }
  url.port = url.tls ? 443 : 80;
  if (!port.empty() && (port[0] != ':' || !set_port(port.substr(1), url))) return false;
  const auto target = make_target(host, url.port);
  if (target) url.host = target->host;
  return target.has_value();
}

std::string authority_of(const HttpUrl& url) {
  const std::string host = url.host.find(':') != std::string::npos ? "[" + url.host + "]" : url.host;
  return url.port == (url.tls ? 443 : 80) ? host : host + ":" + std::to_string(url.port);
}

}  // namespace

std::vector<IniEntry> parse_ini(std::string_view text) {
  std::vector<IniEntry> entries;
  std::string section;
  bool open = false;   // the last line was an entry, which an indented one continues
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view content = trim(line);
    if (content.empty() || content[0] == '#' || content[0] == ';') continue;
    const std::size_t separator = content.find_first_of("=:");
    const bool indented = line[0] == ' ' || line[0] == '\t';
    if (content[0] == '[') {
      section = content.substr(1, content.find(']') - 1);
      open = false;
    } else if (indented && open && (separator == std::string_view::npos || content.find("://") < separator + 3)) {
      entries.back().value += "\n" + std::string(content);
    } else if (separator != std::string_view::npos) {
      // "@scope:registry=…" of npm has both; its key ends at the equals sign.
      const std::size_t equals = content[0] == '@' ? content.find('=') : separator;
      if (equals == std::string_view::npos) continue;
      entries.push_back({section, key_of(content.substr(0, equals)), std::string(trim(content.substr(equals + 1)))});
      open = true;
    }
  }
  return entries;
}

std::optional<HttpUrl> parse_http_url(std::string_view text) {
  HttpUrl url;
  std::string scheme(text.substr(0, 8));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
  url.tls = scheme == "https://";
  if (!url.tls && !scheme.starts_with("http://")) return std::nullopt;
  text.remove_prefix(url.tls ? 8 : 7);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  url.rest = text.substr(end);
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!plain || !set_authority(text.substr(0, end), url)) return std::nullopt;
  return url;
}

std::string without_user(const HttpUrl& url) { return (url.tls ? "https://" : "http://") + authority_of(url) + url.rest; }

std::vector<std::string> urls_in(std::string_view text) {
  std::vector<std::string> urls;
  constexpr std::string_view kBetween = " \t\r\n\"'[],";
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find_first_not_of(kBetween), text.size());
    const std::size_t end = std::min(text.find_first_of(kBetween, begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    if (parse_http_url(word)) urls.emplace_back(word);
    text.remove_prefix(end);
  }
  return urls;
}

EgressRule rule_for(const HttpUrl& url) {
  EgressRule rule;
  rule.host = url.host;
  rule.ports = {url.port};
  rule.text = (url.host.find(':') != std::string::npos ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
  if (const auto address = parse_address(url.host)) {
    rule.match = HostMatch::kAddress;
    rule.addresses = {{*address, static_cast<std::uint8_t>(address->length * 8)}};
  }
  if (!url.tls && !url.user.empty()) rule.inject.push_back({.name = "Authorization", .prefix = "Basic ", .file = {}, .variable = {}, .value = base64(percent_decoded(url.user))});
  return rule;
}

}  // namespace wardenv::engine
