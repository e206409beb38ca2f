// SPDX-License-Identifier: Apache-2.0
// A kept policy is one file, named after the SHA-256 of its text: "wardenv-policy-1 PROGRAM TEXT BODY\n", three digests in hex, and the body, JSON.
#include "engine/gate/kept_policy.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/audit/crypto.h"
#include "engine/gate/load_policy.h"
#include "engine/gate/readers.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

using audit::Sha256;
using audit::to_hex;

constexpr const char* kFolder = "policies";
constexpr std::size_t kMostKept = 16;           // texts of policies; then all are dropped, and those in use come back
constexpr std::size_t kLongest = 1 << 20;       // of a text
constexpr std::uint64_t kLeastSpace = 64 << 20; // that is free

std::string digest_of(std::string_view text) { return to_hex(Sha256::of(text)); }

std::string header(const std::string& readers, const std::string& text, std::string_view body) {
  return "wardenv-policy-1 " + readers + " " + text + " " + digest_of(body) + "\n";
}

// Nobody else may be able to write, nor to read: what a policy says is its operator's.
bool is_ours(int fd, mode_t kind) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == kind && status.st_uid == ::geteuid() && (status.st_mode & 0077) == 0;
}

UniqueFd open_ours(int folder, const char* name, int flags, mode_t kind) {
  UniqueFd fd(::openat(folder, name, flags | O_CLOEXEC | O_NONBLOCK, 0600));
  if (fd.valid() && !is_ours(fd.get(), kind)) fd.reset();
  return fd;
}

UniqueFd open_state(const std::string& state_dir) { return open_ours(AT_FDCWD, state_dir.c_str(), O_RDONLY | O_DIRECTORY, S_IFDIR); }

UniqueFd open_folder(const UniqueFd& state) {
  return state.valid() ? open_ours(state.get(), kFolder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, S_IFDIR) : UniqueFd();
}

// Nothing is made in a state folder that is not ours.
UniqueFd make_folder(const std::string& state_dir) {
  const UniqueFd state = open_state(state_dir);
  if (state.valid()) ::mkdirat(state.get(), kFolder, 0700);
  return open_folder(state);
}

// What others keep there, the audit log above all, may need the last of it.
bool is_spacious(int folder) {
  struct statvfs disk {};
  return ::fstatvfs(folder, &disk) == 0 && std::uint64_t{disk.f_bavail} * disk.f_frsize >= kLeastSpace;
}

std::optional<std::string> read_all(int fd) {
  std::string text;
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 || text.size() > policy::kMaxDocumentBytes) return std::nullopt;
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

// The body of what is kept for `digest`, if it is whole and was written by such a program as this.
std::optional<std::string> read_kept(const std::string& state_dir, const std::string& readers, const std::string& digest) {
  const UniqueFd folder = open_folder(open_state(state_dir));
  if (!folder.valid()) return std::nullopt;
  const UniqueFd file = open_ours(folder.get(), digest.c_str(), O_RDONLY | O_NOFOLLOW, S_IFREG);
  auto kept = file.valid() ? read_all(file.get()) : std::nullopt;
  if (!kept) return std::nullopt;
  const std::size_t line = std::min(kept->find('\n'), kept->size() - 1) + 1;
  const std::string_view body = std::string_view(*kept).substr(line);
  if (std::string_view(*kept).substr(0, line) != header(readers, digest, body)) return std::nullopt;
  return std::string(body);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

void drop_if_many(int folder) {
  UniqueFd copy(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy.valid() ? ::fdopendir(copy.get()) : nullptr, ::closedir);
  if (stream == nullptr) return;
  (void)copy.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  if (names.size() < kMostKept) return;
  for (const std::string& name : names) ::unlinkat(folder, name.c_str(), 0);
}

// Nobody needs it: what can't be written is not kept. Not synced, as what is cut off does not agree with its digest.
void keep(int folder, const std::string& digest, const std::string& content) {
  drop_if_many(folder);
  const std::string made = digest + ".new-" + std::to_string(::getpid());
  ::unlinkat(folder, made.c_str(), 0);
  const UniqueFd file = open_ours(folder, made.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, S_IFREG);
  const bool whole = file.valid() && write_all(file.get(), content);
  if (!whole || ::renameat(folder, made.c_str(), folder, digest.c_str()) != 0) ::unlinkat(folder, made.c_str(), 0);
}

}  // namespace

policy::Loaded load_kept_policy(std::string_view text, policy::Format format, const std::string& state_dir) {
  const bool yaml = policy::read_as(text, format) == policy::Format::kYaml;
  const auto readers = yaml && text.size() <= kLongest ? readers_digest() : std::nullopt;
  if (!readers) return load_policy(text, format);
  const std::string digest = digest_of(text);
  if (const auto body = read_kept(state_dir, *readers, digest)) {
    policy::Loaded loaded = load_policy(*body, policy::Format::kJson, digest);
    loaded.findings.clear();
    if (loaded.document != nullptr) return loaded;   // what is wrong is placed in the text
  }
  policy::Loaded loaded = load_policy(text, format, digest);
  if (loaded.document == nullptr) return loaded;
  loaded.findings.clear();
  const UniqueFd folder = make_folder(state_dir);
  if (!folder.valid() || !is_spacious(folder.get())) return loaded;
  if (const auto body = policy::as_json(text, format)) keep(folder.get(), digest, header(*readers, digest, *body) + *body);
  return loaded;
}

}  // namespace wardenv::engine
