// SPDX-License-Identifier: Apache-2.0
// AuditRecord: what one line of the audit log says. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/report.h"

namespace wardenv::engine {

// One destination that a run's egress proxy was asked for.
struct AuditConnection {
  enum class Verdict { kConnected, kRefused, kFailed };
  std::string host{};
  std::uint16_t port = 0;
  Verdict verdict = Verdict::kRefused;
  std::string reason{};             // of a refusal or failure
  std::uint64_t count = 1;
  std::uint64_t bytes_sent = 0;     // by the command
  std::uint64_t bytes_received = 0;
};

// Fields that are empty are left out of the line. Time, sequence number and hashes are the log's to add.
// Any bytes are welcome: control characters are escaped, bytes that are not UTF-8 replaced, strings cut at kMaxTextBytes.
struct AuditRecord {
  std::string event{};          // what happened: "admit" (judged, before the sandbox), "finish" (after it), or another short word; required
  std::string run_id{};
  std::string grant{};          // who
  std::string session{};
  std::string tool{};           // what
  std::string arguments_json{}; // a JSON object; each value is written as an HMAC under the log's key, …
  std::vector<std::string> plain_arguments{};  // … but for these names, which the policy lists as plain
  std::string decision{};       // allow | deny | require_approval
  std::string rule{};
  std::string reason{};
  std::string policy_digest{};
  std::string profile{};
  std::string workspace{};      // where; real paths
  std::string cwd{};
  std::string venv{};
  std::string program{};           // the file that the command was looked up to, …
  std::string program_identity{};  // … and which file that was: "device:inode:seconds.nanoseconds" (st_ctim)
  std::string outcome{};        // of the report; with "finish"
  std::optional<int> exit_code;
  std::optional<sandbox::Usage> usage;
  std::vector<AuditConnection> connections{};
  std::string details_json{};   // a JSON value of the event's own; written as it is
};

inline constexpr std::size_t kMaxTextBytes = 4096;    // of one string of a record
inline constexpr std::size_t kMaxNames = 64;          // arguments that are listed; of the rest the number is said
inline constexpr std::size_t kMaxConnections = 400;   // connections that are; an EgressReporter names fewer

}  // namespace wardenv::engine
