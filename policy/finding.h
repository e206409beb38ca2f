// SPDX-License-Identifier: Apache-2.0
// Finding: one thing that is wrong in a policy document, with its place.
#pragma once

#include <string>
#include <vector>

namespace wardenv::policy {

// A warning is something that a person should look at; the document is loaded all the same.
enum class Severity { kError, kWarning };

// What every reader of a part of the document appends to a list: the readers never stop at the first one.
struct Finding {
  std::string pointer{};  // RFC 6901 JSON pointer of the value that is wrong, e.g. "/tools/run_in_venv/limits/0/max"
  std::string message{};  // one line, lower case, no full stop, says what would be right
  int line = 0;           // 1-based place in the file; 0 until the loader has filled it in from the pointer
  int column = 0;
  Severity severity = Severity::kError;
};
using Findings = std::vector<Finding>;

}  // namespace wardenv::policy
