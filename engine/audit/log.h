// SPDX-License-Identifier: Apache-2.0
// AuditLog: one append-only, hash-chained log in the state folder. Any number of threads and processes append at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/audit/record.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

enum class Durable {
  kYes,  // on disk (fdatasync) before append returns; callers at the same time share one sync
  kNo,   // given to the kernel before append returns: survives our death, not the machine's
};

struct AuditOptions {
  std::uint64_t max_file_bytes = 64ULL << 20;  // the file is put aside and the next one begun before it would grow past this
  std::uint64_t sign_every = 1000;             // records between two heads that are signed into the log
  Durable strongest = Durable::kYes;           // kNo: never sync, for measurements
};

class AuditLog {
 public:
  // Opens the log in `folder` (e.g. <state>/audit), or begins one where the folder does not exist. A last line that a crash tore is cut off,
  // which the log itself then says. Error kHost: not readable or writable, disk full; kUnenforceable: the log was tampered with (cut, key
  // missing or another one): whoever needs the log must refuse, the hint says how to go on.
  static Result<std::unique_ptr<AuditLog>> open(const std::string& folder, const AuditOptions& options = {});
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;
  ~AuditLog();

  // One record, whole or not at all. Thread-safe. An error means: not recorded, so do not do what it would have recorded.
  // REQUIRES: not in a child that was forked after open (answers an error).
  Status append(const AuditRecord& record, Durable durable);

  // What the operator should hear, one line each (e.g. that a torn line was healed); each is handed out once. Thread-safe.
  std::vector<std::string> take_notices();

 private:
  struct Impl;
  explicit AuditLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace wardenv::engine
