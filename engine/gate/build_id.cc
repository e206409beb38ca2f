// SPDX-License-Identifier: Apache-2.0
// Build ids.
#include <elf.h>
#include <link.h>

#include <cstring>

#include "engine/gate/readers.h"

namespace wardenv::engine {

std::string_view build_id_in(const char* at, std::size_t size) {
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, at, sizeof note);
    const std::size_t name = (note.n_namesz + 3U) & ~std::size_t{3};
    const std::size_t whole = sizeof note + name + ((note.n_descsz + 3U) & ~std::size_t{3});
    if (whole > size) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(at + sizeof note, "GNU", 4) == 0) return {at + sizeof note + name, note.n_descsz};
    at += whole;
    size -= whole;
  }
  return {};
}

}  // namespace wardenv::engine
