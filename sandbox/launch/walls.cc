// SPDX-License-Identifier: Apache-2.0
// The second wall: Landlock ruleset and seccomp filter.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/stat.h>

#include "sandbox/launch/context.h"

namespace wardenv::launch {
namespace {

// Layouts of landlock(7) as of ABI 6; older kernels take the leading part that they know.
struct RulesetAttributes {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};
struct [[gnu::packed]] PathBeneath {
  uint64_t allowed_access;
  int32_t parent_fd;
};

constexpr uint64_t kFileRights = kernel::kFsExecute | kernel::kFsWriteFile | kernel::kFsReadFile | kernel::kFsTruncate | kernel::kFsIoctlDev;

}  // namespace

int landlock_ruleset_step(Context& context, const wire::Step& step) {
  const RulesetAttributes attributes{step.a, step.b, step.c};
  size_t size = step.c != 0 ? sizeof attributes : step.b != 0 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
  context.ruleset = static_cast<int>(syscall(kernel::kSysLandlockCreateRuleset, &attributes, size, 0));
  return context.ruleset < 0 ? errno : 0;
}

int landlock_allow_step(Context& context, const wire::Step& step) {
  int fd = open_beneath(context.root, relative(context.plan.text(step.text)), 0);
  if (fd < 0) return errno;
  struct stat status {};
  if (fstat(fd, &status) < 0) return close_and(fd, errno);
  const PathBeneath rule{S_ISDIR(status.st_mode) ? step.a : step.a & kFileRights, fd};
  return close_and(fd, error_of(syscall(kernel::kSysLandlockAddRule, context.ruleset, 1, &rule, 0)));
}

int landlock_restrict_step(Context& context, const wire::Step&) {
  return error_of(syscall(kernel::kSysLandlockRestrictSelf, context.ruleset, 0));
}

int seccomp_step(Context& context, const wire::Step&) {
  const wire::PlanHeader& header = context.plan.header();
  sock_fprog program{};
  program.len = static_cast<unsigned short>(header.filter_count);
  program.filter = const_cast<sock_filter*>(reinterpret_cast<const sock_filter*>(context.plan.bytes + header.filter));
  context.listener = static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
  return context.listener < 0 ? errno : 0;
}

}  // namespace wardenv::launch
