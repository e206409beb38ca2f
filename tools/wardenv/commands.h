// SPDX-License-Identifier: Apache-2.0
// The subcommands. Each gets the arguments after its name and answers the exit status.
#pragma once

#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::cli {

using Arguments = std::vector<std::string>;

inline constexpr int kCannot = 125;  // wardenv could not do its job

int run_command(const Arguments& arguments);
int plan_command(const Arguments& arguments);
int doctor_command(const Arguments& arguments);
int version_command(const Arguments& arguments);
int policy_command(const Arguments& arguments);
int approvals_command(const Arguments& arguments);
int audit_command(const Arguments& arguments);
int completions_command(const Arguments& arguments);

// One line on stderr: "wardenv: <message> — <hint>". Answers kCannot.
int complain(const Error& error);

// The end of the program, with all output written.
[[noreturn]] void leave(int status);

}  // namespace wardenv::cli
