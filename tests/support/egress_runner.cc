// SPDX-License-Identifier: Apache-2.0
// wardenv-egress: runs a command with what only profiles and the library can ask of named egress, and prints each event and the report as
// JSON, one object a line. Not installed.
//   wardenv-egress --workspace DIR [--allow RULE [--inject NAME:PREFIX:file|variable:FROM]…]… [--ca-file FILE] [--bytes N] [--rate N]
//                  [--connections N] [--at-once N] -- CMD [ARG...]
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/engine.h"
#include "engine/report_json.h"

namespace {

using namespace wardenv;

[[noreturn]] void stop(const std::string& why) {
  std::cerr << "wardenv-egress: " << why << "\n";
  std::exit(2);
}

engine::EgressRule rule(const std::string& text) {
  auto parsed = engine::parse_egress_rule(text);
  return parsed ? *parsed : (stop(parsed.error().message), engine::EgressRule{});
}

engine::InjectedHeader header(const std::string& text) {
  const auto one = text.find(':');
  const auto two = text.find(':', one + 1);
  const auto three = text.find(':', two + 1);
  if (three == std::string::npos) stop("--inject NAME:PREFIX:file|variable:FROM");
  engine::InjectedHeader result{.name = text.substr(0, one), .prefix = text.substr(one + 1, two - one - 1)};
  (text.substr(two + 1, three - two - 1) == "file" ? result.file : result.variable) = text.substr(three + 1);
  return result;
}

engine::RunRequest parse(int argc, char** argv) {
  engine::RunRequest request;
  request.network = sandbox::Network::kEgress;
  engine::EgressSettings& egress = request.egress;
  int i = 1;
  for (; i + 1 < argc && std::string_view(argv[i]) != "--"; i += 2) {
    const std::string_view option = argv[i];
    const std::string value = argv[i + 1];
    const auto number = std::strtoull(value.c_str(), nullptr, 10);
    if (option == "--workspace") request.workspace = value;
    else if (option == "--allow") egress.rules.push_back(rule(value));
    else if (option == "--inject" && !egress.rules.empty()) egress.rules.back().inject.push_back(header(value));
    else if (option == "--ca-file") egress.ca_file = value;
    else if (option == "--bytes") egress.caps.bytes = number;
    else if (option == "--rate") egress.caps.bytes_per_second = number;
    else if (option == "--connections") egress.caps.connections = static_cast<std::uint32_t>(number);
    else if (option == "--at-once") egress.caps.connections_at_once = static_cast<std::uint32_t>(number);
    else stop("unknown option " + std::string(option));
  }
  for (++i; i < argc; ++i) request.argv.emplace_back(argv[i]);
  return request;
}

const char* name_of(engine::EgressEventKind kind) {
  switch (kind) {
    case engine::EgressEventKind::kOpened: return "opened";
    case engine::EgressEventKind::kClosed: return "closed";
    case engine::EgressEventKind::kRefused: return "refused";
    case engine::EgressEventKind::kFailed: return "failed";
  }
  return "";
}

void print(const engine::EgressEvent& event) {
  const nlohmann::json line{{"event", name_of(event.kind)}, {"protocol", event.protocol}, {"host", event.host}, {"port", event.port},
                            {"method", event.method}, {"address", event.address}, {"rule", event.rule}, {"reason", event.reason},
                            {"needed", event.needed}, {"bytes_up", event.bytes_up}, {"bytes_down", event.bytes_down}};
  std::cout << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  const auto request = parse(argc, argv);
  auto engine = engine::Engine::create({.ahead = engine::Ahead::kNo, .launcher = std::nullopt});
  if (!engine) stop(engine.error().message);
  engine::RunIo io;
  io.on_egress = print;
  const auto report = engine->run(request, io);
  std::cout << engine::report_to_json(report) << "\n";
  return report.exit_status;
}
