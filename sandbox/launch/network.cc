// SPDX-License-Identifier: Apache-2.0
// The private network: loopback up, and the host name.
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "sandbox/launch/context.h"

namespace wardenv::launch {

int loopback_up_step(Context&, const wire::Step&) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  return close_and(fd, error_of(ioctl(fd, SIOCSIFFLAGS, &request)));
}

int hostname_step(Context& context, const wire::Step& step) {
  const char* name = context.plan.text(step.text);
  return error_of(syscall(SYS_sethostname, name, strlen(name)));
}

}  // namespace wardenv::launch
