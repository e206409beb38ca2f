// SPDX-License-Identifier: Apache-2.0
// The filter, evaluated in user space: what it allows is the golden list, and nothing else passes.
#include "sandbox/seccomp/filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <map>
#include <random>
#include <set>
#include <string>

#include "sandbox/seccomp/builtin.h"
#include "sandbox/seccomp/syscall_sets.h"
#include "tests/support/bpf_eval.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

using namespace wardenv;
using namespace wardenv::sandbox::seccomp;
using testing::evaluate;

namespace {

constexpr std::uint64_t kGarbage = 0xdeadbeef00000000ULL;

seccomp_data call(long number, std::initializer_list<std::uint64_t> args = {}, std::uint32_t arch = AUDIT_ARCH_X86_64) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = arch;
  std::size_t index = 0;
  for (std::uint64_t arg : args) data.args[index++] = arg;
  return data;
}

std::uint32_t action(const seccomp_data& data, LimitsBy limits = LimitsBy::kCgroup) { return evaluate(builtin_filter(limits), data).action; }
bool allowed(long number, std::initializer_list<std::uint64_t> args = {}) { return action(call(number, args)) == SECCOMP_RET_ALLOW; }

}  // namespace

TEST_CASE("the allowed set is the golden one") {
  CHECK(testing::compare_golden("seccomp/allowed_cgroup.txt", allowlist_text(LimitsBy::kCgroup)) == "");
  CHECK(testing::compare_golden("seccomp/allowed_process.txt", allowlist_text(LimitsBy::kProcess)) == "");
}

TEST_CASE("what was built in decides as what libseccomp makes of the tables, for every number and mixtures of the values that they name") {
  for (LimitsBy limits : {LimitsBy::kCgroup, LimitsBy::kProcess}) {
    const auto compiled = compile_filter(limits);
    REQUIRE(compiled);
    const auto builtin = builtin_filter(limits);
    CHECK(builtin.size() < compiled->size());
    std::vector<std::uint64_t> values{0, 1, ~0ULL, kGarbage, 1ULL << 32};
    for (const SyscallSet& set : allowed_sets(limits)) {
      for (const Rule& rule : set.rules) {
        for (const Condition& c : rule.conditions) values.insert(values.end(), {c.value, c.value | kGarbage, c.value + 1, c.value - 1, ~c.mask, c.value | ~c.mask});
      }
    }
    std::mt19937 random(20261126);
    auto agree = [&](seccomp_data data) {
      for (int round = 0; round < 400; ++round) {
        for (auto& arg : data.args) arg = values[random() % values.size()];
        if (evaluate(builtin, data).action != evaluate(*compiled, data).action) return false;
      }
      return true;
    };
    for (int number = -2; number <= 700; ++number) {
      INFO(number);
      CHECK(agree(call(number)));
      CHECK(agree(call(0x40000000 + number)));
      CHECK(agree(call(number, {}, AUDIT_ARCH_I386)));
    }
    for (const int number : {0x3fffffff, 0x7fffffff, -0x7fffffff - 1, -0x40000000}) CHECK(agree(call(number)));
  }
}

TEST_CASE("every number: allowed where a table says so without conditions, else refused to the supervisor") {
  for (LimitsBy limits : {LimitsBy::kCgroup, LimitsBy::kProcess}) {
    std::set<std::string> plain;
    std::set<std::string> conditional;
    for (const SyscallSet& set : allowed_sets(limits)) {
      for (const Rule& rule : set.rules) (rule.conditions.empty() ? plain : conditional).insert(rule.name);
    }
    for (int number = 0; number <= 600; ++number) {
      const std::string name(syscall_name(number));
      INFO(number << " " << name);
      constexpr std::uint64_t kNone = 0x7b7b7b7b7b7b7b7bULL;  // meets no condition of any rule
      const std::uint32_t got = action(call(number, {kNone, kNone, kNone, kNone, kNone, kNone}), limits);
      if (plain.count(name) != 0) CHECK(got == SECCOMP_RET_ALLOW);
      else if (name == "clone3" || name == "openat2") CHECK(got == (SECCOMP_RET_ERRNO | ENOSYS));
      else CHECK(got == SECCOMP_RET_USER_NOTIF);
    }
  }
}

TEST_CASE("argument rules mean what the tables say, for every mixture of the values that they name") {
  std::map<std::string, std::vector<Rule>> rules;
  std::vector<std::uint64_t> values{0, 1, 2, 3, 4, 5, ~0ULL, kGarbage};
  for (const SyscallSet& set : allowed_sets(LimitsBy::kCgroup)) {
    for (const Rule& rule : set.rules) {
      if (!rule.conditions.empty()) rules[rule.name].push_back(rule);
      for (const Condition& condition : rule.conditions) values.insert(values.end(), {condition.value, condition.value | kGarbage, condition.value + 1});
    }
  }
  std::mt19937 random(20260101);
  for (int number = 0; number <= last_known_syscall(); ++number) {
    const auto known = rules.find(std::string(syscall_name(number)));
    if (known == rules.end()) continue;
    for (int round = 0; round < 20'000; ++round) {
      seccomp_data data = call(number);
      for (auto& arg : data.args) arg = values[random() % values.size()];
      const bool expected = std::any_of(known->second.begin(), known->second.end(), [&](const Rule& rule) {
        return std::all_of(rule.conditions.begin(), rule.conditions.end(), [&](const Condition& c) { return (data.args[c.index] & c.mask) == c.value; });
      });
      if ((action(data) == SECCOMP_RET_ALLOW) != expected) {
        FAIL(known->first << " " << std::hex << data.args[0] << " " << data.args[1] << " " << data.args[2] << " should be " << (expected ? "allowed" : "refused"));
      }
    }
  }
}

