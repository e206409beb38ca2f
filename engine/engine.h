// SPDX-License-Identifier: Apache-2.0
// Engine: the public C++ interface. Runs one command at a time per call, confined, in a Python virtual environment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/egress/settings.h"
#include "sandbox/base/error.h"
#include "sandbox/fault.h"
#include "sandbox/host_facts.h"
#include "sandbox/report.h"
#include "sandbox/seccomp/filter.h"
#include "sandbox/spec.h"

namespace wardenv::engine {

enum class Access { kReadOnly, kDirect };
enum class StdinMode { kNull, kInherit, kText };
enum class OnOutputLimit {
  kTruncate,  // head and tail are kept, the rest is counted; the run goes on
  kKill,      // the run ends with kOutputExceeded
};

// kWritable is for profiles that install packages: the command may change the venv itself, never the Python that it is based on. What it
// leaves there (scripts, .pth files) runs wherever the venv is used next, so such a venv is to be used in sandboxes only.
enum class VenvAccess { kReadOnly, kWritable };

// A folder or file of the host that a policy profile adds to what a command sees.
struct ProfileMount {
  std::string path{};                            // absolute; resolved before it is mounted
  std::string target{};                          // absolute and normalised, where it is seen; empty: at the same path
  Access access = Access::kReadOnly;             // kDirect: files keep their owner outside, and the command can write
  bool operator==(const ProfileMount&) const = default;
};

struct ResolvedCommand;  // engine/command_resolve.h

// The folders that a call was judged for: absolute, without symbolic links.
struct JudgedPlaces {
  std::string workspace{};
  std::string cwd{};
  std::string venv{};   // empty: none
  bool operator==(const JudgedPlaces&) const = default;
};

// What a caller asks for. Paths may be relative to the current directory; nothing of the caller's environment is used.
struct RunRequest {
  std::string run_id{};                   // empty: a new one
  std::vector<std::string> argv{};
  std::shared_ptr<const ResolvedCommand> command{};  // what argv[0] was looked up to before: that very file is executed, or none
  std::optional<std::string> venv;        // folder of the virtual environment; none: no Python is set up
  VenvAccess venv_access = VenvAccess::kReadOnly;  // used by profiles; not reachable from the command line
  std::optional<std::string> venv_within;          // a real path: the venv must lie in that folder once every link to it is followed
  std::string workspace = ".";
  std::optional<std::string> workspace_within;     // a real path: the workspace must lie in that folder once every link to it is followed
  std::optional<std::string> cwd;         // inside the workspace; default: the workspace
  std::optional<JudgedPlaces> judged;     // where set, the folders are these once every link to them is followed, or nothing runs
  Access access = Access::kDirect;
  sandbox::Network network = sandbox::Network::kNone;
  EgressSettings egress;                  // with Network::kEgress: what may be reached; an empty list of rules allows nothing
  sandbox::Limits limits;
  std::uint64_t output_limit_bytes = 1ULL << 20;  // each stream
  OnOutputLimit on_output_limit = OnOutputLimit::kTruncate;
  std::vector<std::string> env{};           // "NAME=VALUE" in addition to the built environment
  std::vector<std::string> profile_env{};   // the same from a policy profile: names that change how programs load or start are taken too
  std::shared_ptr<const sandbox::seccomp::FilterPair> filters{};  // from a policy profile that adds system calls; null: the built-in filter
  std::vector<std::string> added_syscalls{};                      // their names, for the report
  std::vector<ProfileMount> mounts{};       // from a policy profile; not reachable from the command line
  std::vector<std::string> read_only_files{};   // absolute; what decides what is allowed: the command can't change it, wherever else it may write
  StdinMode stdin_mode = StdinMode::kNull;  // kInherit: the bytes of descriptor 0 are passed on (engine/input.h); one run at a time has a use for it
  std::string stdin_text{};                 // with kText: what the command reads, then end of file; a sealed file in memory
  sandbox::Clock clock = sandbox::Clock::kHost;
  sandbox::Degradable degradable;
  bool require_cgroup = false;
  sandbox::Walls walls;                   // for tests: see sandbox/spec.h
  sandbox::FaultPlan fault;               // for tests: see sandbox/fault.h
};

enum class Outcome { kExited, kSignaled, kTimedOut, kMemoryExceeded, kOutputExceeded, kCancelled, kDenied, kApprovalRequired, kSetupFailed };
std::string_view to_string(Outcome outcome);

struct Violation {
  std::string kind{};   // syscall | network | path
  std::string what{};   // e.g. "mount", "socket(AF_VSOCK)"
  std::uint64_t count = 0;
  std::string hint{};
};

// One captured stream: head and tail of what was written, never more than the limit.
struct CapturedStream {
  std::string text{};         // bytes as written; where truncated, a line in the middle says how much is missing
  std::uint64_t bytes = 0;  // all bytes that the command wrote
  bool truncated = false;
};

// What the policy said of the call, as the report tells it. Without a policy: see report_json.
struct DecisionSummary {
  std::string effect{};   // allow | deny | require_approval
  std::string rule{};
  std::string reason{};
};

// The run as data: also for failures. See interfaces.md for the JSON form (engine/report_json.h).
struct RunReport {
  std::string run_id{};
  Outcome outcome = Outcome::kSetupFailed;
  std::optional<int> exit_code;
  std::optional<int> signal;
  CapturedStream out;
  CapturedStream err;
  sandbox::Usage usage;
  std::vector<Violation> violations{};
  std::vector<EgressConnection> connections{};   // with named egress: what was reached and what was refused, by host; for the audit log
  sandbox::Enforced enforced;
  bool entered = false;              // whether a process of this run may have existed in its sandbox; without it a quota is given back
  std::optional<DecisionSummary> decision;
  std::string approval_id{};         // with kApprovalRequired: what a person approves
  int init_pid = -1;                 // the sandbox's first process as the host numbered it; gone, or about to go
  std::uint32_t prepared_steps = 0;  // how many steps of the plan had been applied before the call
  std::optional<Error> error;       // with kSetupFailed, and where the command was not found or not executable
  int exit_status = 125;            // what `wardenv run` exits with
};

// A new run's name: a ULID, sortable by time.
std::string new_run_id();

// Called with every chunk as it comes, before the limit of the capture is applied. May be empty.
using OutputSink = std::function<void(std::string_view chunk)>;

struct RunIo {
  OutputSink on_stdout;
  OutputSink on_stderr;
  // Asked once, while the sandbox is made and nothing of the command is in it: whether it may be entered. So a caller can judge, count and write
  // down meanwhile. An error ends the run with it: nothing of the command was ever executed. The wall time begins with the answer, which is waited for
  // also where the run is cancelled meanwhile: who waits for somebody in it watches `cancel_fd` there, too (Gate::admit does).
  std::function<Status()> may_enter;
  // Whether that would answer at once: then it is asked before the sandbox is made, which does not have to wait for a word more. May be empty.
  std::function<bool()> answered;
  EgressSink on_egress;   // with Network::kEgress: each connection and each refusal, as it comes; in another thread than the run's
  int cancel_fd = -1;   // not owned; when it becomes readable the run is cancelled and everything in it killed
};

// How an engine works beside its runs.
enum class Ahead {
  kYes,  // the next sandbox is begun while one runs, for a program that makes many runs
  kNo,   // no thread is started, nothing outlasts a call: for a single run, whose sandbox is begun while its folders are looked at
};

// A launcher that this process has forked already: our end of its socket (owned by the engine from now on) and its process id.
struct ForkedLauncher {
  int socket = -1;
  int pid = -1;
  bool apart = false;   // it may only run where the one that forked it did not
};

struct EngineOptions {
  Ahead ahead = Ahead::kYes;
  std::optional<ForkedLauncher> launcher;   // none: it is found and started
  sandbox::IdRange ids{};                   // as root: host ids that sandboxes run under; of nobody else, and without 0
};

class Engine {
 public:
  // Starts the launcher. REQUIRES: called from a thread that outlives the engine. Where descriptor 0, 1 or 2 is closed, it is held from now on by
  // one that is open for nothing, as a socket of ours must not be taken for a stream. A child of fork(2) can't use it: the launcher obeys us alone.
  static Result<Engine> create(const EngineOptions& options = {});
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();  // close()

