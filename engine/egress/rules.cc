// SPDX-License-Identifier: Apache-2.0
// Matching of targets and addresses against rules.
#include "engine/egress/rules.h"

#include <algorithm>

namespace wardenv::engine {
namespace {

bool has_port(const EgressRule& rule, std::uint16_t port) { return std::find(rule.ports.begin(), rule.ports.end(), port) != rule.ports.end(); }

bool in_any(const std::vector<AddressRange>& ranges, const IpAddress& address) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& range) { return contains(range, address); });
}

// How narrow a range must be to name the address: one that is not public, no wider than what makes it so. Who allows 0.0.0.0/0 means the
// Internet, and not the services of this host.
std::uint8_t naming_prefix(const IpAddress& address, const SpecialRange* special, Owner owner) {
  if (special != nullptr) return special->range.prefix;
  return owner != Owner::kOther ? static_cast<std::uint8_t>(address.length * 8) : std::uint8_t{0};
}

bool names(const std::vector<AddressRange>& ranges, const IpAddress& address, std::uint8_t prefix) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& range) { return contains(range, address) && range.prefix >= prefix; });
}

bool matches_host(const EgressRule& rule, const EgressTarget& target) {
  switch (rule.match) {
    case HostMatch::kExact: return !target.literal && target.host == rule.host;
    case HostMatch::kSuffix: return !target.literal && target.host.size() > rule.host.size() + 1 && target.host.ends_with("." + rule.host);
    case HostMatch::kAddress: return target.literal && in_any(rule.addresses, *target.literal);
  }
  return false;
}

bool for_plain_http_only(const EgressRule& rule) { return !rule.methods.empty() || !rule.path_prefix.empty(); }

// Whole segments: /simple allows /simple and /simple/x, not /simpler. A path that a server may read in two ways (dots, percent signs,
// backslashes, doubled slashes) is allowed by no prefix.
bool matches_path(const EgressRule& rule, std::string_view path) {
  if (rule.path_prefix.empty()) return true;
  path = path.substr(0, path.find('?'));
  for (const char* doubtful : {"/.", "%2e", "%2E", "%2f", "%2F", "%5c", "%5C", "\\", "//", "#", "%00", "%25", "%c0", "%C0", "%c1", "%C1"}) {
    if (path.find(doubtful) != std::string_view::npos) return false;
  }
  std::string_view prefix = rule.path_prefix;
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

bool matches_request(const EgressRule& rule, const HttpRequestView* request) {
  if (request == nullptr) return !for_plain_http_only(rule);
  const bool method = rule.methods.empty() || std::find(rule.methods.begin(), rule.methods.end(), request->method) != rule.methods.end();
  return method && matches_path(rule, request->path);
}

std::string host_text(const EgressTarget& target) {
  return target.literal && target.literal->length == 16 ? "[" + target.host + "]" : target.host;
}

std::string place_of(const EgressTarget& target) { return host_text(target) + ":" + std::to_string(target.port); }

std::string with_port(const EgressTarget& target) {
  const bool usual = target.port == 80 || target.port == 443;
  return usual ? host_text(target) : place_of(target);
}

// People paste what is suggested into a shell, and models do, and the path comes from inside: only what means nothing to a shell.
bool may_be_suggested(std::string_view path) {
  auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || std::string_view("._~/-").find(c) != std::string_view::npos;
  };
  return path.size() <= 200 && std::all_of(path.begin(), path.end(), plain);
}

bool allows(const std::string& text, const EgressTarget& target, const HttpRequestView* request) {
  const auto rule = parse_egress_rule(text);
  return rule && has_port(*rule, target.port) && matches_host(*rule, target) && matches_request(*rule, request);
}

