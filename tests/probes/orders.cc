// SPDX-License-Identifier: Apache-2.0
// An act against the launcher (threats, section A): an order to it by whoever gets hold of its socket. C++ for the wire format alone.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/plan_wire.h"

extern "C" {
#include "probe.h"
}

namespace {

using namespace wardenv;

constexpr int kDescriptors = 1024;
constexpr int kPatienceMs = 1000;
constexpr int kSteps = 3;
constexpr int kWords = 3;
constexpr int kFolder = kWords;   // the text after the words
constexpr int kTextBytes = 1024;

// The whole of a plan without a wall: a new process in no new namespace, its streams put in place, and a command.
struct Plan {
  wire::PlanHeader header;
  wire::Step steps[kSteps];
  uint32_t argv[kWords];
  char texts[kWords + 1][kTextBytes];   // the last byte of all is NUL
};

Plan plan;

uint32_t offset_of(const void* part) { return static_cast<uint32_t>(static_cast<const char*>(part) - reinterpret_cast<const char*>(&plan)); }

void write_plan(const char* script) {
  constexpr wire::Op kOps[kSteps] = {wire::Op::kClone, wire::Op::kCloseDescriptors, wire::Op::kExec};
  const uint32_t none = offset_of(&plan) + static_cast<uint32_t>(sizeof plan) - 1;
  const char* const words[kWords] = {"/bin/sh", "-c", script};
  for (int i = 0; i < kWords; ++i) {
    snprintf(plan.texts[i], kTextBytes, "%s", words[i]);
    plan.argv[i] = offset_of(plan.texts[i]);
  }
  strcpy(plan.texts[kFolder], "/");
  for (int i = 0; i < kSteps; ++i) plan.steps[i] = {kOps[i], 0, -1, none, none, 0, 0, 0};
  plan.header.magic = wire::kMagic;
  plan.header.version = wire::kVersion;
  plan.header.size = sizeof plan;
  plan.header.step_count = kSteps;
  plan.header.steps = offset_of(plan.steps);
  plan.header.argv_count = kWords;
  plan.header.argv = offset_of(plan.argv);
  plan.header.env = plan.header.search = plan.header.filter = offset_of(plan.argv);   // empty
  plan.header.cwd = offset_of(plan.texts[kFolder]);
}

// True where something took it for the end of a socket.
bool send_order(int fd, int control, int null) {
  const int fds[] = {control, null, null, null};
  iovec bytes{&plan, sizeof plan};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof fds)] = {};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fds);
  memcpy(CMSG_DATA(header), fds, sizeof fds);
  return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

// Whether the launcher at the other end has run the plan's command.
bool obeyed(int fd) {
  int ends[2];
  const int null = open("/dev/null", O_RDWR);
  if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) broken("socketpair");
  const bool sent = send_order(fd, ends[1], null);
  const int error = errno;
  close(ends[1]);
  close(null);
  wire::Event event{};
  pollfd answer{ends[0], POLLIN, 0};
  const bool ran = sent && poll(&answer, 1, kPatienceMs) > 0 && recv(ends[0], &event, sizeof event, 0) == static_cast<ssize_t>(sizeof event) &&
                   event.kind == wire::EventKind::kEnded;
  close(ends[0]);
  errno = sent ? ETIME : error;
  return ran;
}

// For the control: a launcher of our own, that has every reason to obey.
int start_launcher(const char* program) {
  int ends[2];
  const int on = 1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0 || setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) broken("socketpair");
  const pid_t child = fork();
  if (child < 0) broken("fork");
  if (child == 0) {
    if (dup2(ends[1], 0) < 0) broken("dup2");
    close(ends[0]);
    close(ends[1]);
    execl(program, program, nullptr);
    broken(program);
  }
  close(ends[1]);
  return ends[0];
}

void order_by_child(int socket) {
  const pid_t child = fork();
  if (child < 0) broken("fork");
  if (child > 0) {
    if (waitpid(child, nullptr, 0) != child) broken("waitpid");
    _exit(0);
  }
  finish(obeyed(socket) ? 0 : -1);
}

// order_launcher FILE [LAUNCHER [CHILD]]: through every descriptor that we have, or to a launcher of our own, a plan whose command makes
// FILE outside. CHILD, any word: a child of ours sends it.
void order_launcher(int argc, char** argv) {
  char script[kTextBytes];
  snprintf(script, sizeof script, "echo out > '%s'", argument(argc, argv, 0));
  write_plan(script);
  const int own = argc > 1 ? start_launcher(argument(argc, argv, 1)) : -1;
  if (argc > 2) order_by_child(own);
  if (argc > 1) finish(obeyed(own) ? 0 : -1);
  int error = EBADF;
  for (int fd = 0; fd < kDescriptors; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    if (obeyed(fd)) allowed();
    error = errno;
  }
  denied(error);
}

}  // namespace

extern "C" const Act kOrderActs[] = {{"order_launcher", order_launcher}, {nullptr, nullptr}};
