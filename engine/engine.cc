// SPDX-License-Identifier: Apache-2.0
// Engine: request -> spec -> plan -> launcher -> report.
#include "engine/engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>

#include "engine/cancel.h"
#include "engine/capture.h"
#include "engine/conclude.h"
#include "engine/egress/proxy.h"
#include "engine/input.h"
#include "engine/kept_view.h"
#include "engine/made_inside.h"
#include "engine/places.h"
#include "engine/planted.h"
#include "engine/run_loop.h"
#include "engine/sight.h"
#include "engine/slots.h"
#include "engine/spec_builder.h"
#include "engine/violations.h"
#include "sandbox/base/standard_fds.h"
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
  UniqueFd write(ends[1]);
  Pipe pipe{above_stdio(UniqueFd(ends[0])), above_stdio(std::move(write))};
  if (!pipe.read.valid() || !pipe.write.valid() || ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) < 0) return fail_errno(ErrorCode::kHost, "fcntl");
  return pipe;
}

struct Launched {
  RunChannels channels;   // channels.control is what Slot calls control
  sandbox::CgroupLeaf leaf;
  bool let_in = true;     // the command may have been executed
};

Result<sandbox::LaunchPlan> make_plan(const RunRequest& request, const std::string& run_id, const sandbox::HostFacts& facts, const SystemView& system) {
  WARDENV_TRY(can_keep(request.output_limit_bytes));
  auto spec = build_spec(request, run_id, system);
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

// A launcher that makes one run would make a tree for nothing.
Result<sandbox::HostFacts> probe_host(const sandbox::IdRange& ids, Ahead ahead) {
  auto facts = sandbox::probe_host(ids);
  if (facts && facts->is_root()) facts->shared_trees = ahead == Ahead::kYes && sandbox::can_nest_trees();
  return facts;
}

Result<sandbox::LaunchPlan> make_plan(const RunRequest& request, const sandbox::IdRange& ids, Ahead ahead) {
  auto facts = probe_host(ids, ahead);
  if (!facts) return tl::unexpected(facts.error());
  return make_plan(request, "RUN-ID", *facts, look_at_system(ahead).system);
}

}  // namespace

// See RunIo: may_enter, answered and cancel_fd.
struct Question {
  std::function<Status()> ask;
  std::function<bool()> answered;
  int cancel_fd = -1;

  [[nodiscard]] bool cancelled() const { return is_cancelled(cancel_fd); }
};

struct Engine::Impl {
  sandbox::HostFacts facts;
  std::optional<Sight> sight;         // what Engine::begin was called with
  std::optional<SystemView> unkept;   // what later runs would like to find
  Slots slots;
  std::atomic_flag swept;

  Impl(sandbox::HostFacts host, sandbox::LauncherClient client) : facts(std::move(host)), slots(facts, std::move(client)) {}

  Result<Launched> launch(const sandbox::LaunchPlan& plan, const RunRequest& request, Beginning beginning, const Question& question) {
    auto bytes = encode(plan);
    if (!bytes) return tl::unexpected(bytes.error());
    auto firsts = slots.firsts_of(plan);
    if (!firsts) return tl::unexpected(firsts.error());
    auto out = make_pipe();
    auto err = make_pipe();
    if (!out || !err) return tl::unexpected(!out ? out.error() : err.error());
    auto input = make_input(request);
    if (!input) return tl::unexpected(input.error());
    auto slot = slots.take(plan, *firsts, std::move(beginning));
    if (!slot) return tl::unexpected(slot.error());
    const bool held = question.cancelled() || (question.ask && !(question.answered && question.answered()));
    if (held) sandbox::hold(*bytes);
    else if (question.ask) WARDENV_TRY(question.ask());
    WARDENV_TRY(slots.submit(*slot, *bytes, {input->fd(), out->write.get(), err->write.get(), slot->leaf.join_fds()}));
    const Status may = held && question.ask ? question.ask() : Status();
    if (!may) return slots.put_aside(std::move(*slot)), tl::unexpected(may.error());
    // Who has cancelled meanwhile sees nothing of the command: the run's loop puts an end to what was never let in.
    const bool wanted = !held || !question.cancelled();
    const bool let_in = wanted && (!held || sandbox::LauncherClient::let_in(slot->control));
    if (wanted && !let_in && errno != EPIPE && errno != ECONNRESET) {   // of a sandbox that has ended the loop tells more
      const int error = errno;
      slots.put_aside(std::move(*slot));
      return fail_errno(ErrorCode::kHost, "the sandbox could not be told to begin", error, "try again");
    }
    slots.want_next(std::move(*firsts), slot->ready, plan.cgroup);
    return Launched{{std::move(slot->control), std::move(out->read), std::move(err->read), std::move(input->relay)}, std::move(slot->leaf), let_in};
  }

  // What engines that died have left behind: at the start, or, for a single run, while it is under way and nobody waits for us.
  void sweep_once() {
    if (!swept.test_and_set()) sandbox::sweep_cgroups(facts.cgroup);
  }

  Sight see() {
    auto begun_with = std::exchange(sight, std::nullopt);
    if (begun_with && begun_with->state == state_folder()) return std::move(*begun_with);
    return look_at_system(slots.are_ahead() ? Ahead::kYes : Ahead::kNo);
  }

  void end(Launched launched, const RunEnd& end) {
    slots.end({std::move(launched.channels.control), std::move(launched.leaf), leaves_group(end)});
  }

