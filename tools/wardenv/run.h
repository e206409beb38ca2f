// SPDX-License-Identifier: Apache-2.0
// wardenv run, in two programs: `wardenv` holds what every run needs and starts sooner (musl/); wardenv-cli holds the judge, too.
#pragma once

#include <functional>
#include <optional>

#include "engine/engine.h"
#include "tools/wardenv/options.h"

namespace wardenv::cli {

enum class Output { kRelayed, kKept };   // kKept: nobody sees it before the run is over

using Launcher = std::optional<engine::ForkedLauncher>;

// Whether the command may be entered, see engine::RunIo; empty where nothing is judged.
struct MayEnter {
  std::function<Status()> ask;
  std::function<bool()> answered;
};

engine::RunReport failed(Error error);

// Readable once a signal has asked for the end of the run; -1 before run_with().
int cancel_descriptor();

// The launcher that `wardenv` forked before it became this program, if it did. To be called once, before any thread exists: it changes
// the environment.
Launcher forked_launcher();

// Once in the life of the program: the engine of its single run, whose sandbox is begun already. It is closed by end_engine(), and never
// destroyed: see Engine::close().
using EngineOrError = Result<engine::Engine>;
EngineOrError& begin_engine(const RunOptions& options, const Launcher& launcher);

engine::RunReport run_once(EngineOrError& engine, const RunOptions& options, Output output, const MayEnter& may_enter);

// Waits until the sandbox is taken apart, which begins with Engine::dismiss() where somebody has more to do meanwhile.
void end_engine(EngineOrError& engine);

engine::RunReport run_unjudged(EngineOrError& engine, const RunOptions& options);

// For who becomes another program from inside a Runner: signals do what they did before run_with(), but those that end a run wait, also one that
// came meanwhile, until that program's run_with() catches them.
void hold_signals();

// The whole of `wardenv run`, around what happens between options and report. Answers the exit status.
using Runner = engine::RunReport (*)(RunOptions&);
int run_with(const Arguments& arguments, Runner runner, ReadOptions read);

}  // namespace wardenv::cli
