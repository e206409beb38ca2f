// SPDX-License-Identifier: Apache-2.0
// compile(): spec + facts -> plan. Pure. The order of the steps is the security of the sandbox: see README.md of this folder.
#include <linux/sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>

#include "sandbox/base/kernel.h"
#include "sandbox/holders.h"
#include "sandbox/landlock_rules.h"
#include "sandbox/mount_order.h"
#include "sandbox/own_places.h"
#include "sandbox/plan.h"
#include "sandbox/proc_masks.h"
#include "sandbox/resource_limits.h"
#include "sandbox/seccomp/builtin.h"
#include "sandbox/spec_check.h"

namespace wardenv::sandbox {
namespace {

using wire::Op;
namespace k = kernel;

constexpr std::uint32_t kInsideId = 1000;
constexpr std::uint64_t kReadOnly = 0x1, kNoSuid = 0x2, kNoDev = 0x4, kNoExec = 0x8;  // MOUNT_ATTR_* of mount_setattr(2)
constexpr std::uint64_t kDeviceAttributes = kReadOnly | kNoSuid | kNoExec;   // a device is read and written all the same; its times, which are the host's, are not
constexpr std::uint64_t kSkeletonBytes = 128ULL << 10, kSkeletonInodes = 512;  // of the root tmpfs, beside what the command gets

// Where what all runs of a launcher see alike lies, apart from /usr.
constexpr std::array kShared = {"/dev", "/etc", "/var"};
const std::vector<std::string> kTaken = {"/proc", "/sys"};   // and where nothing of a run that sees it may lie

class Compiler {
 public:
  Compiler(const SandboxSpec& spec, const HostFacts& facts) : spec_(spec), facts_(facts), mounts_(sort_mounts(spec)), landlock_(spec, facts) {
    const auto free = [&](const char* place) { return belongs_to_no_run(spec, place); };
    if (facts.is_root() && facts.shared_trees && std::all_of(kShared.begin(), kShared.end(), free)) tops_ = own_tops(spec, kTaken);
    shared_ = tops_.has_value();
    const auto free_and_kept = [&](const char* place) { return id_of_kept(place).inode != 0 && free(place); };
    if (spec.kept && !shared_) std::copy_if(kShared.begin(), kShared.end(), std::back_inserter(kept_), free_and_kept);
    for (std::size_t index : mounts_.early) {
      const Mount& mount = spec.mounts[index];
      if (mount.kept && is_kept(mount.target)) continue;
      (shared_ ? in_tree_ : early_).push_back(index);
    }
  }

  Result<LaunchPlan> compile() {
    WARDENV_TRY(check(spec_));
    auto holders = choose_holders(spec_, facts_, plan_.enforced);
    if (!holders) return tl::unexpected(holders.error());
    holders_ = *holders;
    plan_.watchdog = !holders_.cgroup;
    copy_command();
    clone();
    network();
    identity();
    if (shared_) tree();
    open_trees(early_);
    if (!shared_) open_devices();
    open_kept();
    new_root();
    attach_kept();
    attach_mounts(early_);
    if (!shared_) devices();
    step({.op = Op::kPts, .text = "/dev/pts"});
    proc();
    steps(proc_masks());
    if (landlock_.is_asked()) plan_.enforced.landlock_abi = facts_.landlock_abi;
    steps(landlock_.ruleset());
    steps(landlock_.allow(mounts_.early));
    if (facts_.is_root()) step({.op = Op::kPivot});   // what comes later is opened by the launcher
    plan_.early_steps = static_cast<std::uint32_t>(plan_.steps.size());
    limits_from_cgroup();
    open_trees(mounts_.late);
    listen();
    symlinks(Part::kLate);
    attach_mounts(mounts_.late);
    protect();
    if (!facts_.is_root()) step({.op = Op::kPivot});
    seal();
    steps(resource_limits(spec_, facts_, holders_));
    step({.op = Op::kDropCapabilities});
    step({.op = Op::kNoNewPrivileges});
    steps(landlock_.allow(mounts_.late));
    steps(landlock_.restriction());
    if (spec_.network != Network::kEgress) plan_.ready_steps = static_cast<std::uint32_t>(plan_.steps.size());
    step({.op = Op::kCloseDescriptors});
    seccomp();
    step({.op = Op::kExec, .text = spec_.argv[0]});
    return std::move(plan_);
  }

