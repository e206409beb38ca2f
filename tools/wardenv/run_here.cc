// SPDX-License-Identifier: Apache-2.0
// wardenv run in the program that was started: what it takes, and what it leaves.
#include "tools/wardenv/run_here.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "engine/gate/config.h"
#include "tools/options/plain.h"
#include "tools/wardenv/run.h"

namespace wardenv::cli {
namespace {

bool is_for_cli(const tools::OptionValues& values) {
  constexpr std::string_view kNames[] = {"--config", "--allow-host", "--allow-preset", "--ca-file", "--help"};
  return std::any_of(values.begin(), values.end(), [&](const auto& item) {
    const auto& [name, given] = item;
    const bool egress = name.starts_with("--egress-") || (name == "--network" && given.front() == "egress");
    return egress || std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
  });
}

// run_here() has looked before whether they can be read so.
Result<tools::OptionValues> read_plain(std::span<const OptionInfo> table, std::vector<std::string> arguments, const std::string& hint) {
  auto values = tools::parse_plain(table, arguments);
  if (!values) return fail(ErrorCode::kInternal, "options that are not plain", hint);
  return std::move(*values);
}

const launch::Forked* forked = nullptr;
char** arguments_given = nullptr;
bool begun = false;

engine::RunReport run(RunOptions& options) {
  const engine::ForkedLauncher launcher{forked->socket, forked->pid, forked->apart};
  if (!options.policy.empty() || !options.profile.empty() || !options.grant.empty()) return run_judged_here(options, launcher);
  EngineOrError& engine = begin_here(options, launcher);
  engine::RunReport report = run_unjudged(engine, options);
  end_engine(engine);
  return report;
}

}  // namespace

EngineOrError& begin_here(const RunOptions& options, const engine::ForkedLauncher& launcher) {
  begun = true;
  return begin_engine(options, launcher);
}

bool may_leave() { return !begun; }

void leave_to_cli() {
  if (begun) ::_exit(kCannot);
  hold_signals();
  (void)::fcntl(forked->socket, F_SETFD, 0);
  become_cli(arguments_given, *forked);
  ::_exit(kCannot);
}

void run_here(int argc, char** argv, const launch::Forked& launcher) {
  const Arguments arguments(argv + 2, argv + argc);
  const auto values = tools::parse_plain(run_options(), std::span(arguments.begin(), std::find(arguments.begin(), arguments.end(), "--")));
  if (!values || is_for_cli(*values) || engine::usual_config()) return;
  if (::fcntl(launcher.socket, F_SETFD, FD_CLOEXEC) < 0) return;
  forked = &launcher;
  arguments_given = argv;
  leave(run_with(arguments, run, read_plain));
}

}  // namespace wardenv::cli
