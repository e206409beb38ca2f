// SPDX-License-Identifier: Apache-2.0
// wardenv-launcher: takes plans from the engine on descriptor 0, makes a sandbox of each, watches over it, reports its end.
// Single-threaded: the death signal of each init is tied to this thread. End-of-file on descriptor 0 kills everything.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "sandbox/launch/launcher.h"
#include "sandbox/launch/serve.h"

namespace wardenv::launch {
namespace {

constexpr int kEngineFd = 0;             // our end of the socket to the engine
constexpr uint64_t kWatchPeriodMs = 4;  // a compromise: the overshoot of the watchdog against its own CPU time

void sooner(uint64_t& next, uint64_t at) {
  if (at < next) next = at;
}

constexpr size_t kPage = 4096;

// No sandbox gets a copy of this: what is not there need not be copied when we write to it (fork(2)), and tells nothing of other runs.
// Entries are zero, and their pages do not exist, until one is taken: a launcher that makes one sandbox pays for one.
struct alignas(kPage) Own {
  alignas(Run) uint8_t room[kMaxRuns * sizeof(Run)];
  alignas(16) uint8_t datagram[wire::kMaxPlanBytes + 1];
};
Own own;
const Run kFresh{};
uint32_t ever_taken = 0;   // entries from here on never were
int epoll = -1;
pid_t engine = -1;        // who started us, and alone gives orders

// A prepared sandbox is started, or its engine has lost interest.
void note_prepared_control(Run& run) {
  Request request{.plan = own.datagram};
  switch (receive(run.control, request)) {
    case Received::kNothing: return;
    case Received::kPlan: return start_prepared(run, request);
    case Received::kOther:
    case Received::kClosed: return discard(run);
  }
}

void note_listener(Run& run, uint32_t events) {
  if ((events & EPOLLIN) != 0) return answer_notification(run);
  watch_no_more(run.listener);
}

void dispatch(const epoll_event& event) {
  Run& run = run_at(static_cast<uint32_t>(event.data.u64));
  if (run.state == State::kFree) return;  // ended by an earlier event of the same batch
  switch (static_cast<Source>(event.data.u64 >> 32)) {
    case Source::kEngine: break;
    case Source::kControl: return run.state == State::kPrepared ? note_prepared_control(run) : note_control(run);
    case Source::kStatus: return drain_frames(run);
    case Source::kProcess: return finish(run);
    case Source::kListener: return note_listener(run, event.events);
  }
}

// Kills what is over its time, looks after watched runs, and says how long the next wait may be (-1: for ever).
int tend_runs() {
  uint64_t now = now_ms();
  uint64_t next = drop_old_trees(now);
  for (uint32_t i = 0; i < ever_taken; ++i) {
    Run& run = run_at(i);
    if (run.state != State::kRunning || run.killed) continue;
    if (now >= run.deadline_ms) {
      kill_run(run, wire::Cause::kTimeout);
      continue;
    }
    sooner(next, run.deadline_ms);
    if (run.listens_at_ms != 0) {
      if (now >= run.listens_at_ms)
        listen_again(run);
      else
        sooner(next, run.listens_at_ms);
    }
    if (!run.watched) continue;
    if (now >= run.look_ms) {
      watch_memory(run);
      run.look_ms = now_ms() + kWatchPeriodMs;  // from the end on: a look that takes long leaves time for all else
    }
    sooner(next, run.look_ms);
  }
  if (next == kForever) return -1;
  now = now_ms();
  return next <= now ? 0 : static_cast<int>(next - now > 60'000 ? 60'000 : next - now);
}

// False at end-of-file: the engine is gone.
bool take_request() {
  Request request{.plan = own.datagram};
  switch (receive(kEngineFd, request)) {
    case Received::kPlan: start(request); return true;
    case Received::kNothing:
    case Received::kOther: return true;
    case Received::kClosed: return false;
  }
  return false;
}

void kill_everything() {
  for (uint32_t i = 0; i < ever_taken; ++i) {
    if (run_at(i).state != State::kFree) discard(run_at(i));
  }
}

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < _NSIG; ++number) signal(number, SIG_DFL);
}

}  // namespace

