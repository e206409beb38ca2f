// SPDX-License-Identifier: Apache-2.0
// Probes the host: ids, CPUs, Landlock, and where control groups can be made.
#include "sandbox/host_facts.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "sandbox/base/ids.h"
#include "sandbox/base/kernel.h"
#include "sandbox/base/text.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::sandbox {
namespace {

constexpr const char* kCgroupRoot = "/sys/fs/cgroup";

// Our group in hierarchy `controller` ("" for v2), as /proc/self/cgroup tells it (cgroups(7)).
std::string own_group(const std::string& table, const std::string& controller) {
  for (const std::string_view line : lines_of(table)) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string list = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const bool match = controller.empty() ? list == ",," : list.find("," + controller + ",") != std::string::npos;
    if (match) return std::string(line.substr(second + 1));
  }
  return {};
}

bool writable_folder(const std::string& path) { return ::access(path.c_str(), W_OK | X_OK) == 0; }

std::string join(const std::string& folder, const std::string& group) { return group == "/" ? folder : folder + group; }

bool has_word(const std::string& text, const std::string& word) {
  const auto words = words_of(text);
  return std::ranges::find(words, word) != words.end();
}

bool has_controllers(const std::string& path) {
  const std::string text = text_of_file(path);
  return has_word(text, "memory") && has_word(text, "pids") && has_word(text, "cpu");
}

// Groups from our own upwards to the root.
std::vector<std::string> own_and_above(std::string group) {
  std::vector<std::string> groups;
  for (; !group.empty() && group != "/"; group = group.substr(0, group.rfind('/'))) groups.push_back(group);
  groups.emplace_back("/");
  return groups;
}

// The fourth field of proc(5) stat; before it, a name in parentheses that may hold anything, and a letter.
int parent_of(int pid) {
  const std::string text = text_of_file("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = text.rfind(") ");
  return name_end != std::string::npos && name_end + 4 < text.size() ? static_cast<int>(std::strtol(text.c_str() + name_end + 4, nullptr, 10)) : 0;
}

// Nobody but our process and its children: the launcher that it was born with.
bool is_ours_alone(const std::string& folder) {
  const std::string text = text_of_file(folder + "/cgroup.procs");
  return !text.empty() && std::ranges::all_of(words_of(text), [](std::string_view word) {
    const auto pid = number_in<int>(word);
    return pid && (*pid == ::getpid() || parent_of(*pid) == ::getpid());
  });
}

// v2: best is a group at or above ours that passes the three controllers on already. Else our own, where nobody else sits in it:
// a group with processes can't pass controllers on (cgroups(7)), and only our own processes are ours to move.
CgroupHost probe_v2(const std::string& root, const std::string& own) {
  for (const std::string& group : own_and_above(own)) {
    const std::string folder = join(root, group);
    const bool ours = writable_folder(folder) && ::access((folder + "/cgroup.procs").c_str(), W_OK) == 0;
    if (ours && has_controllers(folder + "/cgroup.subtree_control")) return {.kind = CgroupKind::kV2, .memory_dir = folder};
  }
  const std::string folder = join(root, own);
  const bool ours = writable_folder(folder) && ::access((folder + "/cgroup.subtree_control").c_str(), W_OK) == 0;
  if (ours && has_controllers(folder + "/cgroup.controllers") && (own == "/" || is_ours_alone(folder))) {
    return {.kind = CgroupKind::kV2, .memory_dir = folder, .must_leave_parent = true};
  }
  return {.why_not = "no cgroup v2 folder at or above our own group `" + own + "` is delegated to us with memory, pids and cpu"};
}

CgroupHost probe_v1(const std::string& table) {
  CgroupHost host;
  struct Place {
    const char* controller;
    std::string CgroupHost::*folder;
  };
  for (const Place& place : {Place{"memory", &CgroupHost::memory_dir}, Place{"pids", &CgroupHost::pids_dir}, Place{"cpu", &CgroupHost::cpu_dir}}) {
    const std::string mount = std::string(kCgroupRoot) + "/" + place.controller;
    const std::string folder = join(mount, own_group(table, place.controller));
    if (!writable_folder(folder)) {
      return {.why_not = "the cgroup v1 folder `" + folder + "` is not writable for us"};
    }
    host.*place.folder = folder;
  }
  host.kind = CgroupKind::kV1;
  return host;
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof set, &set) < 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

struct MappedIds {
  std::uint64_t first = 0;   // inside, which is where we are
  std::uint64_t count = 0;
  [[nodiscard]] bool has(const IdRange& ids) const { return first <= ids.first && first + count >= std::uint64_t{ids.first} + ids.count; }
};

// The ranges of our own user namespace (user_namespaces(7), uid_map).
std::vector<MappedIds> mapped_ids(const char* map) {
  std::vector<MappedIds> ranges;
  const std::string text = text_of_file(map);
  for (const std::string_view line : lines_of(text)) {
    const auto words = words_of(line);
    const auto first = words.size() == 3 ? number_in<std::uint64_t>(words[0]) : std::nullopt;
    const auto count = words.size() == 3 ? number_in<std::uint64_t>(words[2]) : std::nullopt;
    if (first && count) ranges.push_back({*first, *count});
  }
  return ranges;
}

// Whether our own user namespace has all of it, in one piece.
bool has_ids(const char* map, const IdRange& ids) {
  return std::ranges::any_of(mapped_ids(map), [&](const MappedIds& range) { return range.has(ids); });
}