  // Kills everything that still runs, and waits until nothing is left of any run: process, control group, launcher. What remains is memory
  // and descriptors, which the kernel takes from a program that ends sooner than the program could give them back.
  void close();

  // The first half of close(), which waits for nothing. No run can be started any more.
  void dismiss();

  // With Ahead::kNo: begins the sandbox of the first run before more is known of it; nothing of a command is in it. A run that turns out to
  // begin otherwise gets one of its own. REQUIRES: no run is under way.
  void begin(const RunRequest& request);

  // Runs the command to its end and reports. Thread-safe: calls run beside each other.
  // Never fails: what wardenv could not do is an outcome kSetupFailed with `error`.
  RunReport run(const RunRequest& request, const RunIo& io = {});

  // The process id of the launcher, for those who supervise us.
  [[nodiscard]] int launcher_pid() const;

  // How many sandboxes wait whose first steps are applied; the launcher may still be at the last of them.
  [[nodiscard]] std::size_t sandboxes_ahead() const;

  // The plan of a request on this host, as text (one step a line) and as JSON; nothing is run or made.
  static Result<std::string> plan_text(const RunRequest& request, const sandbox::IdRange& ids = {}, Ahead ahead = Ahead::kNo);
  static Result<std::string> plan_json(const RunRequest& request, const sandbox::IdRange& ids = {}, Ahead ahead = Ahead::kNo);

 private:
  Result<std::string> ask_inside(const std::vector<std::string>& argv, RunReport& outer);
  Status add_presets(RunRequest& request, RunReport& report);

  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace wardenv::engine
