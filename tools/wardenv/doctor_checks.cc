// SPDX-License-Identifier: Apache-2.0
// The checks of `wardenv doctor`.
#include "tools/wardenv/doctor_checks.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "engine/engine.h"
#include "engine/gate/config.h"
#include "sandbox/base/kernel.h"
#include "sandbox/cgroup.h"
#include "sandbox/host_facts.h"

namespace wardenv::cli {
namespace {

constexpr const char* kUsernsFix =
    "sysctl -w user.max_user_namespaces=65536\n"
    "sysctl -w kernel.unprivileged_userns_clone=1        (Debian's older setting, where it exists)\n"
    "Ubuntu 24.04 and newer restrict them by AppArmor; allow wardenv in /etc/apparmor.d/wardenv:\n"
    "  abi <abi/4.0>,\n  include <tunables/global>\n"
    "  profile wardenv /usr/{,local/}{bin/wardenv,libexec/wardenv/wardenv-*} flags=(unconfined) {\n    userns,\n  }\n"
    "then: apparmor_parser -r /etc/apparmor.d/wardenv\n"
    "in a container: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined …";
constexpr const char* kProcFix =
    "a container hides parts of /proc, and the kernel then lets nobody mount a new one:\n"
    "docker run --security-opt systempaths=unconfined …    or    podman run --security-opt unmask=ALL …";
constexpr const char* kKernelFix = "use Linux 5.19 or newer (Debian 12 and newer, Ubuntu 22.10 and newer)";
constexpr const char* kSeccompFix = "use a kernel with CONFIG_SECCOMP_FILTER=y, 5.19 or newer";
constexpr const char* kLandlockFix =
    "a kernel with CONFIG_SECURITY_LANDLOCK=y and `landlock` in the boot parameter lsm= (cat /sys/kernel/security/lsm); without it the\n"
    "namespaces and the filter still hold, as one wall less";
constexpr const char* kCgroupFix =
    "as an ordinary user under systemd:  systemd-run --user --scope -p Delegate=yes wardenv …\n"
    "as a service:                       Delegate=yes in the unit\n"
    "as root:                            mount the memory, pids and cpu controllers (cgroup v2 at /sys/fs/cgroup)\n"
    "in a container:                     docker run --cgroupns=private -v /sys/fs/cgroup:/sys/fs/cgroup:rw …";


// A check answers 0 or an errno, in a child that it may spoil.
using Try = int (*)();

int run_in_child(Try attempt) {
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) ::_exit(attempt() & 0xff);
  int status = 0;
  if (::waitpid(child, &status, 0) < 0) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

int write_text(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = ::write(fd, text.data(), text.size()) < 0 ? errno : 0;
  ::close(fd);
  return error;
}

// Becomes the only user of a new user namespace, with `more` namespaces.
int enter(int more) {
  const std::string uid = std::to_string(::geteuid());
  const std::string gid = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | more) < 0) return errno;
  if (const int error = write_text("/proc/self/setgroups", "deny")) return error;
  if (const int error = write_text("/proc/self/uid_map", "1000 " + uid + " 1")) return error;
  return write_text("/proc/self/gid_map", "1000 " + gid + " 1");
}

int try_user_namespace() { return enter(0); }
int try_namespaces() { return enter(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWPID); }

int try_network() {
  if (const int error = enter(CLONE_NEWNET)) return error;
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  return fd < 0 || ::ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? errno : 0;
}

// A new procfs needs a new PID namespace, and that a child in it.
int try_proc() {
  if (const int error = enter(CLONE_NEWNS | CLONE_NEWPID)) return error;
  return run_in_child([] { return ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0 ? errno : 0; });
}

int try_mount_api() {
  if (const int error = enter(CLONE_NEWNS)) return error;
  const long tree = ::syscall(kernel::kSysOpenTree, AT_FDCWD, "/usr", 1U | 0x8000U);
  if (tree < 0) return errno;
  const struct {
    std::uint64_t set, clear, propagation, userns;
  } attributes{0x1, 0, MS_PRIVATE, 0};
  return ::syscall(kernel::kSysMountSetattr, tree, "", 0x1000U | 0x8000U, &attributes, sizeof attributes) < 0 ? errno : 0;
}

int try_seccomp() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
  sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  const sock_fprog program{1, allow};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) < 0 ? errno : 0;
}

// A ruleset that allows nothing must really refuse something that worked before.
int try_landlock() {
  if (::access("/usr", R_OK) < 0) return errno;
  const std::uint64_t rights = kernel::kFsReadDir;
  const long ruleset = ::syscall(kernel::kSysLandlockCreateRuleset, &rights, sizeof rights, 0);
  if (ruleset < 0) return errno;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || ::syscall(kernel::kSysLandlockRestrictSelf, ruleset, 0) < 0) return errno;
  return ::open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 ? EACCES : 0;
}

