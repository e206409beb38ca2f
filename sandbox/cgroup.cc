// SPDX-License-Identifier: Apache-2.0
// Control groups: cgroups(7); Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst of the kernel.
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "sandbox/base/text.h"

namespace wardenv::sandbox {
namespace {

constexpr const char* kPrefix = "wardenv-";
constexpr const char* kNoOom = "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n";
constexpr const char* kPeriod = "100000\n";   // microseconds
constexpr std::uint64_t kFewest = 2;          // processes of a run: init and the command
constexpr std::uint64_t kMostLeft = 1 << 20;
constexpr std::uint64_t kMostLeftShare = 64;
constexpr const char* kSupervisor = "wardenv.supervisor";  // where our own process sits; the delegated group's owner removes it

Status write_value(int folder, const char* file, const std::string& value) { return CgroupFiles().write(folder, file, value); }

std::string read_value(int folder, const char* file) { return CgroupFiles().read(folder, file).value_or(""); }

std::uint64_t number(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

// The number after `key` at the start of a line: "oom_kill 3".
std::uint64_t keyed(const std::string& text, const std::string& key) {
  const std::string all = "\n" + text;
  const auto at = all.find("\n" + key + " ");
  return at == std::string::npos ? 0 : std::strtoull(all.c_str() + at + key.size() + 2, nullptr, 10);
}

std::string fresh_name() {
  std::uint64_t value = 0;
  if (::getrandom(&value, sizeof value, 0) < 0) value = static_cast<std::uint64_t>(::getpid());
  char name[32];
  std::snprintf(name, sizeof name, "%s%016llx", kPrefix, static_cast<unsigned long long>(value));
  return name;
}

void sweep_folder(const std::string& parent) {
  DIR* folder = ::opendir(parent.c_str());
  if (folder == nullptr) return;
  while (const dirent* entry = ::readdir(folder)) {
    if (std::strncmp(entry->d_name, kPrefix, std::strlen(kPrefix)) != 0) continue;
    const std::string path = parent + "/" + entry->d_name;
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::rmdir(path.c_str());
  }
  ::closedir(folder);
}

}  // namespace

Status CgroupLeaf::make_folder(const std::string& parent, const std::string& name) {
  Folder folder;
  const std::string path = parent + "/" + name;
  if (::mkdir(path.c_str(), 0755) < 0) return fail_errno(ErrorCode::kHost, "cannot make control group `" + path + "`");
  folder.path = path;
  folder.fd.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool good = folder.fd.valid() && ::flock(folder.fd.get(), LOCK_SH | LOCK_NB) == 0;
  const int error = errno;
  folders_.push_back(std::move(folder));
  return good ? Status{} : fail_errno(ErrorCode::kHost, "cannot hold control group `" + path + "`", error);
}

Status CgroupLeaf::make_folders(const CgroupHost& host) {
  const std::string name = fresh_name();
  if (plan_.kind == CgroupKind::kV2) return make_folder(host.memory_dir, name);
  for (const std::string& parent : {host.memory_dir, host.pids_dir, host.cpu_dir}) WARDENV_TRY(make_folder(parent, name));
  for (Folder& folder : folders_) {
    folder.tasks.reset(::openat(folder.fd.get(), "tasks", O_WRONLY | O_CLOEXEC));
    if (!folder.tasks.valid()) return fail_errno(ErrorCode::kHost, "cannot open `" + folder.path + "/tasks`");
  }
  return {};
}

// Between making a folder and locking it, the sweep of another engine may take it for a leftover: then again, with another name.
Result<CgroupLeaf> CgroupLeaf::create(const CgroupHost& host, const CgroupPlan& plan) {
  CgroupLeaf leaf;
  Status made;
  for (int attempt = 0; attempt < 20; ++attempt) {
    leaf = CgroupLeaf();
    leaf.plan_ = plan;
    made = leaf.make_folders(host);
    if (made || (made.error().sys_errno != ENOENT && made.error().sys_errno != EWOULDBLOCK && made.error().sys_errno != ENODEV)) break;
  }
  if (!made) return tl::unexpected(made.error());
  WARDENV_TRY(plan.kind == CgroupKind::kV2 ? leaf.limit_v2() : leaf.limit_v1());
  if (plan.kind == CgroupKind::kV1) WARDENV_TRY(leaf.watch_oom_v1());
  return leaf;
}

Status CgroupLeaf::limit_v1() {
  const int memory = folders_[0].fd.get();
  WARDENV_TRY(files_.write(memory, "memory.limit_in_bytes", std::to_string(plan_.memory_bytes)));
  if (auto status = files_.write(memory, "memory.memsw.limit_in_bytes", std::to_string(plan_.memory_bytes)); !status) {
    // Without swap accounting the limit holds only where there is nothing to swap to.
    if (status.error().sys_errno != ENOENT || (!plan_.swap_uncounted && has_swap())) return status;
  }
  WARDENV_TRY(files_.write(folders_[1].fd.get(), "pids.max", std::to_string(plan_.processes)));
  return files_.write(folders_[2].fd.get(), "cpu.cfs_quota_us", std::to_string(plan_.cpu_quota_us));
}

Status CgroupLeaf::limit_v2() const {
  const int folder = folders_[0].fd.get();
  WARDENV_TRY(write_value(folder, "memory.max", std::to_string(plan_.memory_bytes)));
  if (auto status = write_value(folder, "memory.swap.max", "0"); !status) {
    if (status.error().sys_errno != ENOENT || (!plan_.swap_uncounted && has_swap())) return status;
  }
  WARDENV_TRY(write_value(folder, "memory.oom.group", "1"));
  WARDENV_TRY(write_value(folder, "pids.max", std::to_string(plan_.processes)));
  return write_value(folder, "cpu.max", std::to_string(plan_.cpu_quota_us) + " 100000");
}

// v1 kills one process where v2 can kill the group; the event lets the engine end the whole run.
Status CgroupLeaf::watch_oom_v1() {
  const int memory = folders_[0].fd.get();
  UniqueFd control(::openat(memory, "memory.oom_control", O_RDONLY | O_CLOEXEC));
  oom_event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!control.valid() || !oom_event_.valid()) return fail_errno(ErrorCode::kHost, "cannot watch memory.oom_control");
  return write_value(memory, "cgroup.event_control", std::to_string(oom_event_.get()) + " " + std::to_string(control.get()));
}

CgroupLeaf& CgroupLeaf::operator=(CgroupLeaf&& other) noexcept {
  if (this != &other) {
    remove();
    plan_ = other.plan_;
    folders_ = std::move(other.folders_);
    oom_event_ = std::move(other.oom_event_);
    files_ = std::move(other.files_);
    left_bytes_ = other.left_bytes_;
  }
  return *this;
}

std::vector<int> CgroupLeaf::join_fds() const {
  std::vector<int> fds;
  for (const Folder& folder : folders_) fds.push_back(plan_.kind == CgroupKind::kV2 ? folder.fd.get() : folder.tasks.get());
  return fds;
}

CgroupUsage CgroupLeaf::usage() {
  CgroupUsage usage;
  if (folders_.empty()) return usage;
  const int memory = folders_.front().fd.get();
  const int pids = plan_.kind == CgroupKind::kV2 ? memory : folders_[1].fd.get();
  const bool v2 = plan_.kind == CgroupKind::kV2;
  const auto read_value = [&](int folder, const char* file) { return files_.read(folder, file).value_or(""); };
  const std::uint64_t peak_memory = number(read_value(memory, v2 ? "memory.peak" : "memory.max_usage_in_bytes"));
  usage.peak_memory_bytes = peak_memory > left_bytes_ ? peak_memory - left_bytes_ : 0;
  usage.oom_kills = keyed(read_value(memory, v2 ? "memory.events" : "memory.oom_control"), "oom_kill");
  const auto peak = static_cast<std::uint32_t>(number(read_value(pids, "pids.peak")));
  usage.peak_processes = peak > 1 ? peak - 1 : 0;  // init is ours
  return usage;
}

// Nobody is in it, it never ran out of memory, nobody has changed by hand what else of it limits a run, and no more processes were ever in it than
// every run has at least: their highest number can't be begun anew.
bool CgroupLeaf::is_untouched_v1() {
  const int memory = folders_[0].fd.get();
  const int pids = folders_[1].fd.get();
  const int cpu = folders_[2].fd.get();
  if (files_.read(memory, "tasks") != "" || files_.read(cpu, "tasks") != "" || files_.read(pids, "pids.current") != "0\n") return false;
  std::uint64_t events = 0;
  if (::read(oom_event_.get(), &events, sizeof events) >= 0 || errno != EAGAIN) return false;
  if (files_.read(memory, "memory.oom_control") != kNoOom) return false;
  if (files_.read(cpu, "cpu.cfs_period_us") != kPeriod) return false;
  const auto burst = files_.read(cpu, "cpu.cfs_burst_us");
  if ((burst ? *burst != "0\n" : errno != ENOENT)) return false;
  const auto peak = files_.read(pids, "pids.peak");
  return peak ? number(*peak) <= kFewest : errno == ENOENT;
}

// What the kernel still charges the group with (pages of files, its own memory, and what each processor holds ready) stays in it and is counted for
// nobody: it has to be little.
bool CgroupLeaf::restart_peak_v1() {
  const int memory = folders_[0].fd.get();
  if (!files_.write(memory, "memory.max_usage_in_bytes", "0")) return false;
  const auto left = files_.read(memory, "memory.max_usage_in_bytes");
  if (!left) return false;
  left_bytes_ = number(*left);
  return left_bytes_ <= std::min(kMostLeft, plan_.memory_bytes / kMostLeftShare);
}

// A written quota begins a new period, whatever the last run has used of its own (tg_set_cfs_bandwidth()).
bool CgroupLeaf::renew() {
  if (plan_.kind != CgroupKind::kV1) return false;
  files_.keep_open();
  return is_untouched_v1() && limit_v1() && restart_peak_v1();
}

// Every process is dead by now, but the kernel may still be taking the last one apart, on a busy host for long: short waits, then longer
// ones, two seconds in all. What is still there then is taken by the next start's sweep.
void CgroupLeaf::remove() {
  for (Folder& folder : folders_) {
    if (folder.path.empty()) continue;
    for (int attempt = 0; attempt < 140 && ::rmdir(folder.path.c_str()) < 0 && errno == EBUSY; ++attempt) {
      if (plan_.kind == CgroupKind::kV2 && attempt == 0) (void)write_value(folder.fd.get(), "cgroup.kill", "1");
      ::usleep(attempt < 50 ? 2'000 : 20'000);
    }
  }
  folders_.clear();
  files_ = {};
}

void sweep_cgroups(const CgroupHost& host) {
  for (const std::string& parent : {host.memory_dir, host.pids_dir, host.cpu_dir}) {
    if (!parent.empty()) sweep_folder(parent);
  }
}

namespace {

constexpr int kMostRounds = 1000;   // of some hundred processes each

// Only ours are in it (is_ours_alone()); one that has ended meanwhile needs no move. What was moved is not listed again, and the last line of a
// long list may be cut off.
Status move_all(int folder, const char* to) {
  for (int round = 0; round < kMostRounds; ++round) {
    std::string pids = read_value(folder, "cgroup.procs");
    pids.resize(pids.rfind('\n') + 1);
    if (pids.empty()) return {};
    for (const std::string_view pid : words_of(pids)) {
      const Status moved = write_value(folder, to, std::string(pid));
      if (!moved && moved.error().sys_errno != ESRCH) return moved;
    }
  }
  return fail(ErrorCode::kHost, "the control group never becomes empty: processes are made in it faster than they can be moved", "start wardenv in a group of its own");
}

}  // namespace

Status leave_parent(CgroupHost& host) {
  UniqueFd folder(::open(host.memory_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return fail_errno(ErrorCode::kHost, "cannot open `" + host.memory_dir + "`");
  // The root group may hold processes and pass controllers on; any other may not.
  if (!write_value(folder.get(), "cgroup.subtree_control", "+memory +pids +cpu")) {
    const std::string leaf = host.memory_dir + "/" + kSupervisor;
    if (::mkdir(leaf.c_str(), 0755) < 0 && errno != EEXIST) return fail_errno(ErrorCode::kHost, "cannot make control group `" + leaf + "`");
    WARDENV_TRY(move_all(folder.get(), "wardenv.supervisor/cgroup.procs"));
    WARDENV_TRY(write_value(folder.get(), "cgroup.subtree_control", "+memory +pids +cpu"));
  }
  host.must_leave_parent = false;
  return {};
}

}  // namespace wardenv::sandbox
