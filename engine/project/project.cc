// SPDX-License-Identifier: Apache-2.0
// What can be done with a project.
#include "engine/project/project.h"

#include <algorithm>
#include <set>

#include "engine/paths.h"
#include "engine/project/files.h"
#include "engine/project/project_lock.h"

namespace wardenv::engine {
namespace {

constexpr const char* kInit = "call init first";

Place beside(const Place& folder, const std::string& name) {
  return {folder.workspace, folder.inside.empty() ? name : folder.inside + "/" + name, name};
}

std::string first_line_of_trouble(const RunReport& report) {
  std::string found;
  std::string_view text = report.err.text;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.starts_with("ERROR:") || line.starts_with("error:") || (found.empty() && !line.empty())) found = line.substr(0, 300);
    if (line.starts_with("ERROR:")) break;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

// One operation under way. A step that fails sets `error` of the result; those after it do nothing.
class Operation {
 public:
  Operation(const Runner& runner, const Place& cwd) : runner_(runner), cwd_(cwd) {}

  Outcomes take() { return std::move(result_); }
  [[nodiscard]] bool good() const { return !result_.error; }
  Outcomes& result() { return result_; }
  [[nodiscard]] const Project& project() const { return project_; }

  template <typename T>
  T keep(Result<T> value) {
    if (value) return std::move(*value);
    if (!result_.error) result_.error = value.error();
    return T{};
  }

  void keep(Status status) {
    if (!status && !result_.error) result_.error = status.error();
  }

  bool find() {
    project_ = keep(find_project(cwd_));
    result_.folder = project_.folder.path();
    result_.venv = project_.venv;
    return good();
  }

  // Where something will change: alone.
  bool begin() {
    if (!find()) return false;
    lock_.emplace(runner_, project_.venv);
    keep(lock_->held());
    if (!lock_->waited_for().empty()) result_.notes.push_back("waited for " + lock_->waited_for());
    return good();
  }

  RunRequest request(std::vector<std::string> argv) const {
    RunRequest request = runner_.granted;
    request.argv = std::move(argv);
    request.workspace = project_.folder.workspace;
    request.cwd = project_.folder.path();
    request.venv = project_.venv;
    request.venv_within = project_.folder.path();
    request.access = Access::kReadOnly;
    request.stdin_mode = StdinMode::kNull;
    return request;
  }

  // The installer's run: the venv can be written for its length, the workspace can't.
  bool install(std::vector<std::string> argv) {
    if (!good()) return false;
    RunRequest wanted = request(std::move(argv));
    wanted.venv_access = VenvAccess::kWritable;
    result_.report = runner_.run(wanted);
    check(*result_.report);
    return good();
  }

  EnvironmentList list(const std::vector<std::string>& roots = {}) {
    if (!good()) return {};
    RunRequest wanted = request({});
    prepare_list(wanted, project_.venv, roots);
    return keep(read_list(runner_.run(wanted)));
  }

  void check(const RunReport& report) {
    if (report.outcome == Outcome::kExited && report.exit_code == 0) return;
    if (report.error) result_.error = report.error;
    else if (report.outcome == Outcome::kExited) result_.error = Error{ErrorCode::kBadInput, "the installer failed: " + first_line_of_trouble(report), hint_for(report)};
    else result_.error = Error{ErrorCode::kBadInput, "the installer ended early: " + std::string(to_string(report.outcome)), "its limits come from the policy's profile for this tool"};
  }

  [[nodiscard]] std::string hint_for(const RunReport& report) const {
    const auto says = [&](const char* text) { return report.err.text.find(text) != std::string::npos || report.out.text.find(text) != std::string::npos; };
    if (says("No module named pip")) return "this environment was made without pip; make it anew with init";
    if (says("No matching distribution") || says("No solution found")) return "look at the name and the versions; only the package index of this server can be reached";
    if (runner_.granted.network == sandbox::Network::kNone) return "the policy's profile for this tool gives it no network";
    return "the whole output is in `report`";
  }

