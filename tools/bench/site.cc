// SPDX-License-Identifier: Apache-2.0
// Site: the temporary folder with all that the contestants need. Removed at the end.
#include "tools/bench/site.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sandbox/seccomp/builtin.h"
#include "tools/bench/process.h"

namespace wardenv::bench {
namespace {

namespace fs = std::filesystem;
namespace seccomp = wardenv::sandbox::seccomp;

// Wardenv's own filter, as a filter without a supervisor: what would be reported is refused with EPERM.
seccomp::Instruction without_supervisor(seccomp::Instruction instruction) {
  const bool returns = instruction.code == (BPF_RET | BPF_K);
  if (returns && (instruction.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF) {
    instruction.k = SECCOMP_RET_ERRNO | EPERM;
  }
  return instruction;
}

Status write_filter(const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  for (const auto& instruction : seccomp::builtin_filter(seccomp::LimitsBy::kCgroup)) {
    const seccomp::Instruction plain = without_supervisor(instruction);
    file.write(reinterpret_cast<const char*>(&plain), sizeof plain);
  }
  file.close();
  if (!file) return fail_errno(ErrorCode::kHost, "cannot write `" + path + "`");
  return {};
}

// Where peers mount into a folder that is already there, the links have to come with it, and in a user namespace the
// places of mounts too: its root can't write there.
Status make_root(const std::string& root) {
  std::error_code failed;
  for (const char* name : {"usr", "etc/alternatives", "proc", "dev", "tmp", "home"}) {
    if (!failed) fs::create_directories(root + "/" + name, failed);
  }
  for (const char* name : {"bin", "sbin", "lib", "lib64"}) {
    if (!failed) fs::create_symlink(std::string("usr/") + name, root + "/" + name, failed);
  }
  const bool made = !failed && std::ofstream(root + "/etc/ld.so.cache").good();
  return made ? Status{} : fail(ErrorCode::kHost, "cannot make `" + root + "`");
}

Status make_venv(const std::string& folder) {
  Command command;
  command.argv = {"/usr/bin/python3", "-m", "venv", "--without-pip", folder};
  if (run_timed(command).status == 0) return {};
  return fail(ErrorCode::kHost, "cannot make a virtual environment", "apt-get install python3-venv");
}

}  // namespace

Site::Site(std::string folder) : folder_(std::move(folder)) {}
Site::Site(Site&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}
Site::~Site() {
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

Result<Site> Site::create() {
  std::string name = fs::temp_directory_path().string() + "/wardenv-bench.XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return fail_errno(ErrorCode::kHost, "cannot make a temporary folder");
  Site site(std::move(name));
  // Users inside the peers' sandboxes have other ids and must reach the virtual environment.
  if (::chmod(site.folder().c_str(), 0755) < 0) return fail_errno(ErrorCode::kHost, "chmod");
  if (::mkdir(site.workspace().c_str(), 0755) < 0) return fail_errno(ErrorCode::kHost, "mkdir");
  WARDENV_TRY(make_venv(site.venv()));
  WARDENV_TRY(make_root(site.root()));
  WARDENV_TRY(write_filter(site.filter()));
  return site;
}

}  // namespace wardenv::bench
