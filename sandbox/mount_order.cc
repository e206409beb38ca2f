// SPDX-License-Identifier: Apache-2.0
#include "sandbox/mount_order.h"

#include <algorithm>
#include <numeric>

namespace wardenv::sandbox {

bool is_beneath(const std::string& path, const std::string& folder) {
  return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

MountOrder sort_mounts(const SandboxSpec& spec) {
  std::vector<std::size_t> order(spec.mounts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return spec.mounts[a].target < spec.mounts[b].target; });
  MountOrder sorted;
  for (std::size_t index : order) {
    const Mount& mount = spec.mounts[index];
    const bool below = std::any_of(spec.mounts.begin(), spec.mounts.end(),
                                   [&](const Mount& other) { return !other.stable && is_beneath(mount.target, other.target); });
    (mount.stable && !below ? sorted.early : sorted.late).push_back(index);
  }
  return sorted;
}

bool in_own_root(const SandboxSpec& spec, const Mount& mount) {
  for (const std::string& folder : {std::string("/tmp"), std::string("/dev/shm"), spec.home}) {
    if (is_beneath(mount.target, folder)) return false;
  }
  return std::none_of(spec.mounts.begin(), spec.mounts.end(),
                      [&](const Mount& other) { return &other != &mount && is_beneath(mount.target, other.target); });
}

bool belongs_to_no_run(const SandboxSpec& spec, const std::string& place) {
  const auto touches = [&](const std::string& path) { return is_beneath(path, place) || is_beneath(place, path); };
  const std::vector<std::size_t> late = sort_mounts(spec).late;
  return !touches(spec.home) && std::none_of(late.begin(), late.end(), [&](std::size_t index) { return touches(spec.mounts[index].target); }) &&
         std::none_of(spec.symlinks.begin(), spec.symlinks.end(), [&](const Symlink& link) { return !link.stable && touches(link.path); });
}

std::vector<std::string> folders_between(const SandboxSpec& spec, const std::string& path) {
  const Mount* holder = nullptr;
  for (const Mount& mount : spec.mounts) {
    if (mount.target == path || !is_beneath(path, mount.target)) continue;
    if (holder == nullptr || holder->target.size() < mount.target.size()) holder = &mount;
  }
  if (holder == nullptr || holder->writable == Writable::kNo) return {};
  std::vector<std::string> folders;
  for (std::size_t end = path.find('/', holder->target.size() + 1); end != std::string::npos; end = path.find('/', end + 1)) {
    folders.push_back(path.substr(0, end));
  }
  return folders;
}

std::vector<std::string> read_only_targets(const SandboxSpec& spec) {
  std::vector<std::string> targets;
  for (const Mount& mount : spec.mounts) {
    if (mount.writable == Writable::kNo) targets.push_back(mount.target);
  }
  std::sort(targets.begin(), targets.end());
  return targets;
}

std::vector<Symlink> own_symlinks(const SandboxSpec& spec) {
  std::vector<Symlink> links;
  for (const Symlink& link : spec.symlinks) {
    const bool covered = std::any_of(spec.mounts.begin(), spec.mounts.end(), [&](const Mount& m) { return is_beneath(link.path, m.target); });
    const bool twice = std::any_of(links.begin(), links.end(), [&](const Symlink& l) { return l.path == link.path; });
    if (!covered && !twice) links.push_back(link);
  }
  return links;
}

}  // namespace wardenv::sandbox
