// SPDX-License-Identifier: Apache-2.0
// Repositories that commands made in their workspaces. Their remotes are the commands' own word, which no egress preset takes: what is there
// before a run is protected from it, and what it makes is remembered.
#pragma once

#include <string>

#include "engine/engine.h"

namespace wardenv::engine {

// Alive during a run. Where the workspace can be written and has no repository, it is watched.
class RepositoryWatch {
 public:
  explicit RepositoryWatch(const RunRequest& request);
  RepositoryWatch(const RepositoryWatch&) = delete;
  RepositoryWatch& operator=(const RepositoryWatch&) = delete;
  ~RepositoryWatch();

  // Before the run: makes the folder where end() notes something, while nothing is started yet. Error: it can't be written,
  // or made where WARDENV_STATE says. An account that has no place for one runs all the same: end() tells, should there be something to note.
  [[nodiscard]] Status make_place() const;

  // After the run: a repository that is there now is noted in the state folder. An error: it is not, and a later run would take its remotes.
  [[nodiscard]] Status end() const;

 private:
  std::string workspace_{};   // empty: nothing to watch
};

// Whether a run made the repository of this workspace, or one that may be making it is under way in this process.
bool repository_made_inside(const std::string& workspace);

}  // namespace wardenv::engine