 private:
  const Runner& runner_;
  const Place& cwd_;
  Project project_;
  std::optional<ProjectLock> lock_;
  Outcomes result_;
};

}  // namespace

Result<std::string> read_pyproject_text(const Place& folder) { return read_whole(beside(folder, "pyproject.toml"), kMaxPyprojectBytes); }

namespace {

// pyproject.toml before and after an edit. It is edited in memory before anything is installed, so that a broken file is found first.
struct PlannedEdit {
  Place place;
  std::string before{};
  std::string after{};
  bool is_new = false;
};

using Editor = std::function<Result<std::string>(const std::string& text)>;

Result<PlannedEdit> plan_edit(const Place& folder, const Editor& edit) {
  PlannedEdit plan{beside(folder, "pyproject.toml"), {}, {}, false};
  auto text = read_whole(plan.place, kMaxPyprojectBytes);
  if (!text && text.error().code != ErrorCode::kNotFound) return tl::unexpected(text.error());
  plan.is_new = !text;
  const std::string path = folder.path();
  plan.before = text ? std::move(*text) : new_pyproject(path.substr(path.rfind('/') + 1));
  auto after = edit(plan.before);
  if (!after) return tl::unexpected(after.error());
  plan.after = std::move(*after);
  return plan;
}

// Whoever changed the file meanwhile keeps their change.
Status carry_out(const Place& folder, const PlannedEdit& plan, const Editor& edit) {
  auto now = plan_edit(folder, edit);
  if (!now) return tl::unexpected(now.error());
  if (now->after == now->before && !now->is_new) return {};
  auto written = write_whole(plan.place, now->after, now->is_new ? IfExists::kFail : IfExists::kReplace);
  return written ? Status{} : tl::unexpected(written.error());
}

std::vector<std::string> new_names(const std::vector<PackageChange>& changes) {
  std::vector<std::string> names;
  for (const PackageChange& change : changes) {
    if (change.from.empty()) names.push_back(change.name);
  }
  return names;
}

// What an environment keeps although nothing lists it.
bool is_furniture(const std::string& normalized) { return normalized == "pip" || normalized == "setuptools" || normalized == "wheel" || normalized == "uv"; }

struct Listed {
  std::vector<std::string> roots{};
  std::string name{};
};

// Entries of pyproject.toml, each read as a dependency specifier: it is as untrusted as any argument.
Result<Listed> roots_of(const std::string& text, DirectReference direct) {
  auto document = read_pyproject(text);
  if (!document) return tl::unexpected(document.error());
  Listed listed{{}, document->name};
  for (const auto* list : {&document->dependencies, &document->dev}) {
    for (const std::string& item : *list) {
      auto requirement = parse_requirement(item, direct);
      if (!requirement) return fail(ErrorCode::kBadInput, "pyproject.toml: " + requirement.error().message, requirement.error().hint);
      listed.roots.push_back(to_string(*requirement));
    }
  }
  return listed;
}

Result<Listed> read_roots(const Place& folder, DirectReference direct) {
  auto text = read_pyproject_text(folder);
  if (!text) return tl::unexpected(text.error());
  return roots_of(*text, direct);
}

Result<std::string> add_all(std::string text, const std::vector<Requirement>& wanted, Section section, std::vector<PyprojectEntry>& entries) {
  entries.clear();
  for (const Requirement& requirement : wanted) {
    auto changed = add_requirement(text, section, requirement);
    if (!changed) return tl::unexpected(changed.error());
    text = std::move(changed->text);
    entries.push_back({to_string(requirement), section, changed->change});
  }
  return text;
}

Result<std::string> remove_all(std::string text, const std::string& name, std::optional<Section> section, std::vector<PyprojectEntry>& entries) {
  entries.clear();
  for (const Section part : {Section::kMain, Section::kDev}) {
    if (section && *section != part) continue;
    auto changed = remove_requirement(text, part, name);
    if (!changed) return tl::unexpected(changed.error());
    if (changed->change == Change::kRemoved) entries.push_back({name, part, Change::kRemoved});
    text = std::move(changed->text);
  }
  return text;
}

Status not_listed(const std::string& name, std::optional<Section> section) {
  const std::string where = !section ? "pyproject.toml" : *section == Section::kMain ? "the dependencies of pyproject.toml" : "the group dev of pyproject.toml";
  return fail(ErrorCode::kBadInput, "`" + name + "` is not listed in " + where, "list_packages shows what is installed, and what is listed itself");
}

// What goes with `name`: itself, and what the lists needed before and do not need any more.
std::vector<std::string> gone_with(const std::string& name, const EnvironmentList& before, const EnvironmentList& after) {
  std::vector<std::string> gone;
  for (const InstalledPackage& package : before.packages) {
    const std::string normalized = normalized_name(package.name);
    const bool was_ours = normalized == normalized_name(name) || (before.needed && after.needed && before.needed->contains(normalized));
    const bool still_needed = after.needed && after.needed->contains(normalized);
    if (was_ours && !still_needed && !is_furniture(normalized)) gone.push_back(package.name);
  }
  return gone;
}

// What nothing that is listed needs.
std::vector<std::string> extraneous(const Listed& listed, const EnvironmentList& now) {
  std::vector<std::string> gone;
  for (const InstalledPackage& package : now.packages) {
    const std::string normalized = normalized_name(package.name);
    if (now.needed && !now.needed->contains(normalized) && !is_furniture(normalized) && normalized != normalized_name(listed.name)) gone.push_back(package.name);
  }
  return gone;
}

std::string partial_note() { return "pyproject.toml is as it was; the environment may hold a part of what was asked: call sync to bring it in line"; }

// All or nothing: what is new goes again.
void roll_back(Operation& operation, const Runner& runner) {
  const auto fresh = new_names(operation.result().packages);
  operation.result().packages.clear();
  if (fresh.empty()) return operation.result().notes.push_back(partial_note());
  RunRequest undo = operation.request(uninstall_command(runner.installer, operation.project().venv, fresh));
  undo.venv_access = VenvAccess::kWritable;
  const RunReport report = runner.run(undo);
  operation.result().notes.emplace_back(report.exit_code == 0 ? "what had been installed was uninstalled again" : "what was installed could not be uninstalled again");
}

}  // namespace


Result<Project> find_project(const Place& cwd) {
  Place folder = cwd;
  while (true) {
    const Place venv = beside(folder, ".venv");
    if (open_place(beside(venv, "pyvenv.cfg"), Links::kRefuse)) return Project{folder, venv.path()};
    if (folder.inside.empty()) break;
    const auto slash = folder.inside.rfind('/');
    folder.inside = slash == std::string::npos ? "" : folder.inside.substr(0, slash);
  }
  return fail(ErrorCode::kNotFound, "there is no virtual environment `.venv` in `" + cwd.shown + "` or above it", kInit);
}

Outcomes add_packages(const Runner& runner, const Place& cwd, const std::vector<Requirement>& wanted, Section section) {
  Operation operation(runner, cwd);
  if (!operation.begin()) return operation.take();
  const Place& folder = operation.project().folder;
  std::vector<PyprojectEntry> entries;
  const Editor edit = [&](const std::string& text) { return add_all(text, wanted, section, entries); };
  const PlannedEdit plan = operation.keep(plan_edit(folder, edit));
  const EnvironmentList before = operation.list();
  if (!operation.good()) return operation.take();
  std::vector<std::string> requirements;
  for (const Requirement& requirement : wanted) requirements.push_back(to_string(requirement));
  if (!operation.install(install_command(runner.installer, operation.project().venv, requirements))) {
    operation.result().notes.push_back(partial_note());
    return operation.take();
  }
  operation.result().packages = compare(before, operation.list());
  if (operation.good()) operation.keep(carry_out(folder, plan, edit));
  if (operation.good()) operation.result().pyproject = entries;
  else roll_back(operation, runner);
  return operation.take();
}

Outcomes remove_package(const Runner& runner, const Place& cwd, const std::string& name, std::optional<Section> section) {
  Operation operation(runner, cwd);
  if (!operation.begin()) return operation.take();
  const Place& folder = operation.project().folder;
  std::vector<PyprojectEntry> entries;
  const Editor edit = [&](const std::string& text) { return remove_all(text, name, section, entries); };
  const PlannedEdit plan = operation.keep(plan_edit(folder, edit));
  if (operation.good() && entries.empty()) operation.keep(not_listed(name, section));
  const Listed listed = operation.good() ? operation.keep(roots_of(plan.before, DirectReference::kAllow)) : Listed{};
  const Listed left = operation.good() ? operation.keep(roots_of(plan.after, DirectReference::kAllow)) : Listed{};
  const EnvironmentList before = operation.list(listed.roots);
  const EnvironmentList after = operation.list(left.roots);
  if (!operation.good()) return operation.take();
  if (after.needed && after.needed->contains(normalized_name(name))) {
    operation.result().notes.push_back("`" + name + "` stays installed: something else that is listed needs it");
  }
  const auto gone = gone_with(name, before, after);
  if (!gone.empty() && !operation.install(uninstall_command(runner.installer, operation.project().venv, gone))) operation.result().notes.push_back(partial_note());
  if (operation.good()) operation.result().packages = compare(before, operation.list());
  if (operation.good()) operation.keep(carry_out(folder, plan, edit));
  if (operation.good()) operation.result().pyproject = entries;
  return operation.take();
}

Outcomes sync_project(const Runner& runner, const Place& cwd) {
  Operation operation(runner, cwd);
  if (!operation.begin()) return operation.take();
  const std::string& venv = operation.project().venv;
  const Listed listed = operation.keep(read_roots(operation.project().folder, runner.direct));
  const EnvironmentList before = operation.list();
  if (!listed.roots.empty()) operation.install(install_command(runner.installer, venv, listed.roots));
  const EnvironmentList now = operation.list(listed.roots);
  if (operation.good() && !now.needed) operation.result().notes.emplace_back("nothing was uninstalled: what is needed could not be told without pip");
  const auto gone = extraneous(listed, now);
  if (!gone.empty()) operation.install(uninstall_command(runner.installer, venv, gone));
  if (operation.good()) operation.result().packages = compare(before, operation.list());
  return operation.take();
}

Outcomes list_packages(const Runner& runner, const Place& cwd, EnvironmentList& list) {
  Operation operation(runner, cwd);
  if (!operation.find()) return operation.take();
  // Where pyproject.toml is missing or broken, what is installed can be listed all the same.
  const auto listed = read_roots(operation.project().folder, DirectReference::kAllow);
  list = operation.list(listed ? listed->roots : std::vector<std::string>());
  return operation.take();
}

}  // namespace wardenv::engine
