// SPDX-License-Identifier: Apache-2.0
// What came of a run, in the words of the report.
#include "engine/conclude.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "sandbox/plan_wire.h"

namespace wardenv::engine {
namespace {

// What a failed step means for the user. The kernel's word is an errno; the step says which of its many meanings it has.
std::string hint_for_step(const sandbox::PlanStep& step, int sys_errno) {
  using wire::Op;
  const bool makes_userns = step.op == Op::kClone || (step.flags & wire::kFlagOwnerMapped) != 0;
  if (makes_userns && (sys_errno == ENOSPC || sys_errno == EUSERS)) {
    return "no more user namespaces are allowed on this host: sysctl -w user.max_user_namespaces=65536";
  }
  if (step.op == Op::kUnshare && (sys_errno == ENOSPC || sys_errno == EUSERS)) {
    return "no more namespaces are allowed on this host: raise user.max_net_namespaces, user.max_ipc_namespaces and user.max_uts_namespaces by sysctl -w";
  }
  if (step.op == Op::kUnshare && (sys_errno == EPERM || sys_errno == ENOSYS)) {
    return "a sandbox or container that we are in refuses unshare(2); run wardenv outside of it, or with a filter that allows new namespaces";
  }
  if (step.op == Op::kClone && sys_errno == ENOSYS) {
    return "a sandbox or container that we are in refuses clone3(2); run wardenv outside of it, or with a filter that allows new namespaces";
  }
  if (step.op == Op::kClone && (sys_errno == EPERM || sys_errno == EACCES)) {
    return "this host lets only root make user namespaces: sysctl -w kernel.unprivileged_userns_clone=1, or see `wardenv doctor` for AppArmor and containers";
  }
  if ((step.op == Op::kMapIdsBySelf || step.op == Op::kMapIdsByParent) && (sys_errno == EPERM || sys_errno == EACCES)) {
    return "this host lets no process have a user namespace with rights; `wardenv doctor` prints the AppArmor profile that allows it";
  }
  if (step.op == Op::kProc && sys_errno == EPERM) {
    return "a container that hides parts of /proc lets nobody mount a new one; run it with unmasked paths (see `wardenv doctor`)";
  }
  if (step.op == Op::kPivot && sys_errno == EINVAL) return "the root file system of an initramfs can't be replaced; boot into a real root";
  if (step.op == Op::kOpenTree && (step.flags & wire::kFlagOwnerMapped) != 0 && sys_errno == EINVAL) {
    return "the file system of that folder has no ID-mapped mounts; run wardenv as the folder's owner instead of root";
  }
  if (step.op == Op::kCloseDescriptors && sys_errno == EINVAL) return usual_hint(EMFILE);   // fcntl(2): the place is beyond the limit
  if ((step.op == Op::kClone || step.op == Op::kExec) && sys_errno == EAGAIN) return kProcessesHint;
  if (step.op == Op::kExec && (sys_errno == EACCES || sys_errno == ENOENT)) {
    return "the owner of the workspace can't enter the folder that the command starts in: chmod u+rx it, or name another one with --cwd";
  }
  if (sys_errno == EMFILE || sys_errno == ENFILE) return usual_hint(sys_errno);
  if (sys_errno == ELOOP) return "a part of that path was replaced by a symbolic link meanwhile";
  if (sys_errno == ENOSYS) return "this kernel is too old; Linux 5.19 or newer is needed";
  if (sys_errno == ENOSPC || sys_errno == ENOMEM) return "the host is out of memory or space";
  return "run `wardenv doctor`";
}

Error step_error(const sandbox::LaunchPlan& plan, const wire::Event& event) {
  if (event.step == 0 || event.step > plan.steps.size()) {
    return fail_errno(ErrorCode::kLauncher, "the launcher refused the plan", event.sys_errno).value();
  }
  const sandbox::PlanStep& step = plan.steps[event.step - 1];
  const std::string what = "step " + std::to_string(event.step) + " of " + std::to_string(plan.steps.size()) + ": " + to_text(step);
  return fail_errno(ErrorCode::kHost, what, event.sys_errno, hint_for_step(step, event.sys_errno)).value();
}

Error lost_error(int sys_errno) {
  const bool files = sys_errno == EMFILE || sys_errno == ENFILE;
  return fail_errno(ErrorCode::kLauncher, "the launcher could not watch over the run any longer, and killed it",
                    sys_errno, files ? "give wardenv more open files: ulimit -n 1024" : "run `wardenv doctor`")
      .value();
}

void set_signal(RunReport& report, Outcome outcome, int signal, int exit_status) {
  report.outcome = outcome;
  report.signal = signal;
  report.exit_status = exit_status;
}

}  // namespace

RunReport failed(RunReport report, Error error) {
  report.outcome = Outcome::kSetupFailed;
  report.exit_status = 125;
  report.error = std::move(error);
  return report;
}

// The order matters: who killed the run says more than how the command looked when it was dead.
RunReport conclude(RunReport report, const sandbox::LaunchPlan& plan, const RunEnd& end) {
  const wire::Event& event = end.last;
  if (end.launcher_died) return failed(std::move(report), {ErrorCode::kLauncher, "the launcher died; the run was killed with it", "", 0});
  if (event.kind == wire::EventKind::kFailed) return failed(std::move(report), step_error(plan, event));
  if (event.cause == wire::Cause::kUnwatched) return failed(std::move(report), lost_error(event.sys_errno));
  if (event.kind == wire::EventKind::kExecFailed && event.sys_errno == ESTALE) {
    return failed(std::move(report), {ErrorCode::kNotFound, "the command was replaced or changed after it had been looked up", "run it again", ESTALE});
  }
  if (event.kind == wire::EventKind::kExecFailed) {
    report.exit_status = event.step == 1 ? 126 : 127;
    report.outcome = Outcome::kExited;
    report.exit_code = report.exit_status;
    return report;
  }
  if (end.input_errno != 0) return failed(std::move(report), fail_errno(ErrorCode::kHost, "cannot read the standard input", end.input_errno).value());
  if (end.out_of_memory || event.cause == wire::Cause::kMemory) {
    set_signal(report, Outcome::kMemoryExceeded, SIGKILL, 128 + SIGKILL);
  } else if (end.output_exceeded) {
    set_signal(report, Outcome::kOutputExceeded, SIGKILL, 128 + SIGKILL);
  } else if (event.cause == wire::Cause::kTimeout) {
    set_signal(report, Outcome::kTimedOut, SIGKILL, 124);
  } else if (event.cause == wire::Cause::kCancelled || end.cancelled) {
    set_signal(report, Outcome::kCancelled, SIGKILL, 128 + SIGKILL);
  } else if (event.have_status == 0) {
    return failed(std::move(report), {ErrorCode::kHost, "the sandbox's init was killed from outside", "", 0});
  } else if (WIFSIGNALED(event.wait_status)) {
    set_signal(report, Outcome::kSignaled, WTERMSIG(event.wait_status), 128 + WTERMSIG(event.wait_status));
  } else {
    report.outcome = Outcome::kExited;
    report.exit_code = report.exit_status = WEXITSTATUS(event.wait_status);
  }
  return report;
}

sandbox::Usage usage_of(const wire::Event& event, const sandbox::CgroupUsage& cgroup, std::chrono::steady_clock::duration wall) {
  sandbox::Usage usage;
  usage.wall_ms = std::chrono::duration<double, std::milli>(wall).count();
  usage.cpu_user_ms = static_cast<double>(event.cpu_user_us) / 1000.0;
  usage.cpu_system_ms = static_cast<double>(event.cpu_system_us) / 1000.0;
  usage.peak_memory_bytes = std::max({cgroup.peak_memory_bytes, event.peak_memory_bytes, event.max_rss_bytes});
  usage.peak_processes = std::max({cgroup.peak_processes, event.peak_processes, 1U});
  return usage;
}

void explain_exec_failure(RunReport& report, const RunRequest& request, const wire::Event& event) {
  const bool found = event.step == 1;
  std::string message = found ? "`" + request.argv[0] + "` can't be executed" : "`" + request.argv[0] + "` was not found in the sandbox";
  const char* hint = event.sys_errno == ELIBBAD ? "its interpreter (the #! line, or the program's loader) does not exist inside"
                     : found                    ? "is it a program, and is its execute bit set?"
                                                : "give a name in the venv's bin or in /usr/bin, or a path below the workspace";
  report.error = Error{ErrorCode::kNotFound, std::move(message), hint, event.sys_errno};
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kExited: return "exited";
    case Outcome::kSignaled: return "signaled";
    case Outcome::kTimedOut: return "timed_out";
    case Outcome::kMemoryExceeded: return "memory_exceeded";
    case Outcome::kOutputExceeded: return "output_exceeded";
    case Outcome::kCancelled: return "cancelled";
    case Outcome::kDenied: return "denied";
    case Outcome::kApprovalRequired: return "approval_required";
    case Outcome::kSetupFailed: return "setup_failed";
  }
  return "setup_failed";
}

}  // namespace wardenv::engine
