// SPDX-License-Identifier: Apache-2.0
// RunRequest -> SandboxSpec.
#include "engine/spec_builder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "engine/command_resolve.h"
#include "engine/egress/place.h"
#include "engine/environment.h"
#include "engine/paths.h"
#include "engine/venv.h"
#include "engine/workspace.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

std::string variable(const char* name) { return std::getenv(name) != nullptr ? std::getenv(name) : ""; }

// What is made in one at its first use, by one part of ours or another.
bool is_state_folder(const std::string& folder) {
  constexpr const char* kParts[] = {"/audit", "/views", "/policies", "/made-inside", "/locks", "/quota.db", "/approvals.db"};
  return std::any_of(std::begin(kParts), std::end(kParts), [&](const char* part) { return exists(folder + part); });
}

// The first one is used where nobody names another.
std::vector<std::string> usual_state_folders() {
  std::vector<std::string> folders;
  if (auto path = variable("XDG_STATE_HOME"); !path.empty()) folders.push_back(path + "/wardenv");
  if (auto home = variable("HOME"); !home.empty() && ::geteuid() != 0) folders.push_back(home + "/.local/state/wardenv");   // root's HOME may be another's (sudo)
  folders.emplace_back("/var/lib/wardenv");
  return folders;
}

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// The venv alone: the mounts of its base interpreter stay as they are.
void make_writable(VenvView& venv) {
  for (sandbox::Mount& mount : venv.mounts) {
    if (mount.target == venv.real_dir) mount.writable = sandbox::Writable::kYes;
  }
}

// What a run writes there would be taken for our own: also where the state is elsewhere today, but was there before.
bool holds_or_belongs_to_state(const std::string& real) {
  const std::vector<std::string> unused = unused_state_folders();
  return overlap(real, state_folder()) || std::any_of(unused.begin(), unused.end(), [&](const auto& folder) { return overlap(real, folder); });
}

// The index that later installs may reach is read from the pip.conf of a venv outside the workspace (engine/egress/presets.h), so this run can't write it. Where there
// is none, an empty one is made and stays: what does not exist can't be protected.
Status protect_index(const std::string& venv, sandbox::SandboxSpec& spec) {
  const std::string path = venv + "/pip.conf";
  struct stat folder {};
  struct stat status {};
  if (::lstat(path.c_str(), &status) < 0 && ::stat(venv.c_str(), &folder) == 0) {
    const UniqueFd made(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!made.valid()) return fail_errno(ErrorCode::kHost, "cannot make `" + path + "`, which a writable venv must have");
    if (folder.st_uid != ::geteuid()) (void)!::fchown(made.get(), folder.st_uid, folder.st_gid);
  }
  if (::lstat(path.c_str(), &status) < 0 || !S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kBadInput, "`" + path + "` is not a plain file", "it is protected in a writable venv; replace it by a file");
  }
  spec.read_only_again.push_back(path);
  return {};
}

// Answers its real path; empty: none.
Result<std::string> add_venv(const RunRequest& request, sandbox::SandboxSpec& spec, EnvironmentInput& environment) {
  if (!request.venv) return "";
  auto venv = resolve_venv(*request.venv);
  if (!venv) return tl::unexpected(venv.error());
  if (request.venv_within && !is_beneath(venv->real_dir, *request.venv_within)) {
    return fail(ErrorCode::kBadInput, "the virtual environment `" + venv->dir + "` leads out of `" + *request.venv_within + "`",
                "make it anew, in the project itself");
  }
  if (request.venv_access == VenvAccess::kWritable) {
    if (holds_or_belongs_to_state(venv->real_dir)) return fail(ErrorCode::kBadInput, "the writable virtual environment `" + venv->dir + "` holds or belongs to wardenv's state");
    make_writable(*venv);
    WARDENV_TRY(protect_index(venv->real_dir, spec));
  }
  append(spec.mounts, venv->mounts);
  append(spec.symlinks, venv->symlinks);
  environment.venv_dir = venv->dir;
  return venv->real_dir;
}

// A workspace that is the venv, or its Python, itself would be mounted over it, writable.
Status check_apart(const RunRequest& request, const sandbox::SandboxSpec& spec, const std::string& workspace) {
  if (request.access != Access::kDirect) return {};
  for (const sandbox::Mount& mount : spec.mounts) {
    if (mount.target != workspace || mount.writable == sandbox::Writable::kYes) continue;
    return fail(ErrorCode::kBadInput, "the workspace `" + workspace + "` is the virtual environment or its Python, which stay read-only",
                "name the folder of the project, or use --access read-only");
  }
  return {};
}

