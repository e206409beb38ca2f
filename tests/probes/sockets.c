// SPDX-License-Identifier: Apache-2.0
// Acts by sockets: families that are not for a command, and listeners of the host (threats, sections C and E).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe.h"

// socket FAMILY TYPE PROTOCOL [high]: `high` puts garbage into the upper half of the family, which the kernel ignores.
static void do_socket(int argc, char **argv) {
  uint64_t family = (uint64_t)number(argc, argv, 0);
  if (argc > 3) family |= UINT64_C(0xdead) << 32;
  finish(syscall(SYS_socket, family, number(argc, argv, 1), number(argc, argv, 2)));
}
static void try_socket(int argc, char **argv) { in_child(do_socket, argc, argv); }

static void try_socketpair(int argc, char **argv) {
  int pair[2];
  finish(socketpair((int)number(argc, argv, 0), (int)number(argc, argv, 1), (int)number(argc, argv, 2), pair));
}

static void connect_tcp(int argc, char **argv) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(argc, argv, 1))};
  if (inet_pton(AF_INET, argument(argc, argv, 0), &address.sin_addr) != 1) broken("address");
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  finish(connect(fd, (struct sockaddr *)&address, sizeof address));
}

// connect_unix path|abstract NAME
static void connect_unix(int argc, char **argv) {
  const char *kind = argument(argc, argv, 0), *name = argument(argc, argv, 1);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t offset = kind[0] == 'a' ? 1 : 0;
  strncpy(address.sun_path + offset, name, sizeof address.sun_path - 1 - offset);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) denied(errno);
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + offset + strlen(name));
  finish(connect(fd, (struct sockaddr *)&address, length));
}

const Act kSocketActs[] = {
    {"socket", try_socket},
    {"socketpair", try_socketpair},
    {"connect_tcp", connect_tcp},
    {"connect_unix", connect_unix},
    {NULL, NULL},
};
