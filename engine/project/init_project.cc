// SPDX-License-Identifier: Apache-2.0
// Makes a virtual environment.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "engine/project/project.h"
#include "engine/project/project_lock.h"
#include "engine/venv.h"

namespace wardenv::engine {
namespace {

constexpr const char* kName = ".venv";

// An empty folder for the owner of the one that it is in. False: it is there already.
Result<bool> make_folder(int parent) {
  if (::mkdirat(parent, kName, 0755) < 0) {
    if (errno == EEXIST) return false;
    return fail_errno(ErrorCode::kBadInput, "cannot make the folder `.venv`");
  }
  struct stat status {};
  const UniqueFd made(::openat(parent, kName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (::geteuid() == 0 && made.valid() && ::fstat(parent, &status) == 0) (void)!::fchown(made.get(), status.st_uid, status.st_gid);
  return true;
}

// By the descriptor of the folder that it is in: what is above may be swapped meanwhile.
void remove_folder(int parent) {
  std::error_code ignored;
  std::filesystem::remove_all("/proc/self/fd/" + std::to_string(parent) + "/" + kName, ignored);
}

RunRequest creation(const Runner& runner, const std::string& venv) {
  RunRequest request = runner.granted;
  request.argv = create_command(runner.installer, venv);
  request.workspace = venv;   // nothing else of the project is seen
  request.workspace_within = venv;   // a run in the background may put a link above it after make_folder()
  request.cwd.reset();
  request.venv.reset();
  request.venv_within.reset();
  request.venv_access = VenvAccess::kReadOnly;
  request.access = Access::kDirect;
  request.network = sandbox::Network::kNone;
  request.egress = {};
  request.stdin_mode = StdinMode::kNull;
  return request;
}

Status usable(const Place& cwd, const std::string& venv) {
  auto project = find_project(cwd);
  if (!project || project->venv != venv) return fail(ErrorCode::kBadInput, "`.venv` exists and is no virtual environment", "remove it, then call init again");
  auto view = resolve_venv(venv);
  return view ? Status{} : tl::unexpected(view.error());
}

std::string last_line(const RunReport& report) {
  std::string text = report.err.text.empty() ? report.out.text : report.err.text;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1).substr(0, 300);
}

}  // namespace

Outcomes init_project(const Runner& runner, const Place& cwd) {
  Outcomes result;
  result.folder = cwd.path();
  result.venv = cwd.path() + "/" + kName;
  const ProjectLock lock(runner, result.venv);
  if (!lock.waited_for().empty()) result.notes.push_back("waited for " + lock.waited_for());
  auto parent = lock.held() ? open_folder(cwd, Links::kRefuse) : Result<UniqueFd>(tl::unexpected(lock.held().error()));
  auto made = parent ? make_folder(parent->get()) : Result<bool>(tl::unexpected(parent.error()));
  if (!made) result.error = made.error();
  if (made && !*made) {
    if (auto good = usable(cwd, result.venv); !good) result.error = good.error();
    else result.notes.emplace_back("it was there already and works; nothing was changed");
  }
  if (result.error || !*made) return result;
  result.report = runner.run(creation(runner, result.venv));
  const RunReport& report = *result.report;
  if (report.error) result.error = report.error;
  else if (report.exit_code != 0) result.error = Error{ErrorCode::kHost, "the virtual environment could not be made: " + std::string(to_string(report.outcome)) + " " + last_line(report), "the whole output is in `report`"};
  else if (auto good = usable(cwd, result.venv); !good) result.error = good.error();
  if (result.error) remove_folder(parent->get());
  result.made_venv = !result.error;
  return result;
}

}  // namespace wardenv::engine
