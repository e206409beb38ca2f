// SPDX-License-Identifier: Apache-2.0
// wardenv-serve: what `wardenv serve` becomes. Puts policy, engine, tools and transport together; nothing registers itself.
#include <malloc.h>
#include <pthread.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "engine/engine.h"
#include "engine/gate/config.h"
#include "engine/gate/gate.h"
#include "sandbox/base/standard_fds.h"
#include "tools/mcp/http.h"
#include "tools/mcp/metrics.h"
#include "tools/mcp/stdio.h"
#include "tools/options/text.h"
#include "tools/serve/builtin_policy.h"
#include "tools/serve/options.h"
#include "tools/serve/toolbox.h"

namespace wardenv::serve {
namespace {

constexpr int kCannot = 125;

int complain(const Error& error) {
  std::fprintf(stderr, "wardenv serve: %s\n", tools::one_line(error).c_str());
  return kCannot;
}

int print_help() {
  if (std::fputs(help_text().c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return 0;
  return complain(fail_errno(ErrorCode::kHost, "cannot write to stdout", "make room, or send stdout elsewhere").value());
}

// SIGTERM, SIGHUP and SIGINT, as something to wait for. Before any thread is started: all of them inherit the mask.
int signals_as_descriptor() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGHUP, SIGINT}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);   // a log that may not grow is an error of that call, not our end
  return signalfd(-1, &set, SFD_CLOEXEC);
}

void log_to_stderr() {
  auto logger = spdlog::stderr_logger_mt("wardenv");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S%z %l %v");
  spdlog::set_default_logger(std::move(logger));
}

// Many threads that each keep freed memory would be what this process is largest in.
void keep_small() { mallopt(M_ARENA_MAX, 2); }

struct Parts {
  engine::Engine engine;
  std::shared_ptr<engine::Gate> gate;
  std::string grant;
  engine::Config config;
};

// What looks for the state folder on its own finds the configured one, too. Before any thread is started.
void settle_state(const engine::Config& config) {
  if (!config.state.empty()) ::setenv("WARDENV_STATE", config.state.c_str(), 0);
}

Result<std::shared_ptr<engine::Gate>> open_gate(const Options& options, const engine::Config& config) {
  engine::GateOptions gate{.policy_file = options.policy.empty() ? config.policy : options.policy,
                           .builtin_policy = kBuiltinPolicy,
                           .quota_store = config.quota_store,
                           .watch = engine::Watch::kYes};
  return engine::Gate::open(gate);
}

// A server that could only refuse every call says so at the start.
Status check_grant(const engine::Gate& gate, const std::string& grant, bool has_tokens) {
  if (!grant.empty() && !gate.has_grant(grant)) {
    return fail(ErrorCode::kBadInput, "the policy has no grant `" + grant + "`", "add it under `grants`, or name another with --grant");
  }
  const auto known = gate.grants();
  if (!grant.empty() || known.empty() || has_tokens) return {};
  std::string names;
  for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
  return fail(ErrorCode::kBadInput, "the policy says who may call, and the server is nobody", "name one with --grant: " + names);
}

Result<Parts> assemble(const Options& options) {
  auto config = engine::read_config(options.config);
  if (!config) return tl::unexpected(config.error());
  settle_state(*config);
  auto engine = engine::Engine::create({.launcher = {}, .ids = config->ids});   // the launcher next, while this process is small
  if (!engine) return tl::unexpected(engine.error());
  auto gate = open_gate(options, *config);
  if (!gate) return tl::unexpected(gate.error());
  (*gate)->on_edit([](std::string_view digest) { spdlog::info("the policy was edited: {} is in force", digest); });
  (*gate)->on_notice([](std::string_view line) { spdlog::warn("{}", line); });
  const std::string grant = options.grant.empty() ? config->grant : options.grant;
  WARDENV_TRY(check_grant(**gate, grant, !options.stdio && (*gate)->has_grant_tokens()));
  return Parts{std::move(*engine), std::move(*gate), grant, std::move(*config)};
}

mcp::ServerOptions server_options(const Options& options, mcp::Observer& metrics) {
  const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
  mcp::ServerOptions server;
  server.workers.threads = options.concurrency != 0 ? options.concurrency : std::max<std::size_t>(4, 2 * processors);
  server.observer = &metrics;
  return server;
}

int serve_http(const Options& options, Parts& parts, mcp::Features& features, mcp::Server& server, mcp::Metrics& metrics, int stop) {
  mcp::HttpServer* serving = nullptr;
  mcp::HttpOptions http{.host = options.host, .port = options.port, .allowed_origins = options.origins, .tls_cert = options.tls_cert,
                        .tls_key = options.tls_key, .default_grant = parts.grant};
  http.grant_of_token = [gate = parts.gate](std::string_view token) { return gate->grant_of_token(token); };
  http.asks_for_tokens = [gate = parts.gate] { return gate->has_grant_tokens(); };
  http.metrics = [&](const std::string& grant) {
    return metrics.text(server.load(), serving->connections(), [&](std::string_view tool) { return features.lane_of(tool, {.grant = grant}) != mcp::Lane::kUnknown; });
  };
  auto opened = mcp::HttpServer::open(server, std::move(http));
  if (!opened) return complain(opened.error());
  serving = opened->get();
  spdlog::info("serving {}", serving->url());
  serving->run(stop);
  return 0;
}

int serve(const Options& options, int stop) {
  mcp::StdioWire wire;
  if (options.stdio) {
    auto taken = mcp::take_stdio();
    if (!taken) return complain(taken.error());
    wire = std::move(*taken);
  }
  auto parts = assemble(options);
  if (!parts) return complain(parts.error());
  auto features = make_features(parts->engine, parts->gate, options, parts->config);
  if (!features) return complain(features.error());
  mcp::Metrics metrics;
  mcp::Server server(**features, server_options(options, metrics));
  int status = 0;
  if (options.stdio) {
    mcp::serve_stdio(server, wire, {.grant = parts->grant}, stop);
  } else {
    status = serve_http(options, *parts, **features, server, metrics, stop);
  }
  // What has not ended by now is killed by the launcher, as it sees this process go.
  std::fflush(nullptr);
  std::_Exit(status);
}

}  // namespace
}  // namespace wardenv::serve

// argv[1] is `serve` where `wardenv` became us.
int main(int argc, char** argv) {
  using namespace wardenv::serve;
  if (!wardenv::hold_standard_fds()) return kCannot;
  const int skipped = argc > 1 && std::string_view(argv[1]) == "serve" ? 2 : 1;
  keep_small();
  const int stop = signals_as_descriptor();
  auto options = parse_options(std::vector<std::string>(argv + std::min(skipped, argc), argv + argc));
  if (!options) return complain(options.error());
  if (options->help) return print_help();
  log_to_stderr();
  return serve(*options, stop);
}
