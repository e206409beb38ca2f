// SPDX-License-Identifier: Apache-2.0
// The life of a run once its sandbox is made: what init tells, what the engine wants, and the end.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sandbox/launch/launcher.h"

namespace wardenv::launch {
namespace {

void send_event(const Run& run, const wire::Event& event) { send(run.control, &event, sizeof event, MSG_NOSIGNAL); }

uint64_t microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

void report_denied(const Run& run) {
  for (int i = 0; i < run.denied_count; ++i) {
    wire::Event event{};
    event.kind = wire::EventKind::kDenied;
    event.number = run.denied[i].number;
    event.count = run.denied[i].count;
    memcpy(event.args, run.denied[i].args, sizeof event.args);
    send_event(run, event);
  }
}

wire::Event end_event(const Run& run) {
  wire::Event event{};
  event.kind = run.failure.kind == wire::FrameKind::kFailed       ? wire::EventKind::kFailed
               : run.failure.kind == wire::FrameKind::kExecFailed ? wire::EventKind::kExecFailed
                                                                  : wire::EventKind::kEnded;
  event.step = event.kind == wire::EventKind::kExecFailed ? run.failure.extra : run.failure.step;
  event.sys_errno = run.cause == wire::Cause::kUnwatched ? run.lost_errno : run.failure.value;
  event.pid = run.pid;
  event.wait_status = run.exited.value;
  event.have_status = run.have_status ? 1 : 0;
  event.cause = run.cause;
  event.cpu_user_us = run.exited.cpu_user_us;
  event.cpu_system_us = run.exited.cpu_system_us;
  event.max_rss_bytes = run.exited.max_rss_bytes;
  event.peak_memory_bytes = run.peak_memory;
  event.peak_processes = run.peak_processes;
  event.prepared_steps = run.prepared_steps;
  return event;
}

void report_end(Run& run) {
  report_denied(run);
  send_event(run, end_event(run));
  run.state = State::kReported;
}

// What is missing was cut off because we have no room for more descriptors (unix(7)): nothing could be answered, or
// held.
void take_descriptors(Run& run, msghdr& message, const wire::Frame& frame) {
  int fds[3] = {-1, -1, -1};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    const size_t size = header->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(header), size < sizeof fds ? size : sizeof fds);
  }
  int next = 0;
  const bool listens = frame.extra != 0;
  if (listens) run.listener = fds[next++];
  if (run.watched) {
    run.proc = fds[next++];
    run.root = fds[next++];
  }
  if ((listens && run.listener < 0) || (run.watched && (run.proc < 0 || run.root < 0))) return lose(run, EMFILE);
  if (listens) listen_again(run);
}

// The proxy's socket goes straight on to the engine; without one, nothing answers inside.
void pass_socket(const Run& run, msghdr& message) {
  const cmsghdr* received = CMSG_FIRSTHDR(&message);
  if (received == nullptr || received->cmsg_type != SCM_RIGHTS) return;
  int fd = -1;
  memcpy(&fd, CMSG_DATA(received), sizeof fd);
  wire::Event event{};
  event.kind = wire::EventKind::kListening;
  iovec data{&event, sizeof event};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr onward{};
  onward.msg_iov = &data;
  onward.msg_iovlen = 1;
  onward.msg_control = control;
  onward.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&onward);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  sendmsg(run.control, &onward, MSG_NOSIGNAL);
  close(fd);
}

// The end of init's pidfd is all that is still to come.
void listen_no_more(Run& run) {
  watch_no_more(run.status);
  if (run.listener >= 0) watch_no_more(run.listener);
  run.deaf = true;
}

// A run that was killed is reported once everything is dead: whoever killed it decides what is told.
void note_exit(Run& run, const wire::Frame& frame) {
  run.have_status = true;
  run.exited = frame;
  if (frame.extra != 0 && !run.killed && run.state == State::kRunning) {
    report_end(run);
    listen_no_more(run);
  }
}

void note_frame(Run& run, msghdr& message, const wire::Frame& frame) {
  switch (frame.kind) {
    case wire::FrameKind::kListener: return take_descriptors(run, message, frame);
    case wire::FrameKind::kListening: return pass_socket(run, message);
    case wire::FrameKind::kFailed:
    case wire::FrameKind::kExecFailed: run.failure = frame; return;
    case wire::FrameKind::kExited: return note_exit(run, frame);
  }
}

void forget_process(Run& run) {
  forget(run.pidfd);
  const int ends[] = {run.status, run.listener};
  for (int fd : ends) run.deaf ? static_cast<void>(close_and(fd, 0)) : forget(fd);
  close_and(run.proc, 0);
  close_and(run.root, 0);
  run.status = run.pidfd = run.listener = run.proc = run.root = run.pid = -1;
}

// The engine, which waits for it, sees the end of the control socket first.
void let_go(Run& run) {
  forget(run.control);
  forget_process(run);
  run.state = State::kFree;
}

void reap(Run& run) {
  rusage usage{};
  syscall(SYS_wait4, run.pid, nullptr, __WALL, &usage);
  if (run.have_status) return;
  run.exited.cpu_user_us = microseconds(usage.ru_utime);
  run.exited.cpu_system_us = microseconds(usage.ru_stime);
  run.exited.max_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

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
      if (run.deaf) return;
      continue;
    }
    // End of file: init is gone, and the event of its pidfd follows. Left in the set it would wake us again and again.
    if (size == 0) watch_no_more(run.status);
    return;
  }
}

void kill_run(Run& run, wire::Cause cause) {
  if (run.killed) return;
  run.killed = true;
  run.cause = cause;
  if (run.pid > 0) syscall(kernel::kSysPidfdSendSignal, run.pidfd, SIGKILL, nullptr, 0);
}

void lose(Run& run, int error) {
  run.lost_errno = error;
  kill_run(run, wire::Cause::kUnwatched);
}

// init is dead, and with it, by the kernel's hand, every process of its PID namespace (pid_namespaces(7)). A prepared sandbox that
// died by itself stays as an empty entry: its run is made from nothing.
void finish(Run& run) {
  if (!run.deaf) drain_frames(run);
  reap(run);
  if (run.state == State::kRunning) report_end(run);
  if (run.state == State::kPrepared && run.control >= 0) return forget_process(run);
  let_go(run);
}

void discard(Run& run) {
  kill_run(run, wire::Cause::kCancelled);
  if (run.pid > 0) reap(run);
  let_go(run);
}

void start_clock(Run& run) { run.deadline_ms = run.wall_time_ms == 0 ? kForever : now_ms() + run.wall_time_ms; }

// With that option our first answer would cost a name for the socket (unix(7), autobind).
void expect_no_sender(int control) {
  const int off = 0;
  setsockopt(control, SOL_SOCKET, SO_PASSCRED, &off, sizeof off);
}

namespace {

// An init that is gone has told why, or its end does.
void let_in(Run& run) {
  expect_no_sender(run.control);
  run.held = false;
  start_clock(run);
  if (send(run.status, &wire::kGo, sizeof wire::kGo, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE) lose(run, errno);
}

}  // namespace

// A run that is held is let in, once. Everything else, and the end of the engine, cancels. Once it is reported, the engine may go as it likes.
void note_control(Run& run) {
  const Order order = take_order(run.control);
  if (order == Order::kNothing) return;
  if (order == Order::kGo && run.held && run.state == State::kRunning && !run.killed) return let_in(run);
  watch_no_more(run.control);
  if (run.state == State::kRunning) kill_run(run, wire::Cause::kCancelled);
}

}  // namespace wardenv::launch
