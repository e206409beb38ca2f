// SPDX-License-Identifier: Apache-2.0
// Engine: request -> spec -> plan -> launcher -> report.
#include "engine/engine.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <system_error>

#include "engine/backstage.h"
#include "engine/capture.h"
#include "engine/egress/proxy.h"
#include "engine/made_inside.h"
#include "engine/run_loop.h"
#include "engine/spec_builder.h"
#include "engine/violations.h"
#include "sandbox/cgroup.h"
#include "sandbox/launcher_client.h"
#include "sandbox/plan.h"

namespace wardenv::engine {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno(ErrorCode::kHost, "pipe");
  if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) return fail_errno(ErrorCode::kHost, "fcntl");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// A sealed file in memory: the command can't grow it, and nobody else has it.
Result<UniqueFd> text_input(std::string_view text) {
  UniqueFd file(::memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid()) return fail_errno(ErrorCode::kHost, "memfd_create");
  while (!text.empty()) {
    const ssize_t put = ::write(file.get(), text.data(), text.size());
    if (put <= 0) return fail_errno(ErrorCode::kHost, "cannot write the standard input");
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno(ErrorCode::kHost, "lseek");
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) return fail_errno(ErrorCode::kHost, "F_ADD_SEALS");
  return file;
}

// What the command gets as its standard input; invalid: ours.
Result<UniqueFd> make_input(const RunRequest& request) {
  if (request.stdin_mode == StdinMode::kInherit) return UniqueFd();
  if (request.stdin_mode == StdinMode::kText) return text_input(request.stdin_text);
  UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null.valid()) return fail_errno(ErrorCode::kHost, "cannot open /dev/null");
  return null;
}

struct Launched {
  RunChannels channels;   // channels.control is what Slot calls control
  sandbox::CgroupLeaf leaf;
};

