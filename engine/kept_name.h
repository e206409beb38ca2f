// SPDX-License-Identifier: Apache-2.0
// The name of a kept view: a sum of all that it is made from. Nobody hostile chooses any of that.
#pragma once

#include <string>

#include "engine/system_view.h"

namespace wardenv::engine {

std::string kept_name(const SystemView& system);

// True for what lies in /etc, where all that is named by a system view and kept lies.
bool is_in_etc(const std::string& path);

}  // namespace wardenv::engine
