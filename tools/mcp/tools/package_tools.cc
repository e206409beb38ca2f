// SPDX-License-Identifier: Apache-2.0
// init, sync, add_package, add_packages, remove_package, list_packages, describe_environment.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/project/environment_list.h"
#include "engine/venv.h"
#include "tools/mcp/tools/handlers.h"
#include "tools/mcp/tools/progress.h"
#include "tools/mcp/tools/results.h"

namespace wardenv::mcp {
namespace {

using json = nlohmann::ordered_json;
using engine::Outcomes;
using engine::Place;
using engine::Requirement;
using engine::Section;

constexpr std::size_t kMaxPackages = 100;

// An installer builds what it downloads: more time, memory and scratch space than a run, where the policy's profile does not say.
// The index alone can be reached: the one that the operator set, else the one that the host is set up for.
Status give_installer_room(const engine::InstallerSettings& installer, engine::RunRequest& request) {
  request.network = sandbox::Network::kEgress;
  if (installer.index_url.empty()) {
    request.egress.presets = {engine::EgressPreset::kPipIndex};
  } else {
    auto rule = engine::index_rule(installer.index_url);
    if (!rule) return tl::unexpected(rule.error());
    request.egress.rules = {std::move(*rule)};
  }
  request.limits.wall_time = std::chrono::minutes(10);
  request.limits.memory_bytes = 2ULL << 30;
  request.limits.processes = 128;
  request.limits.tmp_bytes = 1ULL << 30;
  request.limits.tmp_inodes = 200'000;
  request.output_limit_bytes = 256 << 10;
  return {};
}

// A profile that is granted says all; without one, the tool's own room.
Status prepare_installer(const Admitted& admitted, const engine::InstallerSettings& installer, engine::RunRequest& request) {
  const auto has_profile = [](const engine::Admission& admission) { return !admission.decision.profile.empty(); };
  if (std::any_of(admitted.admissions.begin(), admitted.admissions.end(), has_profile)) return {};
  return give_installer_room(installer, request);
}

engine::RunReport failed_report(const Error& error) {
  engine::RunReport report;
  report.error = error;
  return report;
}

// Which of its runs entered a sandbox matters to the gate: a call that never did gives its quota back.
class Operation {
 public:
  Operation(Call& call, const Admitted& admitted, std::string what) : call_(call), admitted_(admitted), progress_(call.context(), std::move(what), admitted.shown()) {}

  engine::Runner runner() {
    engine::Runner runner;
    runner.granted = admitted_.request;
    runner.installer = call_.service().installer;
    trouble_ = prepare_installer(admitted_, runner.installer, runner.granted);
    runner.cancelled = [this] { return call_.context().cancelled(); };
    runner.say = [this](std::string_view line) { progress_.say(line); };
    runner.run = [this](const engine::RunRequest& request) {
      if (!trouble_) return failed_report(trouble_.error());
      engine::RunReport report = call_.service().engine.run(request, progress_.io());
      entered_ = entered_ || report.entered;
      return report;
    };
    return runner;
  }

  [[nodiscard]] engine::Gate::Withheld finish(Outcomes& outcomes) {
    if (outcomes.report) return admitted_.finish(call_.service().gate, *outcomes.report);
    return admitted_.finish(call_.service().gate, outcomes.error ? "failed" : "done", entered_ || !outcomes.error ? engine::Entered::kYes : engine::Entered::kNo);
  }

