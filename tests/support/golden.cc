// SPDX-License-Identifier: Apache-2.0
// Golden files.
#include "tests/support/golden.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace wardenv::testing {

std::string compare_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(WARDENV_SOURCE_DIR) + "/tests/golden/" + name;
  if (std::getenv("WARDENV_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << actual;
    return {};
  }
  std::ifstream file(path);
  if (!file) return "no golden file " + name + "; make it with WARDENV_UPDATE_GOLDEN=1";
  std::istringstream actual_lines(actual);
  std::string expected, got;
  for (int line = 1;; ++line) {
    const bool more_expected = static_cast<bool>(std::getline(file, expected));
    const bool more_got = static_cast<bool>(std::getline(actual_lines, got));
    if (!more_expected && !more_got) return {};
    if (more_expected != more_got || expected != got) {
      return name + ":" + std::to_string(line) + ": expected `" + (more_expected ? expected : "(end)") + "`, got `" + (more_got ? got : "(end)") + "`";
    }
  }
}

}  // namespace wardenv::testing
