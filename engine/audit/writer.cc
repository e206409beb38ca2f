// SPDX-License-Identifier: Apache-2.0
// Writer: one batch of records at a time, beside other processes.
#include "engine/audit/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace wardenv::engine::audit {
namespace {

bool same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

}  // namespace

std::string head_message(const ChainEnd& end, std::string_view time) {
  return "wardenv audit head 1\n" + std::to_string(end.seq) + "\n" + end.hash + "\n" + std::string(time) + "\n";
}

Writer::Writer(std::string path, AuditOptions options, UniqueFd folder, UniqueFd lock, UniqueFd anchor, Keys keys)
    : path_(std::move(path)), options_(options), folder_(std::move(folder)), lock_(std::move(lock)), anchor_(std::move(anchor)), keys_(std::move(keys)),
      sealer_(keys_.records) {}

Result<Writer> Writer::open(const std::string& path, const AuditOptions& options) {
  auto folder = open_folder(path);
  if (!folder && folder.error().code == ErrorCode::kNotFound) {
    WARDENV_TRY(create_folder(path));
    folder = open_folder(path);
  }
  if (!folder) return tl::unexpected(folder.error());
  auto keys = read_keys(folder->get());
  if (!keys) return tl::unexpected(keys.error());
  auto lock = open_file(folder->get(), "lock", O_RDWR | O_CREAT);
  if (!lock) return tl::unexpected(lock.error());
  auto anchor = open_anchor(folder->get());
  if (!anchor) return tl::unexpected(anchor.error());
  Writer writer(path, options, std::move(*folder), std::move(*lock), std::move(*anchor), std::move(*keys));
  const auto held = FolderLock::take(writer.lock_.get(), LockKind::kExclusive);
  if (!held) return tl::unexpected(held.error());
  WARDENV_TRY(writer.refresh());
  WARDENV_TRY(writer.pay());
  return writer;
}

// A folder that was moved or removed must not get records that nobody will look for there.
Status Writer::check_place() const {
  struct stat ours {};
  struct stat there {};
  const bool same = ::fstat(folder_.get(), &ours) == 0 && ::stat(path_.c_str(), &there) == 0 && same_file(ours, there);
  if (!same) return fail(ErrorCode::kUnenforceable, "audit log: `" + path_ + "` was moved or removed", "start this program again");
  return {};
}

Status Writer::check_sure() const {
  if (!unsure_) return {};
  return fail(ErrorCode::kHost, "audit log: the disk failed while it was written", "mend the disk, then start this program again");
}

// Reads again where we stand, unless nobody appended since we did.
Status Writer::refresh() {
  WARDENV_TRY(check_place());
  struct stat ours {};
  struct stat there {};
  const bool current = at_.file.valid() && ::fstat(at_.file.get(), &ours) == 0 && ::fstatat(folder_.get(), kActiveFile, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                       same_file(ours, there) && static_cast<std::uint64_t>(ours.st_size) == at_.bytes;
  if (current) return {};
  auto position = recover(folder_.get(), keys_);
  if (!position) return tl::unexpected(position.error());
  at_ = std::move(*position);
  if (at_.torn || at_.lost > 0) note_healing();
  return {};
}

// A crash or a power cut took something: said to the operator, and owed to the log.
void Writer::note_healing() {
  const Torn torn = at_.torn.value_or(Torn{});
  const std::string bytes = std::to_string(torn.bytes);
  const std::string lost = std::to_string(at_.lost);
  notices_.push_back("audit log: behind record " + std::to_string(at_.end.seq) + " a crash left " + bytes + " bytes of records that no run was started for (cut off), and " +
                     lost + " records that were not on disk yet are gone");
  owed_.push_back(R"("event":"healed","details":{"cut_bytes":)" + bytes + R"(,"offset":)" + std::to_string(at_.bytes) + R"(,"sha256":")" + torn.sha256 +
                  R"(","lost_records":)" + lost + "}");
}

// What the log owes itself comes first, and stays owed until it is on disk.
Status Writer::pay() {
  if (owed_.empty()) return {};
  std::vector<const std::string*> payloads;
  for (const std::string& payload : owed_) payloads.push_back(&payload);
  WARDENV_TRY(write_batch(payloads, Durable::kYes));
  owed_.clear();
  return {};
}

Status Writer::commit(std::span<const std::string* const> payloads, Durable durable) {
  WARDENV_TRY(check_sure());
  const auto held = FolderLock::take(lock_.get(), LockKind::kExclusive);
  if (!held) return tl::unexpected(held.error());
  WARDENV_TRY(refresh());
  WARDENV_TRY(pay());
  return write_batch(payloads, durable);
}

