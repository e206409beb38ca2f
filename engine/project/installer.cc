// SPDX-License-Identifier: Apache-2.0
// Command lines of pip (pip.pypa.io) and uv (its "Commands" reference).
#include "engine/project/installer.h"

#include <unistd.h>

#include <algorithm>

namespace wardenv::engine {
namespace {

using Words = std::vector<std::string>;

// What every command of uv gets: pyproject.toml and uv.toml are not read for settings, nothing is downloaded but packages.
const Words kUvPlain = {"--no-config", "--no-cache", "--no-progress", "--no-python-downloads", "--color", "never"};

Words operator+(Words left, const Words& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// -I: neither the current folder nor the environment has a say in what is imported.
Words pip(const std::string& venv) { return {venv + "/bin/python", "-I", "-m", "pip"}; }

const Words kPipPlain = {"--no-input", "--disable-pip-version-check", "--no-color"};

}  // namespace

InstallerSettings find_installer() {
  InstallerSettings settings;
  for (const char* path : {"/usr/local/bin/uv", "/usr/bin/uv"}) {
    if (::access(path, X_OK) < 0) continue;
    settings.kind = InstallerKind::kUv;
    settings.uv = path;
    break;
  }
  return settings;
}

Status check_index_url(const std::string& url) {
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (plain && (url.starts_with("https://") || url.starts_with("http://"))) return {};
  return fail(ErrorCode::kBadInput, "`" + url + "` is not the address of a package index", "for example https://index.example/simple");
}

Result<EgressRule> index_rule(const std::string& url) {
  WARDENV_TRY(check_index_url(url));
  const bool secure = url.starts_with("https://");
  std::string host = url.substr(url.find("://") + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (host.find('@') != std::string::npos) return fail(ErrorCode::kBadInput, "the address of the package index has a user in it", "credentials belong into the policy's profile");
  const auto colon = host.rfind(':');
  if (colon == std::string::npos || host.find(']', colon) != std::string::npos) host += secure ? ":443" : ":80";
  return parse_egress_rule(host);
}

std::vector<std::string> create_command(const InstallerSettings& settings, const std::string& venv) {
  if (settings.kind == InstallerKind::kUv) return Words{settings.uv, "venv"} + kUvPlain + Words{"--allow-existing", "--python", settings.python, "--", venv};
  return {settings.python, "-I", "-m", "venv", "--", venv};
}

std::vector<std::string> install_command(const InstallerSettings& settings, const std::string& venv, const std::vector<std::string>& requirements) {
  Words index;
  if (settings.kind == InstallerKind::kUv) {
    if (!settings.index_url.empty()) index = {"--default-index", settings.index_url};
    return Words{settings.uv, "pip", "install"} + kUvPlain + Words{"--link-mode", "copy", "--python", venv + "/bin/python"} + index + Words{"--"} + requirements;
  }
  if (!settings.index_url.empty()) index = {"--index-url", settings.index_url};
  return pip(venv) + Words{"install"} + kPipPlain + Words{"--no-cache-dir", "--progress-bar", "off", "--no-warn-script-location", "--require-virtualenv"} + index +
         Words{"--"} + requirements;
}

std::vector<std::string> uninstall_command(const InstallerSettings& settings, const std::string& venv, const std::vector<std::string>& names) {
  if (settings.kind == InstallerKind::kUv) return Words{settings.uv, "pip", "uninstall"} + kUvPlain + Words{"--python", venv + "/bin/python", "--"} + names;
  return pip(venv) + Words{"uninstall"} + kPipPlain + Words{"--yes", "--require-virtualenv", "--"} + names;
}

}  // namespace wardenv::engine
