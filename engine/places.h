// SPDX-License-Identifier: Apache-2.0
// Which very folders and files a plan is about: what a sandbox that was made ready for such a plan must have been made of.
#pragma once

#include "sandbox/plan.h"

namespace wardenv::engine {

// Writes into the steps that belong to the single run which inode on which device (stat(2)) lies at the path that they open or bind over itself, what tells
// it from an earlier one of that number, and whom it belongs to where that matters. A step whose path can't be looked at stays as it is, and nothing is made
// ready for such a plan (but for an optional folder that is not there): nobody could say later whether it is still mounted. Two plans that are alike after that ask for the same
// things of the host, at the moment that each was looked at.
void pin_places(sandbox::LaunchPlan& plan);

}  // namespace wardenv::engine