Run& run_at(uint32_t index) { return reinterpret_cast<Run*>(own.room)[index]; }
uint32_t index_of(const Run& run) { return static_cast<uint32_t>(&run - &run_at(0)); }

// What is refused is counted from nothing; the list itself need not be touched.
void make_fresh(Run& run) { memcpy(static_cast<void*>(&run), &kFresh, offsetof(Run, denied)); }

Run* take_run() {
  uint32_t index = 0;
  while (index < ever_taken && run_at(index).state != State::kFree) ++index;
  if (index == kMaxRuns) return nullptr;
  if (index == ever_taken) ++ever_taken;
  make_fresh(run_at(index));
  return &run_at(index);
}

uint64_t now_ms() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000 + static_cast<uint64_t>(time.tv_nsec) / 1'000'000;
}

int watch(int fd, Source source, uint32_t run) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = static_cast<uint64_t>(source) << 32 | run;
  return error_of(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

// Closing is not enough to leave the event set: a sandbox that is just being made still holds copies of all our descriptors, and an
// event of the old description would be taken for one of the run that has the place next (epoll(7)).
void forget(int fd) {
  if (fd < 0) return;
  epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
  close(fd);
}

void watch_no_more(int fd) { epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr); }

namespace {

// musl's macro compares a length with a difference, which clang has an opinion on.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
cmsghdr* next_header(msghdr& message, cmsghdr* header) { return CMSG_NXTHDR(&message, header); }
#pragma GCC diagnostic pop

// Takes the descriptors over; true where the engine sent them. The sender is the kernel's word (unix(7), SCM_CREDENTIALS): our socket in
// other hands, those of a sandbox for one, gives no orders.
bool take_control(msghdr& message, Request& request) {
  ucred sender{};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = next_header(message, header)) {
    if (header->cmsg_type == SCM_CREDENTIALS) memcpy(&sender, CMSG_DATA(header), sizeof sender);
    if (header->cmsg_type != SCM_RIGHTS) continue;
    request.count = static_cast<int>((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(request.fds, CMSG_DATA(header), static_cast<size_t>(request.count) * sizeof(int));
  }
  return sender.pid == engine;
}

}  // namespace

Received receive(int socket, Request& request) {
  iovec data{request.plan, wire::kMaxPlanBytes + 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof request.fds) + CMSG_SPACE(sizeof(ucred))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? Received::kNothing : Received::kClosed;
  if (size == 0) return Received::kClosed;
  const bool ours = take_control(message, request);
  while (!ours && request.count > 0) close(request.fds[--request.count]);
  if (request.count == 0) return Received::kOther;
  request.size = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ? 0 : static_cast<size_t>(size);
  return Received::kPlan;
}

Order take_order(int control_socket) {
  char word = 0;
  iovec data{&word, sizeof word};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = recvmsg(control_socket, &message, MSG_DONTWAIT | MSG_TRUNC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return Order::kNothing;
  Request none;
  const bool ours = size >= 0 && take_control(message, none);
  while (none.count > 0) close(none.fds[--none.count]);   // nobody asked for them
  return size == 1 && ours && word == wire::kGo ? Order::kGo : Order::kCancel;
}

// In a process group of its own: what a terminal sends to the engine's is for the engine to judge.
int serve(const wire::PlanHeader* spare) {
  reset_signals();
  madvise(&own, sizeof own, MADV_DONTFORK);
  setpgid(0, 0);
  engine = getppid();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0 || watch(kEngineFd, Source::kEngine, 0) != 0) return 1;
  if (spare != nullptr) prepare_spare(spare);
  for (;;) {
    epoll_event events[32];
    int count = epoll_wait(epoll, events, 32, tend_runs());
    bool asked = false;
    for (int i = 0; i < count; ++i) {
      if (static_cast<Source>(events[i].data.u64 >> 32) == Source::kEngine) {
        asked = true;
      } else {
        dispatch(events[i]);
      }
    }
    // New runs last: an entry that this batch freed is not mistaken for the run that takes its place.
    if (asked && !take_request()) break;
  }
  kill_everything();
  return 0;
}

}  // namespace wardenv::launch
