// SPDX-License-Identifier: Apache-2.0
// What the connections of one proxy share. Used in the proxy's thread only.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/egress/relay.h"
#include "engine/egress/reporter.h"
#include "engine/egress/resolver.h"
#include "engine/egress/rules.h"

namespace wardenv::engine {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct EgressShared {
  std::vector<EgressRule> rules;
  std::vector<HeaderList> secrets;   // for the rule of the same index
  EgressCaps caps;
  Budget budget;
  PipePool pipes;
  EgressReporter reporter;
  Resolver resolver;
  int epoll = -1;
  std::uint64_t now_ms = 0;
  bool expects_soon = false;   // a connection that is being made waits for a word of a peer; each says so a few times in its life

  struct Known {
    std::vector<ResolvedAddress> addresses;
    std::uint64_t until_ms = 0;
  };
  std::map<std::string, Known> names;   // what the resolver said a moment ago; bounded
};

}  // namespace wardenv::engine
