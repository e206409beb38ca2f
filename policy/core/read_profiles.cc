// SPDX-License-Identifier: Apache-2.0
// Reads profiles: the options of `wardenv run`, by the same names with underscores, and what only a profile may say.
#include <algorithm>
#include <cmath>

#include "policy/core/reading.h"

namespace wardenv::policy::core {
namespace {

constexpr std::array<Choice, 3> kAccess = {{{"read-only", int(ProfileAccess::kReadOnly)}, {"direct", int(ProfileAccess::kDirect)}, {"captured", int(ProfileAccess::kCaptured)}}};
constexpr std::array<Choice, 2> kMountAccess = {{{"read-only", int(ProfileAccess::kReadOnly)}, {"direct", int(ProfileAccess::kDirect)}}};
constexpr std::array<Choice, 2> kVenvAccess = {{{"read-only", int(ProfileVenvAccess::kReadOnly)}, {"writable", int(ProfileVenvAccess::kWritable)}}};
constexpr std::array<Choice, 3> kNetwork = {{{"none", int(ProfileNetwork::kNone)}, {"egress", int(ProfileNetwork::kEgress)}, {"host", int(ProfileNetwork::kHost)}}};
constexpr std::array<Choice, 2> kStdin = {{{"null", int(ProfileStdin::kNull)}, {"inherit", int(ProfileStdin::kInherit)}}};
constexpr std::array<Choice, 2> kOverflow = {{{"truncate", int(ProfileOverflow::kTruncate)}, {"kill", int(ProfileOverflow::kKill)}}};
constexpr std::array<Choice, 4> kDegradable = {{{"memory", 0}, {"processes", 1}, {"cpu", 2}, {"cgroup", 3}}};
constexpr std::uint64_t kMostProcesses = 1'000'000;
constexpr std::uint64_t kMostConnections = 1'000'000, kMostAtOnce = 4096;
constexpr double kMostCores = 4096.0;

// Absolute, and without what would make it mean another folder than it says.
bool is_clean_path(std::string_view path) {
  const std::string padded = std::string(path) + "/";
  return path.starts_with('/') && padded.find("/../") == std::string::npos && padded.find("/./") == std::string::npos &&
         padded.find("//") == (path == "/" ? 0 : std::string::npos);
}

std::optional<std::string> read_path_text(Reading& reading, const Cursor& at, bool (*good)(std::string_view), const char* needs) {
  if (at.node.kind == Kind::kString && good(at.node.text())) return std::string(at.node.text());
  reading.notes.error(at, needs);
  return std::nullopt;
}

bool is_mount_source(std::string_view path) {
  if (!path.starts_with("{workspace}")) return is_clean_path(path);
  return path.size() == 11 || is_clean_path(path.substr(11));
}

bool is_mount_target(std::string_view path) { return is_clean_path(path) && path != "/"; }

using MountField = Field<Reading, ProfileMount>;
constexpr std::array<MountField, 3> kMountFields = {{
    {"source", [](Reading& reading, const Cursor& at, ProfileMount& to) {
       to.source = read_path_text(reading, at, is_mount_source, "must be an absolute path without `.`, `..` or `//`, or begin with {workspace}").value_or("");
     }},
    {"target", [](Reading& reading, const Cursor& at, ProfileMount& to) {
       to.target = read_path_text(reading, at, is_mount_target, "must be an absolute path without `.`, `..` or `//`, other than `/`").value_or("");
     }},
    {"access", [](Reading& reading, const Cursor& at, ProfileMount& to) {
       to.access = read_choice<ProfileAccess>(reading.notes, at, kMountAccess).value_or(ProfileAccess::kReadOnly);
     }},
}};

void read_mounts(Reading& reading, const Cursor& at, Profile& to) {
  if (!expect(reading.notes, at, Kind::kArray, "a list of mounts {source, target, access}")) return;
  for (std::size_t i = 0; i < at.node.size; ++i) {
    const Cursor item = at.to(i);
    ProfileMount mount;
    if (!read_fields(reading, item, kMountFields, mount, "a mount {source, target, access}")) continue;
    if (item.node.find("source") == nullptr) reading.notes.error(item, "`source` is missing");
    if (item.node.find("target") == nullptr) mount.target = mount.source;
    if (mount.source == "/" && item.node.find("target") == nullptr) reading.notes.error(item, "the whole host can't be mounted over the sandbox's root");
    const bool same = std::any_of(to.mounts.begin(), to.mounts.end(), [&](const ProfileMount& other) { return other.target == mount.target; });
    if (same && !mount.target.empty()) reading.notes.error(item, "two mounts have the target `" + mount.target + "`");
    to.mounts.push_back(std::move(mount));
  }
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name.find('=') == std::string_view::npos &&
         std::none_of(name.begin(), name.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7F; });
}

void read_environment(Reading& reading, const Cursor& at, Profile& to) {
  if (!expect(reading.notes, at, Kind::kObject, "an object of variables")) return;
  for (const Member& member : at.node.members()) {
    if (!is_variable_name(member.key)) reading.notes.error_at_key(at, member, "not the name of a variable");
    if (!expect(reading.notes, at.to(member), Kind::kString, "a string")) continue;
    if (!to.environment.emplace(member.key, member.value.text()).second) reading.notes.error_at_key(at, member, "is set in `env`, too");
  }
}

// As --env takes them, for those who copy a command line.
void read_env(Reading& reading, const Cursor& at, Profile& to) {
  if (!expect(reading.notes, at, Kind::kArray, "a list of \"NAME=VALUE\"")) return;
  for (std::size_t i = 0; i < at.node.size; ++i) {
    const Cursor item = at.to(i);
    const std::string_view text = item.node.kind == Kind::kString ? item.node.text() : "";
    const std::string_view name = text.substr(0, text.find('='));
    if (name.size() == text.size() || !is_variable_name(name)) reading.notes.error(item, "must be \"NAME=VALUE\"");
    else if (!to.environment.emplace(name, text.substr(name.size() + 1)).second) reading.notes.error(item, "`" + std::string(name) + "` is set twice");
  }
}

// Whether it is a rule is the engine's to say, which reads --allow-host too; here it is a line of printable ASCII.
bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 1024 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

bool is_preset(std::string_view text) { return text == "pip-index" || text == "npm-registry" || text == "apt-sources" || text == "git-remote"; }

bool is_header_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == std::string_view::npos;
}

