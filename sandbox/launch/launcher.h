// SPDX-License-Identifier: Apache-2.0
// The resident launcher's runs: one entry for each sandbox that lives.
#pragma once

#include "sandbox/launch/context.h"

namespace wardenv::launch {

inline constexpr int kMaxRuns = 128;
inline constexpr int kMaxDenied = 64;  // different refused system calls that a run's report names; the last one takes the rest

struct Denied {
  int32_t number;
  uint64_t count;
  uint64_t args[3];
};

enum class State : uint32_t {
  kFree,
  kPrepared,  // the first steps are applied; waits for the rest of a plan
  kRunning,
  kReported,  // the engine knows the end; init is on its way out
};

struct Run {
  State state = State::kFree;
  bool killed = false;
  bool watched = false;
  bool have_status = false;
  int control = -1;    // to the engine
  int status = -1;     // to init
  int pidfd = -1;
  int listener = -1;   // seccomp notifications
  int proc = -1;       // the sandbox's procfs (watchdog)
  int root = -1;       // the sandbox's tmpfs (watchdog)
  pid_t pid = -1;      // of init; -1 where there is none (any more)
  uint32_t host_id = 0;
  uint32_t prepared_steps = 0;
  wire::Cause cause = wire::Cause::kOwn;
  uint64_t deadline_ms = 0;
  uint64_t memory_bytes = 0;
  uint32_t last_syscall = 0;
  wire::Frame failure{};   // kFailed or kExecFailed, where there was one
  wire::Frame exited{};
  uint64_t peak_memory = 0;
  uint32_t peak_processes = 0;
  int denied_count = 0;
  Denied denied[kMaxDenied];
};

enum class Source : uint32_t { kEngine, kControl, kStatus, kProcess, kListener };

// What came in one datagram. Owns its descriptors until they are taken out (set to -1).
struct Request {
  uint8_t* plan = nullptr;  // wire::kMaxPlanBytes + 1 bytes of room
  size_t size = 0;          // 0: what came was cut off
  int fds[wire::kFixedFds + wire::kMaxSlots] = {};
  int count = 0;
};

enum class Received { kPlan, kNothing, kOther, kClosed };

// main.cc
Run& run_at(uint32_t index);
Run* take_run();       // a fresh entry, free as long as nobody sets its state; nullptr where all are taken
uint32_t index_of(const Run& run);
int watch(int fd, Source source, uint32_t run);
void watch_no_more(int fd);
void forget(int fd);   // out of the event set, and closed
Received receive(int socket, Request& request);

// start.cc
void start(Request& request);                        // from the engine's socket: a run, or a sandbox to prepare
void start_prepared(Run& run, Request& request);     // from the control socket of a prepared one
void prepare_spare(const wire::PlanHeader* plan);    // nobody's yet: taken by the first run whose plan begins with these steps

// prepared.cc
const uint8_t* keep_early(Run& run, const uint8_t* bytes, size_t size);   // a copy that lasts while the run is prepared, or nullptr
uint32_t steps_ahead(const Run& run, const Plan& plan);   // how many first steps of `plan` the run's process has behind it; asked once
Run* fitting_spare(const Request& request);               // a prepared sandbox that is nobody's and begins like the request's plan
int hand_over(const Run& run, const Context& context);    // the rest of the plan, with all that the waiting process has not got yet

// runs.cc
void drain_frames(Run& run);
void finish(Run& run);                               // init is dead
void kill_run(Run& run, wire::Cause cause);
void discard(Run& run);                              // nobody wants it any more; waits for its death
void note_control(Run& run);

uint64_t now_ms();

// Watchdog: sums the memory of the run's PID namespace and its tmpfs, kills the run where it passes the limit.
void watch_memory(Run& run);

// Answers one seccomp notification. The arguments are values: nothing is ever followed or continued (seccomp_unotify(2)).
void answer_notification(Run& run);

}  // namespace wardenv::launch
