// SPDX-License-Identifier: Apache-2.0
// The log's folder: the key file and the anchor, which only who has the key can make; a new folder.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/audit/folder.h"

namespace wardenv::engine::audit {
namespace {

constexpr std::string_view kKeyWord = "wardenv-audit-key-1 ";
constexpr std::size_t kAnchorBytes = 512;   // one block of the smallest size

constexpr const char* kGoOn = "`wardenv audit verify` says more; to begin a new log move the folder away and keep it";

// One key for each purpose, so that none can be used for another (as HKDF-Expand, RFC 5869, with one block).
Digest derive(const Hmac& master, std::string_view purpose) { return master.of(std::string(purpose) + '\x01'); }
std::string_view view(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

Keys keys_of(std::string_view secret) {
  const Hmac master(secret);
  return {Hmac(view(derive(master, "values"))), Hmac(view(derive(master, "records"))), Hmac(view(derive(master, "anchor"))), derive(master, "heads"),
          to_hex(derive(master, "start"))};
}

Result<std::string> read_small(int folder, const char* name) {
  auto file = open_file(folder, name, O_RDONLY);
  if (!file) return tl::unexpected(Error{ErrorCode::kUnenforceable, file.error().message, kGoOn, file.error().sys_errno});
  char text[kAnchorBytes + 1];
  const ssize_t length = ::pread(file->get(), text, sizeof text, 0);
  if (length < 0) return fail_errno(ErrorCode::kHost, std::string("audit log: `") + name + "`");
  return std::string(text, static_cast<std::size_t>(length));
}

std::string anchor_claim(const Anchor& anchor) {
  return "anchor " + std::to_string(anchor.end.seq) + " " + anchor.end.hash + " " + std::to_string(anchor.file) + " " + std::to_string(anchor.bytes) +
         " " + std::to_string(anchor.written.seq) + " " + anchor.written.hash;
}

std::string anchor_text(const Anchor& anchor, const Keys& keys) {
  std::string text = R"({"seq":)" + std::to_string(anchor.end.seq) + R"(,"hash":")" + anchor.end.hash + R"(","file":)" + std::to_string(anchor.file) +
                     R"(,"bytes":)" + std::to_string(anchor.bytes) + R"(,"written":)" + std::to_string(anchor.written.seq) + R"(,"written_hash":")" +
                     anchor.written.hash + R"(","mac":")" + to_hex(keys.anchor.of(anchor_claim(anchor))) + "\"}";
  text.resize(kAnchorBytes - 1, ' ');
  return text + "\n";
}

// Makes one file of a new folder, on disk.
Status make_file(int folder, const char* name, std::string_view text) {
  auto file = open_file(folder, name, O_WRONLY | O_CREAT | O_EXCL);
  if (!file) return tl::unexpected(file.error());
  WARDENV_TRY(write_all(file->get(), text));
  if (::fsync(file->get()) != 0) return fail_errno(ErrorCode::kHost, std::string("audit log: `") + name + "`");
  return {};
}

Status fill(int folder) {
  const auto secret = random_bytes(32);
  const auto id = random_bytes(8);
  if (!secret) return tl::unexpected(secret.error());
  if (!id) return tl::unexpected(id.error());
  Keys keys = keys_of(*secret);
  const auto heads = SigningKey::from_seed(keys.heads);
  if (!heads) return tl::unexpected(heads.error());
  ChainEnd end{0, keys.start};
  std::string line;
  const std::string payload =
      R"("event":"begin","details":{"log":")" + to_hex(*id) + R"(","public_key":")" + to_hex(heads->public_key()) + R"("})";
  Sealer(keys.records).seal(time_text(now_microseconds()), payload, end, line);
  WARDENV_TRY(make_file(folder, "key", std::string(kKeyWord) + to_hex(*secret) + "\n"));
  WARDENV_TRY(make_file(folder, kActiveFile, line));
  WARDENV_TRY(make_file(folder, "anchor", anchor_text({end, 1, line.size(), end}, keys)));
  WARDENV_TRY(make_file(folder, "lock", ""));
  if (::fsync(folder) != 0) return fail_errno(ErrorCode::kHost, "audit log: its folder");
  return {};
}

void remove_made(const std::string& path) {
  for (const char* name : {"/key", "/audit.jsonl", "/anchor", "/lock"}) ::unlink((path + name).c_str());
  ::rmdir(path.c_str());
}

Status make_parents(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (::mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST) {
      return fail_errno(ErrorCode::kHost, "audit log `" + path + "`", "set WARDENV_STATE to a folder that can be made");
    }
  }
  return {};
}

Status sync_folder(const std::string& path) {
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0) return fail_errno(ErrorCode::kHost, "audit log: `" + path + "`");
  return {};
}

}  // namespace

