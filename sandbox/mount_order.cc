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

namespace {

// What of the run lies in the sandbox, and where.
std::vector<std::string> places_of_run(const SandboxSpec& spec) {
  std::vector<std::string> paths;
  for (std::size_t index : sort_mounts(spec).late) paths.push_back(spec.mounts[index].target);
  for (const Symlink& link : own_symlinks(spec)) {
    if (!link.stable) paths.push_back(link.path);
  }
  return paths;
}

// A mount in the root itself is a folder where a path of the run leads through it.
bool is_folder(const SandboxSpec& spec, const std::string& path) {
  const auto inside = [&](const std::string& other) { return other.size() > path.size() && is_beneath(other, path); };
  const auto named = [&](const std::string& variable) { return variable.starts_with("PATH=") && (":" + variable.substr(5)).find(":" + path + "/") != std::string::npos; };
  return is_beneath(spec.cwd, path) || std::any_of(spec.env.begin(), spec.env.end(), named) ||
         std::any_of(spec.mounts.begin(), spec.mounts.end(), [&](const Mount& mount) { return inside(mount.target); });
}

}  // namespace

std::optional<std::vector<Top>> own_tops(const SandboxSpec& spec, const std::vector<std::string>& places) {
  const auto early = sort_mounts(spec).early;
  const auto among_early = [&](const std::string& path) {
    return std::any_of(early.begin(), early.end(), [&](std::size_t index) { return is_beneath(path, spec.mounts[index].target); });
  };
  const auto is_mount = [&](const std::string& path) {
    return std::any_of(spec.mounts.begin(), spec.mounts.end(), [&](const Mount& mount) { return mount.target == path; });
  };
  const auto through_link = [&](const std::string& path) {
    return std::any_of(spec.symlinks.begin(), spec.symlinks.end(), [&](const Symlink& link) { return link.stable && is_beneath(path, link.path); });
  };
  const auto has_of_the_system = [&](const std::string& top) {
    return std::any_of(early.begin(), early.end(), [&](std::size_t index) { return is_beneath(spec.mounts[index].target, top); }) ||
           std::any_of(spec.symlinks.begin(), spec.symlinks.end(), [&](const Symlink& link) { return link.stable && is_beneath(link.path, top); });
  };
  std::vector<Top> tops;
  for (const std::string& path : places_of_run(spec)) {
    if (is_beneath(path, "/tmp") || is_beneath(path, spec.home) || among_early(path)) continue;
    const std::string top = path.substr(0, path.find('/', 1));
    const bool taken = std::any_of(places.begin(), places.end(), [&](const auto& place) { return is_beneath(path, place) || is_beneath(place, path); });
    if (taken || is_beneath(spec.home, path) || through_link(path)) return std::nullopt;
    if (top == path && !(is_mount(path) && is_folder(spec, path))) return std::nullopt;
    if (has_of_the_system(top)) return std::nullopt;   // it would be covered
    const Top item{top, is_mount(top)};
    if (std::find(tops.begin(), tops.end(), item) == tops.end()) tops.push_back(item);
  }
  std::sort(tops.begin(), tops.end(), [](const Top& a, const Top& b) { return a.path < b.path; });
  return tops;
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
