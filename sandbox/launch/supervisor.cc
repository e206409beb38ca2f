// SPDX-License-Identifier: Apache-2.0
// Answers what the filter passes on: refused system calls, which are counted, and requests for memory that nobody else
// can count.
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "sandbox/launch/launcher.h"

namespace wardenv::launch {
namespace {

constexpr uint64_t kBurst = 4096;  // answers that a run gets at once; after that it gets one each millisecond
constexpr int kMaxVariants = 4;    // of one call are told apart; the last one takes the rest

// Room for later kernels whose structures have grown (SECCOMP_GET_NOTIF_SIZES).
union Question {
  seccomp_notif value;
  uint8_t room[512];
};
union Answer {
  seccomp_notif_resp value;
  uint8_t room[512];
};

// x86-64 has no calls between 334 and 424 (syscall_64.tbl), but for two of debuggers.
bool exists(const Run& run, int number) {
  return (number >= 0 && number <= 334) || (number >= 424 && number <= static_cast<int>(run.last_syscall));
}

// The argument that makes a difference to who reads the report; the same for all calls where none does.
uint64_t variant_of(int number, const uint64_t* args) {
  constexpr uint64_t kInt = 0xffffffff;
  switch (number) {
    case SYS_socket:
    case SYS_socketpair:
    case SYS_clone:
    case SYS_unshare: return args[0] & kInt;
    case SYS_ioctl: return args[1] & kInt;
    default: return 0;
  }
}

// Where a call is counted, or nullptr. Numbers that do not exist are one call.
Denied* place_of(Run& run, int number, const uint64_t* args) {
  const bool known = exists(run, number);
  int variants = 0;
  for (int i = 0; i < run.denied_count; ++i) {
    Denied& entry = run.denied[i];
    if (known ? entry.number != number : exists(run, entry.number)) continue;
    const bool same_variant =
        known ? variant_of(number, entry.args) == variant_of(number, args) : entry.number == number;
    if (same_variant) return &entry;
    if (++variants < (known ? kMaxVariants : 1)) continue;
    if (!known) entry.number = wire::kNoSyscall;
    for (uint64_t& arg : entry.args) arg = wire::kOtherArgument;
    return &entry;
  }
  return nullptr;
}

// No call can hide another one: there is room for every number that exists (kMaxDenied).
void count(Run& run, const seccomp_data& data) {
  const auto* args = reinterpret_cast<const uint64_t*>(data.args);
  if (Denied* entry = place_of(run, data.nr, args)) {
    ++entry->count;
  } else if (run.denied_count < kMaxDenied) {
    run.denied[run.denied_count++] = {data.nr, 1, {args[0], args[1], args[2]}};
  }
}

// Who asks without end waits, and not we: the launcher's time is no run's, and no limit holds it.
void wait_where_asked_too_much(Run& run) {
  const uint64_t now = now_ms();
  run.answered_ms = (run.answered_ms > now ? run.answered_ms : now) + 1;
  if (run.answered_ms <= now + kBurst) return;
  watch_no_more(run.listener);
  run.listens_at_ms = run.answered_ms - kBurst;
}

void deny(Run& run, const seccomp_data& data, seccomp_notif_resp& response) {
  count(run, data);
  response.error = data.nr > static_cast<int>(run.last_syscall) ? -ENOSYS : -EPERM;
}

// The arguments of mmap(2) are values: what we judge is what is done, and so this call alone is ever continued
// (seccomp_unotify(2)).
uint64_t judge_shared(Run& run, uint64_t length, seccomp_notif_resp& response) {
  const uint64_t bytes = length > run.memory_bytes ? length : (length + 4095) & ~4095ULL;
  if (!give_shared(run, bytes)) return response.error = -ENOMEM, 0;
  response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  return bytes;
}

}  // namespace

void answer_notification(Run& run) {
  Question request;
  memset(&request, 0, sizeof request);
  if (syscall(SYS_ioctl, run.listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) return;  // the caller died meanwhile
  const seccomp_data& data = request.value.data;
  Answer response;
  memset(&response, 0, sizeof response);
  response.value.id = request.value.id;
  uint64_t given = 0;
  if (run.watched && data.nr == SYS_mmap) {
    given = judge_shared(run, data.args[1], response.value);
  } else {
    deny(run, data, response.value);
  }
  // A signal may have taken the caller out of its call meanwhile: it will ask again.
  if (syscall(SYS_ioctl, run.listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0) take_back_shared(run, given);
  wait_where_asked_too_much(run);
}

void listen_again(Run& run) {
  run.listens_at_ms = 0;
  if (run.listener < 0) return;
  if (const int error = watch(run.listener, Source::kListener, index_of(run)); error != 0) lose(run, error);
}

}  // namespace wardenv::launch
