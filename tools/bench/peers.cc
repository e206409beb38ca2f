// SPDX-License-Identifier: Apache-2.0
// The contestants that are programs. Each is as strict as it can be asked to be without writing code for it; where
// a peer has to do less than wardenv does (fewer mounts, no control groups), that is in the peer's favour.
#include "tools/bench/peers.h"

#include <unistd.h>

#include <memory>
#include <sstream>
#include <string_view>

#include "tools/bench/oci_bundle.h"

namespace wardenv::bench {
namespace {

enum class Extra { kNone, kFilterAndLimits };

// Options are words, with @workspace, @venv and @site for folders, and @choose-venv for how wardenv is told
// of the virtual environment.
struct Peer {
  const char* name;
  const char* label;
  const char* program;  // looked up in PATH; "" for plain exec
  const char* version;  // the option that prints it
  const char* options;  // nullptr: crun, which wants a folder instead
  int stride;           // slow ones take part less often, so that the whole stays short
  Parallel parallel;
  Extra extra = Extra::kNone;
};

constexpr const char* kBwrap =
    "--unshare-user --unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup --uid 1000 --gid 1000 "
    "--hostname wardenv --die-with-parent --new-session --cap-drop ALL --ro-bind /usr /usr --symlink usr/bin /bin "
    "--symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --ro-bind-try /etc/ld.so.cache "
    "/etc/ld.so.cache --ro-bind-try /etc/alternatives /etc/alternatives --proc /proc --dev /dev --tmpfs /tmp "
    "--tmpfs /home --bind @workspace @workspace --ro-bind @venv @venv --chdir @workspace";

constexpr const char* kFirejail =
    "--quiet --noprofile --deterministic-exit-code --net=none --ipc-namespace --hostname=wardenv --private "
    "--private-dev --caps.drop=all --nonewprivs --seccomp --read-only=/ --whitelist=@site --rlimit-nofile=1024 "
    "--rlimit-fsize=1073741824 --";

constexpr const char* kNsjail =
    "-Mo -Q --user 1000 --group 1000 --hostname wardenv -R /usr -s usr/bin:/bin -s usr/sbin:/sbin -s usr/lib:/lib "
    "-s usr/lib64:/lib64 -R /etc/ld.so.cache -R /etc/alternatives -B /dev/null -R /dev/zero -R /dev/urandom -T /tmp "
    "-T /home -B @workspace -R @venv --cwd @workspace --rlimit_as 4096 --rlimit_nofile 1024 --rlimit_fsize 1024 --";

constexpr const char* kMinijail =
    "-U -m -M -p -l -e -N --uts=wardenv -v -n -c 0 -r -P @site/root -b /usr -b /etc/ld.so.cache -b /etc/alternatives "
    "-k tmpfs,/tmp,tmpfs,0xe -k tmpfs,/home,tmpfs,0xe -b /dev/null -b /dev/zero -b /dev/urandom "
    "-b @workspace,@workspace,1 -b @venv -R 7,1024,1024 --";

constexpr Peer kPeers[] = {
    {kPlainExec, "plain exec", "", nullptr, "", 1, Parallel::kNo},
    {"wardenv_run", "wardenv run", "wardenv", "version", "run --workspace @workspace @choose-venv --", 1,
     Parallel::kYes},
    {"bwrap", "bwrap", "bwrap", "--version", kBwrap, 1, Parallel::kNo},
    {kReference, "bwrap+filter+rlimits", "bwrap", "--version", kBwrap, 1, Parallel::kYes, Extra::kFilterAndLimits},
    {"firejail", "firejail", "firejail", "--version", kFirejail, 5, Parallel::kNo},
    {"crun", "crun (no filter, no cgroup)", "crun", "--version", nullptr, 1, Parallel::kNo},
    {"nsjail", "nsjail (no filter)", "nsjail", nullptr, kNsjail, 1, Parallel::kNo},
    {"minijail", "minijail (no filter)", "minijail0", nullptr, kMinijail, 1, Parallel::kNo},
};

struct Place {
  const Site& site;
  std::string program;
};

void replace_all(std::string& text, std::string_view name, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size()) {
    text.replace(at, name.size(), value);
  }
}

void append_words(Strings& argv, const char* options, const Site& site, const Payload& payload) {
  std::istringstream words(options);
  for (std::string word; words >> word;) {
    if (word == "@choose-venv") {
      if (payload.needs == Needs::kVenv) argv.push_back("--venv");
      word = payload.needs == Needs::kVenv ? "@venv" : "--no-venv";
    }
    replace_all(word, "@workspace", site.workspace());
    replace_all(word, "@venv", site.venv());
    replace_all(word, "@site", site.folder());
    argv.push_back(word);
  }
}

void add_filter_and_limits(Command& command, const Site& site) {
  command.argv.insert(command.argv.end(), {"--seccomp", std::to_string(kInputFd)});
  command.input_file = site.filter();
  command.limits = {{RLIMIT_NOFILE, 1024}, {RLIMIT_CORE, 0},           {RLIMIT_FSIZE, 1UL << 30},
                    {RLIMIT_CPU, 60},      {RLIMIT_MEMLOCK, 64 << 10}, {RLIMIT_AS, 4UL << 30}};
}

Command command_for(const Peer& peer, const Place& place, const Payload& payload) {
  Command command{.cwd = place.site.workspace(), .stderr_path = payload.stderr_path};
  if (!place.program.empty()) command.argv.push_back(place.program);
  append_words(command.argv, peer.options, place.site, payload);
  if (peer.extra == Extra::kFilterAndLimits) add_filter_and_limits(command, place.site);
  command.argv.insert(command.argv.end(), payload.argv.begin(), payload.argv.end());
  return command;
}

// Names of containers must differ; `--root` keeps their state out of /run.
Runner prepare_crun(const Place& place, const Payload& payload) {
  auto bundle = make_oci_bundle(place.site, payload);
  if (!bundle) return [message = bundle.error().message] { return Sample{0, kCannotExec, message}; };
  Command command{.stderr_path = payload.stderr_path};
  command.argv = {place.program, "--root", place.site.folder() + "/crun", "--cgroup-manager=disabled", "run"};
  command.argv.insert(command.argv.end(), {"--bundle", *bundle, "name"});
  auto hidden = std::make_shared<UniqueFd>(namespace_without_cgroups());
  command.mount_namespace = hidden->get();
  return [command, hidden, count = 0, name = payload.name]() mutable {
    command.argv.back() = "bench-" + name + "-" + std::to_string(++count);
    return run_timed(command);
  };
}

Runner prepare(const Peer& peer, const Place& place, const Payload& payload) {
  if (peer.options == nullptr) return prepare_crun(place, payload);
  return [command = command_for(peer, place, payload)] { return run_timed(command); };
}

std::string program_of(const Peer& peer, const std::string& wardenv) {
  const std::string name = peer.program;
  return name == "wardenv" ? wardenv : name.empty() ? "" : find_program(name);
}

Contestant contestant(const Site& site, const Peer& peer, const std::string& wardenv) {
  const Place place{site, program_of(peer, wardenv)};
  Contestant result{.name = peer.name, .label = peer.label, .stride = peer.stride, .parallel = peer.parallel};
  result.prepare = [&peer, place](const Payload& payload) { return prepare(peer, place, payload); };
  if (*peer.program != '\0' && place.program.empty()) result.absent = "not installed";
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
