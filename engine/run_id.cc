// SPDX-License-Identifier: Apache-2.0
// The name of a run.
#include <sys/random.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>

#include "engine/engine.h"

namespace wardenv::engine {

// ULID: 48 bits of milliseconds and 80 random bits, Crockford's base 32 (github.com/ulid/spec).
std::string new_run_id() {
  constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  auto time = static_cast<std::uint64_t>(now.count());
  std::uint8_t random[16] = {};
  if (::getrandom(random, sizeof random, 0) < 0) random[0] = static_cast<std::uint8_t>(::getpid());
  std::string id(26, '0');
  for (std::size_t i = 10; i-- > 0; time >>= 5) id[i] = kDigits[time & 31];
  for (std::size_t i = 10; i < id.size(); ++i) id[i] = kDigits[random[i - 10] & 31];
  return id;
}

}  // namespace wardenv::engine
