// SPDX-License-Identifier: Apache-2.0
// Document: a policy as it was loaded. Plain data where others need it; the rules themselves are compiled and stay hidden.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wardenv::policy {

// kSliding: never more than `max` in any span of the window's length. kFixed: windows aligned to the calendar, UTC (the older forms).
enum class LimitMode { kSliding, kFixed };

// Whose calls a counter counts together.
enum class Scope { kGrant, kSession, kTool, kGlobal };

// One quota. `increment_from` empty: each call counts `increment`; else the value of that argument (a non-negative integer, or the call is denied).
struct Limit {
  std::string counter{};
  std::chrono::milliseconds window{0};
  std::uint64_t max = 0;
  Scope scope = Scope::kGrant;
  LimitMode mode = LimitMode::kSliding;
  std::uint64_t increment = 1;
  std::string increment_from{};   // the path as it was written
  std::string pointer{};          // JSON pointer of what set it, e.g. "/tools/run_in_venv/limits/0"
};

enum class ProfileAccess { kReadOnly, kDirect, kCaptured };
enum class ProfileVenvAccess { kReadOnly, kWritable };
enum class ProfileNetwork { kNone, kEgress, kHost };
enum class ProfileStdin { kNull, kInherit };
enum class ProfileOverflow { kTruncate, kKill };   // what happens at output_limit

struct ProfileMount {
  std::string source{};   // absolute, normalised; "{workspace}" at its start stands for the call's workspace
  std::string target{};   // absolute; equal to `source` unless the policy says otherwise
  ProfileAccess access = ProfileAccess::kReadOnly;   // never kCaptured
  bool operator==(const ProfileMount&) const = default;
};

// A credential that stays outside. Exactly one of `file` and `variable` is set.
struct ProfileHeader {
  std::string host{};       // one of allow_hosts, letter by letter
  std::string name{};       // "Authorization"
  std::string prefix{};     // put before the secret: "Bearer "
  std::string file{};       // absolute; the secret is its first line
  std::string variable{};   // of the engine's environment
  bool operator==(const ProfileHeader&) const = default;
};

// What an allowed call runs under: the options of `wardenv run` (interfaces.md), by the same names with underscores, in base units.
// What is absent is the sandbox's default; the options of a call can only tighten what is here.
struct Profile {
  std::vector<std::string> workspaces{};              // absolute; the call's workspace must be one of them or lie in one; empty: the caller's choice
  std::optional<std::string> venv;                    // a relative one, or one with "{workspace}" at its start, lies in the call's workspace
  std::optional<ProfileVenvAccess> venv_access;
  std::optional<ProfileAccess> access;
  std::optional<ProfileNetwork> network;
  std::vector<std::string> allow_hosts{};             // rules as --allow-host takes them; the engine reads them
  std::vector<std::string> allow_presets{};           // pip-index, npm-registry, apt-sources, git-remote
  std::string ca_file{};                              // absolute; certificates that are trusted inside instead of the system's
  std::vector<ProfileHeader> headers{};               // that the proxy adds to plain HTTP requests; the command never sees them
  std::optional<std::uint64_t> egress_bytes;          // through the proxy in all, both directions
  std::optional<std::uint64_t> egress_rate;           // bytes a second
  std::optional<std::uint32_t> egress_connections;    // in all, refused ones too
  std::optional<std::uint32_t> egress_at_once;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint32_t> processes;
  std::optional<double> cpus;
  std::optional<std::uint64_t> output_limit_bytes;
  std::optional<ProfileOverflow> on_output_limit;
  std::optional<std::uint64_t> tmp_bytes;
  std::optional<ProfileStdin> stdin_mode;
  std::vector<std::string> allow_degraded{};          // memory, processes, cpu, cgroup
  std::optional<bool> require_cgroup;
  std::vector<ProfileMount> mounts{};
  std::map<std::string, std::string> environment{};   // may hold names that --env refuses: being written here is the explicit entry
  std::vector<std::string> seccomp_allow{};           // system calls in addition to the built-in filter, by name
  bool operator==(const Profile&) const = default;
};

// Who calls. Where a document declares grants, each call must name one of them. A call of a grant is judged by the rules of the tool as everyone's, and may only name the tools that are listed here.
struct Grant {
  std::optional<std::array<std::uint8_t, 32>> token_sha256;  // of the bearer token; none: usable by name only (stdio)
  std::optional<std::vector<std::string>> tools;             // names or globs; none: every tool that the document lists
  std::string profile{};                                     // empty: the tool's
  std::vector<Limit> limits{};                               // counted for every call of this grant
};

struct ApprovalSettings {
  std::chrono::milliseconds timeout{std::chrono::minutes(30)};        // how long a pending call can be approved
  std::chrono::milliseconds dedupe_window{std::chrono::minutes(10)};  // the same call in this time finds the same record
  std::string webhook_url{};                                          // empty: none
  std::string webhook_secret_env{};                                   // name of the variable with the signing secret; set where the URL is
  std::string webhook_pointer{};                                      // "/approvals/webhook"
};

enum class HookEvent { kBeforeRun, kAfterRun };

// An external judge: either `run` (argv; run[0] is an absolute path or a name without a slash, to be looked up in /usr/local/bin, /usr/bin and
// /bin) or `http` (http:// URL of the OPA data API) is set.
struct HookSpec {
  std::string name{};
  HookEvent event = HookEvent::kBeforeRun;
  std::vector<std::string> run{};
  std::string http{};
  std::chrono::milliseconds timeout{500};
  std::string pointer{};          // "/hooks/0": the rule that a refusal names
};

enum class DefaultEffect { kAllow, kDeny };

struct Rulebook;   // the compiled rules; policy/core only

// Immutable once loaded and thread-safe to read: a reload swaps one shared_ptr, so that rules and quotas change together.
struct Document {
  DefaultEffect default_effect = DefaultEffect::kDeny;
  std::map<std::string, Profile, std::less<>> profiles{};
  std::map<std::string, Grant, std::less<>> grants{};
  ApprovalSettings approvals{};
  std::vector<HookSpec> hooks{};
  std::vector<std::string> plain_arguments{};   // `audit.plain_arguments`: names of arguments that the audit log keeps as they are
  std::shared_ptr<const Rulebook> rules;        // never null in a loaded document
};

}  // namespace wardenv::policy
