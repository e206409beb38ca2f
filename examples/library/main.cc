// SPDX-License-Identifier: Apache-2.0
// The C++ interface: runs one command confined, prints what came of it. Usage: library_example WORKSPACE COMMAND [ARG…]
#include <cstdio>

#include "engine/engine.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s WORKSPACE COMMAND [ARG...]\n", argv[0]);
    return 2;
  }
  auto engine = wardenv::engine::Engine::create();
  if (!engine) {
    std::fprintf(stderr, "%s (%s)\n", engine.error().message.c_str(), engine.error().hint.c_str());
    return 125;
  }
  wardenv::engine::RunRequest request;
  request.workspace = argv[1];
  request.argv.assign(argv + 2, argv + argc);
  request.limits.wall_time = std::chrono::seconds(10);

  const wardenv::engine::RunReport report = engine->run(request);
  std::printf("%s\nstdout: %s\nwall: %.1f ms, peak memory: %llu bytes\n", std::string(to_string(report.outcome)).c_str(),
              report.out.text.c_str(), report.usage.wall_ms, static_cast<unsigned long long>(report.usage.peak_memory_bytes));
  for (const auto& violation : report.violations) std::printf("refused: %s (%s)\n", violation.what.c_str(), violation.hint.c_str());
  return report.exit_status;
}
