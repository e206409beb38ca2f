// SPDX-License-Identifier: Apache-2.0
// wardenv: the command line. Finds the subcommand and hands over.
#include <cstdio>
#include <cstring>

#include "sandbox/base/standard_fds.h"
#include "tools/wardenv/commands.h"

namespace wardenv::cli {
namespace {

struct Command {
  const char* name;
  int (*run)(const Arguments&);   // nullptr: known, not in this version
  const char* help;
};

// `wardenv` becomes wardenv-serve for it; only who starts wardenv-cli itself comes here.
int serve_command(const Arguments&) {
  return complain({ErrorCode::kBadInput, "`serve` is a program of its own", "start it as `wardenv serve`", 0});
}

constexpr Command kCommands[] = {
    {"run", run_command, "judge, confine and run a command"},
    {"plan", plan_command, "print how it would be confined; run nothing"},
    {"doctor", doctor_command, "what this host can enforce, and how to mend what it can't"},
    {"version", version_command, "version, commit and compiler"},
    {"completions", completions_command, "completions for bash, zsh or fish"},
    {"policy", policy_command, "check, explain, test and write policies"},
    {"approvals", approvals_command, "calls that wait for a person"},
    {"audit", audit_command, "read and verify the log"},
    {"serve", serve_command, "serve the tools over MCP"},
    {"diff", nullptr, "what a run changed in a captured workspace"},
    {"apply", nullptr, "take what a run changed"},
    {"discard", nullptr, "drop what a run changed"},
};

}  // namespace

std::vector<std::string> features() {
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (command.run != nullptr) names.emplace_back(command.name);
  }
  return names;
}

namespace {

int help() {
  std::puts("Usage: wardenv COMMAND [options]\n\nRuns commands that nobody vouches for, confined, in Python virtual environments.\n\nCommands:");
  for (const Command& command : kCommands) {
    std::printf("  %-13s%s%s\n", command.name, command.help, command.run == nullptr ? " (not in this version)" : "");
  }
  std::puts("\nExamples:\n  wardenv run -- python -m pytest\n  wardenv plan -- python -c pass\n  wardenv doctor\n\n`wardenv COMMAND --help` says more.");
  return written();
}

int dispatch(const std::string& name, const Arguments& arguments) {
  if (name == "--help" || name == "-h" || name == "help") return help();
  if (name == "--version") return version_command({});
  for (const Command& command : kCommands) {
    if (name != command.name) continue;
    if (command.run != nullptr) return command.run(arguments);
    return complain({ErrorCode::kBadInput, "`" + name + "` is not available in this version", "`wardenv --help` lists the commands", 0});
  }
  return complain({ErrorCode::kBadInput, "unknown command `" + name + "`", "`wardenv --help` lists the commands", 0});
}

}  // namespace

}  // namespace wardenv::cli

int main(int argc, char** argv) {
  using namespace wardenv::cli;
  if (!wardenv::hold_standard_fds()) leave(kCannot);
  if (argc < 2) {
    help();
    leave(kCannot);
  }
  leave(dispatch(argv[1], Arguments(argv + 2, argv + argc)));
}