TEST_CASE("x32 and foreign architectures are killed") {
  for (int number : {0, 1, 59, 321, 425}) {
    CHECK(action(call(0x40000000 + number)) == SECCOMP_RET_KILL_PROCESS);
    CHECK(action(call(number, {}, AUDIT_ARCH_I386)) == SECCOMP_RET_KILL_PROCESS);
    CHECK(action(call(number, {}, AUDIT_ARCH_AARCH64)) == SECCOMP_RET_KILL_PROCESS);
  }
}

TEST_CASE("what threats name is refused") {
  for (int number : {SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
                      SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_add_key, SYS_keyctl, SYS_request_key,
                      SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_process_vm_readv, SYS_process_vm_writev, SYS_ptrace,
                      SYS_kcmp, SYS_pidfd_getfd, SYS_process_madvise, SYS_vmsplice, SYS_quotactl, SYS_acct, SYS_swapon, SYS_reboot,
                      SYS_modify_ldt, SYS_iopl, SYS_ioperm, SYS_open_by_handle_at, SYS_fanotify_init, SYS_syslog, SYS_settimeofday,
                      SYS_clock_settime, SYS_capset, SYS_seccomp, SYS_landlock_create_ruleset, SYS_move_pages, SYS_mbind, SYS_sethostname,
                      SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr, 999}) {
    INFO(number);
    CHECK(action(call(number)) == SECCOMP_RET_USER_NOTIF);
  }
}

