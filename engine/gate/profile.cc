// SPDX-License-Identifier: Apache-2.0
// A policy's profile and a request.
#include "engine/gate/profile.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/egress/rules.h"
#include "engine/gate/profile_egress.h"
#include "engine/paths.h"

namespace wardenv::engine {
namespace {

using policy::Profile;
using sandbox::seccomp::FilterPair;
using sandbox::seccomp::LimitsBy;

constexpr std::string_view kWorkspace = "{workspace}";

// What begins with "{workspace}" or is relative, in the workspace.
std::string in_workspace(const std::string& path, const std::string& workspace) {
  if (path.starts_with(kWorkspace)) return workspace + path.substr(kWorkspace.size());
  return path.starts_with('/') ? path : workspace + "/" + path;
}

Error captured_access() { return {ErrorCode::kBadInput, "the policy grants access `captured`, which is not available in this version", "grant read-only or direct", 0}; }

class Tightener {
 public:
  Tightener(const Profile& granted, const std::string& workspace, const Asking& asked, RunRequest& request)
      : granted_(granted), workspace_(workspace), asked_(asked), request_(request) {}

  Status apply() {
    const RunRequest standard;
    sandbox::Limits& limits = request_.limits;
    WARDENV_TRY(at_most("timeout", granted_.timeout, standard.limits.wall_time, limits.wall_time));
    WARDENV_TRY(at_most("memory", granted_.memory_bytes, standard.limits.memory_bytes, limits.memory_bytes));
    WARDENV_TRY(at_most("processes", granted_.processes, standard.limits.processes, limits.processes));
    WARDENV_TRY(at_most("cpu", granted_.cpus, standard.limits.cpus, limits.cpus));
    WARDENV_TRY(at_most("tmp-size", granted_.tmp_bytes, standard.limits.tmp_bytes, limits.tmp_bytes));
    WARDENV_TRY(at_most("output-limit", granted_.output_limit_bytes, standard.output_limit_bytes, request_.output_limit_bytes));
    WARDENV_TRY(set_access());
    WARDENV_TRY(apply_network(granted_, asked_, request_));
    WARDENV_TRY(set_stdin());
    WARDENV_TRY(set_degradable());
    WARDENV_TRY(set_venv());
    return set_environment();
  }

 private:
  // Larger is looser.
  template <typename T>
  Status at_most(const char* option, const std::optional<T>& granted, const T& standard, T& value) {
    const T ceiling = granted.value_or(standard);
    if (!asked_.has(option)) {
      value = ceiling;
      return {};
    }
    if (value > ceiling) return asked_.too_much(option, granted_text(ceiling));
    return {};
  }

  Status set_access() {
    using policy::ProfileAccess;
    const ProfileAccess granted = granted_.access.value_or(ProfileAccess::kDirect);
    if (granted == ProfileAccess::kCaptured) return tl::unexpected(captured_access());
    if (!asked_.has("access")) request_.access = granted == ProfileAccess::kReadOnly ? Access::kReadOnly : Access::kDirect;
    return granted == ProfileAccess::kReadOnly && request_.access != Access::kReadOnly ? Status(asked_.too_much("access", "read-only")) : Status{};
  }

  Status set_stdin() {
    const bool granted = granted_.stdin_mode == policy::ProfileStdin::kInherit;
    if (!asked_.has("stdin")) request_.stdin_mode = granted ? StdinMode::kInherit : StdinMode::kNull;
    return request_.stdin_mode == StdinMode::kInherit && !granted ? Status(asked_.too_much("stdin", "null")) : Status{};
  }

  // Control groups can be asked for by anybody; a weakening has to be granted by its name.
  Status set_degradable() {
    sandbox::Degradable granted;
    for (const std::string& name : granted_.allow_degraded) {
      granted.memory |= name == "memory" || name == "cgroup";
      granted.cpu |= name == "cpu" || name == "cgroup";
    }
    sandbox::Degradable& asked = request_.degradable;
    if (!asked_.has("allow-degraded")) asked = granted;
    if ((asked.memory && !granted.memory) || (asked.cpu && !granted.cpu)) return asked_.too_much("allow-degraded", granted_text(granted_.allow_degraded));
    request_.require_cgroup |= granted_.require_cgroup.value_or(false);
    return {};
  }

  Status set_venv() {
    if (granted_.venv_access == policy::ProfileVenvAccess::kWritable) request_.venv_access = VenvAccess::kWritable;
    if (!granted_.venv) return {};
    const std::string venv = in_workspace(*granted_.venv, workspace_);
    const bool same = request_.venv && absolute(*request_.venv) == absolute(venv);
    if ((asked_.has("venv") || asked_.has("no-venv")) && !same) return asked_.too_much(asked_.has("venv") ? "venv" : "no-venv", *granted_.venv);
    request_.venv = venv;
    return {};
  }

  // A variable can change what an allowed command does (where its configuration is, what it runs), so each needs a word of the policy.
  Status set_environment() {
    for (const std::string& variable : request_.env) {
      const auto name = variable.substr(0, variable.find('='));
      const auto found = granted_.environment.find(name);
      if (found == granted_.environment.end() || variable != name + "=" + found->second) {
        return asked_.too_much("env", found == granted_.environment.end() ? "no variable `" + name + "`" : "`" + name + "` with another value");
      }
    }
    request_.env.clear();
    for (const auto& [name, value] : granted_.environment) request_.profile_env.push_back(name + "=" + value);
    if (granted_.on_output_limit == policy::ProfileOverflow::kKill) request_.on_output_limit = OnOutputLimit::kKill;
    return {};
  }

