// SPDX-License-Identifier: Apache-2.0
#include "engine/sight.h"

#include <algorithm>
#include <cerrno>

#include "engine/kept_view.h"
#include "engine/spec_builder.h"

namespace wardenv::engine {
namespace {

// Whether a folder or file of the view is the place for this mount.
bool is_place_of(const SystemView& system, const sandbox::PlanStep& step) {
  return step.op == wire::Op::kAttach && std::any_of(system.mounts.begin(), system.mounts.end(), [&](const auto& mount) { return mount.target == step.text; });
}

}  // namespace

Sight look_at_system(Ahead ahead) {
  Sight sight{system_view(), {}, state_folder()};
  if (ahead == Ahead::kYes) return sight;
  auto held = find_kept_view(views_folder(), sight.system);
  if (!held) return sight;
  sight.system.kept = std::move(held->place);
  sight.lock = std::move(held->lock);
  return sight;
}

bool failed_by_view(const SystemView& system, const sandbox::LaunchPlan& plan, const RunEnd& end) {
  const wire::Event& event = end.last;
  if (!system.kept || end.launcher_died || event.kind != wire::EventKind::kFailed || event.step == 0 || event.step > plan.steps.size()) return false;
  const sandbox::PlanStep& step = plan.steps[event.step - 1];
  const int error = event.sys_errno;
  const bool mounting = step.text.starts_with(system.kept->path + "/");
  const bool missing = is_place_of(system, step) && (error == EROFS || error == ENOENT || error == ENOTDIR || error == ELOOP);   // a place for what is mounted on it
  if (!mounting && !missing) return false;
  const bool again = missing || error == EACCES || error == EPERM || error == EINVAL || error == EOPNOTSUPP;
  if (again && plan.fault.kind == wire::Fault::kNone) set_kept_view_aside(views_folder(), system);
  return true;
}

}  // namespace wardenv::engine
