// SPDX-License-Identifier: Apache-2.0
// wardenv-run: `wardenv run` where nothing is judged. A program of its own, because what a program holds costs at each of its starts.
#include <unistd.h>

#include <cstring>

#include "engine/gate/config.h"
#include "sandbox/base/standard_fds.h"
#include "tools/wardenv/run.h"

namespace wardenv::cli {
namespace {

char** program_arguments = nullptr;

// The launcher that waits for this process waits for what becomes of it.
engine::RunReport become_cli() {
  char self[4096];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  std::string program(self, length > 0 ? static_cast<std::size_t>(length) : 0);
  program = program.substr(0, program.rfind('/') + 1) + "wardenv-cli";
  ::execv(program.c_str(), program_arguments);
  return failed(fail_errno(ErrorCode::kHost, "cannot start `" + program + "`", "install wardenv again, with `cmake --install`").value());
}

engine::RunReport run(RunOptions& options) {
  const bool judged = !options.policy.empty() || !options.grant.empty() || !options.profile.empty() || options.config;
  if (judged || engine::usual_config()) return become_cli();
  EngineOrError& engine = begin_engine(options, forked_launcher());
  engine::RunReport report = run_unjudged(engine, options);
  end_engine(engine);
  return report;
}

}  // namespace
}  // namespace wardenv::cli

int main(int argc, char** argv) {
  using namespace wardenv::cli;
  if (!wardenv::hold_standard_fds()) leave(kCannot);
  program_arguments = argv;
  if (argc < 2 || std::strcmp(argv[1], "run") != 0) leave(complain(*become_cli().error));
  leave(run_with(Arguments(argv + 2, argv + argc), run));
}
