// SPDX-License-Identifier: Apache-2.0
// Remarks: what holds, and yet an operator should hear of a log: calls without an end, and what a crash (or a cut that looks like one) took.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace wardenv::engine::audit {

// In bounded memory. Not thread-safe.
class Remarks {
 public:
  // A line that holds, in the order of the log.
  void take(std::string_view line, std::uint64_t seq);
  [[nodiscard]] std::vector<std::string> notes() const;   // one line each

 private:
  void begin(std::string run_id, std::uint64_t seq);
  void end(const std::string& run_id) { open_.erase(run_id); }
  void healed(std::uint64_t seq, std::uint64_t lost_records, std::uint64_t cut_bytes);

  std::map<std::string, std::uint64_t> open_;   // run -> its admission
  std::uint64_t untold_open_ = 0;
  std::vector<std::string> healed_;
  std::uint64_t untold_healed_ = 0;
};

}  // namespace wardenv::engine::audit