using HeaderField = Field<Reading, ProfileHeader>;
constexpr std::array<HeaderField, 5> kHeaderFields = {{
    {"host", [](Reading& reading, const Cursor& at, ProfileHeader& to) { to.host = read_path_text(reading, at, is_host, "must be one of allow_host").value_or(""); }},
    {"name", [](Reading& reading, const Cursor& at, ProfileHeader& to) {
       to.name = read_path_text(reading, at, is_header_name, "must be the name of a header such as \"Authorization\"").value_or("");
     }},
    {"prefix", [](Reading& reading, const Cursor& at, ProfileHeader& to) { to.prefix = read_path_text(reading, at, is_host, "must be a text such as \"Bearer \"").value_or(""); }},
    {"file", [](Reading& reading, const Cursor& at, ProfileHeader& to) { to.file = read_path_text(reading, at, is_clean_path, "must be an absolute path").value_or(""); }},
    {"variable", [](Reading& reading, const Cursor& at, ProfileHeader& to) {
       to.variable = read_path_text(reading, at, is_variable_name, "must be the name of a variable").value_or("");
     }},
}};

void read_headers(Reading& reading, const Cursor& at, Profile& to) {
  if (!expect(reading.notes, at, Kind::kArray, "a list of headers {host, name, prefix, file | variable}")) return;
  for (std::size_t i = 0; i < at.node.size; ++i) {
    const Cursor item = at.to(i);
    ProfileHeader header;
    if (!read_fields(reading, item, kHeaderFields, header, "a header {host, name, prefix, file | variable}")) continue;
    if (item.node.find("host") == nullptr || item.node.find("name") == nullptr) reading.notes.error(item, "`host` and `name` are needed");
    if ((item.node.find("file") == nullptr) == (item.node.find("variable") == nullptr)) reading.notes.error(item, "either `file` or `variable` says where the secret is");
    to.headers.push_back(std::move(header));
  }
}

