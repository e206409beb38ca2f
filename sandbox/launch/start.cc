// SPDX-License-Identifier: Apache-2.0
// Making a sandbox: the launcher's own steps, the clone, and in the new process all others, at once or in two parts.
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sandbox/launch/launcher.h"

namespace wardenv::launch {
namespace {

// Order of wire::Op.
constexpr StepFunction kSteps[] = {
    nullptr,           open_tree_step,       clone_step,          unshare_step,        map_ids_by_parent_step, join_cgroup1_step,
    loopback_up_step,  listen_step,          hostname_step,       map_ids_by_self_step,   await_maps_step,   become_user_step,
    detach_step,       new_root_step,        folder_step,         symlink_step,           file_step,
    attach_step,       rebind_step,          proc_step,           pts_step,               mask_step,
    no_nested_userns_step, pivot_step,  seal_root_step,  tree_step,           keep_tree_step,      rlimit_step,         affinity_step,          drop_bounding_step,  drop_capabilities_step,
    no_new_privileges_step, landlock_ruleset_step, landlock_allow_step, landlock_restrict_step, close_descriptors_step,
    seccomp_step,
};
static_assert(sizeof kSteps / sizeof *kSteps == static_cast<size_t>(wire::Op::kExec));

int injected_fault(const wire::PlanHeader& header, uint32_t index) {
  if (header.fault_step != index + 1 || header.fault == wire::Fault::kNone) return 0;
  if (header.fault == wire::Fault::kFail) return header.fault_errno;
  for (;;) pause();
}

int apply_step(Context& context, uint32_t index) {
  const wire::Step& step = context.plan.step(index);
  auto op = static_cast<size_t>(step.op);
  int error = injected_fault(context.plan.header(), index);
  if (error != 0) return error;
  if (op == 0 || op >= sizeof kSteps / sizeof *kSteps) return EINVAL;
  error = (step.flags & wire::kFlagInTree) != 0 ? apply_in_tree(context, step, kSteps[op]) : kSteps[op](context, step);
  return error == ENOENT && (step.flags & wire::kFlagOptional) != 0 ? 0 : error;
}

bool is_launchers(const wire::Step& step) {
  return step.op == wire::Op::kMapIdsByParent || (step.flags & wire::kFlagByLauncher) != 0;
}

[[noreturn]] void fail_in_sandbox(const Context& context, uint32_t step, int error) {
  send_frame(context.status, {wire::FrameKind::kFailed, step, error, 0, 0, 0, 0});
  _exit(1);
}

// The sandbox's first process: all steps but the launcher's, then init. An early plan ends before that; the rest is waited for.
[[noreturn]] void run_in_sandbox(Context& context, uint32_t index) {
  for (;; await_rest(context), check_places(context, index)) {
    for (; index < context.plan.header().step_count; ++index) {
      const wire::Step& step = context.plan.step(index);
      if (is_launchers(step)) continue;
      const bool last = step.op == wire::Op::kExec;
      int error = last ? injected_fault(context.plan.header(), index) : apply_step(context, index);
      if (error == 0 && last) become_init(context, index + 1);
      if (error != 0) fail_in_sandbox(context, index + 1, error);
    }
    if (context.plan.header().kind != wire::Kind::kPrepare) fail_in_sandbox(context, index, EINVAL);
  }
}

struct Applied {
  uint32_t step = 0;  // 1-based: the step that failed; 0 with an error: before the first
  int error = 0;
};

// The launcher's own steps from `index` on, in their order.
Applied open_sources(Context& context, uint32_t index) {
  for (; index < context.plan.header().step_count; ++index) {
    if ((context.plan.step(index).flags & wire::kFlagByLauncher) == 0) continue;
    int error = apply_step(context, index);
    if (error != 0) return {index + 1, error};
  }
  return {};
}

// The clone, which every plan begins with, and the parent's step on the new process.
Applied make_process(Context& context) {
  if (context.plan.step(0).op != wire::Op::kClone) return {1, EINVAL};
  int error = apply_step(context, 0);
  if (context.pid == 0) run_in_sandbox(context, 1);
  if (error != 0) return {1, error};
  for (uint32_t index = 1; index < context.plan.header().step_count; ++index) {
    if (context.plan.step(index).op != wire::Op::kMapIdsByParent) continue;
    error = apply_step(context, index);
    if (error != 0) return {index + 1, error};
  }
  return {};
}

void close_all(int* fds, int count) {
  for (int i = 0; i < count; ++i) {
    if (fds[i] >= 0) close(fds[i]);
    fds[i] = -1;
  }
}

// Sandboxes of one launcher have ids of their own, as they are made beside each other. Launchers know nothing of each other, and their process
// ids come round: each begins somewhere by chance.
uint32_t pick_host_id(const wire::PlanHeader& header, const Run& run) {
  static uint64_t begin = 0;
  if (header.uid_count == 0) return 0;
  if (begin == 0 && getrandom(&begin, sizeof begin, GRND_NONBLOCK) != sizeof begin) begin = static_cast<uint64_t>(getpid()) * 0x9e3779b97f4a7c15ULL;
  return header.uid_first + static_cast<uint32_t>((begin % header.uid_count + index_of(run)) % header.uid_count);
}

// Descriptors go over from the request: first the standard streams (of a whole plan), then the slots.
Context make_context(const uint8_t* plan, Request& request, int taken, const Run& run) {
  Context context;
  context.plan.bytes = plan;
  for (int& fd : context.slots) fd = -1;
  for (int& fd : context.stdio) fd = -1;
  int next = taken;
  if (context.plan.header().kind == wire::Kind::kRun) {
    for (int& fd : context.stdio) fd = next < request.count ? request.fds[next++] : -1;
  }
  for (int slot = 0; next < request.count && slot < wire::kMaxSlots; ++slot) context.slots[slot] = request.fds[next++];
  request.count = 0;
  context.sequence = static_cast<uint32_t>(getpid()) + index_of(run);
  context.host_id = run.pid > 0 ? run.host_id : pick_host_id(context.plan.header(), run);
  return context;
}

void release(Context& context) {
  release_tree(context);
  close_all(context.slots, wire::kMaxSlots);
  close_all(context.stdio, 3);
}

// Takes the new process over into the entry.
int adopt(Run& run, const Context& context) {
  run.pid = context.pid;
  run.pidfd = context.pidfd;
  run.status = context.status;
  run.host_id = context.host_id;
  int error = watch(run.pidfd, Source::kProcess, index_of(run));
  return error == 0 ? watch(run.status, Source::kStatus, index_of(run)) : error;
}

// The process itself may have failed before, and we only noticed its absence: then its word counts.
void kill_failed(Run& run, const Context& context, Applied& applied) {
  if (context.pid > 0 && run.pid < 0) adopt(run, context);
  if (run.pid < 0) return;
  syscall(kernel::kSysPidfdSendSignal, run.pidfd, SIGKILL, nullptr, 0);
  waitpid(run.pid, nullptr, __WALL);
  drain_frames(run);
  if (run.failure.kind == wire::FrameKind::kFailed) applied = {run.failure.step, run.failure.value};
  run.pid = -1;
}

void refuse(Run& run, const Applied& applied) {
  wire::Event event{};
  event.kind = wire::EventKind::kFailed;
  event.step = applied.step;
  event.sys_errno = applied.error;
  send(run.control, &event, sizeof event, MSG_NOSIGNAL);
  discard(run);
}

void begin(Run& run, const wire::PlanHeader& header) {
  run.state = State::kRunning;
  run.held = header.held != 0;
  run.wall_time_ms = header.wall_time_ms;
  if (!run.held) start_clock(run);
  run.memory_bytes = header.memory_bytes;
  run.last_syscall = header.last_syscall;
  run.watched = header.watchdog != 0;
}

// False where the prepared process can't be used: then everything is done from the start.
bool go_on(Run& run, uint32_t done, Context& context, Applied& applied) {
  applied = open_sources(context, done);
  if (applied.error != 0) return true;
  run.prepared_steps = done;
  if (context.plan.header().kind == wire::Kind::kRun) begin(run, context.plan.header());
  return hand_over(run, context) == 0;
}

void make_from_nothing(Run& run, Context& context, Applied& applied) {
  run.prepared_steps = 0;
  memcpy(sandbox_plan, context.plan.bytes, context.plan.header().size);   // what came in is not there in the new process
  context.plan.bytes = sandbox_plan;
  applied = open_sources(context, 0);
  if (applied.error == 0) applied = make_process(context);
  if (applied.error != 0) return;
  applied.error = adopt(run, context);
  begin(run, context.plan.header());
}

// The entry stays, with its control socket alone.
void drop_process(Run& run, State state) {
  const int control = run.control;
  run.control = -1;
  discard(run);
  make_fresh(run);
  run.control = control;
  run.state = state;
}

// REQUIRES: run.control is set and watched.
void launch(Run& run, Request& request, int taken) {
  Applied applied;
  use_all_cpus();
  if (request.count - taken < 3 || !valid_plan(request.plan, request.size)) {
    applied.error = EINVAL;
    close_all(request.fds + taken, request.count - taken);
    return refuse(run, applied);
  }
  Context context = make_context(request.plan, request, taken, run);
  const uint32_t done = steps_ahead(run, context.plan);
  if (done == 0 || !go_on(run, done, context, applied)) {
    drop_process(run, State::kRunning);
    context.host_id = pick_host_id(context.plan.header(), run);
    make_from_nothing(run, context, applied);
  }
  release(context);
  if (applied.error == 0) return;
  kill_failed(run, context, applied);
  refuse(run, applied);
}

// Nothing is told of a failure here: the run that comes later is made from nothing, and tells.
void prepare(Run& run, const uint8_t* bytes, size_t size, Request& request, int taken) {
  run.state = State::kPrepared;
  const uint32_t done = valid_plan(bytes, size) ? steps_ahead(run, Plan{bytes}) : 0;   // a spare has its first steps behind it
  const uint8_t* plan = keep_early(run, bytes, size);
  if (plan == nullptr) return close_all(request.fds + taken, request.count - taken);
  Context context = make_context(plan, request, taken, run);
  Applied applied;
  if (done == 0 || !go_on(run, done, context, applied)) {
    drop_process(run, State::kPrepared);
    applied = open_sources(context, 0);
    if (applied.error == 0) applied = make_process(context);
    if (applied.error == 0) applied.error = adopt(run, context);
  }
  release(context);
  if (applied.error == 0) return;
  kill_failed(run, context, applied);
  drop_process(run, State::kPrepared);
}

// An entry for the descriptor that comes first; nullptr where there is none, and the engine knows.
Run* entry_for(Request& request) {
  Run* run = request.count > 0 ? take_run() : nullptr;
  if (run == nullptr) return nullptr;
  run->control = request.fds[0];
  run->state = State::kRunning;
  return run;
}

}  // namespace

void check_places(const Context& context, uint32_t done) {
  for (uint32_t index = 0; index < done; ++index) {
    const int error = check_place(context, context.plan.step(index));
    if (error != 0) fail_in_sandbox(context, index + 1, error);
  }
}

void start(Request& request) {
  Run* run = request.count > 0 ? fitting_spare(request) : nullptr;
  if (run != nullptr) {
    run->control = request.fds[0];
  } else {
    run = entry_for(request);
  }
  if (run == nullptr) {
    wire::Event event{};
    event.kind = wire::EventKind::kFailed;
    event.sys_errno = EBUSY;
    if (request.count > 0) send(request.fds[0], &event, sizeof event, MSG_NOSIGNAL);
    return close_all(request.fds, request.count);
  }
  const auto& header = *reinterpret_cast<const wire::PlanHeader*>(request.plan);
  const bool ahead = request.size >= sizeof header && header.kind == wire::Kind::kPrepare;
  if (ahead) {
    prepare(*run, request.plan, request.size, request, 1);
  } else {
    launch(*run, request, 1);
  }
  if (run->state != State::kFree && watch(run->control, Source::kControl, index_of(*run)) != 0) discard(*run);
}

void start_prepared(Run& run, Request& request) {
  launch(run, request, 0);
  if (run.state == State::kRunning && !run.held) expect_no_sender(run.control);
}

void prepare_spare(const wire::PlanHeader* plan) {
  Run* run = take_run();
  if (run == nullptr) return;
  Request none;
  prepare(*run, reinterpret_cast<const uint8_t*>(plan), plan->size, none, 0);
  if (run->pid < 0) run->state = State::kFree;
}

}  // namespace wardenv::launch
