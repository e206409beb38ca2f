// SPDX-License-Identifier: Apache-2.0
// StepList: what all parts of compile() add to.
#include <algorithm>

#include "sandbox/compile_parts.h"

namespace wardenv::sandbox {

void StepList::add(PlanStep step) {
  if (in_tree_) step.flags |= wire::kFlagByLauncher | wire::kFlagInTree;
  steps_.push_back(std::move(step));
}

void StepList::add_all(std::vector<PlanStep> steps) {
  for (PlanStep& step : steps) add(std::move(step));
}

void StepList::folder(const std::string& path, std::uint64_t mode) {
  if (std::find(folders_.begin(), folders_.end(), path) != folders_.end()) return;
  if (const auto end = path.rfind('/'); end > 0 && end != std::string::npos) folder(path.substr(0, end), 0755);
  folders_.push_back(path);
  add({.op = wire::Op::kFolder, .text = path, .a = mode});
}

void StepList::end_tree() {
  in_tree_ = false;
  folders_.clear();
}

}  // namespace wardenv::sandbox
