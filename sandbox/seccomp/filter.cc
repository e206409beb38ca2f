// SPDX-License-Identifier: Apache-2.0
// Allowlist -> classic BPF, by libseccomp.
#include "sandbox/seccomp/filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>

#include "sandbox/base/unique_fd.h"
#include "sandbox/seccomp/syscall_sets.h"

namespace wardenv::sandbox::seccomp {
namespace {

static_assert(sizeof(Instruction) == sizeof(sock_filter) && offsetof(Instruction, k) == offsetof(sock_filter, k));

// libseccomp does not take "notify" as default action: this stands for it until the program is finished.
constexpr std::uint16_t kPlaceholder = 0x5744;

using Context = std::unique_ptr<void, void (*)(void*)>;

tl::unexpected<Error> refused(const std::string& what, int code) {
  return fail_errno(ErrorCode::kInternal, "libseccomp: " + what, -code);
}

Status add_rule(scmp_filter_ctx context, const Rule& rule) {
  const int number = number_of(rule.name);
  if (number < 0) return fail(ErrorCode::kInternal, "unknown system call " + std::string(rule.name));
  std::vector<scmp_arg_cmp> comparisons;
  for (const Condition& condition : rule.conditions) {
    const bool whole = condition.mask == ~std::uint64_t{0};
    comparisons.push_back(whole ? scmp_arg_cmp{condition.index, SCMP_CMP_EQ, condition.value, 0}
                                : scmp_arg_cmp{condition.index, SCMP_CMP_MASKED_EQ, condition.mask, condition.value});
  }
  const int code = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, number, static_cast<unsigned>(comparisons.size()), comparisons.data());
  return code < 0 ? Status(refused(rule.name, code)) : Status{};
}

Status add_rules(scmp_filter_ctx context, LimitsBy limits) {
  for (const SyscallSet& set : allowed_sets(limits)) {
    for (const Rule& rule : set.rules) WARDENV_TRY(add_rule(context, rule));
  }
  for (const char* name : hidden_syscalls()) {
    const int code = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), number_of(name), 0);
    if (code < 0) return refused(name, code);
  }
  return {};
}

// Debuggers, profilers and databases ask for these. None of them reaches another process than the sandbox's, a mount or a key; memory that the
// watchdog can't see, and a processor that affinity forbids, are not among them.
constexpr std::array kAddable = {"get_mempolicy",   "io_uring_enter", "io_uring_register", "io_uring_setup",    "kcmp",  "mbind",
                                 "migrate_pages",   "modify_ldt",     "move_pages",        "perf_event_open",   "personality",
                                 "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace",          "set_mempolicy",
                                 "userfaultfd",     "vmsplice"};

Status add_addition(scmp_filter_ctx context, const std::string& name) {
  if (std::find(kAddable.begin(), kAddable.end(), name) == kAddable.end()) {
    std::string names;
    for (const char* addable : kAddable) names += (names.empty() ? "" : ", ") + std::string(addable);
    return fail(ErrorCode::kBadInput, "the system call `" + name + "` can't be added to the filter", "these can: " + names);
  }
  const int code = seccomp_rule_add(context, SCMP_ACT_ALLOW, number_of(name.c_str()), 0);
  return code < 0 && code != -EEXIST ? Status(refused(name, code)) : Status{};
}

Result<std::vector<Instruction>> export_program(scmp_filter_ctx context) {
  const UniqueFd file(static_cast<int>(::memfd_create("filter", MFD_CLOEXEC)));
  if (const int code = seccomp_export_bpf(context, file.get()); code < 0) return refused("export", code);
  const auto size = ::lseek(file.get(), 0, SEEK_END);
  std::vector<Instruction> program(static_cast<std::size_t>(size) / sizeof(Instruction));
  if (::pread(file.get(), program.data(), static_cast<std::size_t>(size), 0) != size) return fail_errno(ErrorCode::kInternal, "read filter");
  return program;
}

void replace_placeholder(std::vector<Instruction>& program) {
  for (Instruction& instruction : program) {
    if (instruction.code == (BPF_RET | BPF_K) && instruction.k == SCMP_ACT_TRACE(kPlaceholder)) instruction.k = SECCOMP_RET_USER_NOTIF;
  }
}

std::string condition_text(const Condition& condition) {
  char text[80];
  std::snprintf(text, sizeof text, " arg%u&%#llx=%#llx", condition.index, static_cast<unsigned long long>(condition.mask),
                static_cast<unsigned long long>(condition.value));
  return text;
}

}  // namespace

int number_of(const char* name) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number >= 0) return number;
  for (const NewSyscall& item : new_syscalls()) {
    if (std::string_view(item.name) == name) return item.number;
  }
  return -1;
}

std::span<const char* const> addable_syscalls() { return kAddable; }

Result<std::vector<Instruction>> compile_filter(LimitsBy limits, std::span<const std::string> additions) {
  const Context context(seccomp_init(SCMP_ACT_TRACE(kPlaceholder)), [](void* c) { seccomp_release(c); });
  if (!context) return fail(ErrorCode::kInternal, "libseccomp: init");
  int code = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (code == 0) code = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (code < 0) return refused("attributes", code);
  WARDENV_TRY(add_rules(context.get(), limits));
  for (const std::string& name : additions) WARDENV_TRY(add_addition(context.get(), name));
  auto program = export_program(context.get());
  if (program) replace_placeholder(*program);
  return program;
}

std::string allowlist_text(LimitsBy limits) {
  std::string text;
  for (const SyscallSet& set : allowed_sets(limits)) {
    text += "# " + std::string(set.purpose) + "\n";
    std::vector<std::string> lines;
    for (const Rule& rule : set.rules) {
      std::string line = rule.name;
      for (const Condition& condition : rule.conditions) line += condition_text(condition);
      lines.push_back(std::move(line));
    }
    std::sort(lines.begin(), lines.end());
    for (const std::string& line : lines) text += line + "\n";
  }
  return text;
}

}  // namespace wardenv::sandbox::seccomp
