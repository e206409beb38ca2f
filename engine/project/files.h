// SPDX-License-Identifier: Apache-2.0
// Reading, writing and listing files of a workspace, for a caller who may be hostile and in folders that hostile code has filled.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/project/workspaces.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

// A part of a file. Never more than was asked for, whatever the file's size.
struct FileSlice {
  std::string bytes{};
  std::uint64_t offset = 0;
  std::uint64_t size = 0;    // of the whole file, when it was read
  [[nodiscard]] std::uint64_t next() const { return offset + bytes.size(); }
};

// Regular files only: anything else (FIFO, socket, device) is never opened. Links are followed inside the workspace.
Result<FileSlice> read_slice(const Place& place, std::uint64_t offset, std::size_t max_bytes);

// A whole file of at most `max_bytes`; a bigger one is an error. kNotFound where it does not exist.
Result<std::string> read_whole(const Place& place, std::size_t max_bytes);

enum class IfExists { kReplace, kFail };

struct Written {
  bool created = false;          // there was no file before
  std::uint64_t old_size = 0;
};

// Writes a file whole or not at all (temporary file, then rename); makes the folders on the way. Mode and owner of an existing file stay;
// a new one belongs to the owner of its folder. Errors kBadInput: protected (see protected_reason), a link on the way, not a regular file.
Result<Written> write_whole(const Place& place, std::string_view bytes, IfExists if_exists);

// Why nothing may be written at this path in a workspace, or empty. What a run can't change in a writable workspace (interfaces.md) is
// refused here at any depth, and so is a virtual environment. Upper and lower case are the same, as on some file systems.
std::string protected_reason(std::string_view inside);

}  // namespace wardenv::engine
