// SPDX-License-Identifier: Apache-2.0
// The contestants that are programs. Each is as strict as it can be asked to be without writing code for it; where
// a peer has to do less than wardenv does (fewer mounts, no limits by control groups), that is in the peer's favour.
#include "tools/bench/peers.h"

#include <unistd.h>

#include <memory>
#include <string_view>

#include "tools/bench/oci_bundle.h"

namespace wardenv::bench {
namespace {

struct Place {
  const Site& site;
  std::string program;
};

using Build = Command (*)(const Place&, const Payload&);

struct Peer {
  const char* name;
  const char* label;
  const char* program;                       // looked up in PATH; "" for plain exec
  const char* version;                       // shell words after the program that print its version
  Build build;                               // nullptr: crun, which wants a folder instead of options
  int stride;                                // slow ones take part less often, so that the whole stays short
  Parallel parallel;
};

void append(Strings& to, const Strings& more) { to.insert(to.end(), more.begin(), more.end()); }

Command confined(Strings argv, const Payload& payload) {
  Command command;
  command.argv = std::move(argv);
  append(command.argv, payload.argv);
  return command;
}

Command plain(const Place& place, const Payload& payload) {
  Command command = confined({}, payload);
  command.cwd = place.site.workspace();
  return command;
}

Command wardenv_run(const Place& place, const Payload& payload) {
  Strings argv = {place.program, "run", "--workspace", place.site.workspace()};
  if (payload.needs == Needs::kVenv) {
    append(argv, {"--venv", place.site.venv(), "--"});
  } else {
    append(argv, {"--no-venv", "--"});
  }
  return confined(argv, payload);
}

Strings bwrap_options(const Place& place) {
  const Site& site = place.site;
  return {place.program, "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup",
          "--uid", "1000", "--gid", "1000", "--hostname", "wardenv", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
          "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin",
          "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
          "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives",
          "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/home",
          "--bind", site.workspace(), site.workspace(), "--ro-bind", site.venv(), site.venv(), "--chdir", site.workspace()};
}

Command bwrap(const Place& place, const Payload& payload) { return confined(bwrap_options(place), payload); }

Command bwrap_filter(const Place& place, const Payload& payload) {
  Strings argv = bwrap_options(place);
  append(argv, {"--seccomp", std::to_string(kInputFd)});
  Command command = confined(argv, payload);
  command.input_file = place.site.filter();
  command.limits = {{RLIMIT_NOFILE, 1024}, {RLIMIT_CORE, 0},           {RLIMIT_FSIZE, 1UL << 30},
                    {RLIMIT_CPU, 60},      {RLIMIT_MEMLOCK, 64 << 10}, {RLIMIT_AS, 4UL << 30}};
  return command;
}

Command firejail(const Place& place, const Payload& payload) {
  Command command = confined({place.program, "--quiet", "--noprofile", "--deterministic-exit-code", "--net=none", "--ipc-namespace",
                              "--hostname=wardenv", "--private", "--private-dev", "--caps.drop=all", "--nonewprivs", "--seccomp",
                              "--read-only=/", "--whitelist=" + place.site.folder(), "--rlimit-nofile=1024", "--rlimit-fsize=1073741824",
                              "--"}, payload);
  command.cwd = place.site.workspace();
  return command;
}

Command nsjail(const Place& place, const Payload& payload) {
  const Site& site = place.site;
  return confined({place.program, "-Mo", "-Q", "--user", "1000", "--group", "1000", "--hostname", "wardenv", "-R", "/usr",
                   "-s", "usr/bin:/bin", "-s", "usr/sbin:/sbin", "-s", "usr/lib:/lib", "-s", "usr/lib64:/lib64",
                   "-R", "/etc/ld.so.cache", "-R", "/etc/alternatives", "-R", "/dev/null", "-R", "/dev/zero", "-R", "/dev/urandom",
                   "-T", "/tmp", "-T", "/home", "-B", site.workspace(), "-R", site.venv(), "--cwd", site.workspace(),
                   "--rlimit_as", "4096", "--rlimit_nofile", "1024", "--rlimit_fsize", "1024", "--"}, payload);
}

Command minijail(const Place& place, const Payload& payload) {
  const Site& site = place.site;
  const std::string bind = site.workspace() + "," + site.workspace() + ",1";
  return confined({place.program, "-U", "-m0 " + std::to_string(::geteuid()) + " 1", "-M0 " + std::to_string(::getegid()) + " 1", "-p", "-l",
                   "-e", "-N", "--uts=wardenv", "-v", "-n", "-c", "0", "-P", "/var/empty", "-b", "/usr", "-b", "/bin", "-b", "/lib",
                   "-b", "/lib64", "-b", "/dev/null", "-b", bind, "-b", site.venv(), "-t", "-r", "-R", "7,1024,1024", "--"},
                  payload);
}

// Names of containers must differ; `--root` keeps their state out of /run.
Runner prepare_crun(const Place& place, const Payload& payload) {
  auto bundle = make_oci_bundle(place.site, payload);
  if (!bundle) return [message = bundle.error().message] { return Sample{0, kCannotExec, message}; };
  Command command;
  command.argv = {place.program, "--root", place.site.folder() + "/crun", "--cgroup-manager=disabled", "run", "--bundle", *bundle, ""};
  command.stderr_path = payload.stderr_path;
  auto hidden = std::make_shared<UniqueFd>(namespace_without_cgroups());
  command.mount_namespace = hidden->get();
  return [command, hidden, count = 0, name = payload.name]() mutable {
    command.argv.back() = "bench-" + name + "-" + std::to_string(++count);
    return run_timed(command);
  };
}

Runner prepare(const Place& place, Build build, const Payload& payload) {
  if (build == nullptr) return prepare_crun(place, payload);
  Command command = build(place, payload);
  command.stderr_path = payload.stderr_path;
  return [command] { return run_timed(command); };
}

constexpr Peer kPeers[] = {
    {"exec", "plain exec", "", nullptr, plain, 1, Parallel::kNo},
    {"wardenv_run", "wardenv run", "wardenv", "version", wardenv_run, 1, Parallel::kYes},
    {"bwrap", "bwrap", "bwrap", "--version", bwrap, 1, Parallel::kNo},
    {kReference, "bwrap+filter+rlimits", "bwrap", "--version", bwrap_filter, 1, Parallel::kYes},
    {"firejail", "firejail", "firejail", "--version", firejail, 5, Parallel::kNo},
    {"crun", "crun (no filter, no cgroup)", "crun", "--version", nullptr, 1, Parallel::kNo},
    {"nsjail", "nsjail (no filter)", "nsjail", nullptr, nsjail, 1, Parallel::kNo},
    {"minijail", "minijail (no filter)", "minijail0", nullptr, minijail, 1, Parallel::kNo},
};

Contestant contestant(const Site& site, const Peer& peer, const std::string& wardenv) {
  const std::string_view program = peer.program;
  const Place place{site, program == "wardenv" ? wardenv : program.empty() ? "" : find_program(peer.program)};
  Contestant result{.name = peer.name, .label = peer.label, .stride = peer.stride, .parallel = peer.parallel};
  result.prepare = [place, build = peer.build](const Payload& payload) { return prepare(place, build, payload); };
  if (!program.empty() && place.program.empty()) result.absent = "not installed";
  if (peer.version != nullptr && result.absent.empty()) {
    result.version = first_line_of("'" + place.program + "' " + peer.version + " 2>&1");
  }
  return result;
}

}  // namespace

std::vector<Contestant> program_contestants(const Site& site, const std::string& wardenv) {
  std::vector<Contestant> result;
  for (const Peer& peer : kPeers) result.push_back(contestant(site, peer, wardenv));
  return result;
}

}  // namespace wardenv::bench