// After add_venv. Answers its real path.
Result<std::string> add_workspace(const RunRequest& request, sandbox::SandboxSpec& spec) {
  auto workspace = resolve_workspace(request.workspace, request.cwd, request.access, state_folder());
  if (!workspace) return tl::unexpected(workspace.error());
  if (request.workspace_within && !is_beneath(workspace->dir, *request.workspace_within)) {
    return fail(ErrorCode::kBadInput, "the workspace `" + request.workspace + "` leads out of `" + *request.workspace_within + "`",
                "a folder above it was replaced by a symbolic link; call again once that is undone");
  }
  for (const std::string& folder : unused_state_folders()) {
    if (!overlap(workspace->dir, folder)) continue;
    return fail(ErrorCode::kBadInput, "`" + workspace->dir + "` can't be a workspace: `" + folder + "` is a state folder of wardenv, though not of this run",
                "name the folder of one project, or remove the state if nobody uses it");
  }
  WARDENV_TRY(check_apart(request, spec, workspace->dir));
  append(spec.mounts, workspace->mounts);
  append(spec.symlinks, workspace->symlinks);
  append(spec.read_only_again, workspace->read_only_again);
  spec.cwd = workspace->cwd;
  return workspace->dir;
}

// Places that the sandbox makes by itself: nothing lies in the first three, and nothing covers any of them.
bool is_ours(const std::string& target, const std::string& home) {
  for (const std::string& place : {std::string("/proc"), std::string("/dev"), std::string("/sys")}) {
    if (is_beneath(target, place)) return true;
  }
  for (const std::string& place : {std::string("/proc"), std::string("/dev"), std::string("/etc"), std::string("/tmp"), std::string("/var/empty"), std::string("/var/none"), home}) {
    if (is_beneath(place, target)) return true;
  }
  return false;
}

// After add_workspace. What a profile names is the operator's word, but never the state folder, and never a folder with a folder of ours in it.
Status add_profile_mounts(const RunRequest& request, sandbox::SandboxSpec& spec) {
  for (const ProfileMount& mount : request.mounts) {
    auto real = resolve_path(mount.path);
    if (!real) return fail(ErrorCode::kNotFound, "the profile's mount " + real.error().message);
    if (holds_or_belongs_to_state(real->real)) {
      return fail(ErrorCode::kBadInput, "the profile's mount `" + mount.path + "` holds or belongs to wardenv's state");
    }
    const std::string& target = mount.target.empty() ? real->real : mount.target;
    const auto taken = [&](const sandbox::Mount& other) { return is_beneath(other.target, target); };
    if (is_ours(target, spec.home) || std::any_of(spec.mounts.begin(), spec.mounts.end(), taken)) {
      return fail(ErrorCode::kBadInput, "the profile's mount `" + mount.path + "` would cover what the sandbox has already", "name a folder of its own");
    }
    if (mount.target.empty()) append(spec.symlinks, real->symlinks);
    const bool writable = mount.access == Access::kDirect;
    spec.mounts.push_back({.source = real->real,
                           .target = target,
                           .writable = writable ? sandbox::Writable::kYes : sandbox::Writable::kNo,
                           .owner_mapped = true});
  }
  return {};
}

// A link can be replaced whatever we do to its target, and a place that a mount shows under another name is none that we could hold.
Status add_read_only_file(const std::string& path, sandbox::SandboxSpec& spec) {
  auto real = resolve_path(path);
  // Who called has no business with the operator's folders.
  if (!real) return fail(ErrorCode::kNotFound, "the policy, or another file that decides what is allowed, is gone: nothing is run until it is back", "the operator's log or `wardenv policy check` says which");
  const std::string hint = "keep it outside of what commands may write, or use --access read-only";
  for (const sandbox::Mount& mount : spec.mounts) {
    if (mount.writable != sandbox::Writable::kYes || mount.source.empty()) continue;
    const auto linked = [&](const sandbox::Symlink& link) { return is_beneath(link.path, mount.source); };
    if (std::any_of(real->symlinks.begin(), real->symlinks.end(), linked)) {
      return fail(ErrorCode::kBadInput, "`" + path + "` decides what is allowed, and is reached through a symbolic link that the command could replace", hint);
    }
    if (!is_beneath(real->real, mount.source)) continue;
    if (mount.target != mount.source) return fail(ErrorCode::kBadInput, "`" + path + "` decides what is allowed, and a mount would let the command write it", hint);
    if (std::find(spec.read_only_again.begin(), spec.read_only_again.end(), real->real) == spec.read_only_again.end()) spec.read_only_again.push_back(real->real);
  }
  return {};
}

Status add_read_only_files(const RunRequest& request, sandbox::SandboxSpec& spec) {
  for (const std::string& path : request.read_only_files) WARDENV_TRY(add_read_only_file(path, spec));
  return {};
}

