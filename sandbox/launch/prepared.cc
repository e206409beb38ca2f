// SPDX-License-Identifier: Apache-2.0
// Sandboxes that were begun ahead: which plan each was begun with, whether a run's plan goes on from there, and the hand-over.
#include <sys/socket.h>

#include "sandbox/launch/launcher.h"

namespace wardenv::launch {
namespace {

constexpr uint32_t kMaxEarlyBytes = 32 * 1024;
constexpr int kMaxPrepared = 8;

// By place; a place is free where its run is not prepared (any more).
Run* early_runs[kMaxPrepared];
alignas(16) uint8_t early_plans[kMaxPrepared][kMaxEarlyBytes];

// Best one with the same plan in it: a page that is not written is one that sandboxes and we go on sharing.
int free_place(const uint8_t* bytes, size_t size) {
  int any = -1;
  for (int i = kMaxPrepared - 1; i >= 0; --i) {
    if (early_runs[i] != nullptr && early_runs[i]->state == State::kPrepared) continue;
    if (memcmp(early_plans[i], bytes, size) == 0) return i;
    any = i;
  }
  return any;
}

bool same_text(const Plan& a, const wire::Step& x, const Plan& b, const wire::Step& y) {
  if (!same(a.text(x.text), b.text(y.text))) return false;
  return x.op == wire::Op::kFile ? memcmp(a.text(x.text2), b.text(y.text2), x.b) == 0 : same(a.text(x.text2), b.text(y.text2));
}

bool same_step(const Plan& a, const wire::Step& x, const Plan& b, const wire::Step& y) {
  return x.op == y.op && x.flags == y.flags && x.slot == y.slot && x.a == y.a && x.b == y.b && x.c == y.c && same_text(a, x, b, y);
}

// True where what was applied ahead is just what the plan begins with.
bool fits(const Plan& early, const Plan& plan) {
  const wire::PlanHeader& a = early.header();
  const wire::PlanHeader& b = plan.header();
  if (a.uid_first != b.uid_first || a.uid_count != b.uid_count || a.step_count >= b.step_count) return false;
  if (b.fault != wire::Fault::kNone && b.fault_step <= a.step_count) return false;
  return same_steps(early, 0, plan, 0, a.step_count);
}

}  // namespace

bool same_steps(const Plan& a, uint32_t begin_a, const Plan& b, uint32_t begin_b, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (!same_step(a, a.step(begin_a + i), b, b.step(begin_b + i))) return false;
  }
  return true;
}

const uint8_t* keep_early(Run& run, const uint8_t* bytes, size_t size) {
  if (size > kMaxEarlyBytes || !valid_plan(bytes, size)) return nullptr;
  const int place = free_place(bytes, size);
  if (place < 0) return nullptr;
  if (memcmp(early_plans[place], bytes, size) != 0) memcpy(early_plans[place], bytes, size);
  early_runs[place] = &run;
  return early_plans[place];
}

uint32_t steps_ahead(const Run& run, const Plan& plan) {
  uint32_t done = 0;
  for (int i = 0; i < kMaxPrepared; ++i) {
    if (early_runs[i] != &run) continue;
    const Plan early{early_plans[i]};
    if (run.pid > 0 && fits(early, plan)) done = early.header().step_count;
    early_runs[i] = nullptr;
  }
  return done;
}

Run* fitting_spare(const Request& request) {
  if (!valid_plan(request.plan, request.size)) return nullptr;
  for (int i = 0; i < kMaxPrepared; ++i) {
    Run* run = early_runs[i];
    const bool spare = run != nullptr && run->state == State::kPrepared && run->control < 0 && run->pid > 0;
    if (spare && fits(Plan{early_plans[i]}, Plan{request.plan})) return run;
  }
  return nullptr;
}

// The rest of the plan goes over to the waiting process, with everything that it has not got yet.
int hand_over(const Run& run, const Context& context) {
  wire::Rest rest{};
  int fds[wire::kMaxSlots + 3];
  auto add = [&](int fd, int place) {
    if (fd < 0) return;
    rest.place[rest.count] = place;
    fds[rest.count++] = fd;
  };
  for (int i = 0; i < 3; ++i) add(context.stdio[i], i);
  for (int i = 0; i < wire::kMaxSlots; ++i) add(context.slots[i], i + 3);
  iovec data[] = {{&rest, sizeof rest}, {const_cast<uint8_t*>(context.plan.bytes), context.plan.header().size}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
  msghdr message{};
  message.msg_iov = data;
  message.msg_iovlen = 2;
  if (rest.count == 0) return sendmsg(run.status, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
  message.msg_control = control;
  message.msg_controllen = static_cast<socklen_t>(CMSG_SPACE(static_cast<size_t>(rest.count) * sizeof(int)));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = static_cast<socklen_t>(CMSG_LEN(static_cast<size_t>(rest.count) * sizeof(int)));
  memcpy(CMSG_DATA(header), fds, static_cast<size_t>(rest.count) * sizeof(int));
  return sendmsg(run.status, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

}  // namespace wardenv::launch
