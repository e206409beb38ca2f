// SPDX-License-Identifier: Apache-2.0
// What machine the numbers are from.
#include "tools/bench/host.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "sandbox/host_facts.h"

namespace wardenv::bench {
namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "";
}

const char* name_of(sandbox::CgroupKind kind) {
  switch (kind) {
    case sandbox::CgroupKind::kV1: return "v1";
    case sandbox::CgroupKind::kV2: return "v2";
    case sandbox::CgroupKind::kNone: break;
  }
  return "none";
}

}  // namespace

HostDescription describe_host() {
  HostDescription host{.cpu_model = cpu_model(), .user = ::geteuid()};
  utsname name{};
  if (::uname(&name) == 0) {
    host.kernel = std::string(name.sysname) + " " + name.release;
    host.machine = name.machine;
  }
  struct sysinfo info {};
  if (::sysinfo(&info) == 0) host.memory_gib = static_cast<double>(info.totalram) * info.mem_unit / (1U << 30);
  if (const auto facts = sandbox::probe_host()) {
    host.cpus = static_cast<int>(facts->cpus.size());
    host.cgroup = name_of(facts->cgroup.kind);
    host.landlock_abi = facts->landlock_abi;
  }
  return host;
}

double load_average() {
  double load[1] = {};
  return ::getloadavg(load, 1) == 1 ? load[0] : 0;
}

}  // namespace wardenv::bench
