// SPDX-License-Identifier: Apache-2.0
#include "engine/places.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/paths.h"

namespace wardenv::engine {
namespace {

using sandbox::PlanStep;
using wire::Op;

// What the host has where the sandbox sees something.
class HostPaths {
 public:
  void open(const PlanStep& step) {
    if (static_cast<std::size_t>(step.slot) >= sources_.size()) sources_.resize(static_cast<std::size_t>(step.slot) + 1);
    sources_[static_cast<std::size_t>(step.slot)] = step.text;
  }

  void attach(const PlanStep& step) {
    if (static_cast<std::size_t>(step.slot) < sources_.size()) attached_.emplace_back(step.text, sources_[static_cast<std::size_t>(step.slot)]);
  }

  // Empty where nothing of the host is. What is attached later lies on top.
  [[nodiscard]] std::string at(std::string_view inside) const {
    for (auto item = attached_.rbegin(); item != attached_.rend(); ++item) {
      if (is_beneath(inside, item->first)) return item->second + std::string(inside.substr(item->first.size()));
    }
    return "";
  }

 private:
  std::vector<std::string> sources_;                             // by slot
  std::vector<std::pair<std::string, std::string>> attached_;    // target, source
};

std::optional<struct stat> look(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::lstat(path.c_str(), &status) < 0) return std::nullopt;
  return status;
}

// Numbers of inodes are given again, often at once: what tells a file from one that had its number before (name_to_handle_at(2): with a generation). Where
// a file system has no such handles, the time of the last change of a file; nothing for a folder, which changes by being used.
std::string generation_of(const std::string& path, const struct stat& status) {
  alignas(file_handle) unsigned char room[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<file_handle*>(room);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  std::string text;
  if (::name_to_handle_at(AT_FDCWD, path.c_str(), handle, &mount, 0) == 0) {
    const std::size_t size = sizeof *handle + std::min<std::size_t>(handle->handle_bytes, MAX_HANDLE_SZ);
    for (std::size_t i = sizeof *handle; i < size; ++i) {   // f_handle begins there
      text += "0123456789abcdef"[room[i] >> 4];
      text += "0123456789abcdef"[room[i] & 15];
    }
  } else if (S_ISREG(status.st_mode)) {
    text = std::to_string(status.st_ctim.tv_sec) + "." + std::to_string(status.st_ctim.tv_nsec);
  }
  return text;
}

// False where it can't be told.
bool pin_opened(PlanStep& step) {
  const auto status = look(step.text);
  if (!status) return (step.flags & wire::kFlagOptional) != 0;
  step.a = status->st_ino;
  step.c = status->st_dev;
  const bool mapped = (step.flags & wire::kFlagOwnerMapped) != 0;
  step.text2 = (mapped ? std::to_string(status->st_uid) + " " + std::to_string(status->st_gid) + " " : "") + generation_of(step.text, *status);
  return true;
}

bool pin_rebound(PlanStep& step, const std::string& path) {
  const auto status = look(path);
  if (!status) return false;
  step.b = status->st_ino;
  step.c = status->st_dev;
  step.text2 = generation_of(path, *status);
  return true;
}

}  // namespace

void pin_places(sandbox::LaunchPlan& plan) {
  HostPaths paths;
  bool all = true;
  for (std::size_t i = plan.early_steps; i < plan.steps.size(); ++i) {
    PlanStep& step = plan.steps[i];
    if (step.op == Op::kOpenTree && step.slot >= 0) {
      all = pin_opened(step) && all;
      paths.open(step);
    } else if (step.op == Op::kAttach) {
      paths.attach(step);
    } else if (step.op == Op::kRebind) {
      all = pin_rebound(step, paths.at(step.text)) && all;
    }
  }
  if (!all) plan.ready_steps = 0;
}

}  // namespace wardenv::engine
