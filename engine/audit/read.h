// SPDX-License-Identifier: Apache-2.0
// Reading a log: its lines, as they are, without judging them (see verify.h). In bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sandbox/base/error.h"

namespace wardenv::engine {

// Which records. What is empty (or 0) does not matter.
struct AuditFilter {
  std::string since{};     // "2026-01-31" or "2026-01-31T23:59:59Z": UTC, compared as text
  std::string tool{};
  std::string run_id{};
  std::uint64_t last = 0;  // only so many, the newest
};

// A line without its newline: usually JSON, but a log that was tampered with may hold any bytes. Answers whether to go on.
enum class GoOn { kYes, kNo };
using AuditSink = std::function<GoOn(std::string_view line)>;

// Hands the lines that the filter passes to `sink`, oldest first. Takes no lock. Errors: kNotFound, kHost.
Status read_audit_log(const std::string& folder, const AuditFilter& filter, const AuditSink& sink);

// As read_audit_log, and goes on with what is appended, through rotations, until `stop_fd` becomes readable or the sink says no.
Status follow_audit_log(const std::string& folder, const AuditFilter& filter, const AuditSink& sink, int stop_fd);

// The record for people, on one line; control characters of it made visible. What is no record is given as it is.
std::string audit_line_text(std::string_view line);

// `text` as the time that AuditFilter::since takes: a date, a date and time, or a duration ("90m") before now. Error kBadInput shows good ones.
Result<std::string> parse_audit_time(std::string_view text);

}  // namespace wardenv::engine
