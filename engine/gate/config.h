// SPDX-License-Identifier: Apache-2.0
// The operator's configuration file (interfaces.md, "State and configuration"): never anything from a workspace.
#pragma once

#include <optional>
#include <string>

#include "sandbox/base/error.h"
#include "sandbox/host_facts.h"

namespace wardenv::engine {

// {"policy": FILE, "grant": NAME, "quota_store": "sqlite" | "memory" | URL, "state": DIR, "index_url": URL,
// "uid_range_first": N, "uid_range_count": N}; every key may be absent, of the last two only both. Paths are absolute.
struct Config {
  std::string policy{};        // empty: no policy
  std::string grant{};         // of who calls on the command line or over stdio
  std::string quota_store{};   // see GateOptions; "" is sqlite
  std::string state{};         // empty: as without a configuration
  std::string index_url{};     // the package index of the tools that are served; empty: the one that the host is set up for
  sandbox::IdRange ids{};      // count 0: as without a configuration
  std::string file{};          // where all this was read, absolute; empty: nowhere. It decides what is allowed: RunRequest::read_only_files
  bool operator==(const Config&) const = default;
};

// Reads `path`, else $XDG_CONFIG_HOME/wardenv/config.json, else /etc/wardenv/config.json; the last two may be missing. Error kBadInput:
// not readable, not strict JSON, an unknown or malformed key, a file that others than root and ourselves can write.
Result<Config> read_config(const std::optional<std::string>& path);

Result<Config> parse_config(const std::string& text);

// Of the two usual places the one that read_config(nullopt) reads; none where neither exists.
std::optional<std::string> usual_config();

}  // namespace wardenv::engine
