// SPDX-License-Identifier: Apache-2.0
// Verifying a log, file by file, line by line.
#include "engine/audit/verify.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/audit/folder.h"
#include "engine/audit/line_reader.h"
#include "engine/audit/remarks.h"
#include "engine/audit/writer.h"

namespace wardenv::engine {
namespace {

using audit::Anchor;
using audit::ChainEnd;
using audit::LineReader;
using audit::Sealer;

// What there is to read, taken while nobody writes: the list, the anchor and the file that may be put aside meanwhile.
struct Snapshot {
  UniqueFd folder{};
  audit::Keys keys;
  std::optional<Anchor> anchor{};
  std::string anchor_error{};
  std::vector<audit::LogFile> files{};
  UniqueFd active{};
  std::uint64_t active_bytes = 0;
};

Result<audit::FolderLock> lock(int folder, UniqueFd& fd) {
  auto file = audit::open_file(folder, "lock", O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  fd = std::move(*file);
  return audit::FolderLock::take(fd.get(), audit::LockKind::kShared);
}

Status look(Snapshot& snapshot) {
  UniqueFd lock_fd;
  const auto held = lock(snapshot.folder.get(), lock_fd);
  if (!held && held.error().sys_errno != ENOENT) return tl::unexpected(held.error());   // a copy elsewhere may have no lock
  auto anchor = audit::read_anchor(snapshot.folder.get(), snapshot.keys);
  if (anchor) snapshot.anchor = std::move(*anchor);
  else snapshot.anchor_error = anchor.error().message;
  auto files = audit::list_files(snapshot.folder.get());
  if (!files) return tl::unexpected(files.error());
  snapshot.files = std::move(*files);
  if (snapshot.files.empty() || snapshot.files.back().name != audit::kActiveFile) return {};
  auto active = audit::open_file(snapshot.folder.get(), audit::kActiveFile, O_RDONLY);
  if (!active) return tl::unexpected(active.error());
  struct stat status {};
  if (::fstat(active->get(), &status) != 0) return fail_errno(ErrorCode::kHost, "audit log");
  snapshot.active_bytes = static_cast<std::uint64_t>(status.st_size);
  snapshot.active = std::move(*active);
  return {};
}

class Verifier {
 public:
  Verifier(Snapshot snapshot, const std::optional<AuditHead>& held, std::string public_key)
      : snapshot_(std::move(snapshot)), held_(held), sealer_(snapshot_.keys.records), end_{0, snapshot_.keys.start},
        public_key_(std::move(public_key)) {}

  Result<AuditVerdict> run();

 private:
  bool check_held();
  bool begin();
  Status read_file(const audit::LogFile& file, int fd, std::uint64_t bytes);
  bool take_line(std::string_view line, const std::string& file, std::uint64_t number);
  bool check_signed_head(std::string_view line, const ChainEnd& before, const std::string& file, std::uint64_t number);
  void finish();
  bool wrong(std::string kind, std::string message, std::string file = {}, std::uint64_t line = 0, std::uint64_t seq = 0);

  Snapshot snapshot_;
  std::optional<AuditHead> held_;
  Sealer sealer_;
  ChainEnd end_;
  std::string public_key_;
  bool anchored_ = false;   // the anchor's record was met
  bool held_met_ = false;
  audit::Remarks remarks_;
  AuditVerdict verdict_;
};

// Notes the first problem; answers false, for the caller to hand on.
bool Verifier::wrong(std::string kind, std::string message, std::string file, std::uint64_t line, std::uint64_t seq) {
  if (!verdict_.problem) verdict_.problem = AuditProblem{std::move(kind), std::move(message), std::move(file), line, seq};
  return false;
}

bool Verifier::check_held() {
  if (!held_) return true;
  if (!audit_head_holds(*held_)) return wrong("head", "the head that is held has a signature that does not hold");
  if (held_->public_key != public_key_) return wrong("head", "the head that is held was signed with another key: this is another log, or it was begun anew");
  return true;
}

// Where the first file begins: at record 1, or, with older files taken away, right behind the head that is held.
bool Verifier::begin() {
  if (snapshot_.files.empty()) return wrong("missing", "there is no file of the log");
  const std::uint64_t first = snapshot_.files.front().first;
  verdict_.first_seq = std::max<std::uint64_t>(first, 1);
  if (first <= 1) return true;
  if (!held_ || held_->seq + 1 != first) {
    return wrong("start", "the log begins with record " + std::to_string(first) + ": the files before it are missing; a head of record " +
                              std::to_string(first - 1) + " that is held could vouch for them", snapshot_.files.front().name, 1, 1);
  }
  end_ = {held_->seq, held_->hash};
  held_met_ = true;
  verdict_.notes.push_back("records up to " + std::to_string(held_->seq) + " are not here; the head that is held vouches for them");
  return true;
}

bool Verifier::take_line(std::string_view line, const std::string& file, std::uint64_t number) {
  const ChainEnd before = end_;
  const Sealer::Check check = sealer_.check(line, end_);
  if (check != Sealer::Check::kHolds) {
    const char* kind = check == Sealer::Check::kForm ? "form" : check == Sealer::Check::kSequence ? "order" : "changed";
    return wrong(kind, "it " + std::string(describe(check)), file, number, before.seq + 1);
  }
  ++verdict_.records;
  remarks_.take(line, end_.seq);
  if (snapshot_.anchor && end_.seq == snapshot_.anchor->written.seq) {
    anchored_ = end_.hash == snapshot_.anchor->written.hash;
    if (!anchored_) return wrong("anchor", "it is not the record that the anchor knows", file, number, end_.seq);
  }
  if (held_ && end_.seq == held_->seq) {
    held_met_ = end_.hash == held_->hash;
    if (!held_met_) return wrong("head", "it is not the record of the head that is held: the log was rewritten", file, number, end_.seq);
  }
  const bool is_head = line.substr(0, 128).find(R"(Z","event":"head","details":{)") != std::string_view::npos;
  return !is_head || check_signed_head(line, before, file, number);
}

// A head that was signed into the log says where the log stood then.
bool Verifier::check_signed_head(std::string_view line, const ChainEnd& before, const std::string& file, std::uint64_t number) try {
  const auto details = nlohmann::json::parse(line).at("details");
  const AuditHead head{details.at("seq").get<std::uint64_t>(), details.at("hash").get<std::string>(), details.at("time").get<std::string>(), public_key_,
                       details.at("signature").get<std::string>()};
  if (head.seq == before.seq && head.hash == before.hash && audit_head_holds(head)) return true;
  return wrong("head", "the head signed into it does not hold", file, number, end_.seq);
} catch (const nlohmann::json::exception&) {
  return wrong("head", "the head signed into it does not hold", file, number, end_.seq);
}

Status Verifier::read_file(const audit::LogFile& file, int fd, std::uint64_t bytes) {
  if (file.first != 0 && file.first != end_.seq + 1) {
    wrong("missing", "records " + std::to_string(end_.seq + 1) + " to " + std::to_string(file.first - 1) + " are missing before it", file.name, 1, end_.seq + 1);
    return {};
  }
  LineReader reader(fd, 0, bytes);
  std::string_view line;
  ++verdict_.files;
  for (;;) {
    switch (reader.next(line)) {
      case LineReader::Next::kLine:
        if (!take_line(line, file.name, reader.number())) return {};
        break;
      case LineReader::Next::kEnd: verdict_.bytes += reader.offset(); return {};
      case LineReader::Next::kError: return fail_errno(ErrorCode::kHost, "audit log: reading `" + file.name + "`");
      case LineReader::Next::kLong: wrong("form", "it is no record: too long", file.name, reader.number() + 1, end_.seq + 1); return {};
      case LineReader::Next::kTorn:
        wrong("torn", "it is not whole: " + std::to_string(line.size()) + " bytes" +
                          (anchored_ ? " that nobody was told are written; a crash leaves such, and the next record cuts them off" : ""),
              file.name, reader.number() + 1, end_.seq + 1);
        return {};
    }
  }
}

void Verifier::finish() {
  if (verdict_.problem) return;
  if (!snapshot_.anchor) {
    wrong("anchor", snapshot_.anchor_error + ": a cut at the end can't be told", "anchor");
  } else if (!anchored_ && snapshot_.anchor->written.seq >= verdict_.first_seq) {
    const Anchor& anchor = *snapshot_.anchor;
    wrong("cut", "the log ends with record " + std::to_string(end_.seq) + ", but record " + std::to_string(anchor.written.seq) + " was written" +
                     (end_.seq >= anchor.end.seq ? "; a power cut can take back what was not on disk, and the next record says so" : ", and on disk"),
          snapshot_.files.back().name, 0, end_.seq + 1);
  } else if (held_ && !held_met_) {
    wrong("cut", "the log ends with record " + std::to_string(end_.seq) + ", before that of the head that is held, " + std::to_string(held_->seq), snapshot_.files.back().name, 0,
          end_.seq + 1);
  }
  if (!held_) verdict_.notes.push_back("no head is held: a rewrite by who has the key file can't be told (keep what `wardenv audit head` prints elsewhere)");
}

Result<AuditVerdict> Verifier::run() {
  if (check_held() && begin()) {
    for (const audit::LogFile& file : snapshot_.files) {
      if (verdict_.problem) break;
      if (file.name == audit::kActiveFile) {
        WARDENV_TRY(read_file(file, snapshot_.active.get(), snapshot_.active_bytes));
        continue;
      }
      auto opened = audit::open_file(snapshot_.folder.get(), file.name, O_RDONLY);
      if (!opened) return tl::unexpected(opened.error());
      WARDENV_TRY(read_file(file, opened->get(), UINT64_MAX));
    }
    finish();
  }
  for (std::string& note : remarks_.notes()) verdict_.notes.push_back(std::move(note));
  verdict_.last_seq = end_.seq;
  verdict_.last_hash = verdict_.records > 0 ? end_.hash : "";
  return std::move(verdict_);
}

}  // namespace

Result<AuditVerdict> verify_audit_log(const std::string& folder, const std::optional<AuditHead>& held) {
  auto there = audit::open_folder(folder);
  if (!there) return tl::unexpected(there.error());
  auto keys = audit::read_keys(there->get());
  if (!keys) {
    if (keys.error().code != ErrorCode::kUnenforceable) return tl::unexpected(keys.error());
    AuditVerdict verdict;
    verdict.problem = AuditProblem{"key", keys.error().message + ": nothing can be told of the log without it", "key"};
    return verdict;
  }
  const auto heads = audit::SigningKey::from_seed(keys->heads);
  if (!heads) return tl::unexpected(heads.error());
  Snapshot snapshot{std::move(*there), std::move(*keys)};
  WARDENV_TRY(look(snapshot));
  return Verifier(std::move(snapshot), held, audit::to_hex(heads->public_key())).run();
}

}  // namespace wardenv::engine