// What a failed step means for the user. The kernel's word is an errno; the step says which of its many meanings it has.
std::string hint_for_step(const sandbox::PlanStep& step, int sys_errno) {
  using wire::Op;
  const bool makes_userns = step.op == Op::kClone || (step.flags & wire::kFlagOwnerMapped) != 0;
  if (makes_userns && (sys_errno == ENOSPC || sys_errno == EUSERS)) {
    return "no more user namespaces are allowed on this host: sysctl -w user.max_user_namespaces=65536";
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

RunReport failed(RunReport report, Error error) {
  report.outcome = Outcome::kSetupFailed;
  report.exit_status = 125;
  report.error = std::move(error);
  return report;
}

void set_signal(RunReport& report, Outcome outcome, int signal, int exit_status) {
  report.outcome = outcome;
  report.signal = signal;
  report.exit_status = exit_status;
}

// The order matters: who killed the run says more than how the command looked when it was dead.
RunReport conclude(RunReport report, const sandbox::LaunchPlan& plan, const RunEnd& end) {
  const wire::Event& event = end.last;
  if (end.launcher_died) return failed(std::move(report), {ErrorCode::kLauncher, "the launcher died; the run was killed with it", "", 0});
  if (event.kind == wire::EventKind::kFailed) return failed(std::move(report), step_error(plan, event));
  if (event.kind == wire::EventKind::kExecFailed && event.sys_errno == ESTALE) {
    return failed(std::move(report), {ErrorCode::kNotFound, "the command was replaced or changed after it had been looked up", "run it again", ESTALE});
  }
  if (event.kind == wire::EventKind::kExecFailed) {
    report.exit_status = event.step == 1 ? 126 : 127;
    report.outcome = Outcome::kExited;
    report.exit_code = report.exit_status;
    return report;
  }
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

sandbox::Usage usage_of(const wire::Event& event, const sandbox::CgroupUsage& cgroup, Clock::duration wall) {
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

Result<sandbox::LaunchPlan> make_plan(const RunRequest& request, const std::string& run_id, const sandbox::HostFacts& facts) {
  auto spec = build_spec(request, run_id);
  if (!spec) return tl::unexpected(spec.error());
  auto plan = sandbox::compile(*spec, facts);
  if (!plan) return plan;
  plan->fault = request.fault;
  if (request.filters != nullptr && request.walls.seccomp) {
    plan->filter = facts.cgroup.kind == sandbox::CgroupKind::kNone ? request.filters->process : request.filters->cgroup;
    for (const std::string& name : request.added_syscalls) plan->enforced.degraded.push_back("seccomp:" + name);
  }
  return plan;
}

// nullptr without named egress. Its thread starts with the first connection.
Result<std::unique_ptr<EgressProxy>> make_proxy(const RunRequest& request, const RunIo& io) {
  if (request.network != sandbox::Network::kEgress) return std::unique_ptr<EgressProxy>();
  return EgressProxy::make(request.egress, io.on_egress);
}

Result<sandbox::LaunchPlan> make_plan(const RunRequest& request) {
  auto facts = sandbox::probe_host();
  if (!facts) return tl::unexpected(facts.error());
  return make_plan(request, "RUN-ID", *facts);
}

}  // namespace

// ULID: 48 bits of milliseconds and 80 random bits, Crockford's base 32 (github.com/ulid/spec).
std::string new_run_id() {
  constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  auto time = static_cast<std::uint64_t>(now.count());
  std::uint8_t random[16] = {};
  if (::getrandom(random, sizeof random, 0) < 0) random[0] = static_cast<std::uint8_t>(::getpid());
  std::string id(26, '0');
  for (std::size_t i = 10; i-- > 0; time >>= 5) id[i] = kDigits[time & 31];
  for (std::size_t i = 10; i < id.size(); ++i) id[i] = kDigits[random[i - 10] & 31];
  return id;
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

// A sandbox that was begun for this very run.
struct Beginning {
  std::vector<std::uint8_t> early{};
  UniqueFd control;
};

struct Engine::Impl {
  sandbox::HostFacts facts;
  std::vector<Slot> over;                 // without backstage: put away before the next run, or once the launcher has ended
  sandbox::LauncherClient launcher;
  std::unique_ptr<Backstage> backstage;   // nullptr: nothing is done ahead
  std::atomic<std::size_t> under_way = 0;
  std::once_flag swept;

  Impl(sandbox::HostFacts host, sandbox::LauncherClient client) : facts(std::move(host)), launcher(std::move(client)) {}

  // For a single run: what its sandbox begins with is begun while its folders are still being looked at. Never fails: without it the
  // run is made from nothing.
  void begin(const RunRequest& request, Beginning& beginning) const {
    auto plan = sandbox::compile(build_early_spec(request), facts);
    if (!plan || plan->cgroup.kind == sandbox::CgroupKind::kV2 || request.fault.kind != wire::Fault::kNone) return;
    auto early = encode_early(*plan);
    if (!early) return;
    auto control = launcher.prepare(*early, {});
    if (control) beginning = {std::move(*early), std::move(*control)};
  }

  Result<Slot> take_slot(const sandbox::LaunchPlan& plan, Beginning beginning) {
    if (backstage) {
      if (auto slot = backstage->take(plan)) return std::move(*slot);
    }
    Slot slot;
    if (beginning.control.valid() && encode_early(plan) == beginning.early) slot.control = std::move(beginning.control);
    if (plan.cgroup.kind == sandbox::CgroupKind::kNone) return slot;
    auto leaf = sandbox::CgroupLeaf::create(facts.cgroup, plan.cgroup);
    if (!leaf) return tl::unexpected(leaf.error());
    slot.leaf = std::move(*leaf);
    return slot;
  }

  // On the prepared sandbox of the slot, where it has one.
  Status submit(Slot& slot, const std::vector<std::uint8_t>& plan, const sandbox::LaunchFds& fds) const {
    if (slot.control.valid()) return launcher.submit_to(slot.control, plan, fds);
    auto control = launcher.submit(plan, fds);
    if (!control) return tl::unexpected(control.error());
    slot.control = std::move(*control);
    return {};
  }

  Result<Launched> launch(const sandbox::LaunchPlan& plan, const RunRequest& request, Beginning beginning, const std::function<Status()>& may_enter) {
    auto bytes = encode(plan);
    if (!bytes) return tl::unexpected(bytes.error());
    auto out = make_pipe();
    auto err = make_pipe();
    if (!out || !err) return tl::unexpected(!out ? out.error() : err.error());
    auto input = make_input(request);
    if (!input) return tl::unexpected(input.error());
    const int in = input->valid() ? input->get() : STDIN_FILENO;
    auto slot = take_slot(plan, std::move(beginning));
    if (!slot) return tl::unexpected(slot.error());
    if (may_enter) WARDENV_TRY(may_enter());
    WARDENV_TRY(submit(*slot, *bytes, {in, out->write.get(), err->write.get(), slot->leaf.join_fds()}));
    if (backstage) backstage->want(plan, ++under_way);
    return Launched{{std::move(slot->control), std::move(out->read), std::move(err->read)}, std::move(slot->leaf)};
  }

  // What engines that died have left behind: at the start, or, for a single run, while it is under way and nobody waits for us.
  void sweep_once() {
    std::call_once(swept, [this] { sandbox::sweep_cgroups(facts.cgroup); });
  }

  void end(Launched launched) {
    if (backstage) --under_way;
    Slot slot{std::move(launched.channels.control), std::move(launched.leaf)};
    return backstage ? backstage->dispose(std::move(slot)) : over.push_back(std::move(slot));
  }

  // Nobody waits for it but who wants to run again: an engine that is at its end lets its launcher take everything apart.
  void put_over_away() {
    for (Slot& slot : over) put_away(std::move(slot));
    over.clear();
  }
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() {
  if (impl_) impl_->sweep_once();
}

namespace {

Result<sandbox::LauncherClient> get_launcher(const EngineOptions& options) {
  if (options.launcher) return sandbox::LauncherClient::adopt(UniqueFd(options.launcher->socket), options.launcher->pid);
  auto program = sandbox::find_launcher();
  if (!program) return tl::unexpected(program.error());
  return sandbox::LauncherClient::start(*program);
}

}  // namespace

Result<Engine> Engine::create(const EngineOptions& options) try {
  auto facts = sandbox::probe_host();
  if (!facts) return tl::unexpected(facts.error());
  if (facts->cgroup.must_leave_parent) WARDENV_TRY(sandbox::leave_parent(facts->cgroup));
  auto launcher = get_launcher(options);
  if (!launcher) return tl::unexpected(launcher.error());
  auto impl = std::make_unique<Impl>(std::move(*facts), std::move(*launcher));
  if (options.ahead == Ahead::kYes) impl->sweep_once();
  if (options.ahead == Ahead::kYes) impl->backstage = std::make_unique<Backstage>(impl->facts, impl->launcher);
  return Engine(std::move(impl));
} catch (const std::system_error& error) {
  return fail(ErrorCode::kHost, std::string("cannot start a thread: ") + error.what());
}

RunReport Engine::run(const RunRequest& asked, const RunIo& io) {
  const auto begin = Clock::now();
  RunReport report;
  report.run_id = asked.run_id.empty() ? new_run_id() : asked.run_id;
  Beginning beginning;
  RunRequest request = asked;
  auto may_enter = io.may_enter;
  // Presets ask programs of the venv, in sandboxes of their own: that is entering, too.
  if (may_enter && request.network == sandbox::Network::kEgress) {
    if (const Status may = std::exchange(may_enter, nullptr)(); !may) return failed(std::move(report), may.error());
  }
  if (const Status derived = add_presets(request); !derived) return failed(std::move(report), derived.error());
  const RepositoryWatch watch(request);
  impl_->put_over_away();
  if (!impl_->backstage) impl_->begin(request, beginning);
  auto proxy = make_proxy(request, io);
  if (!proxy) return failed(std::move(report), proxy.error());
  auto plan = make_plan(request, report.run_id, impl_->facts);
  if (!plan) return failed(std::move(report), plan.error());
  auto launched = impl_->launch(*plan, request, std::move(beginning), may_enter);
  impl_->sweep_once();
  if (!launched) return failed(std::move(report), launched.error());

  Capture out(request.output_limit_bytes);
  Capture err(request.output_limit_bytes);
  launched->channels.proxy = proxy->get();
  const RunEnd end = run_to_end(launched->channels, io, launched->leaf, out, err, request.on_output_limit);
  report.usage = usage_of(end.last, end.cgroup, Clock::now() - begin);
  report.out = out.take();
  report.err = err.take();
  report.violations = describe_violations(end.denied);
  if (*proxy) {
    EgressSummary summary = (*proxy)->stop();
    add_refusals(summary.refusals, report.violations);
    report.connections = std::move(summary.connections);
  }
  report.enforced = plan->enforced;
  report.prepared_steps = end.last.prepared_steps;
  report.init_pid = end.last.pid;
  report.entered = end.launcher_died || end.last.kind != wire::EventKind::kFailed;
  impl_->end(std::move(*launched));
  report = conclude(std::move(report), *plan, end);
  if (end.last.kind == wire::EventKind::kExecFailed && !end.launcher_died && !report.error) explain_exec_failure(report, request, end.last);
  return report;
}

int Engine::launcher_pid() const { return impl_->launcher.pid(); }

std::size_t Engine::sandboxes_ahead() const { return impl_->backstage ? impl_->backstage->ready() : 0; }

Result<std::string> Engine::plan_text(const RunRequest& request) {
  auto plan = make_plan(request);
  if (!plan) return tl::unexpected(plan.error());
  return to_text(*plan);
}

Result<std::string> Engine::plan_json(const RunRequest& request) {
  auto plan = make_plan(request);
  if (!plan) return tl::unexpected(plan.error());
  return to_json(*plan);
}

}  // namespace wardenv::engine