// The narrowest of the rules that allow the request, as their own reader reads them; empty where none does.
std::string rule_for(const EgressTarget& target, const HttpRequestView& request) {
  const std::string method(request.method);
  const std::string_view path = request.path.substr(0, request.path.find('?'));
  if (const std::string whole = method + " " + place_of(target) + std::string(path); may_be_suggested(path) && allows(whole, target, &request)) return whole;
  const std::string any_path = method + " " + place_of(target);
  return allows(any_path, target, &request) ? any_path : "";
}

EgressJudgement refuse_target(const EgressTarget& target, const EgressRule* same_host, const HttpRequestView* request) {
  const std::string place = place_of(target);
  if (same_host == nullptr) return {nullptr, place + " is not among the hosts that this run may reach", with_port(target)};
  if (!has_port(*same_host, target.port)) {
    return {nullptr, "port " + std::to_string(target.port) + " of " + target.host + " is not allowed", place};
  }
  if (request == nullptr) return {nullptr, target.host + " may be asked by plain HTTP only: `" + same_host->text + "`", with_port(target)};
  const std::string needed = rule_for(target, *request);
  const std::string method = needed.empty() ? "this method" : std::string(request->method);   // a rule's is letters
  return {nullptr, method + " of that path of " + target.host + " is not allowed: `" + same_host->text + "`", needed};
}

}  // namespace

Result<EgressTarget> make_target(std::string_view host, std::uint16_t port) {
  if (port == 0) return fail(ErrorCode::kBadInput, "port 0 can't be connected to");
  if (auto address = parse_address(host)) return EgressTarget{to_string(*address), address, port};
  auto name = normalise_host(host);
  if (!name) return tl::unexpected(name.error());
  if (auto address = parse_address(*name)) return EgressTarget{to_string(*address), address, port};  // "1.2.3.4."
  return EgressTarget{std::move(*name), std::nullopt, port};
}

EgressJudgement judge_target(std::span<const EgressRule> rules, const EgressTarget& target, const HttpRequestView* request) {
  const EgressRule* same_host = nullptr;
  for (const EgressRule& rule : rules) {
    if (!matches_host(rule, target)) continue;
    const bool port = has_port(rule, target.port);
    if (port && matches_request(rule, request)) return {&rule, {}, {}};
    if (same_host == nullptr || port) same_host = &rule;
  }
  return refuse_target(target, same_host, request);
}

EgressJudgement judge_host(std::span<const EgressRule> rules, const EgressTarget& target) {
  auto fits = [&](const EgressRule& rule) { return matches_host(rule, target) && has_port(rule, target.port); };
  const auto found = std::find_if(rules.begin(), rules.end(), fits);
  return found != rules.end() ? EgressJudgement{&*found, {}, {}} : judge_target(rules, target, nullptr);
}

EgressJudgement judge_address(std::span<const EgressRule> rules, const EgressRule& rule, const EgressTarget& target, const IpAddress& address,
                              Owner owner) {
  const SpecialRange* special = special_range(address);
  const std::uint8_t prefix = naming_prefix(address, special, owner);
  if (names(rule.addresses, address, prefix)) return {&rule, {}, {}};
  const char* kind = special != nullptr ? special->kind : nullptr;
  if (kind == nullptr && owner == Owner::kThisHost) kind = "this host's own";
  if (kind == nullptr && owner == Owner::kUnknown) kind = "whose it is can't be told now";
  if (kind == nullptr && !target.literal) return {&rule, {}, {}};
  auto names_it = [&](const EgressRule& other) {
    return other.match == HostMatch::kAddress && has_port(other, target.port) && names(other.addresses, address, prefix);
  };
  if (std::any_of(rules.begin(), rules.end(), names_it)) return {&rule, {}, {}};
  const std::string text = to_string(address);
  const std::string one = text + (address.length == 4 ? "/32" : "/128");
  return {nullptr, target.host + " is at " + text + ", which is not public (" + (kind != nullptr ? kind : "an address") + ")",
          with_port(target) + (target.literal ? "" : "=" + one)};
}

}  // namespace wardenv::engine
