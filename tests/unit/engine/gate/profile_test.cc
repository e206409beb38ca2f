// SPDX-License-Identifier: Apache-2.0
// What a profile grants goes into a request; what is asked for beyond it is refused.
#include "engine/gate/profile.h"

#include "engine/egress/settings.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace std::chrono_literals;

namespace {

Status apply(const policy::Profile& granted, RunRequest& request, const std::vector<std::string>& asked = {}) {
  return apply_profile(granted, "/w", asked, request);
}

}  // namespace

TEST_CASE("without a word of the policy the defaults are the most there is") {
  RunRequest request;
  const RunRequest defaults;
  REQUIRE(apply({}, request));
  CHECK(request.limits == defaults.limits);
  request.limits.memory_bytes += 1;
  CHECK_FALSE(apply({}, request, {"memory"}));
  request.limits.memory_bytes = 64 << 20;
  REQUIRE(apply({}, request, {"memory"}));
  CHECK(request.limits.memory_bytes == 64 << 20);
}

TEST_CASE("a value that nobody asked for is the profile's, not the request's") {
  RunRequest request;
  request.limits.wall_time = 99h;
  request.network = sandbox::Network::kHost;
  request.stdin_mode = StdinMode::kInherit;
  request.access = Access::kDirect;
  request.degradable.cpu = true;
  policy::Profile granted;
  granted.timeout = 5min;
  granted.access = policy::ProfileAccess::kReadOnly;
  REQUIRE(apply(granted, request));
  CHECK(request.limits.wall_time == 5min);
  CHECK(request.network == sandbox::Network::kNone);
  CHECK(request.stdin_mode == StdinMode::kNull);
  CHECK(request.access == Access::kReadOnly);
  CHECK_FALSE(request.degradable.cpu);
}