 private:
  void step(PlanStep item) {
    if (making_tree_) item.flags |= wire::kFlagByLauncher | wire::kFlagInTree;
    plan_.steps.push_back(std::move(item));
  }

  // True for what comes with the kept view.
  [[nodiscard]] bool is_kept(const std::string& path) const {
    return std::any_of(kept_.begin(), kept_.end(), [&](const char* place) { return is_beneath(path, place); });
  }

  // True for what is made now: in the tree of all runs, where there is one, and else in the new root.
  [[nodiscard]] bool is_here(const std::string& path) const { return !is_kept(path) && shared_ == making_tree_; }

  void copy_command() {
    plan_.argv = spec_.argv;
    plan_.program = spec_.program;
    plan_.env = spec_.env;
    plan_.cwd = spec_.cwd;
    plan_.wall_time_ms = static_cast<std::uint64_t>(spec_.limits.wall_time.count());
    plan_.memory_bytes = spec_.limits.memory_bytes;
    for (const std::string& variable : spec_.env) {
      if (variable.starts_with("PATH=")) split_path(variable.substr(5));
    }
    if (facts_.is_root()) {
      plan_.uid_first = facts_.uid_range_first;
      plan_.uid_count = facts_.uid_range_count;
    }
  }

  // Empty entries of PATH would mean the current folder (execvp(3)): left out.
  void split_path(const std::string& path) {
    std::size_t begin = 0;
    while (begin <= path.size()) {
      const std::size_t end = std::min(path.find(':', begin), path.size());
      if (end > begin) plan_.search.push_back(path.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  [[nodiscard]] int cgroup_slots() const {
    if (!holders_.cgroup) return 0;
    return facts_.cgroup.kind == CgroupKind::kV1 ? 3 : 1;
  }

  // Control group, devices, the kept view, mounts: the slots of what is done ahead do not depend on the mounts of the single run, which come last.
  [[nodiscard]] int slot_of_device(std::size_t device) const { return cgroup_slots() + static_cast<int>(device); }
  [[nodiscard]] int slot_of_kept(std::size_t place) const { return slot_of_device(kDevices.size() + place); }
  [[nodiscard]] int slot_of(std::size_t mount) const { return slot_of_kept((spec_.kept ? kShared.size() + 1 : 0) + mount); }

  void open_tree(const std::string& source, int slot, std::uint16_t flags, std::uint64_t attributes, const FolderId& id = {}) {
    if (facts_.is_root()) flags |= wire::kFlagByLauncher;
    step({.op = Op::kOpenTree, .flags = flags, .slot = slot, .text = source, .a = id.inode, .b = attributes, .c = id.device});
  }

  void open_trees(const std::vector<std::size_t>& mounts) {
    for (std::size_t index : mounts) {
      const Mount& mount = spec_.mounts[index];
      std::uint16_t flags = mount.optional ? wire::kFlagOptional : 0;
      if (mount.owner_mapped && facts_.is_root()) flags |= wire::kFlagOwnerMapped;
      open_tree(mount.source, slot_of(index), flags, kNoSuid | kNoDev | (mount.writable == Writable::kYes ? 0 : kReadOnly));
    }
  }

  // A shared mapping of /dev/zero is memory that belongs to no process (mmap(2)). /dev/full reads the same, and can't be mapped.
  [[nodiscard]] const char* source_of(std::string_view device) const {
    return !holders_.cgroup && device == "/dev/zero" ? "/dev/full" : device.data();
  }

  // Where the kept view has them, only what it can't have.
  [[nodiscard]] bool is_mounted(std::string_view device) const {
    return !is_kept("/dev") || !spec_.kept->has_devices || source_of(device) != device;
  }

  void open_devices() {
    for (std::size_t i = 0; i < kDevices.size(); ++i) {
      if (is_mounted(kDevices[i].path)) open_tree(source_of(kDevices[i].path), slot_of_device(i), 0, kDeviceAttributes);
    }
  }

  [[nodiscard]] const FolderId& id_of_kept(std::string_view place) const {
    if (place == "/dev") return spec_.kept->dev;
    return place == "/etc" ? spec_.kept->etc : spec_.kept->var;
  }

  void open_kept() {
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      const bool devices = kept_[i] == std::string_view("/dev") && spec_.kept->has_devices;
      open_tree(spec_.kept->path + kept_[i], slot_of_kept(i), 0, devices ? kDeviceAttributes : kReadOnly | kNoSuid | kNoDev, id_of_kept(kept_[i]));
    }
  }

  void clone() {
    std::uint64_t flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    plan_.enforced.namespaces = {"user", "mount", "pid"};
    if (spec_.network != Network::kHost) {
      flags |= CLONE_NEWNET;
      plan_.enforced.namespaces.emplace_back("network");
    } else {
      plan_.enforced.degraded.emplace_back("network:host");
    }
    for (const char* name : {"ipc", "uts", "cgroup"}) plan_.enforced.namespaces.emplace_back(name);
    if (spec_.clock == Clock::kOwnNamespace) {
      flags |= CLONE_NEWTIME;
      plan_.enforced.namespaces.emplace_back("time");
    }
    const bool born_in_cgroup = holders_.cgroup && facts_.cgroup.kind == CgroupKind::kV2;
    // Half a millisecond of the kernel's work: a launcher that stays has other sandboxes to look after meanwhile.
    const std::uint64_t by_itself = facts_.is_root() && facts_.shared_trees ? flags & (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) : 0;
    step({.op = Op::kClone, .slot = born_in_cgroup ? 0 : -1, .a = flags & ~by_itself});
    if (facts_.is_root()) step({.op = Op::kMapIdsByParent, .a = kInsideId});
    if (by_itself != 0) step({.op = Op::kUnshare, .a = by_itself});
  }

  void limits_from_cgroup() {
    if (!holders_.cgroup) return;
    plan_.cgroup = {.kind = facts_.cgroup.kind,
                    .memory_bytes = spec_.limits.memory_bytes,
                    .processes = spec_.limits.processes + 1,  // init
                    .cpu_quota_us = static_cast<std::uint64_t>(spec_.limits.cpus * 100'000.0),
                    .swap_uncounted = spec_.degradable.memory};
    if (facts_.cgroup.kind != CgroupKind::kV1) return;
    for (int slot = 0; slot < cgroup_slots(); ++slot) step({.op = Op::kJoinCgroup1, .slot = slot});
  }

  void network() {
    if (spec_.network != Network::kHost) step({.op = Op::kLoopbackUp});
    step({.op = Op::kHostname, .text = spec_.hostname});
  }

  // Belongs to the single run: what is begun ahead serves runs with and without a proxy.
  void listen() {
    constexpr std::uint64_t kBacklog = 1024;
    if (spec_.network == Network::kEgress) step({.op = Op::kListen, .a = spec_.listen_port, .b = kBacklog});
  }

  void identity() {
    if (facts_.is_root()) {
      step({.op = Op::kAwaitMaps});
    } else {
      step({.op = Op::kMapIdsBySelf, .a = kInsideId, .b = facts_.uid, .c = facts_.gid});
    }
    const std::uint16_t flags = facts_.is_root() ? wire::kFlagDropGroups : 0;
    step({.op = Op::kBecomeUser, .flags = flags, .a = kInsideId});
    step({.op = Op::kDetach});
    step({.op = Op::kDropBounding});
  }

  // The root that is made once, and this run's copy of it.
  void tree() {
    step({.op = Op::kTree, .flags = wire::kFlagByLauncher});
    making_tree_ = true;
    open_trees(in_tree_);
    open_devices();
    covers();
    system_files();
    attach_mounts(in_tree_);
    for (const char* point : kDeviceFolders) folder(point, 0755);
    for (const std::string& point : {std::string("/tmp"), std::string("/proc"), spec_.home}) folder(point, 0755);
    for (const Top& top : *tops_) folder(top.path, 0755);
    devices();
    step({.op = Op::kKeepTree});
    making_tree_ = false;
    folders_.clear();
    step({.op = Op::kOpenTree, .flags = wire::kFlagByLauncher | wire::kFlagFromTree, .slot = slot_of_device(0), .text = "/"});
  }

  // /dev/shm is the run's own: taken out from under what covers it.
  void open_shm(int slot) {
    step({.op = Op::kOpenTree, .flags = wire::kFlagOwnRoot | wire::kFlagWritable, .slot = slot, .text = "/dev/shm", .b = kNoSuid | kNoDev});
  }

  void attach_own(int slot, const char* place) { step({.op = Op::kAttach, .flags = wire::kFlagOwnRoot, .slot = slot, .text = place}); }

  // Before what is mounted in it.
  void attach_kept() {
    const int shm = slot_of_kept(kShared.size());
    if (is_kept("/dev")) open_shm(shm);
    for (std::size_t i = 0; i < kept_.size(); ++i) attach_own(slot_of_kept(i), kept_[i]);
    if (is_kept("/dev")) attach_own(shm, "/dev/shm");
  }

  void covers() {
    folder(kEmptyFolder, 0555);
    step({.op = Op::kFile, .text = kEmptyFile, .a = 0444, .b = 0});
  }

  void system_files() {
    if (is_here("/etc")) folder("/etc", 0755);
    for (const SyntheticFile& file : spec_.files) {
      if (!is_here(file.path)) continue;
      if (auto end = file.path.rfind('/'); end > 0) folder(file.path.substr(0, end), 0755);
      step({.op = Op::kFile, .text = file.path, .text2 = file.content, .a = 0444, .b = file.content.size()});
    }
    symlinks(Part::kEarly);
  }

  void new_root() {
    const std::uint16_t from = shared_ ? wire::kFlagFromTree : 0;
    step({.op = Op::kNewRoot, .flags = from, .slot = shared_ ? slot_of_device(0) : -1, .a = spec_.limits.tmp_bytes + kSkeletonBytes, .b = spec_.limits.tmp_inodes + kSkeletonInodes});
    folder("/tmp", 01777);
    folder("/dev/shm", 01777);
    if (!shared_) folder("/proc", 0755);
    folder(spec_.home, 0700);
    for (const std::string& top : bound_tops()) folder(top, 0755);
    if (is_here("/var")) covers();
    if (!shared_) system_files();
    for (const std::string& top : bound_tops()) bind_own(top);   // HOME may lie in one
    for (const std::string& path : {std::string("/tmp"), std::string("/dev/shm"), spec_.home}) {
      if (!is_kept(path)) bind_own(path);
    }
  }

  // Of the run's own tmpfs.
  void bind_own(const std::string& path) {
    step({.op = Op::kRebind, .flags = wire::kFlagWritable | wire::kFlagOwnRoot, .text = path, .a = kNoSuid | kNoDev});
  }

  // Folders of the run's own in a root that others see, too.
  [[nodiscard]] std::vector<std::string> bound_tops() const {
    std::vector<std::string> paths;
    for (const Top& top : tops_.value_or(std::vector<Top>())) {
      if (!top.is_mount) paths.push_back(top.path);
    }
    return paths;
  }

  // A root that others see, too, is read-only from the beginning.
  void seal() {
    if (!shared_) step({.op = Op::kSealRoot});
    for (const std::string& top : bound_tops()) step({.op = Op::kSealRoot, .text = top});
  }

  enum class Part { kEarly, kLate };

  void symlinks(Part part) {
    for (const Symlink& link : own_symlinks(spec_)) {
      if (link.stable != (part == Part::kEarly) || is_kept(link.path)) continue;
      if (auto end = link.path.rfind('/'); end > 0) folder(link.path.substr(0, end), 0755);
      step({.op = Op::kSymlink, .text = link.path, .text2 = link.target});
    }
  }

  // Parents first, so that each is one mkdir(2).
  void folder(const std::string& path, std::uint64_t mode) {
    if (std::find(folders_.begin(), folders_.end(), path) != folders_.end()) return;
    if (const auto end = path.rfind('/'); end > 0 && end != std::string::npos) folder(path.substr(0, end), 0755);
    folders_.push_back(path);
    step({.op = Op::kFolder, .text = path, .a = mode});
  }

  void attach_mounts(const std::vector<std::size_t>& mounts) {
    for (std::size_t index : mounts) {
      const Mount& mount = spec_.mounts[index];
      std::uint16_t flags = mount.optional ? wire::kFlagOptional : 0;
      if (in_own_root(spec_, mount)) flags |= wire::kFlagOwnRoot;
      step({.op = Op::kAttach, .flags = flags, .slot = slot_of(index), .text = mount.target});
    }
  }

  // What is read-only stays at its place as well: the venv and its Python, where they lie in a writable mount, and protected paths.
  void protect() {
    for (const std::string& target : read_only_targets(spec_)) hold_way_to(target);
    for (const std::string& path : spec_.read_only_again) {
      hold_way_to(path);
      step({.op = Op::kRebind, .text = path, .a = kReadOnly | kNoSuid | kNoDev});
    }
  }

  // A folder on the way is bound over itself: what is a mount point can't be renamed (rename(2), EBUSY).
  void hold_way_to(const std::string& path) {
    for (const std::string& folder : folders_between(spec_, path)) {
      if (std::find(held_.begin(), held_.end(), folder) != held_.end()) continue;
      held_.push_back(folder);
      step({.op = Op::kRebind, .flags = wire::kFlagWritable, .text = folder, .a = kNoSuid | kNoDev});
    }
  }

  void devices() {
    for (std::size_t i = 0; i < kDevices.size(); ++i) {
      if (is_mounted(kDevices[i].path)) attach_own(slot_of_device(i), kDevices[i].path);
    }
    if (is_kept("/dev")) return;
    for (const DeviceLink& link : kDeviceLinks) step({.op = Op::kSymlink, .text = link.path, .text2 = link.target});
  }

  void proc() {
    step({.op = Op::kProc, .text = "/proc"});
    step({.op = Op::kNoNestedUserns});
    step({.op = Op::kRebind, .text = "/proc/sys", .a = kReadOnly | kNoSuid | kNoDev});
    if (!is_here("/var")) return;
    for (const char* cover : {kEmptyFolder, kEmptyFile}) step({.op = Op::kRebind, .text = cover, .a = kReadOnly | kNoSuid | kNoDev});
  }

  void steps(std::vector<PlanStep> items) {
    for (PlanStep& item : items) step(std::move(item));
  }

  void seccomp() {
    if (!spec_.walls.seccomp) return;
    const auto limits_by = holders_.cgroup ? seccomp::LimitsBy::kCgroup : seccomp::LimitsBy::kProcess;
    const auto filter = seccomp::builtin_filter(limits_by);
    plan_.filter.assign(filter.begin(), filter.end());
    plan_.last_syscall = static_cast<std::uint32_t>(seccomp::last_known_syscall());
    plan_.enforced.seccomp = true;
    step({.op = Op::kSeccomp});
  }

  const SandboxSpec& spec_;
  const HostFacts& facts_;
  const MountOrder mounts_;
  const LandlockRules landlock_;
  std::optional<std::vector<Top>> tops_;   // where the root comes from the tree of all runs
  bool shared_ = false;                    // it does
  std::vector<const char*> kept_;        // those of these places that the kept view has
  bool making_tree_ = false;             // steps go into it
  std::vector<std::size_t> early_;       // of mounts_.early: those of the new root, and those of the tree
  std::vector<std::size_t> in_tree_;
  Holders holders_;
  LaunchPlan plan_;
  std::vector<std::string> folders_;
  std::vector<std::string> held_;   // writable folders that are mount points of their own
};

}  // namespace

Result<LaunchPlan> compile(const SandboxSpec& spec, const HostFacts& facts) { return Compiler(spec, facts).compile(); }

}  // namespace wardenv::sandbox
