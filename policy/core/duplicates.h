// SPDX-License-Identifier: Apache-2.0
// Equal keys of one object are an error wherever they are: readers disagree on which one counts.
#pragma once

#include "policy/core/cursor.h"

namespace wardenv::policy::core {

void find_duplicates(Notes& notes, const Cursor& at);

}  // namespace wardenv::policy::core