bool is_syscall_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

void read_texts(Reading& reading, const Cursor& at, std::vector<std::string>& to, bool (*good)(std::string_view), const char* needs) {
  if (!expect(reading.notes, at, Kind::kArray, "a list of strings")) return;
  for (std::size_t i = 0; i < at.node.size; ++i) {
    const Cursor item = at.to(i);
    auto text = read_path_text(reading, item, good, needs);
    if (!text) continue;
    if (std::find(to.begin(), to.end(), *text) != to.end()) reading.notes.error(item, "`" + *text + "` is listed twice");
    to.push_back(std::move(*text));
  }
}

void read_seccomp(Reading& reading, const Cursor& at, Profile& to) {
  constexpr std::array<Field<Reading, Profile>, 1> kFields = {{
      {"allow", [](Reading& inner, const Cursor& list, Profile& profile) {
         read_texts(inner, list, profile.seccomp_allow, is_syscall_name, "must be the name of a system call");
       }},
  }};
  read_fields(reading, at, kFields, to, "an object {allow}");
}

void read_workspaces(Reading& reading, const Cursor& at, Profile& to) {
  read_texts(reading, at, to.workspaces, is_clean_path, "must be an absolute path without `.`, `..` or `//`");
  if (at.node.kind == Kind::kArray && at.node.size == 0) reading.notes.error(at, "must name a folder: an empty list would leave the choice to the caller");
}

bool is_degradable(std::string_view text) {
  return std::any_of(kDegradable.begin(), kDegradable.end(), [&](const Choice& choice) { return choice.name == text; });
}

void read_cpus(Reading& reading, const Cursor& at, Profile& to) {
  const Node& node = at.node;
  const double cpus = node.kind == Kind::kReal ? node.real : node.kind == Kind::kInteger ? static_cast<double>(node.integer) : 0;
  if (cpus > 0 && cpus <= kMostCores) to.cpus = cpus;
  else reading.notes.error(at, "must be a number of cores such as 1.5");
}

void read_network(Reading& reading, const Cursor& at, Profile& to) {
  to.network = read_choice<ProfileNetwork>(reading.notes, at, kNetwork);
  if (to.network == ProfileNetwork::kHost) reading.notes.warning(at, "the host's whole network: every service on it and on this machine can be reached");
}

void read_stdin(Reading& reading, const Cursor& at, Profile& to) { to.stdin_mode = read_choice<ProfileStdin>(reading.notes, at, kStdin); }

