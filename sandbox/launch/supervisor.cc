// SPDX-License-Identifier: Apache-2.0
// Answers refused system calls and counts them.
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "sandbox/launch/launcher.h"

namespace wardenv::launch {
namespace {

// Room for later kernels whose structures have grown (SECCOMP_GET_NOTIF_SIZES).
union Question {
  seccomp_notif value;
  uint8_t room[512];
};
union Answer {
  seccomp_notif_resp value;
  uint8_t room[512];
};

void count(Run& run, const seccomp_data& data) {
  for (int i = 0; i < run.denied_count; ++i) {
    Denied& entry = run.denied[i];
    bool last = i == kMaxDenied - 1;
    if (!last && (entry.number != data.nr || entry.args[0] != data.args[0])) continue;
    ++entry.count;
    return;
  }
  run.denied[run.denied_count++] = {data.nr, 1, {data.args[0], data.args[1], data.args[2]}};
}

}  // namespace

void answer_notification(Run& run) {
  Question request;
  memset(&request, 0, sizeof request);
  if (syscall(SYS_ioctl, run.listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0) return;  // the caller died meanwhile
  count(run, request.value.data);
  Answer response;
  memset(&response, 0, sizeof response);
  response.value.id = request.value.id;
  response.value.error = request.value.data.nr > static_cast<int>(run.last_syscall) ? -ENOSYS : -EPERM;
  syscall(SYS_ioctl, run.listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

}  // namespace wardenv::launch
