// SPDX-License-Identifier: Apache-2.0
// Helpers of the tests that make real sandboxes.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "sandbox/base/unique_fd.h"
#include "sandbox/host_facts.h"
#include "tests/kernel/support.h"
#include "tests/support/files.h"

namespace wardenv::testing {
namespace fs = std::filesystem;

ScratchFolder::ScratchFolder() {
  char name[] = "/tmp/wardenv-kernel.XXXXXX";
  path_ = ::mkdtemp(name);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void ScratchFolder::write(const std::string& name, const std::string& text) const { std::ofstream(path_ + "/" + name) << text; }

StateFolder::StateFolder() {
  if (const char* before = std::getenv("WARDENV_STATE")) before_ = before;
  ::setenv("WARDENV_STATE", path().c_str(), 1);
}

StateFolder::~StateFolder() {
  if (before_) ::setenv("WARDENV_STATE", before_->c_str(), 1);
  else ::unsetenv("WARDENV_STATE");
}

engine::RunRequest request(const ScratchFolder& workspace, std::vector<std::string> argv) {
  engine::RunRequest request;
  request.argv = std::move(argv);
  request.workspace = workspace.path();
  return request;
}

std::vector<int> processes_with(const std::string& marker) {
  std::vector<int> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string text = text_of(entry.path() / "cmdline");
    const int pid = std::stoi(name);
    if (pid != ::getpid() && text.find(marker) != std::string::npos) found.push_back(pid);
  }
  return found;
}

bool eventually(const std::function<bool()>& condition) {
  for (int attempt = 0; attempt < 4000; ++attempt) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

bool gone(const std::string& marker) {
  return eventually([&] { return processes_with(marker).empty(); });
}

std::vector<int> children_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  std::vector<int> children;
  for (int child = 0; file >> child;) children.push_back(child);
  return children;
}

bool gone(int pid) {
  return eventually([&] {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    return !std::getline(file, text) || text.find(") Z ") != std::string::npos;
  });
}

namespace {

std::size_t cgroup_count() {
  std::size_t count = 0;
  const sandbox::CgroupHost host = sandbox::probe_cgroup();
  for (const std::string& folder : {host.memory_dir, host.pids_dir, host.cpu_dir}) {
    std::error_code ignored;
    if (folder.empty()) continue;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (entry.path().filename().string().rfind("wardenv-", 0) != 0) continue;
      const UniqueFd fd(::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      count += fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 ? 1 : 0;  // a live engine, of somebody else, holds its own
    }
  }
  return count;
}

}  // namespace

bool no_cgroup_left() {
  return eventually([] { return cgroup_count() == 0; });
}

std::size_t descriptors_of(int pid) {
  std::error_code ignored;
  const fs::directory_iterator folder("/proc/" + std::to_string(pid) + "/fd", ignored);
  return ignored ? 0 : static_cast<std::size_t>(std::distance(begin(folder), end(folder)));
}

std::string mount_table() { return text_of("/proc/self/mountinfo"); }

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}));
}

}  // namespace wardenv::testing
