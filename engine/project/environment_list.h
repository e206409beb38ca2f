// SPDX-License-Identifier: Apache-2.0
// What is installed in a virtual environment, as a script inside a sandbox reads it from the metadata of packages.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

struct InstalledPackage {
  std::string name{};      // as its metadata says; checked to be a package's name
  std::string version{};
  bool operator==(const InstalledPackage&) const = default;
};

struct PackageChange {
  std::string name{};
  std::string from{};      // empty: it was not there
  std::string to{};        // empty: it is gone
};

struct EnvironmentList {
  std::string python{};                          // version of the interpreter
  std::vector<InstalledPackage> packages{};      // by normalised name
  // Normalised names of what the given roots need, themselves included; none where that could not be told.
  std::optional<std::set<std::string>> needed{};
};

// Turns `request` (limits and workspace are the caller's) into the run that lists `venv`: read-only, without a network, and without running
// anything that site-packages says (no .pth, no sitecustomize). `roots`: dependency specifiers whose closure is wanted.
void prepare_list(RunRequest& request, const std::string& venv, const std::vector<std::string>& roots);

// Reads the run's answer, which may have been forged by what is installed. Error kBadInput where it is none.
Result<EnvironmentList> read_list(const RunReport& report);

std::vector<PackageChange> compare(const EnvironmentList& before, const EnvironmentList& after);

}  // namespace wardenv::engine
