// SPDX-License-Identifier: Apache-2.0
// Folders for tests of what looks at the file system.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sandbox/spec.h"

namespace wardenv::testing {

// A folder below the temporary folder, by its real path; removed with all that is in it at the end.
class Folder {
 public:
  Folder() {
    std::string name =
        (std::filesystem::canonical(std::filesystem::temp_directory_path()) / "wardenv-unit.XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

  std::string folder(const std::string& name) const {
    std::filesystem::create_directories(at(name));
    return at(name);
  }
  // Makes the folders on the way.
  std::string file(const std::string& name, const std::string& text = "") const {
    std::filesystem::create_directories(std::filesystem::path(at(name)).parent_path());
    std::ofstream(at(name)) << text;
    return at(name);
  }
  std::string program(const std::string& name) const {
    file(name, "#!/bin/sh\n");
    ::chmod(at(name).c_str(), 0755);
    return at(name);
  }
  std::string link(const std::string& name, const std::string& target) const {
    std::filesystem::create_directories(std::filesystem::path(at(name)).parent_path());
    std::filesystem::create_symlink(target, at(name));
    return at(name);
  }

 private:
  std::string path_;
};

// As root: an ordinary user's rights to files until the end of the scope. As anyone else: nothing changes.
class OrdinaryUser {
 public:
  OrdinaryUser() : root_(::geteuid() == 0) {
    if (root_ && ::seteuid(65534) != 0) root_ = false;
  }
  ~OrdinaryUser() {
    if (root_) (void)!::seteuid(0);
  }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;

 private:
  bool root_;
};

inline bool has_mount(const std::vector<sandbox::Mount>& mounts, const std::string& path) {
  return std::any_of(mounts.begin(), mounts.end(),
                     [&](const sandbox::Mount& mount) { return mount.source == path && mount.target == path; });
}

inline bool has_link(const std::vector<sandbox::Symlink>& links, const std::string& path, const std::string& target) {
  return std::any_of(links.begin(), links.end(), [&](const sandbox::Symlink& link) { return link.path == path && link.target == target; });
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace wardenv::testing
