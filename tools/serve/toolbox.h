// SPDX-License-Identifier: Apache-2.0
// The tools that are served, made out of policy and engine.
#pragma once

#include <memory>

#include "engine/engine.h"
#include "engine/gate/config.h"
#include "engine/gate/gate.h"
#include "tools/mcp/handler.h"
#include "tools/serve/options.h"

namespace wardenv::serve {

// REQUIRES: the engine and the gate outlive what is made. Error kBadInput: a workspace or a set of tools that can't be served, an index that is no address.
Result<std::unique_ptr<mcp::Features>> make_features(engine::Engine& engine, std::shared_ptr<engine::Gate> gate, const Options& options,
                                                      const engine::Config& config);

}  // namespace wardenv::serve
