// SPDX-License-Identifier: Apache-2.0
// What machine the numbers are from.
#pragma once

#include <string>

namespace wardenv::bench {

struct HostDescription {
  std::string kernel{};
  std::string machine{};
  std::string cpu_model{};
  int cpus = 0;
  double memory_gib = 0;
  unsigned user = 0;
  std::string cgroup{};  // none, v1, v2: what this user can make
  int landlock_abi = 0;
};

HostDescription describe_host();
double load_average();  // of the last minute: other work on the machine spoils the numbers

}  // namespace wardenv::bench
