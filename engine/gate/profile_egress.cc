// SPDX-License-Identifier: Apache-2.0
// The part of a profile that says what may be reached.
#include "engine/gate/profile_egress.h"

#include <algorithm>
#include <utility>

#include "engine/egress/rules.h"

namespace wardenv::engine {
namespace {

using policy::ProfileNetwork;

// Whether `granted` allows all that `asked` does: the same rule, or one name and its ports out of a rule without further conditions.
bool covers(const EgressRule& granted, const EgressRule& asked) {
  EgressRule same = asked;
  same.text = granted.text;
  same.inject = granted.inject;
  if (same == granted) return true;
  if (asked.match != HostMatch::kExact || !asked.addresses.empty() || !granted.methods.empty() || !granted.path_prefix.empty()) return false;
  const bool host = granted.match == HostMatch::kExact ? granted.host == asked.host : granted.match == HostMatch::kSuffix && asked.host.ends_with("." + granted.host);
  return host && std::all_of(asked.ports.begin(), asked.ports.end(),
                             [&](std::uint16_t port) { return std::find(granted.ports.begin(), granted.ports.end(), port) != granted.ports.end(); });
}

// A rule that was asked for takes over the headers of the one that covers it: they are the policy's.
Status narrow(const policy::Profile& profile, const Asking& asked, std::vector<EgressRule>& rules, const std::vector<EgressRule>& granted) {
  for (EgressRule& rule : rules) {
    const auto found = std::find_if(granted.begin(), granted.end(), [&](const EgressRule& item) { return covers(item, rule); });
    if (found == granted.end()) return asked.too_much("allow-host", granted_text(profile.allow_hosts));
    rule.inject = found->inject;
  }
  return {};
}

// 0: no cap.
template <typename T>
Status cap(const Asking& asked, const char* option, T wanted, T& granted) {
  if (!asked.has(option)) return {};
  if (granted != 0 && (wanted == 0 || wanted > granted)) return asked.too_much(option, granted_text(granted));
  granted = wanted;
  return {};
}

Status apply_caps(const Asking& asked, const EgressCaps& wanted, EgressCaps& granted) {
  WARDENV_TRY(cap(asked, "egress-bytes", wanted.bytes, granted.bytes));
  WARDENV_TRY(cap(asked, "egress-rate", wanted.bytes_per_second, granted.bytes_per_second));
  WARDENV_TRY(cap(asked, "egress-connections", wanted.connections, granted.connections));
  return cap(asked, "egress-at-once", wanted.connections_at_once, granted.connections_at_once);
}

Status apply_egress(const policy::Profile& granted, const Asking& asked, RunRequest& request) {
  auto settings = granted_egress(granted);
  if (!settings) return tl::unexpected(settings.error());
  EgressSettings& wanted = request.egress;
  if (asked.has("allow-host")) {
    WARDENV_TRY(narrow(granted, asked, wanted.rules, settings->rules));
    settings->rules = std::move(wanted.rules);
    settings->presets.clear();
  }
  if (asked.has("allow-preset")) {
    for (const EgressPreset preset : wanted.presets) {
      if (std::find(settings->presets.begin(), settings->presets.end(), preset) == settings->presets.end()) return asked.too_much("allow-preset", granted_text(granted.allow_presets));
    }
    settings->presets = wanted.presets;
    if (!asked.has("allow-host")) settings->rules.clear();
  }
  WARDENV_TRY(apply_caps(asked, wanted.caps, settings->caps));
  if (asked.has("ca-file") && wanted.ca_file != settings->ca_file) return asked.too_much("ca-file", granted.ca_file.empty() ? "none" : granted.ca_file);
  wanted = std::move(*settings);
  return {};
}

}  // namespace

ProfileNetwork network_of(const policy::Profile& granted) {
  const bool hosts = !granted.allow_hosts.empty() || !granted.allow_presets.empty();
  return granted.network.value_or(hosts ? ProfileNetwork::kEgress : ProfileNetwork::kNone);
}

const char* to_text(ProfileNetwork network) {
  switch (network) {
    case ProfileNetwork::kNone: return "none";
    case ProfileNetwork::kEgress: return "egress";
    case ProfileNetwork::kHost: return "host";
  }
  return "";
}

Result<EgressSettings> granted_egress(const policy::Profile& granted) {
  EgressSettings settings;
  settings.ca_file = granted.ca_file;
  settings.caps.bytes = granted.egress_bytes.value_or(settings.caps.bytes);
  settings.caps.bytes_per_second = granted.egress_rate.value_or(settings.caps.bytes_per_second);
  settings.caps.connections = granted.egress_connections.value_or(settings.caps.connections);
  settings.caps.connections_at_once = granted.egress_at_once.value_or(settings.caps.connections_at_once);
  for (const std::string& text : granted.allow_hosts) {
    auto rule = parse_egress_rule(text);
    if (!rule) return tl::unexpected(rule.error());
    for (const policy::ProfileHeader& header : granted.headers) {
      if (header.host == text) rule->inject.push_back({.name = header.name, .prefix = header.prefix, .file = header.file, .variable = header.variable});
    }
    settings.rules.push_back(std::move(*rule));
  }
  for (const std::string& name : granted.allow_presets) {
    auto preset = parse_egress_preset(name);
    if (!preset) return tl::unexpected(preset.error());
    settings.presets.push_back(*preset);
  }
  return settings;
}

Status apply_network(const policy::Profile& granted, const Asking& asked, RunRequest& request) {
  using sandbox::Network;
  const bool hosts = std::any_of(asked.options.begin(), asked.options.end(), [](const std::string& option) {
    return option == "allow-host" || option == "allow-preset" || option == "ca-file" || option.starts_with("egress-");
  });
  const bool chosen = asked.has("network") || hosts;
  const ProfileNetwork most = network_of(granted);
  if (chosen && request.network == Network::kHost && most != ProfileNetwork::kHost) return asked.too_much("network", to_text(most));
  if (chosen && request.network == Network::kEgress && most == ProfileNetwork::kNone) return asked.too_much(hosts && asked.profile.empty() ? "allow-host" : "network", "none");
  if (!chosen) request.network = most == ProfileNetwork::kHost ? Network::kHost : most == ProfileNetwork::kEgress ? Network::kEgress : Network::kNone;
  if (request.network == Network::kEgress && most == ProfileNetwork::kEgress) return apply_egress(granted, asked, request);
  // Who may use the host's network may reach less of it, too.
  if (request.network != Network::kEgress) request.egress = {};
  return {};
}

}  // namespace wardenv::engine
