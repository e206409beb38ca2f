// SPDX-License-Identifier: Apache-2.0
// The program that we are, and its libraries.
#include "engine/gate/readers.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include "engine/audit/crypto.h"

namespace wardenv::engine {
namespace {

using audit::Sha256;

// Which programs and libraries read here: another one may read otherwise.
struct Readers {
  Sha256 hash;
  bool all_named = true;
};

int add_reader(dl_phdr_info* object, std::size_t, void* to) {
  Readers& readers = *static_cast<Readers*>(to);
  if (object->dlpi_addr != 0 && object->dlpi_addr == ::getauxval(AT_SYSINFO_EHDR)) return 0;   // the kernel's own (vdso(7)) reads nothing
  bool named = false;
  for (ElfW(Half) i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const std::string_view id = build_id_in(reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr), segment.p_memsz);
    if (id.empty()) continue;
    readers.hash.add(id);
    named = true;
  }
  readers.all_named = readers.all_named && named;
  return 0;
}

}  // namespace

std::optional<std::string> readers_digest() {
  Readers readers;
  ::dl_iterate_phdr(add_reader, &readers);
  return readers.all_named ? std::optional(audit::to_hex(readers.hash.end())) : std::nullopt;
}

}  // namespace wardenv::engine
