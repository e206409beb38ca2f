// SPDX-License-Identifier: Apache-2.0
// What is in a folder of a workspace, page by page, in bounded memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/project/workspaces.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

enum class EntryKind { kFile, kFolder, kLink, kFifo, kSocket, kDevice, kGone };
std::string_view to_string(EntryKind kind);

struct Entry {
  std::string path{};        // relative to the folder that was listed; the bytes of its name
  EntryKind kind = EntryKind::kFile;
  std::uint64_t size = 0;    // of a file
  std::string target{};      // of a link
  bool operator==(const Entry&) const = default;
};

struct ListOptions {
  std::size_t limit = 200;     // entries of one page
  int depth = 1;               // 1: the folder alone; up to kMaxListDepth
  std::string after{};         // depth 1: names that come after this one in byte order
};

inline constexpr std::size_t kMaxListLimit = 2000;
inline constexpr int kMaxListDepth = 16;

struct Listing {
  std::vector<Entry> entries{};  // sorted by bytes; a folder comes before what is in it
  bool complete = true;          // false: there is more than the page holds, or more than would be looked at
  std::string next_after{};      // depth 1 and not complete: `after` of the next page
};

// Links are not followed below the folder, other people's mounts and `.git`, `.venv`, `node_modules`, `__pycache__` are not descended into.
Result<Listing> list_files(const Place& place, const ListOptions& options);

}  // namespace wardenv::engine
