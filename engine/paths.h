// SPDX-License-Identifier: Apache-2.0
// Paths, resolved component by component, so that the sandbox can show the same links at the same places.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sandbox/base/error.h"
#include "sandbox/spec.h"

namespace wardenv::engine {

struct ResolvedPath {
  std::string real;                         // absolute, without symbolic links
  std::vector<sandbox::Symlink> symlinks;   // those that were walked through: where they are (a real path) and what they say
  bool ends_in_link = false;                // the path itself was one, not only a folder on the way
};

// Absolute form of `path` (relative to the current folder), without "." and "//"; ".." is kept for resolve_path.
std::string absolute(std::string_view path);

// Follows every symbolic link; at most 40 of them (path_resolution(7)). The path must exist. Errors: kNotFound, kBadInput.
Result<ResolvedPath> resolve_path(const std::string& path);

// True where `path` is `folder` or lies in it. Both absolute and real.
bool is_beneath(std::string_view path, std::string_view folder);

bool is_folder(const std::string& path);
bool is_regular_file(const std::string& path);
bool exists(const std::string& path);   // also a dangling symbolic link

// Which file it is: device, inode and time of birth, so that one which is made later at the same place is another. Not of what a link leads to.
// Empty where there is none. `dir` as in statx(2).
std::string identity_of(int dir, const std::string& path);

// The folder and what is missing of those above it, for their owner alone (0700). 0, or what errno(3) says.
int make_folders(const std::string& path);

// What is in a folder, in order of the bytes. Error kBadInput where it can't be read to its end.
Result<std::vector<std::string>> names_in(const std::string& folder);

std::string parent_of(const std::string& path);

// Whether two paths lead to the same file, or would if it was there: by links of either kind, and where names are told apart by case alone.
bool lead_to_same(const std::string& one, const std::string& other);

// Whether one of two files or folders is the other, or holds it: by whatever links each is named, by another mount of either or of a folder above it (not
// of a part of it), and, of what is not there yet, by where it would be.
bool overlap(const std::string& one, const std::string& other);

}  // namespace wardenv::engine
