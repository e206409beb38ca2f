// SPDX-License-Identifier: Apache-2.0
// QuotaStore: counts what was used, and never hands out more than the maximum.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/state/clock.h"
#include "policy/state/durability.h"
#include "sandbox/base/error.h"

namespace wardenv::policy {

// kSliding: never more than max in any span of the window's length, by a clock that does not step.
// kFixed: never more than max in a calendar-aligned window (UTC; windows begin at multiples of their length since 1970), and never more
// than twice max in any span of its length, however the clock is stepped.
enum class WindowMode { kSliding, kFixed };

// One counter to take from. A counter is its key, window and mode: reservations that agree in the three share it, whatever their max.
// Two entries of one call that name the same counter add up.
struct Reservation {
  std::string key;                         // any bytes, NUL too; composed by the caller, opaque here
  std::chrono::milliseconds window{0};     // 1 ms to 100 years
  WindowMode mode = WindowMode::kSliding;
  std::uint64_t amount = 1;                // 0 always fits and counts nothing
  std::uint64_t max = 0;
  std::string rule{};                      // JSON pointer of the limit; carried for the caller, not looked at
};

// Where exactly a reservation was counted. Copyable; give it back at most once.
struct Receipt {
  struct Entry {
    std::string key;
    std::chrono::milliseconds window{0};
    WindowMode mode = WindowMode::kSliding;
    std::uint64_t amount = 0;
    std::int64_t place = 0;                // the store's own name of the event or window
  };
  std::vector<Entry> entries{};
};

struct Reserved {
  bool granted = false;
  // Where not granted: the entry that is free last, and when; the whole reservation fits then, if nobody else takes it meanwhile.
  std::size_t refused = 0;
  std::optional<std::chrono::system_clock::time_point> free_at{};   // none: never, `amount` alone is more than `max`
  Receipt receipt{};                                                // where granted
  bool on_disk = true;                                              // false: not before settle() says so
};

// Thread-safe. Every error (store unreachable, damaged, full, read-only, busy for too long) means that nothing may run: deny.
// After an error the reservation may have been counted all the same; it is then free again when its window has passed.
class QuotaStore {
 public:
  virtual ~QuotaStore() = default;
  // All or nothing. On disk (SQLite) when it returns. An empty list is granted.
  virtual Result<Reserved> reserve(std::span<const Reservation> wanted) = 0;
  // The same, for who has something else to put on disk meanwhile: at once it outlives the death of every process, a loss of power only when settle()
  // has answered. Where that answers an error nothing may run, and the reservation may be given back.
  virtual Result<Reserved> reserve_ahead(std::span<const Reservation> wanted) { return reserve(wanted); }
  virtual Status settle() { return {}; }
  // Takes back what was counted, out of the very window that it was counted in; where that has passed, nothing. REQUIRES: at most once
  // for a receipt, and only where the sandbox was never entered.
  virtual Status give_back(const Receipt& receipt) = 0;
  // How much of a counter is used now. A look, not a promise: only reserve() decides.
  virtual Result<std::uint64_t> used(std::string_view key, std::chrono::milliseconds window, WindowMode mode) = 0;
};

// Lives and dies with the process.
std::unique_ptr<QuotaStore> make_memory_quota(std::shared_ptr<const Clock> clock = system_clock());

// A file, made with mode 0600 (its folder with 0700) where missing; several processes may have it open. Not for network file systems.
Result<std::unique_ptr<QuotaStore>> open_sqlite_quota(const std::string& path, Durability durability = Durability::kPowerLoss,
                                                      std::shared_ptr<const Clock> clock = system_clock());

// "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]" or "unix://[[USER]:PASSWORD@]/PATH[?db=N]". Counts by the server's clock, so that all hosts
// agree. Errors never hold the URL's user or password. Connects at once.
Result<std::unique_ptr<QuotaStore>> open_redis_quota(const std::string& url);

}  // namespace wardenv::policy
