// SPDX-License-Identifier: Apache-2.0
// Contestant: one way of running a payload, as the measurements see it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/bench/process.h"

namespace wardenv::bench {

enum class Needs { kNothing, kVenv };

struct Payload {
  std::string name{};
  Strings argv{};
  Needs needs = Needs::kNothing;
  std::string stderr_path = "/dev/null";  // of the sandbox program and of the payload
};

// Runs a payload once, from start to exit.
using Runner = std::function<Sample()>;

// "exit status 125: the launcher died": how a run failed, in words.
std::string describe(const Sample& sample);
[[nodiscard]] inline bool succeeded(const Sample& sample) { return sample.status == 0 && sample.error.empty(); }

enum class Parallel { kNo, kYes };  // kYes: takes part in the throughput test; its runners are thread-safe

struct Contestant {
  std::string name{};  // the key in the JSON
  std::string label{};
  std::function<Runner(const Payload&)> prepare{};  // whatever can be done once, off the clock
  std::string absent{};                             // why it is not measured; empty: it is
  int stride = 1;                                   // takes part in every n-th round
  Parallel parallel = Parallel::kNo;
  std::string version{};
};

}  // namespace wardenv::bench
