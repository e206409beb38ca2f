// SPDX-License-Identifier: Apache-2.0
// The table of presets. What each was tested against is in tests/unit/policy/commands/injections.json.
#include "policy/commands/presets.h"

#include <algorithm>
#include <iterator>

#include "policy/commands/preset_texts.h"

namespace wardenv::policy {
namespace {

using namespace preset_texts;

std::span<const Preset> table() {
  static const Preset kPresets[] = {
      {"black", "black on files of the workspace", "formatting and checking; no other configuration, no code from the command line", kBlack},
      {"build", "python -m build", "an sdist and a wheel into the workspace; no settings for the backend", kBuild},
      {"coverage", "coverage run -m pytest or unittest, and the reports", "no other module or script, no other configuration, reports into the workspace only",
       kCoverage},
      {"git-commit", "git-readonly, and add, commit, restore --staged, rm, mv, switch",
       "commits with a message; hooks are not skipped, nothing is signed, no argument asks for an editor, no network", kGitCommit},
      {"git-readonly", "git's commands that only look", "status, log, diff, show, blame, grep and others; no configuration, other folder, pager, output file or helper program",
       kGitReadonly},
      {"mypy", "mypy on files, modules and packages", "no other interpreter or configuration, installs nothing, reports into the workspace only", kMypy},
      {"pip-install", "pip-readonly, and pip install of packages by name",
       "names with versions from the configured index; no URL, path, archive, requirements file, other index, other target, option for builds", kPipInstall},
      {"pip-readonly", "pip list, show, check, freeze, inspect", "nothing that installs, downloads, shows the configuration or writes a file", kPipReadonly},
      {"pytest", "pytest on tests of the workspace", "selection and output; no plugin, configuration, root or temporary folder of the caller's choice", kPytest},
      {"python", "python -m with a known module",
       "unittest, pytest, pip (read-only), ruff, mypy, black, coverage, build, json.tool, compileall, py_compile, each with its preset; never -c, no script", kPython},
      {"python-script", "python, and scripts of the workspace with any arguments", "as python; the script must lie in the workspace", kPythonScript},
      {"ruff", "ruff check, format, rule, linter, config, version", "fixes in the workspace; no other configuration, no watching, no server", kRuff},
      {"unittest", "python -m unittest (for `after`)", "names and files of tests in the workspace, discovery below it", kUnittest},
      {"uv", "uv's commands for a project, and uv run with a tool that has a preset",
       "sync, lock, add and remove by name, tree, export, pip list; no other index, interpreter, folder or configuration", kUv},
  };
  return kPresets;
}

}  // namespace

std::span<const Preset> presets() { return table(); }

const Preset* find_preset(std::string_view name) {
  const auto all = table();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Preset& preset) { return preset.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace wardenv::policy
