// SPDX-License-Identifier: Apache-2.0
#include "engine/sight.h"

#include <cerrno>

#include "engine/kept_view.h"
#include "engine/paths.h"
#include "engine/spec_builder.h"

namespace wardenv::engine {
namespace {

bool is_kept(const std::string& path) { return is_beneath(path, "/dev") || is_beneath(path, "/etc") || is_beneath(path, "/var"); }

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
  const std::string& path = plan.steps[event.step - 1].text;
  const int error = event.sys_errno;
  const bool mounting = path.starts_with(system.kept->path + "/");
  const bool missing = is_kept(path) && (error == EROFS || error == ENOENT || error == ENOTDIR || error == ELOOP);   // a place for what is mounted on it
  if (!mounting && !missing) return false;
  const bool again = missing || error == EACCES || error == EPERM || error == EINVAL || error == EOPNOTSUPP;
  if (again && plan.fault.kind == wire::Fault::kNone) set_kept_view_aside(views_folder(), system);
  return true;
}

}  // namespace wardenv::engine
