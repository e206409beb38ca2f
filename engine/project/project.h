// SPDX-License-Identifier: Apache-2.0
// Project: a folder with a virtual environment `.venv` and a pyproject.toml, and what can be done with it. Everything that executes
// anything runs in a sandbox.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/project/environment_list.h"
#include "engine/project/installer.h"
#include "engine/project/pyproject.h"
#include "engine/project/workspaces.h"

namespace wardenv::engine {

// A project found from a caller's folder.
struct Project {
  Place folder;               // where .venv lies
  std::string venv{};         // its real path
};

// The nearest folder upwards from `cwd`, inside the workspace, that holds `.venv`. One that is a symbolic link is none: what it leads to is
// not the workspace's. Error kNotFound: none, with what to do.
Result<Project> find_project(const Place& cwd);

// How an operation runs things: what was granted, and where it goes.
struct Runner {
  RunRequest granted;                                        // limits, network and so on as the policy left them; argv, venv, access are ours
  std::function<RunReport(const RunRequest& request)> run{};   // runs and reports; cancellation is its business
  std::function<bool()> cancelled{};                           // whether waiting for another operation should end; may be empty
  std::function<void(std::string_view line)> say{};            // what is waited for; empty once nothing is; may be empty itself
  InstallerSettings installer;
  DirectReference direct = DirectReference::kRefuse;
};

struct PyprojectEntry {
  std::string requirement{};
  Section section = Section::kMain;
  Change change = Change::kUnchanged;
};

// What came of an operation. With `error` nothing of pyproject.toml was changed, unless `pyproject` says so.
struct Outcomes {
  std::optional<Error> error;
  std::string folder{};                        // of the project
  std::string venv{};
  bool made_venv = false;
  std::vector<PyprojectEntry> pyproject{};     // what changed there
  std::vector<PackageChange> packages{};       // what changed in the environment
  std::vector<std::string> notes{};
  std::optional<RunReport> report;             // of the installer's run, the last one
};

// Makes `cwd`/.venv; one that is there and works stays as it is. Only that folder can be written by what makes it.
Outcomes init_project(const Runner& runner, const Place& cwd);

// Installs, then adds to pyproject.toml: if installing fails, the file is untouched.
Outcomes add_packages(const Runner& runner, const Place& cwd, const std::vector<Requirement>& wanted, Section section);

// Uninstalls the package, and what only it needed, then removes it from pyproject.toml. `section`: none looks in both.
Outcomes remove_package(const Runner& runner, const Place& cwd, const std::string& name, std::optional<Section> section);

// Installs what pyproject.toml lists (dependencies and the group dev), and uninstalls what nothing of it needs. pip, setuptools and wheel stay.
Outcomes sync_project(const Runner& runner, const Place& cwd);

// What is installed. `list` is set where there is no error.
Outcomes list_packages(const Runner& runner, const Place& cwd, EnvironmentList& list);

// The text of the project's pyproject.toml; kNotFound where there is none.
Result<std::string> read_pyproject_text(const Place& folder);

}  // namespace wardenv::engine
