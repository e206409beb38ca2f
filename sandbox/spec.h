// SPDX-License-Identifier: Apache-2.0
// SandboxSpec: what is asked of a sandbox. Plain data; compile() turns it into a LaunchPlan.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wardenv::sandbox {

enum class Writable { kNo, kYes };

// A folder or file of the host that the sandbox sees, at `target` (absolute, normalised; mostly equal to `source`).
// Everything below it comes along, read-only unless asked otherwise, never set-uid, never with device nodes.
struct Mount {
  std::string source{};             // absolute path without symbolic links: one found on the way is an error
  std::string target{};             // absolute path inside
  Writable writable = Writable::kNo;
  bool optional = false;          // a source that does not exist is skipped (no other error is)
  bool stable = false;            // part of the host's system, the same for every run: may be attached ahead of the run
  bool owner_mapped = false;      // as root: the owner of `source` is seen as the sandbox's user (idmapped mount)
  bool kept = false;              // what it shows is in SandboxSpec::kept, too
  bool operator==(const Mount&) const = default;
};

// A symbolic link that is made inside, where its folder is one of the sandbox's own.
struct Symlink {
  std::string path{};
  std::string target{};
  bool stable = false;            // as Mount::stable
  bool operator==(const Symlink&) const = default;
};

// A small file made inside, read-only to the command.
struct SyntheticFile {
  std::string path{};
  std::string content{};
  bool operator==(const SyntheticFile&) const = default;
};

struct FolderId {
  std::uint64_t device = 0;       // stat(2)
  std::uint64_t inode = 0;
  bool operator==(const FolderId&) const = default;
};

// A folder of the host that holds, in `dev`, `etc` and `var`, what a sandbox has in those of its own: shown there, read-only, it saves making all
// that. It is whoever names it who answers for its content: the stable symbolic links and the files of /etc that the spec has, the mounts that are
// marked as kept, and a folder for each that is not.
struct KeptView {
  std::string path{};             // absolute, without symbolic links
  FolderId dev{};                 // what is found there must be these very folders; all zeros: this one is not used
  FolderId etc{};
  FolderId var{};
  bool has_devices = false;       // `dev` holds device nodes; otherwise empty files, for the host's to be mounted on
  bool operator==(const KeptView&) const = default;
};

enum class Network {
  kNone,    // a private network namespace with loopback and nothing else
  kEgress,  // the same, and on its loopback a proxy of the engine that reaches what the rules allow
  kHost,    // LOUD WEAKENING: the host's network
};

// kOwnNamespace: clocks that count from the boot begin at the host's values, and no change that is made to them in other namespaces is seen.
enum class Clock { kHost, kOwnNamespace };

// Every default is the most restrictive value that still runs real Python work.
struct Limits {
  std::chrono::milliseconds wall_time{30'000};    // the whole tree is killed when it passes
  std::uint64_t memory_bytes = 512ULL << 20;      // RAM + swap of the whole tree
  std::uint32_t processes = 64;                   // processes and threads of the whole tree
  double cpus = 1.0;                              // CPU bandwidth in cores
  std::chrono::seconds cpu_time{0};               // per process, RLIMIT_CPU; 0: wall time x cores bounds it
  std::uint64_t open_files = 1024;                // per process, RLIMIT_NOFILE
  std::uint64_t file_size_bytes = 4ULL << 30;     // largest file one process can write, RLIMIT_FSIZE
  std::uint64_t tmp_bytes = 64ULL << 20;          // /tmp, /dev/shm and HOME together
  std::uint64_t tmp_inodes = 16'384;              // files and folders in those, together
  bool operator==(const Limits&) const = default;
};

// Limits that may be weaker than asked. Every one named here must have been named by the user. The number of processes is held everywhere.
struct Degradable {
  bool memory = false;   // swap may go uncounted
  bool cpu = false;      // a whole CPU where less was asked
  bool operator==(const Degradable&) const = default;
};

// Walls that a test can take away to show that the others hold alone. Not reachable from the command line.
struct Walls {
  bool seccomp = true;
  bool landlock = true;
  bool operator==(const Walls&) const = default;
};

// A file that was looked up before: what is executed is this very file, or nothing.
struct Program {
  std::string path{};               // absolute, the same inside as outside, without symbolic links
  std::uint64_t device = 0;         // stat(2)
  std::uint64_t inode = 0;
  std::int64_t changed_s = 0;       // st_ctim: also a change of its content or mode makes it another file
  std::int64_t changed_ns = 0;
  bool operator==(const Program&) const = default;
};

struct SandboxSpec {
  std::vector<std::string> argv{};         // argv[0] without a slash is looked up in PATH of `env`, inside
  std::optional<Program> program;          // what is executed instead; argv[0] is then only what the program is told
  std::vector<std::string> env{};          // "NAME=VALUE"; complete, nothing is inherited
  std::string cwd = "/";                 // absolute path inside
  std::string hostname = "wardenv";
  std::string home = "/home/wardenv";    // private tmpfs
  std::vector<Mount> mounts{};
  std::vector<std::string> read_only_again{};  // existing paths inside a writable mount that become read-only in place
  std::vector<Symlink> symlinks{};
  std::vector<SyntheticFile> files{};
  std::optional<KeptView> kept{};        // used for those of its places where nothing of the single run is
  Network network = Network::kNone;
  std::uint16_t listen_port = 0;         // with kEgress: the port on 127.0.0.1 that the engine's proxy is given inside
  Clock clock = Clock::kHost;
  Limits limits;
  Degradable degradable;
  bool require_cgroup = false;           // memory, processes and CPU must be held by control groups
  Walls walls;
  bool operator==(const SandboxSpec&) const = default;
};

}  // namespace wardenv::sandbox
