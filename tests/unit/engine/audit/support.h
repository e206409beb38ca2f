// SPDX-License-Identifier: Apache-2.0
// What the tests of the audit log share: records, files as text.
#pragma once

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "engine/audit/log.h"
#include "engine/audit/verify.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/unit/engine/scratch.h"

namespace wardenv::testing {

inline void write_file(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary | std::ios::trunc) << text; }

inline engine::AuditRecord admission(const std::string& run_id) {
  engine::AuditRecord record;
  record.event = "admit";
  record.run_id = run_id;
  record.tool = "run_in_venv";
  record.grant = "dev";
  record.arguments_json = R"({"command":"pytest","args":["-x"]})";
  record.decision = "allow";
  record.rule = "/tools/run_in_venv";
  return record;
}

inline std::unique_ptr<engine::AuditLog> open_log(const std::string& folder, const engine::AuditOptions& options = {}) {
  auto log = engine::AuditLog::open(folder, options);
  if (!log) FAIL(log.error().message);
  return std::move(*log);
}

// A log with `count` admissions, closed again.
inline void make_log(const std::string& folder, int count, const engine::AuditOptions& options = {}) {
  const auto log = open_log(folder, options);
  for (int i = 0; i < count; ++i) REQUIRE(log->append(admission("run" + std::to_string(i)), engine::Durable::kYes));
}

inline engine::AuditVerdict verify(const std::string& folder, const std::optional<engine::AuditHead>& held = std::nullopt) {
  auto verdict = engine::verify_audit_log(folder, held);
  if (!verdict) FAIL(verdict.error().message);
  return std::move(*verdict);
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1);
    lines.push_back(text.substr(at, end + 1 - at));
    at = end + 1;
  }
  return lines;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

}  // namespace wardenv::testing
