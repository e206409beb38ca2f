// SPDX-License-Identifier: Apache-2.0
// Which rule allows a connection. Pure: no resolver, no clock.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/egress/settings.h"

namespace wardenv::engine {

// Where a client wants to go, normalised once. `literal` is set where it gave an address instead of a name; `host` is then its usual text.
struct EgressTarget {
  std::string host{};
  std::optional<IpAddress> literal{};
  std::uint16_t port = 0;
};

// A plain HTTP request; a tunnel has none.
struct HttpRequestView {
  std::string_view method;
  std::string_view path;   // as it was sent, begins with "/"
};

// `rule` is nullptr for a refusal, which has a reason and, where one would do, the text of the rule that would allow it.
struct EgressJudgement {
  const EgressRule* rule = nullptr;
  std::string reason{};
  std::string needed{};
};

// Reads "name", "1.2.3.4" or an IPv6 address without brackets. Error kBadInput with the reason.
Result<EgressTarget> make_target(std::string_view host, std::uint16_t port);

// Name, port, and for plain HTTP method and path. A tunnel needs a rule without methods and path.
EgressJudgement judge_target(std::span<const EgressRule> rules, const EgressTarget& target, const HttpRequestView* request);

// Name and port alone: whether any request to it may be allowed. For tunnels whose requests are judged one by one.
EgressJudgement judge_host(std::span<const EgressRule> rules, const EgressTarget& target);

// Whether the target, which `rule` allows, may be reached at this address. One that belongs to this host, or of which that could not be found
// out, counts as not public. Ranges of `rule`, and rules for addresses that have the port, allow what is not public.
enum class Owner { kOther, kThisHost, kUnknown };
EgressJudgement judge_address(std::span<const EgressRule> rules, const EgressRule& rule, const EgressTarget& target, const IpAddress& address,
                              Owner owner);

}  // namespace wardenv::engine
