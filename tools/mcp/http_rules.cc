// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/http_rules.h"

#include <algorithm>

namespace wardenv::mcp {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool all_digits(std::string_view text) { return !text.empty() && text.size() <= 5 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }); }

// 127.x.y.z, written in full: shorter forms and other bases name the same address for some programs, and none for others.
bool is_loopback_v4(std::string_view host) {
  if (!host.starts_with("127.")) return false;
  int parts = 0;
  while (true) {
    const std::size_t dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    if (!all_digits(part) || part.size() > 3 || (part.size() > 1 && part[0] == '0')) return false;
    int value = 0;
    for (const char c : part) value = value * 10 + (c - '0');
    if (value > 255) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    host.remove_prefix(dot + 1);
  }
}

}  // namespace

bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_loopback(std::string_view host) { return same_text(host, "localhost") || host == "[::1]" || host == "::1" || is_loopback_v4(host); }

std::string_view host_part(std::string_view authority) {
  if (authority.find_first_of("@/\\ \t,") != std::string_view::npos) return {};
  std::size_t end = authority.size();
  if (authority.starts_with('[')) {
    end = authority.find(']');
    if (end == std::string_view::npos) return {};
    ++end;
  } else if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
    end = colon;
  }
  const std::string_view rest = authority.substr(end);
  if (!rest.empty() && (rest[0] != ':' || !all_digits(rest.substr(1)))) return {};
  return authority.substr(0, end);
}

bool host_allowed(std::string_view host, const OriginRules& rules) {
  const std::string_view name = host_part(host);
  if (name.empty()) return false;
  if (!rules.loopback_only || is_loopback(name)) return true;
  return std::ranges::any_of(rules.allowed, [&](const std::string& origin) { return same_text(origin.substr(origin.find("//") + 2), host); });
}

bool origin_allowed(std::string_view origin, const OriginRules& rules) {
  if (origin.empty()) return true;
  if (std::ranges::any_of(rules.allowed, [&](const std::string& allowed) { return same_text(allowed, origin); })) return true;
  if (!rules.loopback_only) return false;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return is_loopback(host_part(origin.substr(scheme.size())));
  }
  return false;
}

std::optional<std::string_view> bearer_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size() || !same_text(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  const std::string_view token = trimmed(authorization.substr(kScheme.size()));
  const bool plain = std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
  if (token.empty() || token.size() > 4096 || !plain) return std::nullopt;
  return token;
}

bool accepts(std::string_view accept, std::string_view type) {
  while (!accept.empty()) {
    const std::size_t comma = accept.find(',');
    const std::string_view range = accept.substr(0, comma);
    const std::size_t semicolon = range.find(';');
    const std::string_view parameters = semicolon == std::string_view::npos ? std::string_view() : trimmed(range.substr(semicolon + 1));
    if (same_text(trimmed(range.substr(0, semicolon)), type) && parameters != "q=0") return true;
    accept.remove_prefix(comma == std::string_view::npos ? accept.size() : comma + 1);
  }
  return false;
}

bool is_json(std::string_view content_type) { return same_text(trimmed(content_type.substr(0, content_type.find(';'))), "application/json"); }

}  // namespace wardenv::mcp