TEST_CASE("every limit can be tightened and none loosened") {
  policy::Profile granted;
  granted.timeout = 60s;
  granted.memory_bytes = 1 << 30;
  granted.processes = 10;
  granted.cpus = 2.0;
  granted.tmp_bytes = 1 << 20;
  granted.output_limit_bytes = 1000;
  const auto with = [&](const char* option, auto set) {
    RunRequest request;
    set(request);
    return static_cast<bool>(apply(granted, request, {option}));
  };
  CHECK(with("timeout", [](RunRequest& r) { r.limits.wall_time = 60s; }));
  CHECK_FALSE(with("timeout", [](RunRequest& r) { r.limits.wall_time = 60'001ms; }));
  CHECK(with("memory", [](RunRequest& r) { r.limits.memory_bytes = 1 << 30; }));
  CHECK_FALSE(with("memory", [](RunRequest& r) { r.limits.memory_bytes = (1 << 30) + 1; }));
  CHECK(with("processes", [](RunRequest& r) { r.limits.processes = 10; }));
  CHECK_FALSE(with("processes", [](RunRequest& r) { r.limits.processes = 11; }));
  CHECK(with("cpu", [](RunRequest& r) { r.limits.cpus = 2.0; }));
  CHECK_FALSE(with("cpu", [](RunRequest& r) { r.limits.cpus = 2.1; }));
  CHECK(with("tmp-size", [](RunRequest& r) { r.limits.tmp_bytes = 1; }));
  CHECK_FALSE(with("tmp-size", [](RunRequest& r) { r.limits.tmp_bytes = 2 << 20; }));
  CHECK(with("output-limit", [](RunRequest& r) { r.output_limit_bytes = 1000; }));
  CHECK_FALSE(with("output-limit", [](RunRequest& r) { r.output_limit_bytes = 1001; }));
}

TEST_CASE("the host's network, a live stdin, a weaker limit and a variable each need a grant") {
  policy::Profile granted;
  RunRequest request;
  request.network = sandbox::Network::kHost;
  CHECK_FALSE(apply(granted, request, {"network"}));
  granted.network = policy::ProfileNetwork::kHost;
  CHECK(apply(granted, request, {"network"}));

  request = {};
  request.stdin_mode = StdinMode::kInherit;
  CHECK_FALSE(apply({}, request, {"stdin"}));
  policy::Profile live;
  live.stdin_mode = policy::ProfileStdin::kInherit;
  CHECK(apply(live, request, {"stdin"}));

  request = {};
  request.degradable.cpu = true;
  CHECK_FALSE(apply({}, request, {"allow-degraded"}));
  policy::Profile weak;
  weak.allow_degraded = {"memory"};
  CHECK_FALSE(apply(weak, request, {"allow-degraded"}));
  weak.allow_degraded = {"cgroup"};
  CHECK(apply(weak, request, {"allow-degraded"}));

  request = {};
  request.env = {"MODE=1"};
  CHECK_FALSE(apply({}, request, {"env"}));
  policy::Profile variables;
  variables.environment = {{"MODE", "1"}, {"PYTHONPATH", "/p"}};
  REQUIRE(apply(variables, request, {"env"}));
  CHECK(request.env.empty());
  CHECK(request.profile_env == std::vector<std::string>{"MODE=1", "PYTHONPATH=/p"});
  request = {};
  request.env = {"MODE=2"};
  CHECK_FALSE(apply(variables, request, {"env"}));
}

TEST_CASE("a read-only grant can't be asked away") {
  policy::Profile granted;
  granted.access = policy::ProfileAccess::kReadOnly;
  RunRequest request;
  request.access = Access::kDirect;
  CHECK_FALSE(apply(granted, request, {"access"}));
  request.access = Access::kReadOnly;
  CHECK(apply({}, request, {"access"}));
  CHECK(request.access == Access::kReadOnly);
}

TEST_CASE("mounts of a profile are resolved against the workspace, and what can't be held is refused") {
  policy::Profile granted;
  granted.mounts = {{.source = "{workspace}/data", .target = "{workspace}/data"}, {.source = "/srv/x", .target = "/srv/x", .access = policy::ProfileAccess::kDirect}};
  RunRequest request;
  REQUIRE(apply(granted, request));
  CHECK(request.mounts == std::vector<ProfileMount>{{"/w/data", "", Access::kReadOnly}, {"/srv/x", "", Access::kDirect}});
  request = {};
  granted.mounts = {{.source = "/a", .target = "{workspace}/b"}};
  REQUIRE(apply(granted, request));
  CHECK(request.mounts == std::vector<ProfileMount>{{"/a", "/w/b", Access::kReadOnly}});
  policy::Profile captured;
  captured.access = policy::ProfileAccess::kCaptured;
  CHECK_FALSE(apply(captured, request));
}

TEST_CASE("a chosen profile asks for its limits, and only for limits") {
  policy::Profile chosen;
  chosen.timeout = 10s;
  chosen.memory_bytes = 64 << 20;
  RunRequest request;
  std::vector<std::string> asked;
  REQUIRE(ask_for_profile(chosen, request, asked));
  CHECK(asked == std::vector<std::string>{"timeout", "memory"});
  CHECK(request.limits.wall_time == 10s);
  CHECK(apply({}, request, asked));

  chosen.memory_bytes = 4ULL << 30;
  request = {};
  asked.clear();
  REQUIRE(ask_for_profile(chosen, request, asked));
  CHECK_FALSE(apply({}, request, asked));

  // An option stands above the profile's value.
  request = {};
  request.limits.memory_bytes = 32 << 20;
  asked = {"memory"};
  REQUIRE(ask_for_profile(chosen, request, asked));
  CHECK(request.limits.memory_bytes == 32 << 20);

  // What it caps of egress it caps of the hosts that are granted, and it asks for egress.
  policy::Profile capped;
  capped.network = policy::ProfileNetwork::kEgress;
  capped.egress_bytes = 1000;
  policy::Profile granted;
  granted.allow_hosts = {"a.example"};
  request = {};
  asked.clear();
  REQUIRE(ask_for_profile(capped, request, asked));
  REQUIRE(apply(granted, request, asked));
  CHECK(request.network == sandbox::Network::kEgress);
  CHECK(request.egress.rules.size() == 1);
  CHECK(request.egress.caps.bytes == 1000);
  request = {};
  asked.clear();
  REQUIRE(ask_for_profile(capped, request, asked));
  CHECK_FALSE(apply({}, request, asked));

  policy::Profile loud;
  loud.environment = {{"A", "1"}};
  CHECK_FALSE(ask_for_profile(loud, request, asked));
}

TEST_CASE("too much is said with what is granted, and by the name of the profile that was chosen") {
  policy::Profile granted;
  granted.timeout = 90s;
  RunRequest request;
  request.limits.wall_time = 2h;
  CHECK(apply(granted, request, {"timeout"}).error().message == "--timeout asks for more than the policy grants (90s)");

  const auto chosen = [&](const policy::Profile& wide, RunRequest from = {}, std::vector<std::string> asked = {}) {
    const std::size_t own = asked.size();
    REQUIRE(ask_for_profile(wide, from, asked));
    const Status checked = check_chosen(granted, "/w", {std::span<const std::string>(asked).subspan(own), "wide"}, from);
    return checked ? std::string() : checked.error().message;
  };
  policy::Profile wide;
  wide.timeout = 90s;
  wide.memory_bytes = 4ULL << 30;
  CHECK(chosen(wide) == "the profile `wide` asks for more than the policy grants (memory: 512M)");
  wide.memory_bytes = 512ULL << 20;
  CHECK(chosen(wide).empty());
  policy::Profile reaching;
  reaching.network = policy::ProfileNetwork::kHost;
  CHECK(chosen(reaching) == "the profile `wide` asks for more than the policy grants (network: none)");
  reaching.network = policy::ProfileNetwork::kEgress;
  reaching.egress_bytes = 5;
  CHECK(chosen(reaching) == "the profile `wide` asks for more than the policy grants (network: none)");
  granted.allow_hosts = {"a.example"};
  granted.egress_bytes = 2048;
  reaching = {};
  reaching.egress_bytes = 4096;
  CHECK(chosen(reaching) == "the profile `wide` asks for more than the policy grants (egress-bytes: 2K)");
  reaching.egress_bytes = 1024;
  CHECK(chosen(reaching).empty());

  // What the caller asks for itself is not the profile's fault.
  RunRequest own;
  own.network = sandbox::Network::kHost;
  own.env = {"A=1"};
  own.stdin_mode = StdinMode::kInherit;
  own.limits.processes = 1000;
  CHECK(chosen(wide, own, {"network", "env", "stdin", "processes"}).empty());
}

TEST_CASE("system calls are added by name, but for those that take a wall away") {
  policy::Profile calls;
  RunRequest request;
  REQUIRE(apply(calls, request));
  CHECK(request.filters == nullptr);
  calls.seccomp_allow = {"ptrace", "perf_event_open"};
  REQUIRE(apply(calls, request));
  REQUIRE(request.filters != nullptr);
  CHECK(request.added_syscalls == calls.seccomp_allow);
  for (const char* name : {"mount", "unshare", "setns", "clone3", "bpf", "keyctl", "init_module", "memfd_create", "no_such_call", ""}) {
    INFO(name);
    calls.seccomp_allow = {name};
    CHECK_FALSE(apply(calls, request));
  }
}

TEST_CASE("hosts that are asked for lie within those that are granted") {
  policy::Profile granted;
  granted.allow_hosts = {"index.example.org:443", "*.cdn.example.org"};
  RunRequest request;
  REQUIRE(apply(granted, request));
  CHECK(request.network == sandbox::Network::kEgress);
  CHECK(request.egress.rules.size() == 2);
  const auto asks = [&](const char* host) {
    RunRequest wanted;
    wanted.network = sandbox::Network::kEgress;
    wanted.egress.rules = {*parse_egress_rule(host)};
    if (!apply(granted, wanted, {"allow-host"})) return false;
    CHECK(wanted.egress.rules.size() == 1);
    return true;
  };
  CHECK(asks("index.example.org:443"));
  CHECK(asks("a.cdn.example.org"));
  CHECK(asks("*.cdn.example.org"));
  CHECK(asks("a.b.cdn.example.org:80"));
  for (const char* host : {"index.example.org", "cdn.example.org", "other.example.org:443", "*.example.org:443", "acdn.example.org",
                           "index.example.org:443=10.0.0.0/8", "10.0.0.1:443"}) {
    INFO(host);
    CHECK_FALSE(asks(host));
  }
  request = {};
  request.network = sandbox::Network::kNone;
  REQUIRE(apply(granted, request, {"network"}));
  CHECK(request.network == sandbox::Network::kNone);
  request.network = sandbox::Network::kEgress;
  CHECK_FALSE(apply({}, request, {"network"}));
  request.network = sandbox::Network::kHost;
  CHECK_FALSE(apply(granted, request, {"network"}));
}

TEST_CASE("caps of egress come from the profile, and options can only be tighter") {
  policy::Profile granted;
  granted.allow_hosts = {"a.example"};
  granted.egress_bytes = 1000;
  granted.egress_at_once = 10;
  RunRequest plain;
  REQUIRE(apply(granted, plain));
  CHECK(plain.egress.caps == EgressCaps{.bytes = 1000, .connections_at_once = 10});

  RunRequest tighter;
  tighter.network = sandbox::Network::kEgress;
  tighter.egress.caps = {.bytes = 999, .bytes_per_second = 5, .connections_at_once = 10, .connections = 7};
  REQUIRE(apply(granted, tighter, {"egress-bytes", "egress-rate", "egress-connections", "egress-at-once"}));
  CHECK(tighter.egress.caps == EgressCaps{.bytes = 999, .bytes_per_second = 5, .connections_at_once = 10, .connections = 7});
  CHECK(tighter.egress.rules.size() == 1);

  for (const EgressCaps caps : {EgressCaps{.bytes = 1001}, EgressCaps{.bytes = 0}, EgressCaps{.bytes = 1, .connections_at_once = 11}}) {
    RunRequest looser;
    looser.network = sandbox::Network::kEgress;
    looser.egress.caps = caps;
    CHECK_FALSE(apply(granted, looser, {"egress-bytes", "egress-at-once"}));
  }
  RunRequest nothing_granted;
  nothing_granted.network = sandbox::Network::kEgress;
  CHECK_FALSE(apply({}, nothing_granted, {"egress-bytes"}));
}

TEST_CASE("presets, certificates and credentials of a profile reach the proxy, and wrong ones never load") {
  policy::Profile granted;
  granted.allow_hosts = {"GET api.example.org:80/v1"};
  granted.allow_presets = {"pip-index"};
  granted.ca_file = "/etc/ca.pem";
  granted.headers = {{.host = "GET api.example.org:80/v1", .name = "Authorization", .prefix = "Bearer ", .variable = "TOKEN"}};
  RunRequest request;
  REQUIRE(apply(granted, request));
  policy::Findings findings;
  check_profile(granted, "/profiles/p", findings);
  CHECK(findings.empty());
  REQUIRE(request.egress.rules.size() == 1);
  CHECK(request.egress.rules[0].inject.size() == 1);
  CHECK(request.egress.presets == std::vector<EgressPreset>{EgressPreset::kPipIndex});
  CHECK(request.egress.ca_file == "/etc/ca.pem");

  RunRequest fewer;
  fewer.network = sandbox::Network::kEgress;
  fewer.egress.presets = {EgressPreset::kPipIndex};
  REQUIRE(apply(granted, fewer, {"allow-preset"}));
  CHECK(fewer.egress.rules.empty());
  fewer.egress.presets = {EgressPreset::kGitRemote};
  CHECK_FALSE(apply(granted, fewer, {"allow-preset"}));
  fewer.egress = {};
  fewer.egress.ca_file = "/tmp/other.pem";
  CHECK_FALSE(apply(granted, fewer, {"ca-file"}));

  granted.allow_hosts = {"http://api.example.org/"};
  check_profile(granted, "/profiles/p", findings);
  CHECK(findings.size() == 1);
}

TEST_CASE("a profile's environment is the one that is used; a relative one lies in the workspace, wherever the caller stands") {
  policy::Profile granted;
  for (const char* said : {".venv", "{workspace}/.venv", "/w/.venv"}) {
    CAPTURE(said);
    granted.venv = said;
    RunRequest request;
    REQUIRE(apply(granted, request));
    CHECK(request.venv == "/w/.venv");
    request.venv = "/w/.venv/";
    CHECK(apply(granted, request, {"venv"}));
    for (const char* other : {"/w/evil", ".venv", "/w/.venv/.."}) {
      request.venv = other;
      CHECK_FALSE(apply(granted, request, {"venv"}));
    }
    request.venv.reset();
    CHECK_FALSE(apply(granted, request, {"no-venv"}));
  }
}
