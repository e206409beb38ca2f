// SPDX-License-Identifier: Apache-2.0
// What every sandbox has in /dev, /etc and /var, kept in a folder of the state folder, so that a single run shows it by three mounts instead of making
// some fifty files, links and mounts anew. It is named after all that it is made from: where a file of the host changes, it is another one.
#pragma once

#include <cstddef>
#include <ctime>
#include <optional>
#include <string>

#include "engine/system_view.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {

inline constexpr std::size_t kMostKeptViews = 8;   // in one state folder, some 200 KB each

// The time that the three folders of a view are given once all is in them: whatever is added or taken away changes it.
inline constexpr std::time_t kMadeTime = 1;

inline constexpr std::time_t kOldestView = 24 * 3600;   // seconds. Images of file systems can differ without their files' numbers and times doing so

[[nodiscard]] inline bool is_old_view(const struct stat& status) {
  const std::time_t age = ::time(nullptr) - status.st_mtim.tv_sec;
  return age > kOldestView || age < -kOldestView;
}

// One that is there, and complete. Nobody removes it while `lock` is held.
struct HeldView {
  sandbox::KeptView place;
  UniqueFd lock;
};

// The place of kept views: `views` in the state folder. Makes nothing; empty where others could have written there, or nothing is.
std::string views_folder();

// The view of what `system` says, in the folder `views`; none where there is none that could be nobody's but ours.
std::optional<HeldView> find_kept_view(const std::string& views, const SystemView& system);

// Makes that view for later runs, and removes what nobody needs: older ones beyond kMostKeptViews, and parts of such as never were ready. Where anything
// is in the way it makes none: without it each run makes all itself.
void keep_view(const std::string& views, const SystemView& system);

// The same in views_folder(), which is made where it is missing; but none of files that changed just now, as the next change might not show, and none
// on a disk that is nearly full.
void keep_view(const SystemView& system);

// A view that no sandbox can be made with here: it is removed, and never made again.
void set_kept_view_aside(const std::string& views, const SystemView& system);

}  // namespace wardenv::engine
