// SPDX-License-Identifier: Apache-2.0
// The subcommands. Each gets the arguments after its name and answers the exit status.
#pragma once

#include <string>
#include <string_view>
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

// The names of the commands that this version has.
std::vector<std::string> features();

// One line on stderr, "wardenv: <line>", whatever is in it: control characters are made visible.
void tell(std::string_view line);

// The same: "wardenv: <message> — <hint>". Answers kCannot.
int complain(const Error& error);

// Ends everything that was printed to stdout: answers `status` where all of it is out, else complains, once, and answers kCannot.
int written(int status = 0);

// A whole text to stdout, with a newline at its end. Answers 0, or kCannot as written() does.
int say(std::string_view text);

// The end of the program, with all output written.
[[noreturn]] void leave(int status);

}  // namespace wardenv::cli
