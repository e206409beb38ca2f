// SPDX-License-Identifier: Apache-2.0
// The grammars of the presets, as JSON texts; one .cc file for each family of tools. Private to this folder.
#pragma once

#include <string_view>

namespace wardenv::policy::preset_texts {

extern const std::string_view kBlack, kBuild, kCoverage, kMypy, kRuff;             // preset_checkers.cc
extern const std::string_view kGitCommit, kGitReadonly;                            // preset_git.cc
extern const std::string_view kPipInstall, kPipReadonly, kUv;                      // preset_packages.cc
extern const std::string_view kPytest, kPython, kPythonScript, kUnittest;          // preset_python.cc

}  // namespace wardenv::policy::preset_texts
