// SPDX-License-Identifier: Apache-2.0
// Where a sandbox finds the proxy, and how programs inside are told of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wardenv::engine {

// What the sandbox's proxy listens on, on its own loopback. Nothing but the private network namespace has this port.
inline constexpr std::uint16_t kEgressPort = 3128;
inline constexpr int kEgressBacklog = 1024;

// The variables that tell programs inside of the proxy: "NAME=VALUE".
std::vector<std::string> egress_environment();

// The variables that make clients inside trust the certificates in `path` instead of the system's.
std::vector<std::string> egress_ca_environment(const std::string& path);

}  // namespace wardenv::engine