 private:
  Call& call_;
  const Admitted& admitted_;
  Progress progress_;
  Status trouble_;
  bool entered_ = false;
};

// A profile that leaves the workspace read-only leaves pyproject.toml alone too.
std::optional<ToolResult> refuse_read_only(Call& call, const Admitted& admitted) {
  if (admitted.request.access != engine::Access::kReadOnly) return {};
  admitted.drop(call.service().gate, "refused");
  return error_result({ErrorCode::kBadInput, "the policy's profile gives this tool the workspace read-only, so pyproject.toml can't be edited", "another profile is needed", 0});
}

// The environment that a tool changes or lists, where there is one already.
void name_venv(Call& call, const Place& folder) {
  if (call.arguments().problem()) return;
  if (const auto project = engine::find_project(folder)) call.will_use(project->venv);
}

template <typename Work>
ToolResult operate(Call& call, const Place& folder, const char* what, Work work) {
  name_venv(call, folder);
  auto admitted = call.admit(folder);
  if (!admitted) return call.refusal();
  if (auto refusal = refuse_read_only(call, *admitted)) return std::move(*refusal);
  Operation operation(call, *admitted, what);
  Outcomes outcomes = work(operation.runner());
  const auto withheld = operation.finish(outcomes);
  return withheld ? withheld_result(*withheld) : outcomes_result(outcomes);
}

Requirement read_requirement(Call& call, const std::string& text, const char* argument) {
  auto requirement = engine::parse_requirement(text);
  if (requirement) return std::move(*requirement);
  call.arguments().wrong("`" + std::string(argument) + "`: " + requirement.error().message + "; " + requirement.error().hint);
  return {};
}

Section section_of(const std::optional<bool>& dev) { return dev.value_or(false) ? Section::kDev : Section::kMain; }

json packages_array(const engine::EnvironmentList& list, const engine::Pyproject& project) {
  std::set<std::string> direct;
  for (const auto* names : {&project.dependencies, &project.dev}) {
    for (const std::string& text : *names) {
      if (auto requirement = engine::parse_requirement(text, engine::DirectReference::kAllow)) direct.insert(engine::normalized_name(requirement->name));
    }
  }
  json array = json::array();
  for (const engine::InstalledPackage& package : list.packages) {
    array.push_back({{"name", package.name}, {"version", package.version}, {"direct", direct.contains(engine::normalized_name(package.name))}});
  }
  return array;
}

json project_object(const Place& folder) {
  json object{{"folder", printable(folder.path())}};
  auto text = engine::read_pyproject_text(folder);
  if (!text) {
    object["pyproject"] = nullptr;
    if (text.error().code != ErrorCode::kNotFound) object["problem"] = printable(text.error().message);
    return object;
  }
  auto project = engine::read_pyproject(*text);
  if (!project) {
    object["problem"] = printable(project.error().message);
    return object;
  }
  object["pyproject"] = {{"name", project->name}, {"requires_python", project->requires_python}, {"dependencies", project->dependencies}, {"dev", project->dev}};
  return object;
}

json venv_object(const Place& folder) {
  auto project = engine::find_project(folder);
  if (!project) return {{"exists", false}, {"problem", project.error().message + "; " + project.error().hint}};
  json object{{"exists", true}, {"path", printable(project->venv)}};
  auto view = engine::resolve_venv(project->venv);
  if (!view) {
    object["problem"] = printable(view.error().message);
    return object;
  }
  object["python"] = printable(view->python);
  object["version"] = printable(view->version.substr(0, 40));
  object["system_site_packages"] = view->system_site_packages;
  return object;
}

}  // namespace

ToolResult call_init(Call& call) {
  const Place folder = call.folder(true);
  return operate(call, folder, "making the virtual environment", [&](const engine::Runner& runner) { return engine::init_project(runner, folder); });
}

ToolResult call_sync(Call& call) {
  const Place folder = call.folder(true);
  return operate(call, folder, "bringing the environment in line with pyproject.toml",
                 [&](const engine::Runner& runner) { return engine::sync_project(runner, folder); });
}

ToolResult call_add_package(Call& call) {
  const std::string text = call.arguments().text("package_name");
  const auto dev = call.arguments().flag("dev");
  const Place folder = call.folder(true);
  const std::vector<Requirement> wanted{text.empty() ? Requirement{} : read_requirement(call, text, "package_name")};
  return operate(call, folder, "installing", [&](const engine::Runner& runner) { return engine::add_packages(runner, folder, wanted, section_of(dev)); });
}

ToolResult call_add_packages(Call& call) {
  const auto texts = call.arguments().list("package_names", kMaxPackages);
  const auto dev = call.arguments().flag("dev");
  const Place folder = call.folder(true);
  std::vector<Requirement> wanted;
  for (const std::string& text : texts) wanted.push_back(read_requirement(call, text, "package_names"));
  if (texts.empty()) call.arguments().wrong("`package_names` must hold at least one package, such as [\"requests>=2.31\"]");
  return operate(call, folder, "installing", [&](const engine::Runner& runner) { return engine::add_packages(runner, folder, wanted, section_of(dev)); });
}

ToolResult call_remove_package(Call& call) {
  const std::string text = call.arguments().text("package_name");
  const auto dev = call.arguments().flag("dev");
  const Place folder = call.folder(true);
  auto name = engine::parse_package_name(text);
  if (!name && !text.empty()) call.arguments().wrong("`package_name`: " + name.error().message + "; " + name.error().hint);
  const auto section = dev ? std::optional(section_of(dev)) : std::nullopt;
  return operate(call, folder, "uninstalling", [&](const engine::Runner& runner) { return engine::remove_package(runner, folder, *name, section); });
}

ToolResult call_list_packages(Call& call) {
  const Place folder = call.folder(false);
  name_venv(call, folder);
  auto admitted = call.admit(folder);
  if (!admitted) return call.refusal();
  Operation operation(call, *admitted, "listing packages");
  engine::EnvironmentList list;
  Outcomes outcomes = engine::list_packages(operation.runner(), folder, list);
  if (const auto withheld = operation.finish(outcomes)) return withheld_result(*withheld);
  if (outcomes.error) return error_result(*outcomes.error);
  auto text = engine::find_project(folder).and_then([](const engine::Project& found) { return engine::read_pyproject_text(found.folder); });
  const auto project = text ? engine::read_pyproject(*text).value_or(engine::Pyproject{}) : engine::Pyproject{};
  return object_result({{"venv", printable(outcomes.venv)}, {"python", list.python}, {"packages", packages_array(list, project)}, {"error", nullptr}});
}

ToolResult call_describe_environment(Call& call) {
  const Place folder = call.folder(false);
  auto admitted = call.admit(folder);
  if (!admitted) return call.refusal();
  json workspaces = json::array();
  for (const std::string& dir : call.service().workspaces.real_dirs()) workspaces.push_back(printable(dir));
  auto project = engine::find_project(folder);
  json object;
  object["workspaces"] = workspaces;
  object["current_working_dir"] = printable(folder.path());
  object["project"] = project_object(project ? project->folder : folder);
  object["venv"] = venv_object(folder);
  object["installer"] = call.service().installer.kind == engine::InstallerKind::kUv ? "uv" : "pip";
  object["error"] = nullptr;
  const auto withheld = admitted->finish(call.service().gate, "done", engine::Entered::kYes);
  return withheld ? withheld_result(*withheld) : object_result(object);
}

}  // namespace wardenv::mcp
