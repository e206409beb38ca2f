// SPDX-License-Identifier: Apache-2.0
// wardenv run, in two programs: wardenv-run holds what every run needs and starts sooner; wardenv-cli holds the judge, too.
#pragma once

#include <functional>
#include <optional>

#include "engine/engine.h"
#include "tools/wardenv/options.h"

namespace wardenv::cli {

enum class Output { kRelayed, kKept };   // kKept: nobody sees it before the run is over

using Launcher = std::optional<engine::ForkedLauncher>;
using MayEnter = std::function<Status()>;   // see engine::RunIo; empty where nothing is judged

engine::RunReport failed(Error error);

// The launcher that `wardenv` forked before it became this program, if it did. To be called once, before any thread exists: it changes
// the environment.
Launcher forked_launcher();

Result<engine::Engine> make_engine(const Launcher& launcher);

engine::RunReport run_once(Result<engine::Engine>& engine, const RunOptions& options, Output output, const MayEnter& may_enter);

// Once in the life of the program.
engine::RunReport run_unjudged(const RunOptions& options, const Launcher& launcher);

// The whole of `wardenv run`, around what happens between options and report. Answers the exit status.
using Runner = engine::RunReport (*)(RunOptions&);
int run_with(const Arguments& arguments, Runner runner);

}  // namespace wardenv::cli
