// SPDX-License-Identifier: Apache-2.0
// The options of `run` and `plan`.
#include "tools/wardenv/options.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "engine/units.h"

namespace wardenv::cli {
namespace {

constexpr const char* kLater = "is not available in this version";

using Values = tools::OptionValues;
using engine::RunRequest;

template <typename T, typename U>
Status assign(Result<T> parsed, U& to) {
  if (!parsed) return tl::unexpected(parsed.error());
  to = static_cast<U>(*parsed);
  return {};
}

template <typename T>
Status choose(const std::string& value, const std::map<std::string, T>& choices, T& to) {
  auto found = choices.find(value);
  if (found == choices.end()) {
    std::string names;
    for (const auto& choice : choices) names += (names.empty() ? "" : ", ") + choice.first;
    return fail(ErrorCode::kBadInput, "`" + value + "` is not one of " + names);
  }
  to = found->second;
  return {};
}

Status set_access(const std::string& value, RunRequest& request) {
  if (value == "captured") return fail(ErrorCode::kBadInput, std::string("`captured` ") + kLater, "use read-only or direct");
  return choose(value, std::map<std::string, engine::Access>{{"read-only", engine::Access::kReadOnly}, {"direct", engine::Access::kDirect}}, request.access);
}

Status set_network(const std::string& value, RunRequest& request) {
  using sandbox::Network;
  return choose(value, std::map<std::string, Network>{{"none", Network::kNone}, {"egress", Network::kEgress}, {"host", Network::kHost}}, request.network);
}

Status set_clock(const std::string& value, RunRequest& request) {
  using sandbox::Clock;
  return choose(value, std::map<std::string, Clock>{{"host", Clock::kHost}, {"own", Clock::kOwnNamespace}}, request.clock);
}

Status add_host(const std::string& value, RunRequest& request) {
  auto rule = engine::parse_egress_rule(value);
  if (!rule) return tl::unexpected(rule.error());
  request.egress.rules.push_back(std::move(*rule));
  return {};
}

Status add_preset(const std::string& value, RunRequest& request) {
  auto preset = engine::parse_egress_preset(value);
  if (!preset) return tl::unexpected(preset.error());
  request.egress.presets.push_back(*preset);
  return {};
}

// What is said of egress implies it; with a network that was named otherwise it is a contradiction.
Status choose_network(const Values& values, RunRequest& request) {
  const bool egress = std::any_of(values.begin(), values.end(), [](const auto& item) {
    return item.first.starts_with("--allow-host") || item.first.starts_with("--allow-preset") || item.first == "--ca-file" || item.first.starts_with("--egress-");
  });
  if (!egress || request.network == sandbox::Network::kEgress) return {};
  if (values.count("--network") != 0) {
    return fail(ErrorCode::kBadInput, "--allow-host, --allow-preset, --ca-file and --egress-… need --network egress", "leave out --network");
  }
  request.network = sandbox::Network::kEgress;
  return {};
}

Status set_egress_size(const std::string& text, std::uint64_t& to) {
  const auto size = engine::parse_size(text);
  if (size && *size == 0) return fail(ErrorCode::kBadInput, "`" + text + "` would let nothing through", "for example 10M");
  return assign(size, to);
}

Status set_egress_count(const std::string& text, std::uint32_t& to) {
  const auto count = engine::parse_count(text);
  return count ? assign(count, to) : fail(ErrorCode::kBadInput, "`" + text + "` is not a number of connections", "for example 100");
}

Status set_degradable(const std::string& list, RunRequest& request) {
  sandbox::Degradable& may = request.degradable;
  std::string rest = list + ",";
  while (!rest.empty()) {
    const std::string name = rest.substr(0, rest.find(','));
    rest.erase(0, name.size() + 1);
    if (name == "memory" || name == "cgroup") may.memory = true;
    if (name == "cpu" || name == "cgroup") may.cpu = true;   // `processes` has nothing to give up: they are counted everywhere
    if (name != "memory" && name != "processes" && name != "cpu" && name != "cgroup") {
      return fail(ErrorCode::kBadInput, "`" + name + "` can't be degraded", "for example --allow-degraded=cpu; known are memory, cpu, processes (held everywhere) and cgroup (all of them)");
    }
  }
  return {};
}

Status set_stdin(const std::string& value, RunRequest& request) {
  return choose(value, std::map<std::string, engine::StdinMode>{{"null", engine::StdinMode::kNull}, {"inherit", engine::StdinMode::kInherit}}, request.stdin_mode);
}

using Setter = Status (*)(const std::string&, RunRequest&);

const std::map<std::string, Setter>& setters() {
  static const std::map<std::string, Setter> table = {
      {"--venv", [](const std::string& v, RunRequest& r) -> Status { r.venv = v; return {}; }},
      {"--workspace", [](const std::string& v, RunRequest& r) -> Status { r.workspace = v; return {}; }},
      {"--cwd", [](const std::string& v, RunRequest& r) -> Status { r.cwd = v; return {}; }},
      {"--access", set_access},
      {"--network", set_network},
      {"--allow-host", add_host},
      {"--allow-preset", add_preset},
      {"--ca-file", [](const std::string& v, RunRequest& r) -> Status { r.egress.ca_file = v; return {}; }},
      {"--egress-bytes", [](const std::string& v, RunRequest& r) { return set_egress_size(v, r.egress.caps.bytes); }},
      {"--egress-rate", [](const std::string& v, RunRequest& r) { return set_egress_size(v, r.egress.caps.bytes_per_second); }},
      {"--egress-connections", [](const std::string& v, RunRequest& r) { return set_egress_count(v, r.egress.caps.connections); }},
      {"--egress-at-once", [](const std::string& v, RunRequest& r) { return set_egress_count(v, r.egress.caps.connections_at_once); }},
      {"--timeout", [](const std::string& v, RunRequest& r) { return assign(engine::parse_duration(v), r.limits.wall_time); }},
      {"--memory", [](const std::string& v, RunRequest& r) { return assign(engine::parse_size(v), r.limits.memory_bytes); }},
      {"--processes", [](const std::string& v, RunRequest& r) { return assign(engine::parse_count(v), r.limits.processes); }},
      {"--cpu", [](const std::string& v, RunRequest& r) { return assign(engine::parse_cores(v), r.limits.cpus); }},
      {"--output-limit", [](const std::string& v, RunRequest& r) { return assign(engine::parse_size(v), r.output_limit_bytes); }},
      {"--tmp-size", [](const std::string& v, RunRequest& r) { return assign(engine::parse_size(v), r.limits.tmp_bytes); }},
      {"--env", [](const std::string& v, RunRequest& r) -> Status { r.env.push_back(v); return {}; }},
      {"--clock", set_clock},
      {"--stdin", set_stdin},
      {"--allow-degraded", set_degradable}};
  return table;
}

bool has_folder(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// --venv, else $VIRTUAL_ENV, else .venv in the workspace.
Status choose_venv(const Values& values, RunRequest& request) {
  const bool without = values.count("--no-venv") != 0;
  if (without && request.venv) return fail(ErrorCode::kBadInput, "--venv and --no-venv exclude each other");
  if (without || request.venv) return {};
  const char* active = std::getenv("VIRTUAL_ENV");
  const std::string usual = request.workspace + "/.venv";
  if (active != nullptr && *active != '\0') {
    request.venv = active;
  } else if (has_folder(usual)) {
    request.venv = usual;
  } else {
    return fail(ErrorCode::kNotFound, "no virtual environment: VIRTUAL_ENV is not set and `" + usual + "` does not exist",
                "make one with `python3 -m venv .venv`, name one with --venv DIR, or say --no-venv");
  }
  return {};
}

Status take_judging(const Values& values, RunOptions& options) {
  WARDENV_TRY(tools::refuse_empty(values, {"--policy", "--profile", "--grant", "--config"}));
  auto take = [&](const char* name, auto& to) {
    if (auto found = values.find(name); found != values.end()) to = found->second.front();
  };
  take("--policy", options.policy);
  take("--profile", options.profile);
  take("--grant", options.grant);
  take("--config", options.config);
  return {};
}

Status apply_values(const Values& values, RunOptions& options) {
  for (const auto& [name, given] : values) {
    auto setter = setters().find(name);
    if (setter == setters().end()) continue;
    for (const std::string& value : given) {
      if (auto status = setter->second(value, options.request); !status) {
        Error error = status.error();
        error.message = name + ": " + error.message;
        return tl::unexpected(std::move(error));
      }
    }
  }
  options.quiet = values.count("--quiet") != 0;
  for (const auto& [name, given] : values) options.asked.push_back(name.substr(2));
  WARDENV_TRY(take_judging(values, options));
  options.request.require_cgroup = values.count("--require-cgroup") != 0;
  WARDENV_TRY(choose_network(values, options.request));
  return choose_venv(values, options.request);
}

Status refuse_unbuilt(const Values& values) {
  for (const OptionInfo& option : run_options()) {
    if (option.not_yet != nullptr && values.count(option.name) != 0) {
      return fail(ErrorCode::kBadInput, std::string(option.name) + " " + option.not_yet, "leave it out");
    }
  }
  return {};
}

}  // namespace

const std::vector<OptionInfo>& run_options() {
  static const std::vector<OptionInfo> table = {
      {"--venv", Takes::kFolder, "DIR", "virtual environment (default: $VIRTUAL_ENV, else .venv in the workspace)"},
      {"--no-venv", Takes::kNothing, "", "run without a virtual environment"},
      {"--workspace", Takes::kFolder, "DIR", "the folder that the command works in (default: the current one)"},
      {"--cwd", Takes::kFolder, "DIR", "where it starts, inside the workspace"},
      {"--access", Takes::kChoice, "read-only|direct|captured", "what it may do to the workspace (default: direct)"},
      {"--network", Takes::kChoice, "none|egress|host", "what it may reach (default: none)"},
      {"--allow-host", Takes::kText, "NAME[:PORT]", "a host that it may reach, by name; more forms: wardenv(1)", true},
      {"--allow-preset", Takes::kText, "NAME", "what is configured here: pip-index, npm-registry, apt-sources, git-remote", true},
      {"--ca-file", Takes::kFile, "FILE", "with egress: certificates that it trusts instead of the system's"},
      {"--egress-bytes", Takes::kText, "SIZE", "through the proxy in all, both directions (default: 4G)"},
      {"--egress-rate", Takes::kText, "SIZE", "bytes a second through the proxy (default: no cap)"},
      {"--egress-connections", Takes::kText, "N", "connections to the proxy in all (default: 10000)"},
      {"--egress-at-once", Takes::kText, "N", "connections to the proxy at once, up to 4096 (default: 1024)"},
      {"--timeout", Takes::kText, "TIME", "the whole tree is killed after it (default: 30s)"},
      {"--memory", Takes::kText, "SIZE", "RAM and swap of the whole tree (default: 512M)"},
      {"--processes", Takes::kText, "N", "processes and threads of the whole tree (default: 64)"},
      {"--cpu", Takes::kText, "CORES", "CPU bandwidth (default: 1.0)"},
      {"--output-limit", Takes::kText, "SIZE", "what is kept of each stream: head and tail (default: 1M)"},
      {"--tmp-size", Takes::kText, "SIZE", "/tmp, /dev/shm and HOME together (default: 64M)"},
      {"--env", Takes::kText, "NAME=VALUE", "a variable for the command; nothing is inherited", true},
      {"--stdin", Takes::kChoice, "null|inherit", "what it reads: nothing, or the bytes of our standard input (default: null)"},
      {"--clock", Takes::kChoice, "host|own", "own: in a time namespace of its own (default: host)"},
      {"--policy", Takes::kFile, "FILE", "judge the call by this policy first"},
      {"--profile", Takes::kText, "NAME", "a sandbox profile of the policy"},
      {"--grant", Takes::kText, "NAME", "the grant that calls: needed where the policy has grants"},
      {"--config", Takes::kFile, "FILE", "configuration"},
      {"--json", Takes::kNothing, "", "print one JSON report, with the command's output in it"},
      {"--quiet", Takes::kNothing, "", "no summary of refused system calls on stderr"},
      {"--allow-degraded", Takes::kText, "LIST", "limits that may be weaker than asked: memory (swap uncounted), cpu (a whole one), cgroup (both)"},
      {"--require-cgroup", Takes::kNothing, "", "refuse where control groups can't hold the limits"},
      {"--help", Takes::kNothing, "", "this text"}};
  return table;
}

Status parse_run(const Arguments& arguments, RunOptions& options, ReadOptions read) {
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  const std::vector<std::string> own(arguments.begin(), separator);
  options.json = std::find(own.begin(), own.end(), "--json") != own.end();
  auto values = read(run_options(), own, "`wardenv run --help` lists the options");
  if (!values) return tl::unexpected(values.error());
  options.help = values->count("--help") != 0;
  if (options.help) return {};
  if (separator == arguments.end() || separator + 1 == arguments.end()) {
    return fail(ErrorCode::kBadInput, "no command", "write it after two dashes: wardenv run -- python -m pytest");
  }
  options.request.argv.assign(separator + 1, arguments.end());
  WARDENV_TRY(refuse_unbuilt(*values));
  return apply_values(*values, options);
}

std::string run_help(const std::string& command) {
  std::string text = "Usage: wardenv " + command + " [options] -- COMMAND [ARG...]\n\n";
  text += command == "run" ? "Runs COMMAND confined, relays its output, and exits as it does.\n\nOptions:\n"
                           : "Prints how COMMAND would be confined, step by step, and runs nothing. (--json: as JSON)\n\nOptions:\n";
  text += tools::help_lines(run_options(), 38);
  text += "\nSizes take K, M, G (1024); times ms, s, m, h.\n\nExamples:\n"
          "  wardenv " + command + " -- python -m pytest -x\n"
          "  wardenv " + command + " --access read-only --memory 2G --timeout 10m -- python -m mypy src\n"
          "  wardenv " + command + " --policy policy.yaml --json -- pytest -q\n"
          "  wardenv " + command + " --no-venv --json -- /usr/bin/true\n\n"
          "Exit status: the command's own; 128+N killed by signal N; 124 timed out; 125 wardenv could not do its job;\n"
          "126 not executable; 127 not found; 77 denied by the policy; 75 it waits for a person's approval.\n";
  return text;
}

}  // namespace wardenv::cli