Status Writer::settle() {
  WARDENV_TRY(check_sure());
  const auto held = FolderLock::take(lock_.get(), LockKind::kExclusive);
  if (!held) return tl::unexpected(held.error());
  WARDENV_TRY(refresh());
  WARDENV_TRY(sync());
  return move_anchor(Durable::kYes);
}

Result<AuditHead> Writer::head() {
  // What is signed is on disk first.
  WARDENV_TRY(settle());
  const std::string time = time_text(now_microseconds());
  const auto key = SigningKey::from_seed(keys_.heads);
  if (!key) return tl::unexpected(key.error());
  const auto signature = key->sign(head_message(at_.end, time));
  if (!signature) return tl::unexpected(signature.error());
  return AuditHead{at_.end.seq, at_.end.hash, time, to_hex(key->public_key()), to_hex(*signature)};
}

Status Writer::write_batch(std::span<const std::string* const> payloads, Durable durable) {
  std::string batch;
  const std::string time = time_text(now_microseconds());
  ChainEnd end = at_.end;
  for (const std::string* payload : payloads) sealer_.seal(time, *payload, end, batch);
  if (at_.end.seq / options_.sign_every != end.seq / options_.sign_every) WARDENV_TRY(add_head(time, end, batch));
  if (at_.bytes > 0 && at_.bytes + batch.size() > options_.max_file_bytes) WARDENV_TRY(rotate());
  WARDENV_TRY(put(batch, durable));
  at_.end = std::move(end);
  at_.bytes += batch.size();
  return move_anchor(durable);
}

Status Writer::move_anchor(Durable durable) {
  if (durable == Durable::kYes) at_.synced = {at_.end, at_.first, at_.bytes, {}};
  at_.synced.written = at_.end;
  return write_anchor(anchor_.get(), at_.synced, keys_);
}

Status Writer::add_head(std::string_view time, ChainEnd& end, std::string& batch) {
  const auto key = SigningKey::from_seed(keys_.heads);
  if (!key) return tl::unexpected(key.error());
  const auto signature = key->sign(head_message(end, time));
  if (!signature) return tl::unexpected(signature.error());
  const std::string payload = R"("event":"head","details":{"seq":)" + std::to_string(end.seq) + R"(,"hash":")" + end.hash + R"(","time":")" +
                              std::string(time) + R"(","signature":")" + to_hex(*signature) + "\"}";
  sealer_.seal(time, payload, end, batch);
  return {};
}

// Puts the active file aside, whole and on disk, and begins the next one. Stopped anywhere in here, recover() finds the way on.
Status Writer::rotate() {
  WARDENV_TRY(sync());
  const std::string aside = name_aside(at_.first);
  if (::renameat2(folder_.get(), kActiveFile, folder_.get(), aside.c_str(), RENAME_NOREPLACE) != 0) {
    return fail_errno(ErrorCode::kHost, "audit log: putting `" + aside + "` aside");
  }
  at_.file.reset();
  auto file = open_file(folder_.get(), kActiveFile, O_RDWR | O_APPEND | O_CREAT | O_EXCL);
  if (!file) return tl::unexpected(file.error());
  if (::fsync(folder_.get()) != 0) return fail_errno(ErrorCode::kHost, "audit log: its folder");
  at_.file = std::move(*file);
  at_.first = at_.end.seq + 1;
  at_.bytes = 0;
  return {};
}

Status Writer::put(const std::string& batch, Durable durable) {
  if (auto written = write_all(at_.file.get(), batch); !written) return undo(std::move(written).error());
  if (durable == Durable::kNo || options_.strongest == Durable::kNo) return {};
  if (::fdatasync(at_.file.get()) == 0) return {};
  return undo(fail_errno(ErrorCode::kHost, "audit log: writing to disk", "nothing runs that can't be recorded: make room or mend the disk").value());
}

// Syncs what earlier batches left to the kernel. They can't be taken back, so after a failure nobody knows what is on disk.
Status Writer::sync() {
  if (::fdatasync(at_.file.get()) == 0) return {};
  unsure_ = true;
  return fail_errno(ErrorCode::kHost, "audit log: writing to disk", "mend the disk, then start this program again");
}

// Takes back what was written, so that the log holds no record of what was then refused. After a failed fdatasync the kernel may count pages as
// clean that are not on disk (see fsync(2)): cutting them off is the only way to go on.
Status Writer::undo(Error error) {
  if (::ftruncate(at_.file.get(), static_cast<off_t>(at_.bytes)) != 0) unsure_ = true;
  at_.file.reset();
  return tl::unexpected(std::move(error));
}

}  // namespace wardenv::engine::audit