  // The launcher takes everything apart and ends, while we remove the groups of what it has let go of.
  void dismiss() {
    sweep_once();
    slots.end_ahead();
    sight.reset();
    slots.launcher().dismiss();
    if (const auto system = std::exchange(unkept, std::nullopt)) keep_view(*system);
  }

  void close() {
    dismiss();
    slots.put_over_away();
    slots.launcher().wait();
  }
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() {
  if (impl_) impl_->close();
}

void Engine::close() { impl_->close(); }

void Engine::dismiss() { impl_->dismiss(); }

namespace {

Result<sandbox::LauncherClient> get_launcher(const EngineOptions& options) {
  if (options.launcher) return sandbox::LauncherClient::adopt(UniqueFd(options.launcher->socket), options.launcher->pid, options.launcher->apart);
  auto program = sandbox::find_launcher();
  if (!program) return tl::unexpected(program.error());
  return sandbox::LauncherClient::start(*program);
}

}  // namespace

Result<Engine> Engine::create(const EngineOptions& options) {
  if (!hold_standard_fds()) return fail_errno(ErrorCode::kHost, "cannot open /dev/null in the place of a closed standard stream", "make it: mknod -m 666 /dev/null c 1 3");
  auto facts = probe_host(options.ids, options.ahead);
  if (!facts) return tl::unexpected(facts.error());
  if (facts->cgroup.must_leave_parent) WARDENV_TRY(sandbox::leave_parent(facts->cgroup));
  auto launcher = get_launcher(options);
  if (!launcher) return tl::unexpected(launcher.error());
  auto impl = std::make_unique<Impl>(std::move(*facts), std::move(*launcher));
  if (options.ahead == Ahead::kNo) return Engine(std::move(impl));
  impl->sweep_once();
  WARDENV_TRY(impl->slots.work_ahead());
  return Engine(std::move(impl));
}

void Engine::begin(const RunRequest& request) {
  if (impl_->slots.are_ahead()) return;
  impl_->sight = look_at_system(Ahead::kNo);
  impl_->slots.begin(request, impl_->sight->system);
}

RunReport Engine::run(const RunRequest& asked, const RunIo& io) {
  const auto begin = Clock::now();
  RunReport report;
  report.run_id = asked.run_id.empty() ? new_run_id() : asked.run_id;
  RunRequest request = asked;
  Question question{io.may_enter, io.answered, io.cancel_fd};
  // Presets ask programs, in sandboxes of their own: that is entering, too.
  if (question.ask && request.network == sandbox::Network::kEgress) {
    if (const Status may = std::exchange(question.ask, nullptr)(); !may) return failed(std::move(report), may.error());
  }
  if (const Status derived = add_presets(request, report); !derived) return failed(std::move(report), derived.error());
  const RepositoryWatch watch(request);
  const PlantWatch plants(request);
  impl_->slots.put_over_away();
  const Sight sight = impl_->see();
  Beginning beginning = impl_->slots.are_ahead() ? Beginning() : impl_->slots.beginning_of(request, sight.system);
  auto proxy = make_proxy(request, io);
  if (!proxy) return failed(std::move(report), proxy.error());
  auto plan = make_plan(request, report.run_id, impl_->facts, sight.system);
  if (!plan) return failed(std::move(report), plan.error());
  if (impl_->slots.are_ahead() || question.ask) pin_places(*plan);   // a sandbox that waits is asked whether all is still in its place
  if (const Status place = watch.make_place(); !place) return failed(std::move(report), place.error());
  auto launched = impl_->launch(*plan, request, std::move(beginning), question);
  impl_->sweep_once();
  if (!launched) return failed(std::move(report), launched.error());

  Capture out(request.output_limit_bytes);
  Capture err(request.output_limit_bytes);
  launched->channels.proxy = proxy->get();
  const RunEnd end = run_to_end(launched->channels, io, launched->leaf, out, err, request.on_output_limit);
  report.usage = usage_of(end.last, end.cgroup, Clock::now() - begin);
  impl_->slots.note_end(report.usage.wall_ms);
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
  report.entered |= launched->let_in && (end.launcher_died || end.last.kind != wire::EventKind::kFailed);
  if (!impl_->slots.are_ahead() && !sight.system.kept && request.fault.kind == wire::Fault::kNone) impl_->unkept = sight.system;
  const bool by_view = failed_by_view(sight.system, *plan, end);
  impl_->end(std::move(*launched), end);
  report = conclude(std::move(report), *plan, end);
  if (by_view && report.error) report.error->hint = "run it again: what is kept there can't be used as it is";
  if (end.last.kind == wire::EventKind::kExecFailed && !end.launcher_died && !report.error) explain_exec_failure(report, request, end.last);
  // What the next use of the workspace would trip over is worth more than how the command ended.
  if (const Status clean = plants.end(report.violations); !clean) return failed(std::move(report), clean.error());
  if (const Status noted = watch.end(); !noted) return failed(std::move(report), noted.error());
  return report;
}

int Engine::launcher_pid() const { return impl_->slots.launcher().pid(); }

std::size_t Engine::sandboxes_ahead() const { return impl_->slots.waiting(); }

Result<std::string> Engine::plan_text(const RunRequest& request, const sandbox::IdRange& ids, Ahead ahead) {
  auto plan = make_plan(request, ids, ahead);
  if (!plan) return tl::unexpected(plan.error());
  return to_text(*plan);
}

Result<std::string> Engine::plan_json(const RunRequest& request, const sandbox::IdRange& ids, Ahead ahead) {
  auto plan = make_plan(request, ids, ahead);
  if (!plan) return tl::unexpected(plan.error());
  return to_json(*plan);
}

}  // namespace wardenv::engine
