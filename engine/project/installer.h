// SPDX-License-Identifier: Apache-2.0
// The command lines of what makes virtual environments and installs packages: python -m venv with pip, or uv. Pure.
#pragma once

#include <string>
#include <vector>

#include "engine/egress/settings.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

enum class InstallerKind { kPip, kUv };

struct InstallerSettings {
  InstallerKind kind = InstallerKind::kPip;
  std::string uv{};            // absolute path of uv, on a path that sandboxes see
  std::string python = "/usr/bin/python3";   // that environments are made with
  std::string index_url{};     // set by the operator; empty: the installer's own
};

// uv where it lies in a folder that sandboxes have in PATH, else pip.
InstallerSettings find_installer();

// Error kBadInput: not an http or https address, or one with white space.
Status check_index_url(const std::string& url);

// The egress rule that lets the index be reached and nothing else: its host and port. Error as above.
Result<EgressRule> index_rule(const std::string& url);

// `venv`: absolute path of the folder. `requirements` are written anew from parsed ones: none can be an option, and they come after `--`.
// No cache is used, nothing of the project's folder is imported or read for settings. What installers hear by variables (PIP_INDEX_URL,
// UV_DEFAULT_INDEX) comes from a profile of the policy, or from the egress preset; the venv's pip.conf can't be written by installers.
std::vector<std::string> create_command(const InstallerSettings& settings, const std::string& venv);
std::vector<std::string> install_command(const InstallerSettings& settings, const std::string& venv, const std::vector<std::string>& requirements);
std::vector<std::string> uninstall_command(const InstallerSettings& settings, const std::string& venv, const std::vector<std::string>& names);

}  // namespace wardenv::engine
