// SPDX-License-Identifier: Apache-2.0
// Golden files: expected text beside the tests. WARDENV_UPDATE_GOLDEN=1 writes them anew.
#pragma once

#include <string>

namespace wardenv::testing {

// Compares `actual` with tests/golden/<name>. Answers "" where they are equal, else what differs first.
std::string compare_golden(const std::string& name, const std::string& actual);

}  // namespace wardenv::testing
