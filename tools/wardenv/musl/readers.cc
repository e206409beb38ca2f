// SPDX-License-Identifier: Apache-2.0
// Who reads the YAML of policies for `wardenv`: the wardenv-cli that it would become. One that needs libraries is not told by its own build id.
#include "engine/gate/readers.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "engine/audit/crypto.h"
#include "sandbox/base/unique_fd.h"
#include "tools/wardenv/run_here.h"

namespace wardenv::engine {
namespace {

constexpr std::size_t kMostNotes = 1024;   // bytes of one segment; a build id stands at its begin

// Empty where the program names none, or is not whole by itself.
std::string build_id_of(int fd) {
  std::array<char, 4096> head;
  const ssize_t got = ::pread(fd, head.data(), head.size(), 0);
  ElfW(Ehdr) file;
  if (got < static_cast<ssize_t>(sizeof file)) return "";
  std::memcpy(&file, head.data(), sizeof file);
  const std::size_t end = file.e_phoff + std::size_t{file.e_phnum} * sizeof(ElfW(Phdr));
  if (std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 || file.e_phentsize != sizeof(ElfW(Phdr)) || file.e_phoff > head.size() || end > static_cast<std::size_t>(got)) return "";
  std::string found;
  for (std::size_t at = file.e_phoff; at < end; at += sizeof(ElfW(Phdr))) {
    ElfW(Phdr) segment;
    std::memcpy(&segment, head.data() + at, sizeof segment);
    if (segment.p_type == PT_INTERP || segment.p_type == PT_DYNAMIC) return "";
    if (segment.p_type != PT_NOTE) continue;
    std::array<char, kMostNotes> notes;
    const ssize_t size = ::pread(fd, notes.data(), std::min(notes.size(), std::size_t{segment.p_filesz}), static_cast<off_t>(segment.p_offset));
    if (size > 0) found += build_id_in(notes.data(), static_cast<std::size_t>(size));
  }
  return found;
}

}  // namespace

std::optional<std::string> readers_digest() {
  const UniqueFd program(cli::open_cli());
  const std::string id = program.valid() ? build_id_of(program.get()) : "";
  return id.empty() ? std::nullopt : std::optional(audit::to_hex(audit::Sha256::of(id)));
}

}  // namespace wardenv::engine
