// SPDX-License-Identifier: Apache-2.0
// The flat layout of a launch plan and of the launcher's answers: what the engine and wardenv-launcher share, and all they share.
//
// One datagram on the launcher's socket starts a run: the bytes of a plan (PlanHeader first, everything else by offset
// from its start) with file descriptors [control, stdin, stdout, stderr, slot 0, slot 1, …] beside them. The launcher
// takes it from the process that started it alone: its sockets have SO_PASSCRED set before anything is sent. It
// answers with Event records on the control socket. Closing the control socket cancels the run, and so does a byte on it. The launcher
// closes its end once every process of the run is gone, init included.
//
// A plan that is held is applied like any other, but its command is executed only after kGo has come on the control socket, from the
// process that started the launcher (the socket has SO_PASSCRED set, too); its wall time begins then.
//
// A datagram of kind kPrepare holds only the first steps of a plan, with [control, slot 0, …]: they are applied ahead, and the
// sandbox waits. A whole plan sent on that control socket, with [stdin, stdout, stderr, slot 0, …], starts it, if it begins with
// the very same steps; otherwise that run is made from nothing.
// Both programs come from one build, so the layout has no compatibility rules but the version.
#pragma once

#include <stdint.h>

namespace wardenv::wire {

inline constexpr uint32_t kMagic = 0x564e4457;  // "WDNV"
inline constexpr uint32_t kVersion = 5;   // another with every change of this file
inline constexpr uint32_t kMaxPlanBytes = 192 * 1024;  // fits a datagram under the default net.core.wmem_max
inline constexpr uint32_t kMaxSteps = 256;
inline constexpr int kMaxSlots = 64;       // file descriptors that steps name
inline constexpr int kFixedFds = 4;        // control, stdin, stdout, stderr
inline constexpr char kGo = 'g';           // from the engine to the launcher, and from there to init

// What one step does. kClone, kMapIdsByParent and steps with kFlagByLauncher run in the launcher, all others in the sandbox's
// first process. `t`, `u`: texts; `a`, `b`: numbers; `s`: slot.
enum class Op : uint16_t {
  kOpenTree = 1,      // open_tree(2) of t (a path without symlinks) into slot s; attributes b (MOUNT_ATTR_*). a: the inode that it must have, on device c; 0: any. u: what else tells two apart, which with kFlagOwnerMapped begins with the owner, "uid gid "; empty: any
  kClone,             // clone3(2) with namespaces a; born in the cgroup v2 folder of slot s, if s >= 0
  kUnshare,           // unshare(2): namespaces a
  kMapIdsByParent,    // user_namespaces(7): inside id a is the host id that the launcher picks
  kJoinCgroup1,       // writes our own thread into the v1 `tasks` file of slot s
  kLoopbackUp,        // netdevice(7) SIOCSIFFLAGS on lo
  kListen,            // listens on TCP port a of 127.0.0.1 (backlog b); the socket goes to the launcher, and from it to the engine
  kHostname,          // sethostname(2) t
  kMapIdsBySelf,      // inside id a is our own id (b = uid, c = gid)
  kAwaitMaps,         // waits until the launcher has done kMapIdsByParent
  kBecomeUser,        // setresgid, setresuid to id a; setgroups(0) where kFlagDropGroups
  kDetach,            // new session, own keyring, umask, not dumpable
  kNewRoot,           // tmpfs of a bytes and b inodes, mounted over /; with kFlagFromTree slot s over that is the root
  kFolder,            // mkdir t and its parents in that tmpfs, mode a
  kSymlink,           // symlink t -> u in that tmpfs
  kFile,              // file t with content u (length b), mode a
  kAttach,            // move_mount(2) of slot s to t; mount point made as folder or file, where missing
  kRebind,            // t is bound over itself; attributes a are set; with kFlagOwnRoot t of the tmpfs is bound over t. b: the inode that it must have, on device c, where it is
                      // done ahead; 0: any. u: what else tells two apart
  kProc,              // a new procfs at t
  kPts,               // a new devpts at t
  kMask,              // t is covered by u, an empty read-only folder or file; after kPivot
  kNoNestedUserns,    // user.max_user_namespaces = 0 in our user namespace
  kPivot,             // pivot_root(2), the old root is detached
  kSealRoot,          // the new root's own files become read-only; t: those in t
  kTree,              // the launcher's own tmpfs, attached nowhere: steps with kFlagInTree are done in it, once for all runs that ask for the same
  kKeepTree,          // that tree becomes read-only and is kept
  kRlimit,            // setrlimit(2) resource a to b
  kAffinity,          // sched_setaffinity(2) to b of the CPUs of mask a
  kDropBounding,      // capabilities(7): the bounding set is emptied; what is held is kept
  kDropCapabilities,  // all five sets
  kNoNewPrivileges,   // prctl(2) PR_SET_NO_NEW_PRIVS
  kLandlockRuleset,   // landlock(7): handled file system a, network b, scopes c
  kLandlockAllow,     // rights a below t, a path in the new root
  kLandlockRestrict,
  kCloseDescriptors,  // stdio put in place, everything else closed
  kSeccomp,           // the plan's filter with a listener, which goes to the launcher
  kExec,              // the command, as a child of init
};

enum StepFlag : uint16_t {
  kFlagOptional = 1,      // ENOENT skips this step
  kFlagOwnerMapped = 2,   // kOpenTree as root: idmapped so that the owner of t is the sandbox's user
  kFlagDropGroups = 4,    // kBecomeUser: setgroups(2) is allowed and empties the list
  kFlagOwnRoot = 16,      // kAttach, kRebind: nothing on the way to t is anybody's but ours; kOpenTree in the sandbox: of t in the new root
  kFlagByLauncher = 32,   // kOpenTree as root: done by the launcher, before the clone or before a prepared sandbox goes on
  kFlagInTree = 64,       // done by the launcher in the tree of kTree: there, what is a new root's is the tree's
  kFlagFromTree = 128,    // kOpenTree: of t in that tree
  kFlagWritable = 8,      // kOpenTree, kRebind: not read-only (for the text only: attributes say it)
};

struct Step {
  Op op;
  uint16_t flags;
  int32_t slot;
  uint32_t text;   // offset of a NUL-terminated string, 0: none
  uint32_t text2;
  uint64_t a;
  uint64_t b;
  uint64_t c;
};

enum class Fault : uint32_t { kNone, kFail, kHang };  // for tests: can only make a run fail or stand still

enum class Kind : uint32_t { kRun, kPrepare };

struct PlanHeader {
  uint32_t magic;
  uint32_t version;
  uint32_t size;          // of the whole plan in bytes; its last byte is NUL
  uint32_t step_count;
  uint32_t steps;         // offset of Step[step_count]
  uint32_t argv_count;
  uint32_t argv;          // offset of uint32_t[argv_count], each the offset of a string
  uint32_t env_count;
  uint32_t env;
  uint32_t cwd;           // offset of a string
  uint32_t program;       // offset of a path: the file to execute instead of looking argv[0] up; 0: none
  uint32_t search_count;  // folders in which argv[0] without a slash is looked for
  uint32_t search;
  uint32_t filter_count;  // seccomp filter: struct sock_filter[filter_count]
  uint32_t filter;
  uint32_t last_syscall;  // numbers above are answered with ENOSYS, refused ones below with EPERM
  uint32_t watchdog;      // 1: the launcher holds memory_bytes by watching
  uint32_t held;          // not 0: init waits for kGo before it executes the command
  uint32_t uid_first;     // as root: the range of host ids
  uint32_t uid_count;
  uint64_t wall_time_ms;
  uint64_t memory_bytes;
  uint32_t fault_step;    // 1-based
  Fault fault;
  int32_t fault_errno;
  Kind kind;
  uint64_t program_device;      // what stat(2) must tell of `program`
  uint64_t program_inode;
  int64_t program_changed_s;
  int64_t program_changed_ns;
};

enum class EventKind : uint32_t {
  kFailed = 1,  // a step could not be done: step (1-based; 0: before the first) and sys_errno. Nothing of the command ran
  kExecFailed,   // the command could not be executed: sys_errno; `step` 1 where a file was found
  kDenied,       // one refused system call: number, count, args
  kEnded,        // the command ran and is over
  kListening,    // with the socket of kListen as a descriptor
};

enum class Cause : uint32_t {
  kOwn,
  kTimeout,
  kMemory,
  kCancelled,
  kUnwatched /* by us, as its limits could not be held: sys_errno */
};

// In a kDenied event: various numbers that do not exist; various arguments.
inline constexpr int32_t kNoSyscall = INT32_MIN;
inline constexpr uint64_t kOtherArgument = ~0ULL;

struct Event {
  EventKind kind;
  uint32_t step;
  int32_t sys_errno;
  int32_t pid;
  int32_t wait_status;      // of the command (wait(2)); only where have_status
  uint32_t have_status;
  Cause cause;              // who ended the run
  int32_t number;
  uint64_t count;
  uint64_t args[3];
  uint64_t cpu_user_us;
  uint64_t cpu_system_us;
  uint64_t max_rss_bytes;   // of the largest process
  uint64_t peak_memory_bytes;  // watchdog: highest sum seen
  uint32_t peak_processes;     // watchdog: highest count seen
  uint32_t prepared_steps;     // how many steps had been applied ahead
};

// Frames from the sandbox's init to the launcher.
enum class FrameKind : uint32_t { kFailed = 1, kListener, kExecFailed, kExited, kListening /* with the socket of kListen */ };
struct Frame {
  FrameKind kind;
  uint32_t step;
  int32_t value;   // errno or wait status
  uint32_t extra;  // kExecFailed: 1 where a file was found; kExited: 1 where no other process is left in the sandbox
  uint64_t cpu_user_us;    // kExited: of all processes
  uint64_t cpu_system_us;
  uint64_t max_rss_bytes;
};

// From the launcher to a prepared sandbox: this, then the bytes of the plan, with `count` descriptors; place 0 to 2: standard
// streams, 3 and up: slots.
struct Rest {
  int32_t count;
  int32_t place[kMaxSlots + 3];
};

}  // namespace wardenv::wire
