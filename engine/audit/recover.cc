// SPDX-License-Identifier: Apache-2.0
// Where a log stands when somebody wants to append.
#include "engine/audit/recover.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "engine/audit/line_reader.h"

namespace wardenv::engine::audit {
namespace {

tl::unexpected<Error> tampered(const std::string& what) {
  return fail(ErrorCode::kUnenforceable, "audit log: " + what,
              "`wardenv audit verify` says where; to begin a new log move the folder away and keep it");
}

Result<std::uint64_t> size_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail_errno(ErrorCode::kHost, "audit log");
  return static_cast<std::uint64_t>(status.st_size);
}

// The sequence number of a file's first record; `otherwise` for an empty file.
Result<std::uint64_t> first_of(int fd, std::uint64_t otherwise) {
  char text[32];
  const ssize_t length = ::pread(fd, text, sizeof text, 0);
  if (length < 0) return fail_errno(ErrorCode::kHost, "audit log");
  if (length == 0) return otherwise;
  std::uint64_t number = 0;
  for (std::size_t i = 7; i < static_cast<std::size_t>(length) && text[i] >= '0' && text[i] <= '9' && i < 26; ++i) {
    number = number * 10 + static_cast<std::uint64_t>(text[i] - '0');
  }
  return number == 0 ? otherwise : number;
}

// That the record at the anchor is still there, by the hash in its line.
Status check_anchored(int fd, const Anchor& anchor) {
  auto size = size_of(fd);
  if (!size) return tl::unexpected(size.error());
  if (*size < anchor.bytes) return tampered("it was cut: record " + std::to_string(anchor.end.seq) + " was on disk and is not there");
  std::string block;
  std::size_t newline = std::string::npos;
  for (std::uint64_t want = 4096; newline == std::string::npos && block.size() < std::min<std::uint64_t>(anchor.bytes, kMaxLineBytes); want *= 8) {
    block.resize(std::min({want, anchor.bytes, std::uint64_t{kMaxLineBytes}}));
    const auto begin = static_cast<off_t>(anchor.bytes - block.size());
    if (::pread(fd, block.data(), block.size(), begin) != static_cast<ssize_t>(block.size())) return fail_errno(ErrorCode::kHost, "audit log");
    newline = block.rfind('\n', block.size() - 2);
  }
  std::string_view line(block);
  if (newline != std::string::npos) line.remove_prefix(newline + 1);
  const auto parts = line.ends_with('\n') ? split_line(line.substr(0, line.size() - 1)) : std::nullopt;
  const bool good = parts && parts->seq == anchor.end.seq && parts->hash == anchor.end.hash && to_hex(Sha256::of(parts->body)) == anchor.end.hash;
  return good ? Status{} : tampered("record " + std::to_string(anchor.end.seq) + " was changed");
}

// Follows the chain in one file from `offset` on; answers where the last record that holds ends.
Result<std::uint64_t> follow(int fd, std::uint64_t offset, Sealer& sealer, ChainEnd& end) {
  const auto size = size_of(fd);
  if (!size || *size == offset) return size;
  LineReader reader(fd, offset);
  std::string_view line;
  for (;;) {
    const LineReader::Next next = reader.next(line);
    if (next == LineReader::Next::kError) return fail_errno(ErrorCode::kHost, "audit log: reading it");
    if (next != LineReader::Next::kLine || sealer.check(line, end) != Sealer::Check::kHolds) return offset;
    offset = reader.offset();
  }
}

Result<Torn> cut_off(int fd, std::uint64_t offset, std::uint64_t size) {
  std::string rest(std::min<std::uint64_t>(size - offset, kMaxLineBytes), '\0');
  const ssize_t got = ::pread(fd, rest.data(), rest.size(), static_cast<off_t>(offset));
  if (got < 0) return fail_errno(ErrorCode::kHost, "audit log: reading it");
  rest.resize(static_cast<std::size_t>(got));
  if (::ftruncate(fd, static_cast<off_t>(offset)) != 0) return fail_errno(ErrorCode::kHost, "audit log: cutting off a torn line");
  return Torn{size - offset, offset, to_hex(Sha256::of(rest))};
}

// The index of the anchor's file among `files`.
Result<std::size_t> find_anchored(int folder, const std::vector<LogFile>& files, const Anchor& anchor) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].first == anchor.file) return i;
    if (files[i].first != 0) continue;
    auto file = open_file(folder, files[i].name, O_RDONLY);
    if (!file) return tl::unexpected(file.error());
    const auto first = first_of(file->get(), 0);
    if (!first) return tl::unexpected(first.error());
    if (*first == anchor.file) return i;
  }
  return tampered("the file with record " + std::to_string(anchor.end.seq) + " is missing");
}

// Follows the chain through the files from the anchor's on, and takes what is torn off the last.
Result<Position> walk(int folder, const std::vector<LogFile>& files, const Anchor& anchor, const Keys& keys) {
  const auto at = find_anchored(folder, files, anchor);
  if (!at) return tl::unexpected(at.error());
  Position position;
  position.end = anchor.end;
  Sealer sealer(keys.records);
  for (std::size_t i = *at; i < files.size(); ++i) {
    const bool last = files[i].name == kActiveFile;
    auto file = open_file(folder, files[i].name, last ? O_RDWR | O_APPEND : O_RDONLY);
    if (!file) return tl::unexpected(file.error());
    if (i == *at) WARDENV_TRY(check_anchored(file->get(), anchor));
    position.first = i == *at ? anchor.file : position.end.seq + 1;
    const auto bytes = follow(file->get(), i == *at ? anchor.bytes : 0, sealer, position.end);
    const auto size = size_of(file->get());
    if (!bytes || !size) return tl::unexpected(bytes ? size.error() : bytes.error());
    if (*bytes != *size && !last) return tampered("`" + files[i].name + "` was changed");
    if (!last) continue;
    if (*bytes != *size) {
      auto torn = cut_off(file->get(), *bytes, *size);
      if (!torn) return tl::unexpected(torn.error());
      position.torn = std::move(*torn);
    }
    position.bytes = *bytes;
    position.file = std::move(*file);
  }
  return position;
}

}  // namespace

Result<Position> recover(int folder, const Keys& keys) {
  auto anchor = read_anchor(folder, keys);
  if (!anchor) return tl::unexpected(anchor.error());
  auto files = list_files(folder);
  if (!files) return tl::unexpected(files.error());
  auto position = walk(folder, *files, *anchor, keys);
  if (!position) return position;
  position->synced = *anchor;
  if (anchor->written.seq > position->end.seq) position->lost = anchor->written.seq - position->end.seq;
  if (position->file.valid()) return position;
  // Someone stopped between putting a file aside and beginning the next one.
  auto file = open_file(folder, kActiveFile, O_RDWR | O_APPEND | O_CREAT | O_EXCL);
  if (!file) return tl::unexpected(file.error());
  if (::fsync(folder) != 0) return fail_errno(ErrorCode::kHost, "audit log: its folder");
  position->file = std::move(*file);
  position->first = position->end.seq + 1;
  return position;
}

}  // namespace wardenv::engine::audit
