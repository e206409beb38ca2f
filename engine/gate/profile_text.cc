// SPDX-License-Identifier: Apache-2.0
// A policy's profile as JSON.
#include "engine/gate/profile_text.h"

#include <nlohmann/json.hpp>

#include "engine/engine.h"
#include "engine/gate/profile_egress.h"
#include "engine/units.h"

namespace wardenv::engine {
namespace {

using policy::Profile;
using Json = nlohmann::json;

const char* access_text(policy::ProfileAccess access) {
  switch (access) {
    case policy::ProfileAccess::kReadOnly: return "read-only";
    case policy::ProfileAccess::kDirect: return "direct";
    case policy::ProfileAccess::kCaptured: return "captured";
  }
  return "";
}

void add_limits(const Profile& granted, Json& object) {
  const RunRequest standard;
  object["timeout"] = duration_text(granted.timeout.value_or(standard.limits.wall_time));
  object["memory"] = size_text(granted.memory_bytes.value_or(standard.limits.memory_bytes));
  object["processes"] = granted.processes.value_or(standard.limits.processes);
  object["cpu"] = cores_text(granted.cpus.value_or(standard.limits.cpus));
  object["tmp_size"] = size_text(granted.tmp_bytes.value_or(standard.limits.tmp_bytes));
  object["output_limit"] = size_text(granted.output_limit_bytes.value_or(standard.output_limit_bytes));
  if (granted.on_output_limit == policy::ProfileOverflow::kKill) object["on_output_limit"] = "kill";
  if (granted.require_cgroup.value_or(false)) object["require_cgroup"] = true;
  if (!granted.allow_degraded.empty()) object["allow_degraded"] = granted.allow_degraded;
}

void add_network(const Profile& granted, Json& object) {
  object["network"] = to_text(network_of(granted));
  if (!granted.allow_hosts.empty()) object["allow_host"] = granted.allow_hosts;
  if (!granted.allow_presets.empty()) object["allow_preset"] = granted.allow_presets;
  if (!granted.ca_file.empty()) object["ca_file"] = granted.ca_file;
  for (const policy::ProfileHeader& header : granted.headers) {
    Json item{{"host", header.host}, {"name", header.name}};
    item[header.file.empty() ? "variable" : "file"] = header.file.empty() ? header.variable : header.file;
    object["headers"].push_back(std::move(item));
  }
  if (granted.egress_bytes) object["egress_bytes"] = size_text(*granted.egress_bytes);
  if (granted.egress_rate) object["egress_rate"] = size_text(*granted.egress_rate);
  if (granted.egress_connections) object["egress_connections"] = *granted.egress_connections;
  if (granted.egress_at_once) object["egress_at_once"] = *granted.egress_at_once;
}

void add_places(const Profile& granted, Json& object) {
  object["access"] = access_text(granted.access.value_or(policy::ProfileAccess::kDirect));
  object["stdin"] = granted.stdin_mode == policy::ProfileStdin::kInherit ? "inherit" : "null";
  if (!granted.workspaces.empty()) object["workspaces"] = granted.workspaces;
  if (granted.venv) object["venv"] = *granted.venv;
  if (granted.venv_access == policy::ProfileVenvAccess::kWritable) object["venv_access"] = "writable";
  for (const policy::ProfileMount& mount : granted.mounts) {
    object["mounts"].push_back({{"source", mount.source}, {"target", mount.target}, {"access", access_text(mount.access)}});
  }
  for (const auto& [name, value] : granted.environment) object["environment"].push_back(name);
  if (!granted.seccomp_allow.empty()) object["seccomp"]["allow"] = granted.seccomp_allow;
}

}  // namespace

std::string profile_json(const Profile& granted) {
  Json object;
  add_places(granted, object);
  add_network(granted, object);
  add_limits(granted, object);
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace wardenv::engine
