// SPDX-License-Identifier: Apache-2.0
// Egress presets of a run: derived before it, with questions answered by sandboxes of their own.
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <mutex>

#include "engine/egress/presets.h"
#include "engine/engine.h"
#include "engine/made_inside.h"
#include "engine/paths.h"

namespace wardenv::engine {

namespace {

std::string real_path(const std::string& path) {
  const auto resolved = resolve_path(path);
  return resolved ? resolved->real : absolute(path);
}

// Of this run and of those like it: what is read-only now may have been another's to write.
std::vector<std::string> written_by_runs(const RunRequest& request) {
  std::vector<std::string> written{real_path(request.workspace)};
  if (request.venv_within) written.push_back(*request.venv_within);
  for (const ProfileMount& mount : request.mounts) {
    if (mount.access == Access::kDirect) written.push_back(real_path(mount.path));
  }
  return written;
}

}  // namespace

// What a package manager of the host says of itself, asked once. Without the venv of any run: its programs are what runs made of them. The run that
// asks has entered a sandbox by it, whatever becomes of it then.
Result<std::string> Engine::ask_inside(const std::vector<std::string>& argv, RunReport& outer) {
  static std::mutex mutex;
  static std::map<std::vector<std::string>, std::string> known;
  {
    const std::lock_guard lock(mutex);
    if (auto found = known.find(argv); found != known.end()) return found->second;
  }
  char folder[] = "/tmp/wardenv-ask.XXXXXX";
  if (::mkdtemp(folder) == nullptr) return fail_errno(ErrorCode::kHost, "cannot make a folder in /tmp");
  RunRequest request;
  request.argv = argv;
  request.workspace = folder;
  request.access = Access::kReadOnly;
  const RunReport report = run(request);
  ::rmdir(folder);
  outer.entered |= report.entered;
  if (report.error) return tl::unexpected(*report.error);
  if (report.exit_code != 0) return fail(ErrorCode::kHost, "`" + argv[0] + "` did not say what it is configured to use", "name the hosts with --allow-host");
  const std::lock_guard lock(mutex);
  return known[argv] = report.out.text;
}

Status Engine::add_presets(RunRequest& request, RunReport& report) {
  if (request.network != sandbox::Network::kEgress || request.egress.presets.empty()) return {};
  const PresetInput input{.venv = request.venv.value_or(""), .workspace = request.workspace, .written = written_by_runs(request),
                          .environment = request.profile_env, .repository_made_inside = repository_made_inside(request.workspace),
                          .ask = [&](const std::vector<std::string>& argv) { return ask_inside(argv, report); }};
  auto derived = derive_presets(request.egress.presets, input);
  if (!derived) return tl::unexpected(derived.error());
  request.egress.rules.insert(request.egress.rules.end(), derived->rules.begin(), derived->rules.end());
  request.profile_env.insert(request.profile_env.end(), derived->environment.begin(), derived->environment.end());
  return {};
}

}  // namespace wardenv::engine
