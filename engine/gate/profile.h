// SPDX-License-Identifier: Apache-2.0
// A policy's profile and a request: what is granted goes in, what is asked for beyond it is an error.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/gate/asking.h"
#include "policy/core/document.h"
#include "policy/finding.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

// `asked`: names of the options of `wardenv run`, without dashes, whose values in `request` are the caller's own; each may only be as strict as
// `granted`, or stricter. Every other field becomes what `granted` says, or stays as it is where it says nothing. `workspace` stands for
// "{workspace}" in paths of mounts and of the venv. Error kBadInput names the option that asks for more.
Status apply_profile(const policy::Profile& granted, const std::string& workspace, std::span<const std::string> asked, RunRequest& request);

// Whether the engine can grant it at all: rules of egress, presets, system calls, access. All that is wrong is added to `findings`, as errors of
// the policy with pointers below `pointer`: told when it is loaded, and not when a call needs it.
void check_profile(const policy::Profile& profile, const std::string& pointer, policy::Findings& findings);

// What a profile that the caller chose by name asks for: its values put into `request`, and the names of them added to `asked`.
// Error kBadInput where it has what no option can say (mounts, variables, system calls): such a profile can only be granted.
Status ask_for_profile(const policy::Profile& chosen, RunRequest& request, std::vector<std::string>& asked);

// Whether what a chosen profile asks for (`request` after ask_for_profile(), and the options that it added) is granted. Error kBadInput names that
// profile and what is granted: its caller gave none of those options itself.
Status check_chosen(const policy::Profile& granted, const std::string& workspace, const Asking& chosen, RunRequest request);

}  // namespace wardenv::engine