// A link that the caller changes after the policy has looked leads nowhere.
Status check_judged(const RunRequest& request, const JudgedPlaces& now) {
  if (!request.judged || *request.judged == now) return {};
  return fail(ErrorCode::kBadInput, "the workspace, its folder or the virtual environment was replaced after the call had been judged", "call again once nothing moves");
}

// What was looked up before must still be what the name leads to: here for a clear word, and by the sandbox's init right before it executes.
Status add_program(const RunRequest& request, sandbox::SandboxSpec& spec) {
  if (!request.command) return {};
  if (request.argv.empty() || request.argv[0] != request.command->name) {
    return fail(ErrorCode::kBadInput, "the command is not the one that was looked up, `" + request.command->name + "`");
  }
  if (request.venv != request.command->venv) return fail(ErrorCode::kBadInput, "the command was looked up in another virtual environment than it is to run in");
  WARDENV_TRY(check_unchanged(*request.command));
  spec.program = request.command->program;
  return {};
}

// With named egress: where the proxy is, and whom clients trust beside it.
Status add_egress(const RunRequest& request, sandbox::SandboxSpec& spec, EnvironmentInput& environment) {
  if (request.network != sandbox::Network::kEgress) return {};
  environment.egress = egress_environment();
  if (request.egress.ca_file.empty()) return {};
  auto real = resolve_path(request.egress.ca_file);
  if (!real) return fail(ErrorCode::kNotFound, "the file of certificates " + real.error().message);
  const std::string inside = "/etc/wardenv/ca.pem";
  spec.mounts.push_back({.source = real->real, .target = inside});
  append(environment.egress, egress_ca_environment(inside));
  return {};
}

// Of the kept view, the places that something of the run lies in: they are made as usual. By names alone, so that what is begun ahead is begun as the
// run will want it; where a link leads there, it begins anew.
sandbox::KeptView leave_out(sandbox::KeptView kept, const RunRequest& request) {
  std::vector<std::string> paths{absolute(request.workspace)};
  if (request.venv) paths.push_back(absolute(*request.venv));
  for (const ProfileMount& mount : request.mounts) paths.insert(paths.end(), {mount.path, mount.target});
  const auto lies_in = [&](const char* place) {
    return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) { return is_beneath(path, place); });
  };
  if (lies_in("/dev")) kept.dev = {};
  if (lies_in("/etc") || !request.egress.ca_file.empty()) kept.etc = {};
  if (lies_in("/var")) kept.var = {};
  return kept;
}

}  // namespace

std::string state_folder() {
  if (auto path = variable("WARDENV_STATE"); !path.empty()) return path;
  return usual_state_folders().front();
}

std::vector<std::string> unused_state_folders() {
  std::vector<std::string> folders = usual_state_folders();
  const std::string used = state_folder();
  std::erase_if(folders, [&](const std::string& folder) { return folder == used || !is_state_folder(folder); });
  return folders;
}

sandbox::SandboxSpec build_early_spec(const RunRequest& request, const SystemView& system) {
  sandbox::SandboxSpec spec;
  spec.argv = request.argv;
  spec.network = request.network;
  if (request.network == sandbox::Network::kEgress) spec.listen_port = kEgressPort;
  spec.limits = request.limits;
  spec.degradable = request.degradable;
  spec.require_cgroup = request.require_cgroup;
  spec.walls = request.walls;
  spec.clock = request.clock;

  spec.mounts = system.mounts;
  spec.symlinks = system.symlinks;
  spec.files = system.files;
  if (system.kept) spec.kept = leave_out(*system.kept, request);
  return spec;
}

Result<sandbox::SandboxSpec> build_spec(const RunRequest& request, const std::string& run_id, const SystemView& system) {
  sandbox::SandboxSpec spec = build_early_spec(request, system);
  EnvironmentInput environment{.venv_dir = {}, .home = spec.home, .run_id = run_id, .extra = request.env, .profile = request.profile_env};
  const auto venv = add_venv(request, spec, environment);
  if (!venv) return tl::unexpected(venv.error());
  const auto workspace = add_workspace(request, spec);
  if (!workspace) return tl::unexpected(workspace.error());
  WARDENV_TRY(check_judged(request, {*workspace, spec.cwd, *venv}));
  WARDENV_TRY(add_profile_mounts(request, spec));
  WARDENV_TRY(add_read_only_files(request, spec));
  WARDENV_TRY(add_egress(request, spec, environment));
  WARDENV_TRY(add_program(request, spec));
  auto variables = build_environment(environment);
  if (!variables) return tl::unexpected(variables.error());
  spec.env = std::move(*variables);
  return spec;
}

}  // namespace wardenv::engine