Status take_id_range(const IdRange& ids, HostFacts& facts) {
  if (!has_ids("/proc/self/uid_map", ids) || !has_ids("/proc/self/gid_map", ids)) {
    return fail(ErrorCode::kBadInput, "the ids " + std::to_string(ids.first) + " to " + std::to_string(std::uint64_t{ids.first} + ids.count - 1) + " are configured, and the user namespace that we are in does not have them all",
                "change uid_range_first and uid_range_count in the configuration to what /proc/self/uid_map and gid_map have");
  }
  facts.uid_range_first = ids.first;
  facts.uid_range_count = ids.count;
  return {};
}

// The default range where our own user namespace has it, else the upper half of the largest range that it has.
void choose_id_range(HostFacts& facts) {
  MappedIds best;
  for (const MappedIds& range : mapped_ids("/proc/self/uid_map")) {
    if (range.has({.first = kDefaultFirstId, .count = kDefaultIdCount})) {
      facts.uid_range_first = kDefaultFirstId;
      facts.uid_range_count = kDefaultIdCount;
      return;
    }
    if (range.count > best.count) best = range;
  }
  if (best.count < 2) return;
  facts.uid_range_first = static_cast<std::uint32_t>(best.first + best.count / 2);
  facts.uid_range_count = static_cast<std::uint32_t>(best.count - best.count / 2);
}

// In the root of v2 no group has files of its own: there the new group's own are looked at when it is made.
bool leaves_swap_out(const CgroupHost& host) {
  if (host.kind == CgroupKind::kNone || host.memory_dir == kCgroupRoot) return false;
  const char* file = host.kind == CgroupKind::kV1 ? "/memory.memsw.limit_in_bytes" : "/memory.swap.max";
  return ::access((host.memory_dir + file).c_str(), F_OK) < 0 && has_swap();
}

CgroupHost find_cgroup() {
  struct statfs status {};
  if (::statfs(kCgroupRoot, &status) < 0) return {.why_not = "no control groups are mounted at /sys/fs/cgroup"};
  const std::string table = text_of_file("/proc/self/cgroup");
  if (status.f_type == CGROUP2_SUPER_MAGIC) return probe_v2(kCgroupRoot, own_group(table, ""));
  if (::access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) < 0) {
    return {.why_not = "no memory controller is mounted below /sys/fs/cgroup"};
  }
  return probe_v1(table);
}

// The launcher finds the processes that it makes by their numbers in /proc.
Status check_proc() {
  char self[32] = {};
  if (::readlink("/proc/self", self, sizeof self - 1) < 0) return fail_errno(ErrorCode::kHost, "/proc/self", "mount /proc: mount -t proc proc /proc");
  if (std::to_string(::getpid()) == self) return {};
  return fail(ErrorCode::kHost, "/proc belongs to another PID namespace than ours", "mount our own there: mount -t proc proc /proc");
}

Status check_map() {
  const UniqueFd map(::open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC));
  return map.valid() ? Status() : fail_errno(ErrorCode::kHost, "/proc/self/uid_map");
}

}  // namespace

// proc(5): a line for each place to swap to, below a heading.
bool has_swap() {
  const std::string text = text_of_file("/proc/swaps");
  const auto heading = text.find('\n');
  return heading != std::string::npos && heading + 1 < text.size();
}

bool can_nest_trees() {
  const UniqueFd context(static_cast<int>(::syscall(kernel::kSysFsopen, "tmpfs", 1U /* FSOPEN_CLOEXEC */)));
  if (!context.valid() || ::syscall(kernel::kSysFsconfig, context.get(), 6 /* FSCONFIG_CMD_CREATE */, nullptr, nullptr, 0) < 0) return false;
  const UniqueFd tree(static_cast<int>(::syscall(kernel::kSysFsmount, context.get(), 1U /* FSMOUNT_CLOEXEC */, 0U)));
  if (!tree.valid() || ::mkdirat(tree.get(), "x", 0755) < 0) return false;
  const UniqueFd other(static_cast<int>(::syscall(kernel::kSysOpenTree, tree.get(), "x", 1U /* OPEN_TREE_CLONE */ | O_CLOEXEC)));
  return other.valid() && ::syscall(kernel::kSysMoveMount, other.get(), "", tree.get(), "x", 4U /* MOVE_MOUNT_F_EMPTY_PATH */) == 0;
}

CgroupHost probe_cgroup() {
  CgroupHost host = find_cgroup();
  host.swap_uncounted = leaves_swap_out(host);
  return host;
}

Result<HostFacts> probe_host(const IdRange& ids) {
  WARDENV_TRY(check_proc());
  HostFacts facts;
  facts.uid = ::geteuid();
  facts.gid = ::getegid();
  const long abi = ::syscall(kernel::kSysLandlockCreateRuleset, nullptr, 0, 1U);
  facts.landlock_abi = abi > 0 ? static_cast<int>(abi) : 0;
  facts.cpus = allowed_cpus();
  struct rlimit files {};
  if (::getrlimit(RLIMIT_NOFILE, &files) < 0) return fail_errno(ErrorCode::kHost, "getrlimit");
  facts.max_open_files = files.rlim_max;
  facts.cgroup = probe_cgroup();
  if (facts.is_root()) WARDENV_TRY(check_map());
  if (facts.is_root() && ids.count > 0) WARDENV_TRY(take_id_range(ids, facts));
  if (facts.is_root() && ids.count == 0) {
    choose_id_range(facts);
    if (facts.uid_range_count == 0) {
      return fail(ErrorCode::kHost, "root in this user namespace has no second user id to run sandboxes under", "run wardenv as an ordinary user here");
    }
  }
  return facts;
}

}  // namespace wardenv::sandbox
