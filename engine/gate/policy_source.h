// SPDX-License-Identifier: Apache-2.0
// PolicySource: the policy that is in force, and its replacement when the file is edited.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "policy/core/load.h"
#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {

// What one call is judged by, from its begin to its end: rules, grants and profiles of one edition of the file.
struct Edition {
  std::shared_ptr<const policy::Document> document;
  std::string digest_sha256;
  std::string file{};   // absolute; empty: built in
};

// What tells that a file is another one, or has been written (inode(7)). All zero where there is none.
struct FileMark {
  std::array<std::int64_t, 7> numbers{};
  bool operator==(const FileMark&) const = default;
};

class PolicySource {
 public:
  // From a file, or, where `file` is empty, from `text`. Errors kBadInput: can't be read, or is wrong (the first finding, the others in the hint).
  // `state_dir`: where the policies of files are kept as they were read (kept_policy.h); empty: nowhere.
  static Result<std::unique_ptr<PolicySource>> open(const std::string& file, const std::string& text, const std::string& state_dir = "");
  PolicySource(const PolicySource&) = delete;
  PolicySource& operator=(const PolicySource&) = delete;
  ~PolicySource();

  [[nodiscard]] std::shared_ptr<const Edition> edition() const;

  // From now on an edit takes effect: written in place or renamed over, at once; where a link or a folder on the way to the file is exchanged,
  // within a second. A wrong one is told to `on_notice`, and the old one stays.
  // Both are called from a thread of this object. Error kHost where the file can't be watched.
  Status watch(std::function<void()> on_change, std::function<void(std::string_view)> on_notice);

 private:
  PolicySource(std::string file, std::shared_ptr<const Edition> edition);
  static Result<std::shared_ptr<const Edition>> load_file(const std::string& file, const std::string& state_dir);
  Status watch_folders();
  void follow();
  void reload();

  std::string file_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Edition> edition_;
  std::string refusal_;               // of the last edit that was wrong: told once
  std::function<void()> on_change_;
  std::function<void(std::string_view)> on_notice_;
  UniqueFd inotify_;
  std::set<int> watches_;             // of inotify_: the folders that the file is in now
  FileMark mark_;                     // of the file that was read last
  UniqueFd stop_;                     // eventfd
  std::thread thread_;
};

}  // namespace wardenv::engine
