// SPDX-License-Identifier: Apache-2.0
// wardenv run
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <optional>

#include "engine/command_resolve.h"
#include "engine/report_json.h"
#include "sandbox/base/unique_fd.h"
#include "tools/wardenv/judge.h"
#include "tools/wardenv/options.h"
#include "tools/wardenv/relay.h"

namespace wardenv::cli {
namespace {

volatile sig_atomic_t caught_signal = 0;
int cancel_fd = -1;

void wake(int fd) {
  const std::uint64_t one = 1;
  (void)!::write(fd, &one, sizeof one);
}

void note_signal(int number) {
  if (caught_signal == 0) caught_signal = number;
  wake(cancel_fd);
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  for (int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  ::sigaction(SIGXFSZ, &action, nullptr);   // an audit log that may not grow refuses the run
}

engine::RunReport failed(Error error) {
  engine::RunReport report;
  report.error = std::move(error);
  return report;
}

int print_json(const engine::RunReport& report) {
  const std::string text = engine::report_to_json(report) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0) return report.exit_status;
  return complain(fail_errno(ErrorCode::kHost, "cannot write the report to stdout", "make room, or send stdout elsewhere").value());
}

void print_violations(const engine::RunReport& report) {
  for (const engine::Violation& item : report.violations) {
    std::fprintf(stderr, "wardenv: refused: %s (%llu times): %s\n", item.what.c_str(), static_cast<unsigned long long>(item.count), item.hint.c_str());
  }
}

void print_end(const engine::RunReport& report, const RunOptions& options) {
  using engine::Outcome;
  const auto& limits = options.request.limits;
  if (report.outcome == Outcome::kTimedOut) {
    std::fprintf(stderr, "wardenv: killed after %lld ms — a longer time is given by --timeout\n", static_cast<long long>(limits.wall_time.count()));
  }
  if (report.outcome == Outcome::kMemoryExceeded) {
    std::fprintf(stderr, "wardenv: killed for memory: the limit is %llu bytes — more is given by --memory\n",
                 static_cast<unsigned long long>(limits.memory_bytes));
  }
  if (report.error) complain(*report.error);
  if (!options.quiet) print_violations(report);
}

// `DESCRIPTOR,PID`, as sandbox/launch/wardenv_main.cc wrote it.
std::optional<engine::ForkedLauncher> read_launcher(std::string_view text) {
  engine::ForkedLauncher launcher;
  const char* const end = text.data() + text.size();
  const auto socket = std::from_chars(text.data(), end, launcher.socket);
  if (socket.ec != std::errc() || socket.ptr == end || *socket.ptr != ',') return std::nullopt;
  const auto pid = std::from_chars(socket.ptr + 1, end, launcher.pid);
  if (pid.ec != std::errc() || pid.ptr != end) return std::nullopt;
  return launcher;
}

// The launcher that `wardenv` forked before it became this program. The socket was made by our own process id, or it is none of ours.
std::optional<engine::ForkedLauncher> forked_launcher() {
  const char* variable = std::getenv("WARDENV_LAUNCHER");
  const auto launcher = read_launcher(variable != nullptr ? variable : "");
  ::unsetenv("WARDENV_LAUNCHER");
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!launcher || ::getsockopt(launcher->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid != ::getpid()) return std::nullopt;
  if (::fcntl(launcher->socket, F_SETFD, FD_CLOEXEC) < 0) return std::nullopt;
  return launcher;
}

using MayEnter = std::function<Status()>;

engine::RunReport run_relayed(engine::Engine& engine, const RunOptions& options, const MayEnter& may_enter) {
  Relay out(STDOUT_FILENO, options.request.output_limit_bytes);
  Relay err(STDERR_FILENO, options.request.output_limit_bytes);
  engine::RunIo io;
  io.cancel_fd = cancel_fd;
  io.may_enter = may_enter;
  io.on_stdout = [&](std::string_view chunk) {
    out.write(chunk);
    if (out.broken()) wake(cancel_fd);
  };
  io.on_stderr = [&](std::string_view chunk) { err.write(chunk); };
  engine::RunReport report = engine.run(options.request, io);
  out.finish(report.out);
  err.finish(report.err);
  const int error = out.error() != 0 ? out.error() : err.error();
  if (error == 0 || error == EPIPE || report.error) return report;
  report.exit_status = kCannot;
  report.error = fail_errno(ErrorCode::kHost, "cannot write the command's output", error, "make room, or send it elsewhere").value();
  return report;
}

enum class Output { kRelayed, kKept };   // kKept: nobody sees it before the run is over

using Launcher = std::optional<engine::ForkedLauncher>;

Result<engine::Engine> make_engine(const Launcher& launcher) { return engine::Engine::create({.ahead = engine::Ahead::kNo, .launcher = launcher}); }

engine::RunReport run_once(Result<engine::Engine>& engine, const RunOptions& options, Output output, const MayEnter& may_enter) {
  if (!engine) return failed(engine.error());
  if (output == Output::kRelayed) return run_relayed(*engine, options, may_enter);
  engine::RunIo io;
  io.cancel_fd = cancel_fd;
  io.may_enter = may_enter;
  return engine->run(options.request, io);
}

// What hooks have seen first.
void print_output(const engine::RunReport& report) {
  std::fwrite(report.out.text.data(), 1, report.out.text.size(), stdout);
  std::fwrite(report.err.text.data(), 1, report.err.text.size(), stderr);
}

// The request as the policy grants it, and the command looked up where it will run: what is judged now is what runs then. An error where it asks
// for more than is granted.
Status prepare(const engine::Admission& foreseen, RunOptions& options) {
  if (foreseen.decision.effect == policy::Effect::kDeny) return {};
  WARDENV_TRY(grant_to(foreseen, options));
  options.request.command = engine::look_up_command(options.request.argv.front(), options.request.venv);
  return {};
}

// Where the document alone allows the call, its sandbox is made while hooks are asked, quotas reserved and the record put on disk: all of that
// has to be done before anything enters. The policy is not watched, so both look at one edition of it.
engine::RunReport judge_and_run(engine::Gate& gate, const engine::ToolCall& call, RunOptions& options, const Launcher& launcher) {
  const engine::Admission foreseen = gate.preview(call);
  const Status prepared = prepare(foreseen, options);
  std::optional<engine::Admission> admission;
  auto admitting = std::async(std::launch::async | std::launch::deferred, [&] { return gate.admit(call); });
  const MayEnter admitted = [&]() -> Status {
    if (!admission) admission = admitting.get();
    return admission->allowed() ? Status() : fail(ErrorCode::kInternal, "the policy does not allow it");
  };
  const bool reviewed = engine::Gate::is_reviewed(foreseen);
  auto engine = make_engine(launcher);   // its end waits for the launcher, which takes the sandbox apart while the record is written
  engine::RunReport report;
  if (!prepared) report = failed(prepared.error());
  else if (foreseen.allowed() || admitted()) report = run_once(engine, options, options.json || reviewed ? Output::kKept : Output::kRelayed, admitted);
  if (!admitted()) {
    if (!options.json) std::fprintf(stderr, "wardenv: %s\n", refusal_line(*admission).c_str());
    return engine::refusal(*admission);
  }
  report.run_id = admission->run_id;
  gate.finish(*admission, report);
  if (!options.json && reviewed) print_output(report);
  return report;
}

engine::RunReport run(RunOptions& options) {
  const Launcher launcher = forked_launcher();   // before any thread: it changes the environment
  auto gate = open_gate(options, engine::OpenLog::kAtOnce);
  if (!gate) return failed(gate.error());
  if (*gate == nullptr) {
    auto engine = make_engine(launcher);
    return run_once(engine, options, options.json ? Output::kKept : Output::kRelayed, {});
  }
  (*gate)->on_notice([](std::string_view line) { std::fprintf(stderr, "wardenv: %.*s\n", static_cast<int>(line.size()), line.data()); });
  auto call = call_of(options);
  if (!call) return failed(call.error());
  if (const Status ready = (*gate)->prepare(); !ready) return failed(ready.error());
  return judge_and_run(**gate, *call, options, launcher);
}

}  // namespace

int run_command(const Arguments& arguments) {
  RunOptions options;
  const Status parsed = parse_run(arguments, options);
  if (!parsed) return options.json ? print_json(failed(parsed.error())) : complain(parsed.error());
  if (options.help) return std::fputs(run_help("run").c_str(), stdout) < 0 ? kCannot : 0;

  const UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  cancel_fd = wakeup.get();
  catch_signals();
  ::mallopt(M_ARENA_MAX, 1);   // another heap for a thread that works for a millisecond costs more than it saves
  engine::RunReport report = run(options);
  if (report.outcome == engine::Outcome::kCancelled && caught_signal != 0) report.exit_status = 128 + caught_signal;
  if (options.json) return print_json(report);
  print_end(report, options);
  return report.exit_status;
}

}  // namespace wardenv::cli