using ProfileField = Field<Reading, Profile>;
constexpr std::array<ProfileField, 28> kProfileFields = {{
    {"description", [](Reading& reading, const Cursor& at, Profile&) { expect(reading.notes, at, Kind::kString, "a text"); }},
    {"workspaces", read_workspaces},
    {"venv", [](Reading& reading, const Cursor& at, Profile& to) { to.venv = read_text(reading.notes, at, "a folder"); }},
    {"venv_access", [](Reading& reading, const Cursor& at, Profile& to) { to.venv_access = read_choice<ProfileVenvAccess>(reading.notes, at, kVenvAccess); }},
    {"access", [](Reading& reading, const Cursor& at, Profile& to) { to.access = read_choice<ProfileAccess>(reading.notes, at, kAccess); }},
    {"network", read_network},
    {"allow_host", [](Reading& reading, const Cursor& at, Profile& to) {
       read_texts(reading, at, to.allow_hosts, is_host, "must be a host name, with a port or without: \"packages.example\", \"*.example.org:443\"");
     }},
    {"allow_preset", [](Reading& reading, const Cursor& at, Profile& to) {
       read_texts(reading, at, to.allow_presets, is_preset, "must be pip-index, npm-registry, apt-sources or git-remote");
     }},
    {"ca_file", [](Reading& reading, const Cursor& at, Profile& to) { to.ca_file = read_path_text(reading, at, is_clean_path, "must be an absolute path").value_or(""); }},
    {"headers", read_headers},
    {"egress_bytes", [](Reading& reading, const Cursor& at, Profile& to) { to.egress_bytes = read_size(reading.notes, at); }},
    {"egress_rate", [](Reading& reading, const Cursor& at, Profile& to) { to.egress_rate = read_size(reading.notes, at); }},
    {"egress_connections", [](Reading& reading, const Cursor& at, Profile& to) {
       if (const auto count = read_count(reading.notes, at, 1, kMostConnections)) to.egress_connections = static_cast<std::uint32_t>(*count);
     }},
    {"egress_at_once", [](Reading& reading, const Cursor& at, Profile& to) {
       if (const auto count = read_count(reading.notes, at, 1, kMostAtOnce)) to.egress_at_once = static_cast<std::uint32_t>(*count);
     }},
    {"timeout", [](Reading& reading, const Cursor& at, Profile& to) { to.timeout = read_duration(reading.notes, at); }},
    {"memory", [](Reading& reading, const Cursor& at, Profile& to) { to.memory_bytes = read_size(reading.notes, at); }},
    {"processes", [](Reading& reading, const Cursor& at, Profile& to) {
       if (const auto count = read_count(reading.notes, at, 1, kMostProcesses)) to.processes = static_cast<std::uint32_t>(*count);
     }},
    {"cpu", read_cpus},
    {"output_limit", [](Reading& reading, const Cursor& at, Profile& to) { to.output_limit_bytes = read_size(reading.notes, at); }},
    {"on_output_limit", [](Reading& reading, const Cursor& at, Profile& to) { to.on_output_limit = read_choice<ProfileOverflow>(reading.notes, at, kOverflow); }},
    {"tmp_size", [](Reading& reading, const Cursor& at, Profile& to) { to.tmp_bytes = read_size(reading.notes, at); }},
    {"stdin", read_stdin},
    {"allow_degraded", [](Reading& reading, const Cursor& at, Profile& to) {
       read_texts(reading, at, to.allow_degraded, is_degradable, "must be memory, processes, cpu or cgroup");
     }},
    {"require_cgroup", [](Reading& reading, const Cursor& at, Profile& to) { to.require_cgroup = read_truth(reading.notes, at, "true or false"); }},
    {"mounts", read_mounts},
    {"env", read_env},
    {"environment", read_environment},
    {"seccomp", read_seccomp},
}};

void read_profile(Reading& reading, const Cursor& at, Profile& profile) {
  read_fields(reading, at, kProfileFields, profile, "an object of sandbox options");
  for (const ProfileHeader& header : profile.headers) {
    if (std::find(profile.allow_hosts.begin(), profile.allow_hosts.end(), header.host) == profile.allow_hosts.end()) {
      reading.notes.error(at, "a header's host `" + header.host + "` is not in allow_host");
    }
  }
  const bool capped = profile.egress_bytes || profile.egress_rate || profile.egress_connections || profile.egress_at_once;
  if (profile.allow_hosts.empty() && profile.allow_presets.empty() && !capped) return;
  if (!profile.network) profile.network = ProfileNetwork::kEgress;   // as the options imply it
  if (profile.network != ProfileNetwork::kEgress) reading.notes.error(at, "allow_host, allow_preset and caps of egress need the network `egress`");
}

}  // namespace

void read_profiles(Reading& reading, const Cursor& at) {
  if (!expect(reading.notes, at, Kind::kObject, "an object of profiles")) return;
  for (const Member& member : at.node.members()) {
    check_name(reading.notes, at, member, "the name of a profile");
    Profile profile;
    read_profile(reading, at.to(member), profile);
    reading.document.profiles.emplace(member.key, std::move(profile));
  }
}

}  // namespace wardenv::policy::core
