// SPDX-License-Identifier: Apache-2.0
// A run in the program that was started.
#pragma once

#include "sandbox/launch/forked.h"
#include "tools/wardenv/run.h"

namespace wardenv::cli {

// Ends the program where the run is done, or was wrong. Comes back where it is for wardenv-cli: it reaches hosts, is configured, or its
// options are not written plainly. Nothing has happened then. The socket of the launcher is ours, or wardenv-cli's.
void run_here(int argc, char** argv, const launch::Forked& launcher);

// Whether the launcher was told nothing yet: nothing of the run has happened.
bool may_leave();

// The same as run_here() coming back, from the midst of it. Where it may not be left any more the program ends with 125, without a report.
[[noreturn]] void leave_to_cli();

// A run that a policy judges. Leaves to wardenv-cli whatever is not plainly allowed, with all that there is to say about it, and what needs libraries
// that this program does not have: patterns, hooks, approvals, conditions on counters, webhooks, YAML that nobody has read yet.
engine::RunReport run_judged_here(RunOptions& options, const engine::ForkedLauncher& launcher);

// From now on nothing can be left to wardenv-cli.
EngineOrError& begin_here(const RunOptions& options, const engine::ForkedLauncher& launcher);

// wardenv-cli, for reading. -1 where it can't be.
int open_cli();

// Becomes wardenv-cli. Comes back where that is not installed, which it has said then.
void become_cli(char** argv, const launch::Forked& launcher);

}  // namespace wardenv::cli