Result<Keys> read_keys(int folder) {
  auto text = read_small(folder, "key");
  if (!text) return tl::unexpected(text.error());
  struct stat status {};
  if (::fstatat(folder, "key", &status, AT_SYMLINK_NOFOLLOW) != 0 || (status.st_mode & 077) != 0) {
    return fail(ErrorCode::kUnenforceable, "audit log: its key file can be read by others", "chmod 600 it");
  }
  const std::string secret = text->size() == kKeyWord.size() + 65 && text->starts_with(kKeyWord) && text->back() == '\n'
                                 ? from_hex(std::string_view(*text).substr(kKeyWord.size(), 64), 32)
                                 : "";
  if (secret.empty()) return fail(ErrorCode::kUnenforceable, "audit log: its key file is not a key", kGoOn);
  return keys_of(secret);
}

Result<Anchor> read_anchor(int folder, const Keys& keys) {
  auto text = read_small(folder, "anchor");
  if (!text) return tl::unexpected(text.error());
  const auto document = nlohmann::json::parse(*text, nullptr, false);
  Anchor anchor;
  try {
    anchor = {{document.at("seq").get<std::uint64_t>(), document.at("hash").get<std::string>()},
              document.at("file").get<std::uint64_t>(),
              document.at("bytes").get<std::uint64_t>(),
              {document.at("written").get<std::uint64_t>(), document.at("written_hash").get<std::string>()}};
  } catch (const nlohmann::json::exception&) {
    return fail(ErrorCode::kUnenforceable, "audit log: its anchor is damaged", kGoOn);
  }
  if (!same(*text, anchor_text(anchor, keys))) return fail(ErrorCode::kUnenforceable, "audit log: its anchor was not made with its key", kGoOn);
  return anchor;
}

Result<UniqueFd> open_anchor(int folder) { return open_file(folder, "anchor", O_WRONLY); }

Status write_anchor(int fd, const Anchor& anchor, const Keys& keys) {
  const std::string text = anchor_text(anchor, keys);
  if (::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return fail_errno(ErrorCode::kHost, "audit log: `anchor`");
  return {};
}

Status create_folder(const std::string& path) {
  WARDENV_TRY(make_parents(path));
  const auto suffix = random_bytes(6);
  if (!suffix) return tl::unexpected(suffix.error());
  const std::string made = path + ".new-" + to_hex(*suffix);
  if (::mkdir(made.c_str(), 0700) != 0) return fail_errno(ErrorCode::kHost, "audit log `" + path + "`");
  Status status;
  if (const UniqueFd folder(::open(made.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); folder.valid()) {
    status = fill(folder.get());
  } else {
    status = fail_errno(ErrorCode::kHost, "audit log `" + path + "`");
  }
  // rename(2) replaces an empty folder only: a log that is there already stays.
  const bool lost = status.has_value() && ::rename(made.c_str(), path.c_str()) != 0;
  const int error = errno;
  if (lost || !status) remove_made(made);
  if (lost && error != EEXIST && error != ENOTEMPTY) return fail_errno(ErrorCode::kHost, "audit log `" + path + "`", error);
  WARDENV_TRY(std::move(status));
  return sync_folder(path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)));
}

}  // namespace wardenv::engine::audit
