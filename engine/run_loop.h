// SPDX-License-Identifier: Apache-2.0
// The engine's side of one running sandbox: reads its output, watches for cancellation and for its end.
#pragma once

#include <optional>
#include <vector>

#include "engine/capture.h"
#include "engine/egress/proxy.h"
#include "engine/engine.h"
#include "engine/input.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/cgroup.h"
#include "sandbox/plan_wire.h"

namespace wardenv::engine {

struct RunChannels {
  UniqueFd control;   // to the launcher
  UniqueFd out;       // read ends of the command's stdout and stderr
  UniqueFd err;
  std::optional<InputRelay> input;   // what the command's standard input is fed by, where it is ours
  EgressProxy* proxy = nullptr;   // not owned; gets the listening socket of a run with named egress, once somebody connects
};

struct RunEnd {
  wire::Event last{};                              // kFailed, kExecFailed or kEnded
  std::vector<sandbox::DeniedSyscall> denied;
  bool launcher_died = false;
  bool out_of_memory = false;                      // the kernel said so of the control group
  bool cancelled = false;                          // by io.cancel_fd
  bool output_exceeded = false;                    // with OnOutputLimit::kKill
  int input_errno = 0;                             // why our standard input could not be read to its end; the run was cancelled
  sandbox::CgroupUsage cgroup;                     // zeros without a control group
};

// Whether another run may have the control group of this one (CgroupLeaf::renew): the command came to its own end, neither limit, caller nor accident
// had a hand in it, and it was one process all the time.
bool leaves_group(const RunEnd& end);

// Returns when the run is over and every byte of output that is left has been read. Memory use does not depend on the output.
RunEnd run_to_end(RunChannels& channels, const RunIo& io, sandbox::CgroupLeaf& leaf, Capture& out, Capture& err,
                  OnOutputLimit on_limit = OnOutputLimit::kTruncate);

}  // namespace wardenv::engine
