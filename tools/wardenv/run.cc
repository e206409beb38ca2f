// SPDX-License-Identifier: Apache-2.0
// wardenv run, but for the judging
#include "tools/wardenv/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <optional>

#include "engine/report_json.h"
#include "sandbox/base/unique_fd.h"
#include "tools/wardenv/relay.h"
#include "tools/wardenv/signals.h"

extern "C" const char __executable_start, etext;   // the linker's (end(3))

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

constexpr int kIgnored[] = {SIGPIPE, SIGXFSZ};   // an audit log that may not grow refuses the run
void (*before[std::size(kEnding) + std::size(kIgnored)])(int);   // a program begins with no handlers of its own (execve(2))

void catch_signals() {
  struct sigaction action {};
  struct sigaction old {};
  std::size_t place = 0;
  const auto set = [&](int number) {
    ::sigaction(number, &action, &old);
    before[place++] = old.sa_handler;
    if (old.sa_handler == SIG_IGN) ::sigaction(number, &old, nullptr);   // nohup(1), or a shell's background
  };
  action.sa_handler = note_signal;
  std::for_each(std::begin(kEnding), std::end(kEnding), set);
  action.sa_handler = SIG_IGN;
  std::for_each(std::begin(kIgnored), std::end(kIgnored), set);
  block_ending(SIG_UNBLOCK);   // of main(), of the `wardenv` that we were, or of a parent that forgot that its children inherit that
}

int print_json(const engine::RunReport& report) {
  const int said = say(engine::report_to_json(report));
  return said != 0 ? said : report.exit_status;
}

void print_violations(const engine::RunReport& report) {
  for (const engine::Violation& item : report.violations) {
    tell("refused: " + item.what + " (" + std::to_string(item.count) + " times): " + item.hint);
  }
}

// The report's `enforced.degraded` says it too. Not for --quiet to hide, as a profile may have granted it unseen.
void print_weakening(const engine::RunReport& report) {
  const auto& degraded = report.enforced.degraded;
  if (std::find(degraded.begin(), degraded.end(), "network:host") == degraded.end()) return;
  tell("weakened: network:host: this run had the host's network, whole and unwatched; --network egress gives single hosts by name");
}

void print_end(const engine::RunReport& report, const RunOptions& options) {
  using engine::Outcome;
  const auto& limits = options.request.limits;
  if (report.outcome == Outcome::kTimedOut) {
    tell("killed after " + std::to_string(limits.wall_time.count()) + " ms — a longer time is given by --timeout");
  }
  if (report.outcome == Outcome::kMemoryExceeded) {
    tell("killed for memory: the limit is " + std::to_string(limits.memory_bytes) + " bytes — more is given by --memory");
  }
  print_weakening(report);
  if (report.error) complain(*report.error);
  if (!options.quiet) print_violations(report);
}

// `DESCRIPTOR,PID,APART`, as start_main.cc wrote it.
std::optional<engine::ForkedLauncher> read_launcher(std::string_view text) {
  int numbers[3] = {};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int& number : numbers) {
    if (&number != numbers && (at == end || *at++ != ',')) return std::nullopt;
    const auto read = std::from_chars(at, end, number);
    if (read.ec != std::errc()) return std::nullopt;
    at = read.ptr;
  }
  if (at != end) return std::nullopt;
  return engine::ForkedLauncher{numbers[0], numbers[1], numbers[2] != 0};
}

// While the sandbox is taken apart we have nothing to do, and at our own end somebody waits until all our pages are unmapped: so most of
// them are unmapped here. What is needed after all comes back by itself.
void unmap_text() {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(&__executable_start) & ~(page - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(&etext) & ~(page - 1);
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

engine::RunIo io_of(const MayEnter& may_enter) {
  engine::RunIo io;
  io.cancel_fd = cancel_fd;
  io.may_enter = may_enter.ask;
  io.answered = may_enter.answered;
  return io;
}

engine::RunReport run_relayed(engine::Engine& engine, const RunOptions& options, const MayEnter& may_enter) {
  Relay out(STDOUT_FILENO, options.request.output_limit_bytes);
  Relay err(STDERR_FILENO, options.request.output_limit_bytes);
  engine::RunIo io = io_of(may_enter);
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

}  // namespace

int cancel_descriptor() { return cancel_fd; }

void hold_signals() {
  block_ending(SIG_BLOCK);
  std::size_t place = 0;
  const auto restore = [&](int number) { (void)::signal(number, before[place++]); };
  std::for_each(std::begin(kEnding), std::end(kEnding), restore);
  std::for_each(std::begin(kIgnored), std::end(kIgnored), restore);
  if (caught_signal != 0) ::raise(caught_signal);
}

engine::RunReport failed(Error error) {
  engine::RunReport report;
  report.error = std::move(error);
  return report;
}

// The socket was made by our own process id, or it is none of ours.
Launcher forked_launcher() {
  const char* variable = std::getenv("WARDENV_LAUNCHER");
  const auto launcher = read_launcher(variable != nullptr ? variable : "");
  ::unsetenv("WARDENV_LAUNCHER");
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!launcher || ::getsockopt(launcher->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid != ::getpid()) return std::nullopt;
  if (::fcntl(launcher->socket, F_SETFD, FD_CLOEXEC) < 0) return std::nullopt;
  return launcher;
}

EngineOrError& begin_engine(const RunOptions& options, const Launcher& launcher) {
  static std::optional<EngineOrError> engine;
  engine.emplace(engine::Engine::create({.ahead = engine::Ahead::kNo, .launcher = launcher, .ids = options.ids}));
  if (*engine) (*engine)->begin(options.request);
  return *engine;
}

engine::RunReport run_once(EngineOrError& engine, const RunOptions& options, Output output, const MayEnter& may_enter) {
  if (!engine) return failed(engine.error());
  if (output == Output::kRelayed) return run_relayed(*engine, options, may_enter);
  const engine::RunIo io = io_of(may_enter);
  return engine->run(options.request, io);
}

void end_engine(EngineOrError& engine) {
  if (!engine) return;
  engine->dismiss();
  unmap_text();
  engine->close();
}

engine::RunReport run_unjudged(EngineOrError& engine, const RunOptions& options) {
  return run_once(engine, options, options.json ? Output::kKept : Output::kRelayed, {});
}

int run_with(const Arguments& arguments, Runner runner, ReadOptions read) {
  RunOptions options;
  const Status parsed = parse_run(arguments, options, read);
  if (!parsed) return options.json ? print_json(failed(parsed.error())) : complain(parsed.error());
  if (options.help) return say(run_help("run"));

  const UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  cancel_fd = wakeup.get();
  catch_signals();
  engine::RunReport report = runner(options);
  const bool cancelled = report.outcome == engine::Outcome::kCancelled && report.exit_status == 128 + SIGKILL;   // and nobody withholds what came of it
  if (cancelled && caught_signal != 0) report.exit_status = 128 + caught_signal;
  if (options.json) return print_json(report);
  print_end(report, options);
  return report.exit_status;
}

}  // namespace wardenv::cli
