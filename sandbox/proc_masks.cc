// SPDX-License-Identifier: Apache-2.0
#include "sandbox/proc_masks.h"

#include <array>

#include "sandbox/own_places.h"

namespace wardenv::sandbox {
namespace {

struct Masked {
  const char* path;
  const char* cover;
};
// proc(5) entries that tell about the host's hardware, kernel or keys, or change them, as containers mask them.
// /proc/sys is made read-only instead: programs read it.
constexpr std::array kMaskedProc = {
    Masked{"/proc/acpi", kEmptyFolder},      Masked{"/proc/asound", kEmptyFolder},     Masked{"/proc/bus", kEmptyFolder},
    Masked{"/proc/fs", kEmptyFolder},        Masked{"/proc/irq", kEmptyFolder},        Masked{"/proc/scsi", kEmptyFolder},
    Masked{"/proc/cmdline", kEmptyFile},     // secrets of the boot loader and of systemd's credentials
    Masked{"/proc/interrupts", kEmptyFile},  Masked{"/proc/kallsyms", kEmptyFile},     Masked{"/proc/kcore", kEmptyFile},
    Masked{"/proc/keys", kEmptyFile},        Masked{"/proc/latency_stats", kEmptyFile}, Masked{"/proc/sched_debug", kEmptyFile},
    Masked{"/proc/sysrq-trigger", kEmptyFile}, Masked{"/proc/timer_list", kEmptyFile},
    Masked{"/proc/sys/kernel/random/boot_id", kEmptyFile}};

}  // namespace

std::vector<PlanStep> proc_masks() {
  std::vector<PlanStep> steps;
  for (const Masked& item : kMaskedProc) {
    steps.push_back({.op = wire::Op::kMask, .flags = wire::kFlagOptional, .text = item.path, .text2 = item.cover});
  }
  return steps;
}

}  // namespace wardenv::sandbox
