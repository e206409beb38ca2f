// SPDX-License-Identifier: Apache-2.0
// wardenv-walls: runs a command with one wall taken away, so that tests see whether the others hold alone.
//   wardenv-walls --walls all|no-seccomp|no-landlock --workspace DIR [--read-only] [--venv DIR] [--writable-venv DIR] [--timeout-ms N]
//                 [--stdin-inherit] -- CMD [ARG...]
// Prints one JSON object with the fields of the report that the confinement tests read. Not installed.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/engine.h"

namespace {

using namespace wardenv;

[[noreturn]] void usage() {
  std::fputs("usage: wardenv-walls --walls all|no-seccomp|no-landlock --workspace DIR [--read-only] [--venv DIR] [--writable-venv DIR] "
             "[--timeout-ms N] [--stdin-inherit] -- CMD...\n", stderr);
  std::exit(2);
}

sandbox::Walls parse_walls(std::string_view name) {
  if (name == "all") return {};
  if (name == "no-seccomp") return {.seccomp = false};
  if (name == "no-landlock") return {.landlock = false};
  usage();
}

void use_venv(engine::RunRequest& request, const std::string& folder, engine::VenvAccess access) {
  request.venv = folder;
  request.venv_access = access;
}

engine::RunRequest parse(int argc, char** argv) {
  engine::RunRequest request;
  int i = 1;
  auto value = [&]() -> std::string { return ++i < argc ? argv[i] : (usage(), ""); };
  for (; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string_view option = argv[i];
    if (option == "--walls") request.walls = parse_walls(value());
    else if (option == "--workspace") request.workspace = value();
    else if (option == "--read-only") request.access = engine::Access::kReadOnly;
    else if (option == "--venv") use_venv(request, value(), engine::VenvAccess::kReadOnly);
    else if (option == "--writable-venv") use_venv(request, value(), engine::VenvAccess::kWritable);
    else if (option == "--timeout-ms") request.limits.wall_time = std::chrono::milliseconds(std::atoi(value().c_str()));
    else if (option == "--stdin-inherit") request.stdin_mode = engine::StdinMode::kInherit;
    else usage();
  }
  for (++i; i < argc; ++i) request.argv.emplace_back(argv[i]);
  if (request.argv.empty()) usage();
  return request;
}

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    char escaped[8];
    const auto byte = static_cast<unsigned char>(c);
    std::snprintf(escaped, sizeof escaped, byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\' ? "\\u%04x" : "%c", byte);
    json += escaped;
  }
  return json + "\"";
}

void print(const engine::RunReport& report) {
  std::string violations;
  for (const auto& violation : report.violations) {
    violations += (violations.empty() ? "" : ", ") + std::string("{\"kind\": ") + quoted(violation.kind) + ", \"what\": " + quoted(violation.what) +
                  ", \"count\": " + std::to_string(violation.count) + "}";
  }
  const std::string exit_code = report.exit_code ? std::to_string(*report.exit_code) : "null";
  const std::string error = report.error ? "{\"message\": " + quoted(report.error->message) + "}" : "null";
  std::printf("{\"outcome\": %s, \"exit_code\": %s, \"stdout\": %s, \"stderr\": %s, \"violations\": [%s], "
              "\"enforced\": {\"seccomp\": %s, \"landlock_abi\": %d}, \"error\": %s}\n",
              quoted(engine::to_string(report.outcome)).c_str(), exit_code.c_str(), quoted(report.out.text).c_str(), quoted(report.err.text).c_str(),
              violations.c_str(), report.enforced.seccomp ? "true" : "false", report.enforced.landlock_abi, error.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  const auto request = parse(argc, argv);
  auto engine = engine::Engine::create();
  if (!engine) {
    std::fprintf(stderr, "wardenv-walls: %s\n", engine.error().message.c_str());
    return 125;
  }
  const auto report = engine->run(request);
  print(report);
  return report.exit_status;
}
