// SPDX-License-Identifier: Apache-2.0
// Where a log stands when somebody wants to append: read from the anchor on, and what a crash tore cut off. Under the exclusive lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/audit/folder.h"

namespace wardenv::engine::audit {

// What was cut off behind the last record that holds.
struct Torn {
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;
  std::string sha256{};
};

struct Position {
  UniqueFd file{};          // the active file, open to append
  std::uint64_t first = 0;  // its first record
  std::uint64_t bytes = 0;
  ChainEnd end{};
  Anchor synced{};          // the anchor as it is
  std::optional<Torn> torn{};
  std::uint64_t lost = 0;   // records that were written, never synced, and are not there
};

// Where a crash or power cut took something, `torn` and `lost` say what; the caller writes it down.
// Cuts off what follows the last record that holds in the active file: it can only be what a crash left of records that nobody was told are
// written. Error kUnenforceable where that would touch what the anchor says was on disk, or a file put aside: that is no crash.
Result<Position> recover(int folder, const Keys& keys);

}  // namespace wardenv::engine::audit
