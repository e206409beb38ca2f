// SPDX-License-Identifier: Apache-2.0
#include "sandbox/compile_layout.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "sandbox/own_places.h"

namespace wardenv::sandbox {
namespace {

// Where what all runs of a launcher see alike lies, apart from /usr.
constexpr std::array kShared = {"/dev", "/etc", "/var"};
const std::vector<std::string> kTaken = {"/proc", "/sys"};   // and where nothing of a run that sees it may lie

}  // namespace

Layout::Layout(const SandboxSpec& asked, const HostFacts& host, const Holders& chosen)
    : spec(asked), facts(host), holders(chosen), mounts(sort_mounts(asked)) {
  const auto free = [&](const char* place) { return belongs_to_no_run(spec, place); };
  if (facts.is_root() && facts.shared_trees && std::all_of(kShared.begin(), kShared.end(), free)) tops = own_tops(spec, kTaken);
  shared = tops.has_value();
  const auto free_and_kept = [&](const char* place) { return id_of_kept(place).inode != 0 && free(place); };
  if (spec.kept && !shared) std::copy_if(kShared.begin(), kShared.end(), std::back_inserter(kept), free_and_kept);
  for (std::size_t index : mounts.early) {
    const Mount& mount = spec.mounts[index];
    if (mount.kept && is_kept(mount.target)) continue;
    (shared ? in_tree : early).push_back(index);
  }
}

bool Layout::is_kept(const std::string& path) const {
  return std::any_of(kept.begin(), kept.end(), [&](const char* place) { return is_beneath(path, place); });
}

std::vector<std::string> Layout::bound_tops() const {
  std::vector<std::string> paths;
  if (!tops) return paths;
  for (const Top& top : *tops) {
    if (!top.is_mount) paths.push_back(top.path);
  }
  return paths;
}

const FolderId& Layout::id_of_kept(std::string_view place) const {
  if (place == "/dev") return spec.kept->dev;
  return place == "/etc" ? spec.kept->etc : spec.kept->var;
}

int Layout::cgroup_slots() const {
  if (!holders.cgroup) return 0;
  return facts.cgroup.kind == CgroupKind::kV1 ? 3 : 1;
}

int Layout::slot_of_device(std::size_t device) const { return cgroup_slots() + static_cast<int>(device); }

int Layout::slot_of_kept(std::size_t place) const { return slot_of_device(kDevices.size() + place); }

int Layout::slot_of_shm() const { return slot_of_kept(kShared.size()); }

int Layout::slot_of_mount(std::size_t mount) const { return slot_of_kept((spec.kept ? kShared.size() + 1 : 0) + mount); }

}  // namespace wardenv::sandbox
