// SPDX-License-Identifier: Apache-2.0
// Which mounts come when, and what lies beneath what: questions about a spec's paths. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/spec.h"

namespace wardenv::sandbox {

// Indices of spec.mounts. Early ones are attached ahead of the run, from what stays the same from run to run.
struct MountOrder {
  std::vector<std::size_t> early{};
  std::vector<std::size_t> late{};
};

// Parents before children, so that nothing is covered by what comes later. A part of the host's system that lies below a folder
// of the run has to wait for it.
MountOrder sort_mounts(const SandboxSpec& spec);

// Neither inside another mount nor where the command writes: the folders on the way are ours.
bool in_own_root(const SandboxSpec& spec, const Mount& mount);

// True where nothing of the single run is in `place`, is that place or covers it.
bool belongs_to_no_run(const SandboxSpec& spec, const std::string& place);

// A folder of the root, beside those that every sandbox has, in which something of the single run lies.
struct Top {
  std::string path{};
  bool is_mount = false;   // it is one of the run's mounts itself; otherwise it is a folder of the run's own, read-only in the end
  bool operator==(const Top&) const = default;
};

// Sorted. Nothing where the run can't have a root that others see, too: where something of it lies in `places` or covers them, or may be a file or a
// link in the root itself.
std::optional<std::vector<Top>> own_tops(const SandboxSpec& spec, const std::vector<std::string>& places);

bool is_beneath(const std::string& path, const std::string& folder);   // both absolute, without a slash at the end

// The folders above `path` in the mount that holds it, outermost first: those that the command could rename. None where that mount is
// read-only. A mount is held by the one around it.
std::vector<std::string> folders_between(const SandboxSpec& spec, const std::string& path);

// Where read-only mounts are seen, parents before children.
std::vector<std::string> read_only_targets(const SandboxSpec& spec);

// Links that have to be made: each once; those below something that is mounted exist there already.
std::vector<Symlink> own_symlinks(const SandboxSpec& spec);

}  // namespace wardenv::sandbox
