// SPDX-License-Identifier: Apache-2.0
// What a run makes where git on the host would take programs from. What is there before a run is read-only to it; what
// is not can be made, and is put out of git's way at its end.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {

// Alive during a run. Looks at the repository of a workspace that can be written, where it has one.
class PlantWatch {
 public:
  explicit PlantWatch(const RunRequest& request);

  // After the run, when nothing of it lives: what is there and was not is renamed, and told as a violation of the kind
  // `path`. An error: something is there and can't be renamed.
  Status end(std::vector<Violation>& violations) const;

 private:
  struct Spot {
    std::string folder{};  // relative to the workspace
    std::string name{};
    std::string identity{};  // identity_of; empty: it was not there
  };

  UniqueFd workspace_;  // of a path: neither its mode nor its name, which the run may change, leads us elsewhere
  std::vector<Spot> spots_{};
};

}  // namespace wardenv::engine
