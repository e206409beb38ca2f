// SPDX-License-Identifier: Apache-2.0
// Rules that are derived from how this host, the venv and the workspace are configured. No host name is written down here: what nothing
// configures is asked of the package manager itself, in a sandbox without network.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/egress/settings.h"

namespace wardenv::engine {

// Runs a command in a sandbox without network and answers what it wrote.
using AskInside = std::function<Result<std::string>(const std::vector<std::string>& argv)>;

struct PresetInput {
  std::string venv{};                       // folder of the virtual environment; empty: none
  std::string workspace{};
  std::vector<std::string> written{};       // real paths of what runs can write: the workspace, a project with its venv, writable mounts
  std::vector<std::string> environment{};   // "NAME=VALUE" of the run's profile, which counts before the engine's own variables
  bool repository_made_inside = false;      // the workspace's repository is a command's work: its remotes are nobody's word
  AskInside ask;
};

struct DerivedEgress {
  std::vector<EgressRule> rules{};
  std::vector<std::string> environment{};   // what tells programs inside of it, where they can't see the files that said so; no secrets
};

// Configuration that the command could have written does not count, whosever it should be: nothing in `written` but, for git-remote, the
// repository's remotes (`.git/config` is protected), unless a run made that repository. The pip.conf of a venv elsewhere counts (a run with
// a writable venv can't write it), for public addresses. Programs that are asked are the host's, never the venv's.
// Error kNotFound where a preset finds no host.
Result<DerivedEgress> derive_presets(const std::vector<EgressPreset>& presets, const PresetInput& input);

}  // namespace wardenv::engine