TEST_CASE("arguments") {
  SECTION("clone makes threads and processes, no namespaces") {
    CHECK(allowed(SYS_clone, {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD}));
    for (std::uint64_t flag : std::initializer_list<std::uint64_t>{CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP}) {
      CHECK_FALSE(allowed(SYS_clone, {17 | flag}));
      CHECK_FALSE(allowed(SYS_clone, {17 | flag | kGarbage}));
    }
  }
  SECTION("ioctl pushes nothing into terminals, with any high bits") {
    CHECK(allowed(SYS_ioctl, {0, TCGETS}));
    CHECK(allowed(SYS_ioctl, {0, 0xffffffff80045430ULL}));  // TIOCGPTN as musl passes it
    for (std::uint64_t high : {std::uint64_t{0}, std::uint64_t{0xffffffff00000000ULL}, kGarbage}) {
      CHECK_FALSE(allowed(SYS_ioctl, {0, TIOCSTI | high}));
      CHECK_FALSE(allowed(SYS_ioctl, {0, 0x541C | high}));
      CHECK_FALSE(allowed(SYS_ioctl, {0, TIOCSETD | high}));
    }
  }
  SECTION("sockets are unix, TCP and UDP") {
    CHECK(allowed(SYS_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0}));
    CHECK(allowed(SYS_socket, {AF_INET, SOCK_STREAM, 6}));
    CHECK(allowed(SYS_socket, {AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 17}));
    CHECK(allowed(SYS_socket, {AF_NETLINK, SOCK_RAW, 0}));
    CHECK_FALSE(allowed(SYS_socket, {AF_NETLINK, SOCK_RAW, 12}));
    CHECK_FALSE(allowed(SYS_socket, {AF_INET, SOCK_RAW, 1}));
    CHECK_FALSE(allowed(SYS_socket, {AF_INET, SOCK_STREAM, 132}));
    CHECK_FALSE(allowed(SYS_socket, {AF_INET, SOCK_STREAM, 262}));
    for (std::uint64_t family : std::initializer_list<std::uint64_t>{AF_VSOCK, AF_ALG, AF_PACKET, AF_BLUETOOTH, AF_XDP}) CHECK_FALSE(allowed(SYS_socket, {family, SOCK_DGRAM, 0}));
  }
  SECTION("fcntl takes no leases") {
    CHECK(allowed(SYS_fcntl, {0, F_SETFD}));
    CHECK_FALSE(allowed(SYS_fcntl, {0, F_SETLEASE}));
    CHECK_FALSE(allowed(SYS_fcntl, {0, F_NOTIFY | kGarbage}));
  }
  SECTION("the core limit can be read, not set") {
    CHECK(allowed(SYS_prlimit64, {0, RLIMIT_CORE, 0}));
    CHECK(allowed(SYS_prlimit64, {0, RLIMIT_NOFILE, 1}));
    CHECK_FALSE(allowed(SYS_prlimit64, {0, RLIMIT_CORE, 1}));
    CHECK_FALSE(allowed(SYS_prlimit64, {0, RLIMIT_CORE | kGarbage, 1}));
    CHECK_FALSE(allowed(SYS_setrlimit, {RLIMIT_CORE | kGarbage, 1}));
  }
  SECTION("device nodes are not made") {
    CHECK(allowed(SYS_mknodat, {0, 0, S_IFIFO | 0600}));
    CHECK_FALSE(allowed(SYS_mknodat, {0, 0, S_IFCHR | 0600}));
    CHECK_FALSE(allowed(SYS_mknod, {0, S_IFBLK | 0600}));
  }
  SECTION("no file is made set-uid or set-gid") {
    constexpr std::uint64_t kTmpFile = O_TMPFILE, kSticky = S_ISVTX;
    for (const std::uint64_t high : {std::uint64_t{0}, kGarbage}) {
      for (const std::uint64_t mode : std::initializer_list<std::uint64_t>{04755, 02755, 06000, 04000 | S_IFREG}) {
        CHECK_FALSE(allowed(SYS_chmod, {0, mode | high}));
        CHECK_FALSE(allowed(SYS_fchmod, {0, mode | high}));
        CHECK_FALSE(allowed(SYS_fchmodat, {0, 0, mode | high}));
        CHECK_FALSE(allowed(452, {0, 0, mode | high}));
        CHECK_FALSE(allowed(SYS_creat, {0, mode | high}));
        CHECK_FALSE(allowed(SYS_mknod, {0, mode | high}));
        CHECK_FALSE(allowed(SYS_mknodat, {0, 0, mode | high}));
        CHECK_FALSE(allowed(SYS_open, {0, O_CREAT | high, mode}));
        CHECK_FALSE(allowed(SYS_openat, {0, 0, O_CREAT | O_WRONLY | high, mode | high}));
        CHECK_FALSE(allowed(SYS_openat, {0, 0, kTmpFile | O_RDWR, mode}));
        CHECK(allowed(SYS_open, {0, O_RDWR | high, mode}));   // makes none
        CHECK(allowed(SYS_openat, {0, 0, O_DIRECTORY, mode}));
      }
      CHECK(allowed(SYS_chmod, {0, 0777 | kSticky | high}));
      CHECK(allowed(SYS_fchmodat, {0, 0, 0755 | high}));
      CHECK(allowed(SYS_creat, {0, 0666 | high}));
      CHECK(allowed(SYS_open, {0, O_CREAT | O_TRUNC | O_WRONLY, 0666 | high}));
      CHECK(allowed(SYS_openat, {0, 0, kTmpFile | O_RDWR, 0600 | high}));
    }
    CHECK(action(call(SYS_openat2)) == (SECCOMP_RET_ERRNO | ENOSYS));
  }
  SECTION("prctl and personality only harmless") {
    CHECK(allowed(SYS_prctl, {PR_SET_NAME}));
    CHECK_FALSE(allowed(SYS_prctl, {PR_SET_SECCOMP}));
    CHECK_FALSE(allowed(SYS_prctl, {PR_SET_MM}));
    CHECK(allowed(SYS_personality, {0xffffffff}));
    CHECK_FALSE(allowed(SYS_personality, {0x0040000}));
  }
}

TEST_CASE("without control groups, memory that no process owns and affinity are refused") {
  for (long number : {SYS_memfd_create, SYS_shmget, SYS_semget, SYS_msgget, SYS_msgsnd, SYS_sched_setaffinity}) {
    CHECK(action(call(number), LimitsBy::kCgroup) == SECCOMP_RET_ALLOW);
    CHECK(action(call(number), LimitsBy::kProcess) == SECCOMP_RET_USER_NOTIF);
  }
}

TEST_CASE("without control groups, anonymous shared memory is for the launcher to count") {
  const auto map = [](std::uint64_t flags) { return call(SYS_mmap, {0, 4096, 3, flags, 0, 0}); };
  for (const std::uint64_t more : {std::uint64_t{0}, std::uint64_t{MAP_NORESERVE | MAP_POPULATE}, kGarbage}) {
    for (const std::uint64_t flags :
         std::initializer_list<std::uint64_t>{MAP_PRIVATE | MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE}) {
      CHECK(action(map(flags | more), LimitsBy::kProcess) == SECCOMP_RET_ALLOW);
    }
    for (const std::uint64_t flags : std::initializer_list<std::uint64_t>{MAP_SHARED | MAP_ANONYMOUS, MAP_SHARED_VALIDATE | MAP_ANONYMOUS}) {
      CHECK(action(map(flags | more), LimitsBy::kProcess) == SECCOMP_RET_USER_NOTIF);
      CHECK(action(map(flags | more), LimitsBy::kCgroup) == SECCOMP_RET_ALLOW);
    }
  }
}

TEST_CASE("common calls are decided in few instructions") {
  for (long number : {SYS_read, SYS_write, SYS_futex, SYS_mmap, SYS_close, SYS_openat, SYS_epoll_wait}) {
    CHECK(evaluate(builtin_filter(LimitsBy::kCgroup), call(number)).instructions <= 24);
  }
}
