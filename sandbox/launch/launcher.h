// SPDX-License-Identifier: Apache-2.0
// The resident launcher's runs: one entry for each sandbox that lives.
#pragma once

#include "sandbox/launch/context.h"

namespace wardenv::launch {

inline constexpr int kMaxRuns = 128;
inline constexpr uint64_t kForever = ~0ULL;
// Different refused system calls that a run's report names: more than there are, so that none can be hidden behind
// others. All of them fit the socket to the engine before it reads (net.core.wmem_default).
inline constexpr int kMaxDenied = 160;

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
  bool held = false;   // its command waits for the engine's word
  bool have_status = false;
  bool deaf = false;   // reported, and nothing of its init but the pidfd is in the event set
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
  int lost_errno = 0;  // with kUnwatched
  uint64_t wall_time_ms = 0;   // 0: no limit
  uint64_t deadline_ms = kForever;
  uint64_t memory_bytes = 0;
  uint64_t look_ms = 0;        // watchdog: when to look next
  uint64_t seen_memory = 0;    // watchdog: at the last look, and what was given since
  uint64_t shared_bytes = 0;   // watchdog: anonymous shared memory that was ever asked for
  uint64_t fleeting = 0;       // watchdog: see add_up_run
  uint64_t answered_ms = 0;    // what all answers so far have cost, one millisecond each, or now where that is later
  uint64_t listens_at_ms = 0;  // not 0: notifications have to wait until then
  uint32_t last_syscall = 0;
  wire::Frame failure{};   // kFailed or kExecFailed, where there was one
  wire::Frame exited{};
  uint64_t peak_memory = 0;
  uint32_t peak_processes = 0;
  int denied_count = 0;
  Denied denied[kMaxDenied];  // last: see make_fresh
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
enum class Order { kNothing, kGo, kCancel };

// main.cc
Run& run_at(uint32_t index);
Run* take_run();       // a fresh entry, free as long as nobody sets its state; nullptr where all are taken
uint32_t index_of(const Run& run);
void make_fresh(Run& run);
int watch(int fd, Source source, uint32_t run);
void watch_no_more(int fd);
void forget(int fd);   // out of the event set, and closed
Received receive(int socket, Request& request);
Order take_order(int control);   // of a run; what is not the engine's go, and its end, cancel it

// start.cc
void start(Request& request);                        // from the engine's socket: a run, or a sandbox to prepare
void start_prepared(Run& run, Request& request);     // from the control socket of a prepared one
void prepare_spare(const wire::PlanHeader* plan);    // nobody's yet: taken by the first run whose plan begins with these steps

// prepared.cc
const uint8_t* keep_early(Run& run, const uint8_t* bytes, size_t size);   // a copy that lasts while the run is prepared, or nullptr
bool same_steps(const Plan& a, uint32_t begin_a, const Plan& b, uint32_t begin_b, uint32_t count);
uint32_t steps_ahead(const Run& run, const Plan& plan);   // how many first steps of `plan` the run's process has behind it; asked once
Run* fitting_spare(const Request& request);               // a prepared sandbox that is nobody's and begins like the request's plan
int hand_over(const Run& run, const Context& context);    // the rest of the plan, with all that the waiting process has not got yet

// runs.cc
void drain_frames(Run& run);
void finish(Run& run);                               // init is dead
void kill_run(Run& run, wire::Cause cause);
void lose(Run& run, int error);  // its limits can't be held any more: killed, and the reason told
void discard(Run& run);          // nobody wants it any more; waits for its death
void note_control(Run& run);
void start_clock(Run& run);      // its wall time begins
void expect_no_sender(int control);   // no further order comes that way

uint64_t now_ms();

uint64_t drop_old_trees(uint64_t now);   // tree.cc; answers when it wants to be asked again

// Watchdog: sums the memory of the run's PID namespace and its tmpfs, kills the run where it passes the limit.
void watch_memory(Run& run);

// Anonymous shared memory for the run, or false where it has no more room; and back, where it was not taken.
bool give_shared(Run& run, uint64_t bytes);
void take_back_shared(Run& run, uint64_t bytes);

// Answers one seccomp notification. No argument is ever followed (seccomp_unotify(2)).
void answer_notification(Run& run);
void listen_again(Run& run);  // notifications that had to wait are answered again

}  // namespace wardenv::launch