  const Profile& granted_;
  const std::string& workspace_;
  const Asking& asked_;
  RunRequest& request_;
};

void add_mounts(const Profile& granted, const std::string& workspace, RunRequest& request) {
  for (const policy::ProfileMount& mount : granted.mounts) {
    const auto place = [&](const std::string& path) { return in_workspace(path, workspace); };
    const Access access = mount.access == policy::ProfileAccess::kDirect ? Access::kDirect : Access::kReadOnly;
    const bool same = place(mount.source) == place(mount.target);
    request.mounts.push_back({.path = place(mount.source), .target = same ? "" : place(mount.target), .access = access});
  }
}

// Compiled once for each list of names: libseccomp takes a millisecond.
Result<std::shared_ptr<const FilterPair>> filters_with(const std::vector<std::string>& names) {
  static std::mutex mutex;
  static std::map<std::vector<std::string>, std::shared_ptr<const FilterPair>> compiled;
  const std::lock_guard lock(mutex);
  auto& place = compiled[names];
  if (place != nullptr) return place;
  auto cgroup = sandbox::seccomp::compile_filter(LimitsBy::kCgroup, names);
  auto process = sandbox::seccomp::compile_filter(LimitsBy::kProcess, names);
  if (!cgroup || !process) return tl::unexpected(!cgroup ? cgroup.error() : process.error());
  return place = std::make_shared<const FilterPair>(FilterPair{std::move(*cgroup), std::move(*process)});
}

Status add_syscalls(const std::vector<std::string>& names, RunRequest& request) {
  if (names.empty()) return {};
  auto filters = filters_with(names);
  if (!filters) return tl::unexpected(filters.error());
  request.filters = std::move(*filters);
  request.added_syscalls = names;
  return {};
}

}  // namespace

Status apply_profile(const Profile& granted, const std::string& workspace, std::span<const std::string> asked, RunRequest& request) {
  WARDENV_TRY(add_syscalls(granted.seccomp_allow, request));
  WARDENV_TRY(Tightener(granted, workspace, {asked}, request).apply());
  add_mounts(granted, workspace, request);
  return {};
}

void check_profile(const Profile& profile, const std::string& pointer, policy::Findings& findings) {
  const std::size_t before = findings.size();
  const auto note = [&](const std::string& place, const Error& error) { findings.push_back({.pointer = pointer + place, .message = error.message}); };
  const auto check_each = [&](const std::vector<std::string>& texts, const std::string& place, const auto& check) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (const auto good = check(texts[i]); !good) note(place + std::to_string(i), good.error());
    }
  };
  check_each(profile.allow_hosts, "/allow_host/", parse_egress_rule);
  check_each(profile.allow_presets, "/allow_preset/", parse_egress_preset);
  if (!profile.seccomp_allow.empty() && !filters_with(profile.seccomp_allow)) check_each(profile.seccomp_allow, "/seccomp/allow/", [](const std::string& name) { return filters_with({name}); });
  if (profile.access == policy::ProfileAccess::kCaptured) note("/access", captured_access());
  if (findings.size() > before) return;
  RunRequest request;
  if (const Status good = apply_profile(profile, "/workspace", {}, request); !good) note("", good.error());
}

Status ask_for_profile(const Profile& chosen, RunRequest& request, std::vector<std::string>& asked) {
  if (!chosen.mounts.empty() || !chosen.environment.empty() || !chosen.seccomp_allow.empty() || chosen.venv || !chosen.workspaces.empty() || !chosen.allow_hosts.empty() || !chosen.allow_presets.empty()) {
    return fail(ErrorCode::kBadInput, "that profile has mounts, variables, hosts, folders or system calls of its own and can't be asked for", "have it granted: name it in the tool's rule or the grant");
  }
  // What the caller gave as an option stands.
  auto take = [&](const char* option, const auto& from, auto& to) {
    if (!from || std::find(asked.begin(), asked.end(), option) != asked.end()) return;
    to = *from;
    asked.emplace_back(option);
  };
  take("timeout", chosen.timeout, request.limits.wall_time);
  take("memory", chosen.memory_bytes, request.limits.memory_bytes);
  take("processes", chosen.processes, request.limits.processes);
  take("cpu", chosen.cpus, request.limits.cpus);
  take("tmp-size", chosen.tmp_bytes, request.limits.tmp_bytes);
  take("output-limit", chosen.output_limit_bytes, request.output_limit_bytes);
  take("egress-bytes", chosen.egress_bytes, request.egress.caps.bytes);
  take("egress-rate", chosen.egress_rate, request.egress.caps.bytes_per_second);
  take("egress-connections", chosen.egress_connections, request.egress.caps.connections);
  take("egress-at-once", chosen.egress_at_once, request.egress.caps.connections_at_once);
  if (chosen.access == policy::ProfileAccess::kReadOnly) take("access", std::optional(Access::kReadOnly), request.access);
  if (chosen.network == policy::ProfileNetwork::kNone) take("network", std::optional(sandbox::Network::kNone), request.network);
  if (chosen.network == policy::ProfileNetwork::kEgress) take("network", std::optional(sandbox::Network::kEgress), request.network);
  if (chosen.network == policy::ProfileNetwork::kHost) take("network", std::optional(sandbox::Network::kHost), request.network);
  request.require_cgroup |= chosen.require_cgroup.value_or(false);
  return {};
}

Status check_chosen(const Profile& granted, const std::string& workspace, const Asking& chosen, RunRequest request) {
  request.env.clear();   // the caller's own; what else is not the chosen one's is replaced by what is granted
  const bool caps_hosts = network_of(granted) == policy::ProfileNetwork::kEgress;
  if (!chosen.has("network")) request.network = caps_hosts ? sandbox::Network::kEgress : sandbox::Network::kNone;
  return Tightener(granted, workspace, chosen, request).apply();
}

}  // namespace wardenv::engine
