// SPDX-License-Identifier: Apache-2.0
// Where the operator's configuration lies. By itself, for a program that only needs to know that there is none.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "engine/gate/config.h"

namespace wardenv::engine {
namespace {

// What can't be looked at is not missing: whoever reads it says why it can't be read.
bool may_exist(const std::string& path) { return ::access(path.c_str(), F_OK) == 0 || errno != ENOENT; }

}  // namespace

std::optional<std::string> usual_config() {
  const char* home = std::getenv("XDG_CONFIG_HOME");
  if (home != nullptr && *home == '/') {
    if (std::string place = std::string(home) + "/wardenv/config.json"; may_exist(place)) return place;
  }
  if (std::string place = "/etc/wardenv/config.json"; may_exist(place)) return place;
  return std::nullopt;
}

}  // namespace wardenv::engine
