// SPDX-License-Identifier: Apache-2.0
// Writer: appends batches of records to the log of a folder, beside other processes that do the same.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/audit/head.h"
#include "engine/audit/log.h"
#include "engine/audit/recover.h"

namespace wardenv::engine::audit {

// Not thread-safe: AuditLog lets in one thread at a time.
class Writer {
 public:
  static Result<Writer> open(const std::string& folder, const AuditOptions& options);

  // Writes the records of `payloads` (see line.h), all or none, in one write(2); synced where asked. An error leaves the log as it was.
  Status commit(std::span<const std::string* const> payloads, Durable durable);

  // Syncs what was appended without being synced.
  Status settle();

  // Where the log stands now, signed.
  Result<AuditHead> head();

  [[nodiscard]] const Hmac& value_hasher() const { return keys_.values; }
  std::vector<std::string> take_notices() { return std::exchange(notices_, {}); }

 private:
  Writer(std::string path, AuditOptions options, UniqueFd folder, UniqueFd lock, UniqueFd anchor, Keys keys);

  Status refresh();
  void note_healing();
  Status check_place() const;
  Status write_batch(std::span<const std::string* const> payloads, Durable durable);
  Status add_head(std::string_view time, ChainEnd& end, std::string& batch);
  Status rotate();
  Status pay();
  Status move_anchor(Durable durable);
  Status put(const std::string& batch, Durable durable);
  Status undo(Error error);
  Status sync();
  [[nodiscard]] Status check_sure() const;

  std::string path_;
  AuditOptions options_;
  UniqueFd folder_;
  UniqueFd lock_;
  UniqueFd anchor_;
  Keys keys_;
  Sealer sealer_;
  Position at_;
  std::vector<std::string> owed_;  // payloads that the log itself has to say before anything else
  bool unsure_ = false;   // the disk failed and the file could not be put back: nothing more is written
  std::vector<std::string> notices_;
};

// The message that a head's signature covers.
std::string head_message(const ChainEnd& end, std::string_view time);

}  // namespace wardenv::engine::audit
