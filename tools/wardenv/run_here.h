// SPDX-License-Identifier: Apache-2.0
// A run that nothing judges, in the program that was started.
#pragma once

#include "sandbox/launch/forked.h"

namespace wardenv::cli {

// Ends the program where the run is done, or was wrong. Comes back where it is for wardenv-cli: something judges it, it reaches hosts, or its
// options are not written plainly. Nothing has happened then. The socket of the launcher is ours, or wardenv-cli's.
void run_here(int argc, char** argv, const launch::Forked& launcher);

}  // namespace wardenv::cli
