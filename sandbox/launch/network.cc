// SPDX-License-Identifier: Apache-2.0
// The private network: loopback up, the socket that the engine's proxy serves, and the host name.
#include <net/if.h>
#include <netinet/in.h>
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

// Bound before any process of the command exists, without SO_REUSEPORT: nothing inside can have the port instead. The engine gets the only
// descriptor; where it has closed that, connections are refused.
int listen_step(Context& context, const wire::Step& step) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(step.a));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) return close_and(fd, errno);
  if (listen(fd, static_cast<int>(step.b)) < 0) return close_and(fd, errno);
  send_frame(context.status, {wire::FrameKind::kListening, 0, 0, 0, 0, 0, 0}, &fd, 1);
  return close_and(fd, 0);
}

int hostname_step(Context& context, const wire::Step& step) {
  const char* name = context.plan.text(step.text);
  return error_of(syscall(SYS_sethostname, name, strlen(name)));
}

}  // namespace wardenv::launch