struct Check {
  const char* name;
  Try attempt;
  CheckStatus if_missing;
  const char* good;
  const char* fix;
};

constexpr Check kChecks[] = {
    {"user namespace", try_user_namespace, CheckStatus::kMissing, "made, with an id map", kUsernsFix},
    {"namespaces", try_namespaces, CheckStatus::kMissing, "mount, pid, ipc, uts and cgroup made", kUsernsFix},
    {"network namespace", try_network, CheckStatus::kMissing, "made, loopback up", kUsernsFix},
    {"mounts", try_mount_api, CheckStatus::kMissing, "a tree cloned and made read-only", kKernelFix},
    {"proc", try_proc, CheckStatus::kMissing, "a new procfs mounted", kProcFix},
    {"seccomp", try_seccomp, CheckStatus::kMissing, "a filter with a listener loaded", kSeccompFix},
    {"landlock", try_landlock, CheckStatus::kDegraded, "a ruleset refused what it should", kLandlockFix},
};

CheckResult run_check(const Check& check) {
  const int error = run_in_child(check.attempt);
  if (error == 0) return {check.name, CheckStatus::kOk, check.good, ""};
  const std::string fix = error == EAGAIN ? kProcessesHint : usual_hint(error);   // the check could not even begin
  return {check.name, check.if_missing, strerrordesc_np(error) != nullptr ? strerrordesc_np(error) : "failed", fix.empty() ? check.fix : fix};
}

CheckResult check_cgroup() {
  sandbox::CgroupHost host = sandbox::probe_cgroup();
  if (host.kind == sandbox::CgroupKind::kNone) {
    return {"control groups", CheckStatus::kDegraded,
            host.why_not + "; memory is held by a watchdog, processes by rlimit, CPUs by affinity instead", kCgroupFix};
  }
  const bool moves = host.must_leave_parent;
  if (moves) {
    if (const Status left = sandbox::leave_parent(host); !left) return {"control groups", CheckStatus::kMissing, left.error().message, kCgroupFix};
  }
  const sandbox::CgroupPlan plan{.kind = host.kind, .memory_bytes = 64 << 20, .processes = 8, .cpu_quota_us = 100'000};
  auto leaf = sandbox::CgroupLeaf::create(host, plan);
  if (!leaf) return {"control groups", CheckStatus::kMissing, leaf.error().message, kCgroupFix};
  if (host.kind == sandbox::CgroupKind::kV1) return {"control groups", CheckStatus::kOk, "v1, groups with limits made", ""};
  return {"control groups", CheckStatus::kOk, moves ? "v2, left to a group of our own, another with limits made" : "v2, a group with limits made", ""};
}

struct TemporaryFolder {
  char path[32] = "/tmp/wardenv-doctor.XXXXXX";
  bool made = ::mkdtemp(path) != nullptr;
  ~TemporaryFolder() {
    if (made) ::rmdir(path);
  }
};

// The proof: a command in a sandbox with everything on.
CheckResult check_end_to_end() {
  const TemporaryFolder folder;
  const auto config = engine::read_config(std::nullopt);   // for the ids that it names
  if (!config) return {"a whole sandbox", CheckStatus::kMissing, config.error().message, config.error().hint};
  auto engine = engine::Engine::create({.launcher = {}, .ids = config->ids});
  if (!engine) return {"a whole sandbox", CheckStatus::kMissing, engine.error().message, engine.error().hint};
  engine::RunRequest request;
  request.argv = {"/bin/sh", "-c", "exit 42"};
  request.workspace = folder.path;
  const engine::RunReport report = engine->run(request);
  if (report.exit_code == 42) return {"a whole sandbox", CheckStatus::kOk, "a command ran with every wall in place", ""};
  if (report.error) return {"a whole sandbox", CheckStatus::kMissing, report.error->message, report.error->hint};
  return {"a whole sandbox", CheckStatus::kMissing, "the command ended as " + std::string(to_string(report.outcome)), ""};
}

}  // namespace

std::vector<CheckResult> run_checks() {
  std::vector<CheckResult> results;
  for (const Check& check : kChecks) results.push_back(run_check(check));
  results.push_back(check_cgroup());
  results.push_back(check_end_to_end());
  const TemporaryFolder folder;
  results.push_back(check_egress(folder.path));
  return results;
}

}  // namespace wardenv::cli
