// SPDX-License-Identifier: Apache-2.0
// Refused calls in words: names, the argument that mattered, a hint; sums over what is the same.
#include "engine/violations.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox/plan_wire.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;

namespace {

std::string what(int number, std::uint64_t first = 0, std::uint64_t second = 0) {
  const auto violations = describe_violations({{.number = number, .count = 1, .args = {first, second, 0}}});
  REQUIRE(violations.size() == 1);
  CHECK_FALSE(violations[0].hint.empty());
  return violations[0].what;
}

}  // namespace

TEST_CASE("nothing refused, nothing said") { CHECK(describe_violations({}).empty()); }

TEST_CASE("calls by name") {
  CHECK(what(SYS_mount) == "mount");
  CHECK(what(SYS_ptrace) == "ptrace");
  CHECK(what(SYS_bpf) == "bpf");
  CHECK(what(99999) == "syscall 99999");
  CHECK(what(-1) == "syscall -1");
}

TEST_CASE("sockets by family, as network") {
  CHECK(what(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC) == "socket(AF_NETLINK, SOCK_RAW)");
  CHECK(what(SYS_socket, AF_VSOCK, SOCK_STREAM) == "socket(AF_VSOCK)");
  CHECK(what(SYS_socket, AF_INET, SOCK_RAW) == "socket(AF_INET, SOCK_RAW)");
  CHECK(what(SYS_socketpair, AF_TIPC, SOCK_STREAM) == "socket(AF_TIPC)");
  CHECK(what(SYS_socket, 77, SOCK_STREAM) == "socket(77)");
  CHECK(describe_violations({{.number = SYS_socket, .count = 1, .args = {AF_VSOCK, 1, 0}}})[0].kind == "network");
  CHECK(describe_violations({{.number = SYS_mount, .count = 1}})[0].kind == "syscall");
}

TEST_CASE("the upper half of a register is no part of an int argument") {
  CHECK(what(SYS_socket, (1ULL << 40) | AF_VSOCK, SOCK_STREAM) == "socket(AF_VSOCK)");
  CHECK(what(SYS_ioctl, 0, (1ULL << 32) | TIOCSTI) == "ioctl(TIOCSTI)");
}

TEST_CASE("namespaces and terminals") {
  CHECK(what(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS) == "unshare(CLONE_NEWUSER)");
  CHECK(what(SYS_clone, CLONE_NEWNET | SIGCHLD) == "clone(CLONE_NEWNET)");
  CHECK(what(SYS_unshare, CLONE_FILES) == "unshare");
  CHECK(what(SYS_ioctl, 0, TIOCSTI) == "ioctl(TIOCSTI)");
  CHECK(what(SYS_ioctl, 0, 0x1234) == "ioctl(4660)");
}

TEST_CASE("the same call is one entry with a sum, in the order of the first") {
  const auto violations = describe_violations({{.number = SYS_socket, .count = 2, .args = {AF_VSOCK, SOCK_STREAM, 0}},
                                               {.number = SYS_mount, .count = 3},
                                               {.number = SYS_socket, .count = 5, .args = {AF_VSOCK, SOCK_DGRAM, 1}},
                                               {.number = SYS_socket, .count = 1, .args = {AF_CAN, SOCK_RAW, 1}}});
  REQUIRE(violations.size() == 3);
  CHECK((violations[0].what == "socket(AF_VSOCK)" && violations[0].count == 7));
  CHECK((violations[1].what == "mount" && violations[1].count == 3));
  CHECK((violations[2].what == "socket(AF_CAN, SOCK_RAW)" && violations[2].count == 1));
}

TEST_CASE("what the launcher told apart no longer") {
  CHECK(what(wire::kNoSyscall) == "system calls that do not exist");
  CHECK(what(SYS_ioctl, wire::kOtherArgument, wire::kOtherArgument) == "ioctl(others)");
  CHECK(what(SYS_socket, wire::kOtherArgument, wire::kOtherArgument) == "socket(others)");
  CHECK(what(SYS_unshare, wire::kOtherArgument) == "unshare(others)");
}

TEST_CASE("hints say what to do instead") {
  CHECK(describe_violations({{.number = SYS_mount, .count = 1}})[0].hint.find("writable") != std::string::npos);
  CHECK(describe_violations({{.number = SYS_ptrace, .count = 1}})[0].hint.find("debuggers") != std::string::npos);
  CHECK(describe_violations({{.number = SYS_reboot, .count = 1}})[0].hint.find("Python") != std::string::npos);
}
