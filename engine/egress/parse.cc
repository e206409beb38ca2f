// SPDX-License-Identifier: Apache-2.0
// Rules as text; host names; names of presets.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "engine/egress/settings.h"

namespace wardenv::engine {
namespace {

constexpr const char* kExample = "for example pypi.example.org, *.example.org:8443, 10.0.0.0/8:443 or `GET,HEAD mirror.example.org/debian`";

struct PresetName {
  EgressPreset preset;
  const char* name;
};
constexpr std::array kPresets = {PresetName{EgressPreset::kPipIndex, "pip-index"}, PresetName{EgressPreset::kNpmRegistry, "npm-registry"},
                                 PresetName{EgressPreset::kAptSources, "apt-sources"}, PresetName{EgressPreset::kGitRemote, "git-remote"}};

tl::unexpected<Error> bad(std::string_view text, const std::string& why) {
  std::string shown;
  for (char c : text.substr(0, 200)) shown += c >= 0x20 && c < 0x7f ? c : '?';
  return fail(ErrorCode::kBadInput, "`" + shown + "` is no egress rule: " + why, kExample);
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool valid_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) { return is_lower_or_digit(c) || c == '-' || c == '_'; });
}

// A name whose last label is a number is an address to inet_aton(3) and to URL parsers, in one of many spellings.
bool ends_in_number(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  if (!last.empty() && std::all_of(last.begin(), last.end(), is_digit)) return true;
  auto hex = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); };
  return last.starts_with("0x") && std::all_of(last.begin() + 2, last.end(), hex);
}

// Cuts `text` at the first `separator`; what follows it is given back, nothing where there is none.
std::optional<std::string_view> cut(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + 1);
  text = text.substr(0, at);
  return rest;
}

template <typename Each>
bool for_each_item(std::string_view list, Each each) {
  for (;;) {
    const auto rest = cut(list, ',');
    if (!each(list)) return false;
    if (!rest) return true;
    list = *rest;
  }
}

bool parse_port(std::string_view text, std::vector<std::uint16_t>& ports) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return false;
  ports.push_back(port);
  return true;
}

bool parse_method(std::string_view text, std::vector<std::string>& methods) {
  const bool letters = !text.empty() && text.size() <= 20 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!letters || text == "CONNECT" || text == "TRACE") return false;
  methods.emplace_back(text);
  return true;
}

bool parse_ranges(std::string_view text, std::vector<AddressRange>& ranges) {
  return for_each_item(text, [&](std::string_view item) {
    auto range = parse_range(item);
    if (range) ranges.push_back(*range);
    return range.has_value();
  });
}

// The host at the beginning of `text`, which keeps what follows it (":PORT", "/PATH").
std::string_view take_host(std::string_view& text) {
  std::size_t end = 0;
  if (text.starts_with('[')) {
    end = std::min(text.find(']'), text.size() - 1) + 1;
  } else {
    end = std::min(text.find_first_of(":/"), text.size());
    const std::size_t digits = end < text.size() && text[end] == '/' ? text.find_first_not_of("0123456789", end + 1) : end;
    const bool range = parse_address(text.substr(0, end)) && digits != end && digits != end + 1 && (digits == std::string_view::npos || text[digits] == ':');
    if (range) end = std::min(digits, text.size());
  }
  const std::string_view host = text.substr(0, end);
  text.remove_prefix(end);
  return host;
}

Status set_host(std::string_view all, std::string_view host, EgressRule& rule) {
  std::string_view address = host;
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (auto range = parse_range(address)) {
    if (!rule.addresses.empty()) return bad(all, "an address needs no =RANGE");
    rule.match = HostMatch::kAddress;
    rule.addresses = {*range};
    rule.host = to_string(*range);
    return {};
  }
  if (host.starts_with("*.")) {
    rule.match = HostMatch::kSuffix;
    host.remove_prefix(2);
  }
  auto name = normalise_host(host);
  if (!name) return bad(all, name.error().message);
  if (parse_address(*name)) return bad(all, "an address has neither *. before it nor a dot after it");
  rule.host = std::move(*name);
  return {};
}

Status set_path(std::string_view all, std::string_view path, EgressRule& rule) {
  for (char c : path) {
    if (c <= 0x20 || c >= 0x7f || c == '?' || c == '#' || c == '%' || c == '\\') return bad(all, "a path prefix has plain characters only");
  }
  if (path.find("//") != std::string_view::npos || path.find("/.") != std::string_view::npos) return bad(all, "the path is not normalised");
  rule.path_prefix = path;
  return {};
}

Status set_ports_and_path(std::string_view all, std::string_view rest, EgressRule& rule) {
  if (rest.starts_with(':')) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    rule.ports.clear();
    if (!for_each_item(rest.substr(1, slash - 1), [&](std::string_view item) { return parse_port(item, rule.ports); })) {
      return bad(all, "a port is a number from 1 to 65535");
    }
    rest.remove_prefix(slash);
  } else if (!rule.methods.empty() || rest.starts_with('/')) {
    rule.ports = {80};
  }
  if (rest.empty() || rest == "/") return {};
  return rest.starts_with('/') ? set_path(all, rest, rule) : bad(all, "what follows the host is neither a port nor a path");
}

}  // namespace

Result<std::string> normalise_host(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > 253) return fail(ErrorCode::kBadInput, "a host name has 1 to 253 characters");
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(), lower);
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    return fail(ErrorCode::kBadInput, "host names in other scripts are taken in their ASCII form only", "write it as xn--…");
  }
  std::string_view rest = name;
  for (std::optional<std::string_view> more = rest; more; rest = *more) {
    more = cut(rest, '.');
    if (!valid_label(rest)) return fail(ErrorCode::kBadInput, "it is not a host name");
    if (!more) break;
  }
  if (ends_in_number(name) && !parse_address(name)) return fail(ErrorCode::kBadInput, "it is neither a host name nor an address of four decimal numbers");
  return name;
}

Result<EgressRule> parse_egress_rule(std::string_view text) {
  EgressRule rule;
  rule.text = text;
  std::string_view rest = text;
  if (rest.size() > 1024) return bad(text, "it is too long");
  if (rest.find("://") != std::string_view::npos) return bad(text, "it takes a host, not a URL");
  if (const auto ranges = cut(rest, '='); ranges && !parse_ranges(*ranges, rule.addresses)) return bad(text, "after = come address ranges");
  if (std::string_view methods = rest; const auto host = cut(methods, ' ')) {
    if (!for_each_item(methods, [&](std::string_view item) { return parse_method(item, rule.methods); })) {
      return bad(text, "a method is written in capitals, and is neither CONNECT nor TRACE");
    }
    rest = *host;
  }
  if (parse_range(rest)) {   // IPv6 without brackets, or any range alone
    WARDENV_TRY(set_host(text, rest, rule));
    return rule;
  }
  WARDENV_TRY(set_host(text, take_host(rest), rule));
  WARDENV_TRY(set_ports_and_path(text, rest, rule));
  return rule;
}

Result<EgressPreset> parse_egress_preset(std::string_view name) {
  for (const PresetName& item : kPresets) {
    if (name == item.name) return item.preset;
  }
  return fail(ErrorCode::kBadInput, "`" + std::string(name) + "` is no egress preset", "known are pip-index, npm-registry, apt-sources, git-remote");
}

std::string_view to_string(EgressPreset preset) {
  for (const PresetName& item : kPresets) {
    if (preset == item.preset) return item.name;
  }
  return "";
}

}  // namespace wardenv::engine
