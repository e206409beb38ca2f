// SPDX-License-Identifier: Apache-2.0
// Build tool: prints builtin.cc, the compiled filters and the names of system calls.
#include <seccomp.h>

#include <cstdio>
#include <cstdlib>

#include "sandbox/seccomp/compact.h"
#include "sandbox/seccomp/syscall_sets.h"

namespace seccomp = wardenv::sandbox::seccomp;

namespace {

constexpr int kLastKnown = 466;  // removexattrat, Linux 6.13

void print_filter(const char* name, seccomp::LimitsBy limits) {
  const auto program = seccomp::compact_filter(limits);
  if (!program) {
    std::fprintf(stderr, "%s\n", program.error().message.c_str());
    std::exit(1);
  }
  std::printf("constexpr Instruction %s[] = {\n", name);
  for (const auto& i : *program) std::printf("    {%u, %u, %u, %#xU},\n", i.code, i.jt, i.jf, i.k);
  std::printf("};\n\n");
}

void print_names() {
  std::printf("constexpr const char* kNames[] = {\n");
  for (int number = 0; number <= kLastKnown; ++number) {
    char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    const char* text = name != nullptr ? name : "";
    for (const auto& item : seccomp::new_syscalls()) {
      if (item.number == number) text = item.name;
    }
    std::printf("    \"%s\",\n", text);
    std::free(name);
  }
  std::printf("};\n\n");
}

}  // namespace

int main() {
  std::printf("// SPDX-License-Identifier: Apache-2.0\n// Made by gen_filter when the project is built.\n"
              "#include \"sandbox/seccomp/builtin.h\"\n\nnamespace wardenv::sandbox::seccomp {\nnamespace {\n\n");
  print_filter("kByCgroup", seccomp::LimitsBy::kCgroup);
  print_filter("kByProcess", seccomp::LimitsBy::kProcess);
  print_names();
  std::printf("}  // namespace\n\n"
              "std::span<const Instruction> builtin_filter(LimitsBy limits) {\n"
              "  if (limits == LimitsBy::kCgroup) return kByCgroup;\n  return kByProcess;\n}\n\n"
              "std::string_view syscall_name(int number) {\n"
              "  return number >= 0 && number <= %d ? kNames[number] : \"\";\n}\n\n"
              "int last_known_syscall() { return %d; }\n\n}  // namespace wardenv::sandbox::seccomp\n",
              kLastKnown, kLastKnown);
  return 0;
}
