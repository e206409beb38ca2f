// SPDX-License-Identifier: Apache-2.0
// wardenv-launcher: takes plans from the engine on descriptor 0, makes a sandbox of each, watches over it, reports its end.
// Single-threaded: the death signal of each init is tied to this thread. End-of-file on descriptor 0 kills everything.
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "sandbox/launch/launcher.h"

namespace wardenv::launch {
namespace {

constexpr int kEngineFd = 0;             // our end of the socket to the engine
constexpr uint64_t kWatchPeriodMs = 4;  // a compromise: the overshoot of the watchdog against its own CPU time
constexpr uint64_t kForever = ~0ULL;

Run runs[kMaxRuns];
int epoll = -1;
alignas(16) uint8_t datagram[wire::kMaxPlanBytes + 1];

enum class Source : uint32_t { kEngine, kControl, kStatus, kProcess, kListener };

int watch(int fd, Source source, uint32_t run) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = static_cast<uint64_t>(source) << 32 | run;
  return error_of(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

void send_event(int control, const wire::Event& event) { send(control, &event, sizeof event, MSG_NOSIGNAL); }

// --- applying a plan -------------------------------------------------------------------------------------------------

// Order of wire::Op.
constexpr StepFunction kSteps[] = {
    nullptr,           open_tree_step,       clone_step,          map_ids_by_parent_step, join_cgroup1_step,
    loopback_up_step,  hostname_step,        map_ids_by_self_step, await_maps_step,       become_user_step,
    detach_step,       new_root_step,        folder_step,         symlink_step,           file_step,
    attach_step,       rebind_step,          proc_step,           pts_step,               mask_step,
    no_nested_userns_step, pivot_step,       rlimit_step,         affinity_step,          drop_capabilities_step,
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
  error = kSteps[op](context, step);
  return error == ENOENT && (step.flags & wire::kFlagOptional) != 0 ? 0 : error;
}

// The sandbox's first process: the rest of the plan, then init.
[[noreturn]] void run_in_sandbox(Context& context, uint32_t index) {
  const uint32_t count = context.plan.header().step_count;
  for (; index < count; ++index) {
    wire::Op op = context.plan.step(index).op;
    if (op == wire::Op::kMapIdsByParent) continue;
    int error = op == wire::Op::kExec ? injected_fault(context.plan.header(), index) : apply_step(context, index);
    if (error == 0 && op == wire::Op::kExec) become_init(context, index + 1);
    if (error == 0) continue;
    send_frame(context.status, {wire::FrameKind::kFailed, index + 1, error, 0});
    _exit(1);
  }
  send_frame(context.status, {wire::FrameKind::kFailed, count, EINVAL, 0});
  _exit(1);
}

struct Applied {
  uint32_t step = 0;  // 1-based: the step that failed
  int error = 0;
};

// Steps before and at the clone, and the parent's step on the new process.
Applied apply_in_launcher(Context& context) {
  const uint32_t count = context.plan.header().step_count;
  uint32_t index = 0;
  for (; index < count && context.pid < 0; ++index) {
    int error = apply_step(context, index);
    if (context.pid == 0) run_in_sandbox(context, index + 1);
    if (error != 0) return {index + 1, error};
  }
  for (; index < count; ++index) {
    if (context.plan.step(index).op != wire::Op::kMapIdsByParent) continue;
    int error = apply_step(context, index);
    if (error != 0) return {index + 1, error};
  }
  return context.pid < 0 ? Applied{count, EINVAL} : Applied{};
}

// --- starting a run --------------------------------------------------------------------------------------------------

void close_all(int* fds, int count) {
  for (int i = 0; i < count; ++i) {
    if (fds[i] >= 0) close(fds[i]);
  }
}

Run* free_run() {
  for (Run& run : runs) {
    if (!run.used) return &run;
  }
  return nullptr;
}

uint32_t pick_host_id(const wire::PlanHeader& header, const Run& run) {
  if (header.uid_count == 0) return 0;
  auto base = static_cast<uint64_t>(getpid()) * kMaxRuns + static_cast<uint64_t>(&run - runs);
  return header.uid_first + static_cast<uint32_t>(base % header.uid_count);
}

void prepare(Context& context, const int* fds, int count, const Run& run) {
  context.plan.bytes = datagram;
  for (int i = 0; i < wire::kMaxSlots; ++i) {
    context.slots[i] = i + wire::kFixedFds < count ? fds[i + wire::kFixedFds] : -1;
  }
  for (int i = 0; i < 3; ++i) context.stdio[i] = fds[i + 1];
  context.sequence = static_cast<uint32_t>(getpid() + (&run - runs));
  context.host_id = pick_host_id(context.plan.header(), run);
}

// Closing is not enough to leave the epoll set: a sandbox that is just being made still holds copies of all our descriptors, and an
// event of the old description would be taken for one of the run that has the place next (epoll(7)).
void forget(int fd) {
  if (fd < 0) return;
  epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
  close(fd);
}

// Kills what was begun. Where the new process had failed by itself before, and we only noticed its absence, its word counts.
void abandon(const Context& context, wire::Event& failure) {
  if (context.pid > 0) {
    syscall(kernel::kSysPidfdSendSignal, context.pidfd, SIGKILL, nullptr, 0);
    waitpid(context.pid, nullptr, __WALL);
    wire::Frame frame{};
    const bool told = recv(context.status, &frame, sizeof frame, MSG_DONTWAIT) == static_cast<ssize_t>(sizeof frame);
    if (told && frame.kind == wire::FrameKind::kFailed) {
      failure.step = frame.step;
      failure.sys_errno = frame.value;
    }
    forget(context.status);
  }
  forget(context.pidfd);
}

int adopt(Run& run, const Context& context, int control) {
  const wire::PlanHeader& header = context.plan.header();
  memset(static_cast<void*>(&run), 0, sizeof run);
  run.used = true;
  run.control = control;
  run.status = context.status;
  run.pidfd = context.pidfd;
  run.pid = context.pid;
  run.listener = run.proc = run.root = -1;
  run.deadline_ms = header.wall_time_ms == 0 ? kForever : now_ms() + header.wall_time_ms;
  run.memory_bytes = header.memory_bytes;
  run.last_syscall = header.last_syscall;
  run.watched = header.watchdog != 0;
  auto index = static_cast<uint32_t>(&run - runs);
  int error = watch(run.pidfd, Source::kProcess, index);
  if (error == 0) error = watch(run.status, Source::kStatus, index);
  if (error == 0) error = watch(run.control, Source::kControl, index);
  return error;
}

void start(const int* fds, int count, size_t size) {
  const int control = fds[0];
  wire::Event failure{};
  failure.kind = wire::EventKind::kFailed;
  Run* run = free_run();
  Context context;
  if (count < wire::kFixedFds || !valid_plan(datagram, size)) failure.sys_errno = EINVAL;
  if (failure.sys_errno == 0 && run == nullptr) failure.sys_errno = EBUSY;
  if (failure.sys_errno == 0) {
    prepare(context, fds, count, *run);
    const Applied applied = apply_in_launcher(context);
    failure.step = applied.step;
    failure.sys_errno = applied.error;
    close_all(context.slots, wire::kMaxSlots);
    close_all(context.stdio, 3);
  } else {
    close_all(const_cast<int*>(fds) + 1, count - 1);
  }
  if (failure.sys_errno == 0) failure.sys_errno = adopt(*run, context, control);
  if (failure.sys_errno == 0) return;
  abandon(context, failure);
  if (run != nullptr) run->used = false;
  send_event(control, failure);
  forget(control);
}

// One datagram with descriptors. False at end-of-file: the engine is gone.
bool receive_start() {
  iovec data{datagram, sizeof datagram};
  alignas(cmsghdr) char control[CMSG_SPACE((wire::kFixedFds + wire::kMaxSlots) * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = recvmsg(kEngineFd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size <= 0) return size < 0 && (errno == EAGAIN || errno == EINTR);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return true;
  int fds[wire::kFixedFds + wire::kMaxSlots];
  int count = static_cast<int>((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  memcpy(fds, CMSG_DATA(header), static_cast<size_t>(count) * sizeof(int));
  start(fds, count, (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ? 0 : static_cast<size_t>(size));
  return true;
}

// --- a run's life ----------------------------------------------------------------------------------------------------

void take_descriptors(Run& run, msghdr& message, const wire::Frame& frame) {
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return;
  int fds[3] = {-1, -1, -1};
  size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(fds, CMSG_DATA(header), (count < 3 ? count : 3) * sizeof(int));
  int next = 0;
  if (frame.extra != 0) run.listener = fds[next++];
  if (run.watched) {
    run.proc = fds[next++];
    run.root = fds[next++];
  }
  auto index = static_cast<uint32_t>(&run - runs);
  if (run.listener >= 0 && watch(run.listener, Source::kListener, index) != 0) kill_run(run, wire::Cause::kOwn);
}

void note_frame(Run& run, msghdr& message, const wire::Frame& frame) {
  switch (frame.kind) {
    case wire::FrameKind::kListener: take_descriptors(run, message, frame); break;
    case wire::FrameKind::kFailed:
    case wire::FrameKind::kExecFailed: run.failure = frame; break;
    case wire::FrameKind::kExited:
      run.have_status = true;
      run.wait_status = frame.value;
      break;
  }
}

void drain_frames(Run& run) {
  for (;;) {
    wire::Frame frame{};
    iovec data{&frame, sizeof frame};
    alignas(cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t size = recvmsg(run.status, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size == static_cast<ssize_t>(sizeof frame)) {
      note_frame(run, message, frame);
      continue;
    }
    if (size == 0) epoll_ctl(epoll, EPOLL_CTL_DEL, run.status, nullptr);
    return;
  }
}

void report_denied(const Run& run) {
  for (int i = 0; i < run.denied_count; ++i) {
    wire::Event event{};
    event.kind = wire::EventKind::kDenied;
    event.number = run.denied[i].number;
    event.count = run.denied[i].count;
    memcpy(event.args, run.denied[i].args, sizeof event.args);
    send_event(run.control, event);
  }
}

uint64_t microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

wire::Event end_event(const Run& run, const rusage& usage) {
  wire::Event event{};
  event.kind = run.failure.kind == wire::FrameKind::kFailed       ? wire::EventKind::kFailed
               : run.failure.kind == wire::FrameKind::kExecFailed ? wire::EventKind::kExecFailed
                                                                  : wire::EventKind::kEnded;
  event.step = event.kind == wire::EventKind::kExecFailed ? run.failure.extra : run.failure.step;
  event.sys_errno = run.failure.value;
  event.pid = run.pid;
  event.wait_status = run.wait_status;
  event.have_status = run.have_status ? 1 : 0;
  event.cause = run.cause;
  event.cpu_user_us = microseconds(usage.ru_utime);
  event.cpu_system_us = microseconds(usage.ru_stime);
  event.max_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  event.peak_memory_bytes = run.peak_memory;
  event.peak_processes = run.peak_processes;
  return event;
}

// init is dead, and with it, by the kernel's hand, every process of its PID namespace (pid_namespaces(7)).
void finish(Run& run) {
  drain_frames(run);
  rusage usage{};
  syscall(SYS_wait4, run.pid, nullptr, __WALL, &usage);
  report_denied(run);
  send_event(run.control, end_event(run, usage));
  const int watched[] = {run.control, run.status, run.pidfd, run.listener};
  for (int fd : watched) forget(fd);
  close_and(run.proc, 0);
  close_and(run.root, 0);
  run.used = false;
}

void note_control(Run& run) {
  char byte;
  ssize_t got = recv(run.control, &byte, 1, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  epoll_ctl(epoll, EPOLL_CTL_DEL, run.control, nullptr);
  kill_run(run, wire::Cause::kCancelled);
}

void note_listener(Run& run, uint32_t events) {
  if ((events & EPOLLIN) != 0) return answer_notification(run);
  epoll_ctl(epoll, EPOLL_CTL_DEL, run.listener, nullptr);
}

void dispatch(const epoll_event& event) {
  Run& run = runs[event.data.u64 & 0xffffffff];
  auto source = static_cast<Source>(event.data.u64 >> 32);
  if (!run.used) return;  // ended by an earlier event of the same batch
  switch (source) {
    case Source::kEngine: break;
    case Source::kControl: note_control(run); break;
    case Source::kStatus: drain_frames(run); break;
    case Source::kProcess: finish(run); break;
    case Source::kListener: note_listener(run, event.events); break;
  }
}

// --- time ------------------------------------------------------------------------------------------------------------

// Kills what is over its time, looks after watched runs, and says how long the next wait may be (-1: for ever).
int tend_runs() {
  uint64_t next = kForever;
  uint64_t now = now_ms();
  for (Run& run : runs) {
    if (!run.used || run.killed) continue;
    if (now >= run.deadline_ms) {
      kill_run(run, wire::Cause::kTimeout);
      continue;
    }
    if (run.deadline_ms < next) next = run.deadline_ms;
    if (!run.watched) continue;
    watch_memory(run);
    if (now + kWatchPeriodMs < next) next = now + kWatchPeriodMs;
  }
  if (next == kForever) return -1;
  now = now_ms();
  return next <= now ? 0 : static_cast<int>(next - now > 60'000 ? 60'000 : next - now);
}

void kill_everything() {
  for (Run& run : runs) {
    if (!run.used) continue;
    kill_run(run, wire::Cause::kCancelled);
    waitpid(run.pid, nullptr, __WALL);
  }
}

int serve() {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0 || watch(kEngineFd, Source::kEngine, 0) != 0) return 1;
  for (;;) {
    epoll_event events[32];
    int count = epoll_wait(epoll, events, 32, tend_runs());
    bool engine = false;
    for (int i = 0; i < count; ++i) {
      if (static_cast<Source>(events[i].data.u64 >> 32) == Source::kEngine) {
        engine = true;
      } else {
        dispatch(events[i]);
      }
    }
    // New runs last: an entry that this batch freed is not mistaken for the run that takes its place.
    if (engine && !receive_start()) break;
  }
  kill_everything();
  return 0;
}

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < _NSIG; ++number) signal(number, SIG_DFL);
}

}  // namespace

uint64_t now_ms() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000 + static_cast<uint64_t>(time.tv_nsec) / 1'000'000;
}

void kill_run(Run& run, wire::Cause cause) {
  if (run.killed) return;
  run.killed = true;
  run.cause = cause;
  syscall(kernel::kSysPidfdSendSignal, run.pidfd, SIGKILL, nullptr, 0);
}

}  // namespace wardenv::launch

int main() {
  wardenv::launch::reset_signals();
  return wardenv::launch::serve();
}
