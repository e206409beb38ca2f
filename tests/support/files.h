// SPDX-License-Identifier: Apache-2.0
// Files for tests.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

namespace wardenv::testing {

// All that is in a file; nothing where it can't be read.
inline std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace wardenv::testing
