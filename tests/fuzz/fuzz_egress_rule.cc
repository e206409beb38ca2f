// SPDX-License-Identifier: Apache-2.0
// A rule as text: what is taken names a host that stays the same when it is normalised again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/egress/rules.h"

using namespace wardenv::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto name = normalise_host(text);
  if (name && normalise_host(*name).value_or("") != *name) std::abort();
  const auto rule = parse_egress_rule(text);
  if (!rule) return rule.error().message.find('\n') == std::string::npos ? 0 : (std::abort(), 0);
  if (rule->ports.empty() || (rule->match == HostMatch::kAddress && rule->addresses.empty())) std::abort();
  if (rule->match != HostMatch::kAddress && normalise_host(rule->host).value_or("") != rule->host) std::abort();
  return 0;
}
