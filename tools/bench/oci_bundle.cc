// SPDX-License-Identifier: Apache-2.0
// An OCI bundle for crun: a folder with config.json.
#include "tools/bench/oci_bundle.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace wardenv::bench {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

Json folder_mount(const std::string& path, const char* access) {
  return {{"destination", path}, {"source", path}, {"type", "bind"}, {"options", {"rbind", "nosuid", "nodev", access}}};
}

Json file_system(const char* type, const char* target, Json options) {
  return {{"destination", target}, {"source", type}, {"type", type}, {"options", std::move(options)}};
}

Json mounts(const Site& site) {
  return Json::array({folder_mount("/usr", "ro"), folder_mount("/etc/ld.so.cache", "ro"),
                      folder_mount("/etc/alternatives", "ro"),
                      file_system("proc", "/proc", {"nosuid", "nodev", "noexec"}),
                      file_system("tmpfs", "/dev", {"nosuid", "mode=755", "size=65536k"}),
                      file_system("tmpfs", "/dev/shm", {"nosuid", "nodev", "mode=1777", "size=65536k"}),
                      file_system("tmpfs", "/tmp", {"nosuid", "nodev", "mode=1777", "size=65536k"}),
                      file_system("tmpfs", "/home", {"nosuid", "nodev", "mode=755", "size=65536k"}),
                      folder_mount(site.workspace(), "rw"), folder_mount(site.venv(), "ro")});
}

Json limit(const char* type, long long value) { return {{"type", type}, {"hard", value}, {"soft", value}}; }

Json process(const Site& site, const Payload& payload) {
  return {{"terminal", false},
          {"user", {{"uid", 1000}, {"gid", 1000}}},
          {"args", payload.argv},
          {"env", {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home", "LANG=C.UTF-8"}},
          {"cwd", site.workspace()},
          {"capabilities", Json::object()},
          {"noNewPrivileges", true},
          {"rlimits", {limit("RLIMIT_NOFILE", 1024), limit("RLIMIT_CORE", 0), limit("RLIMIT_FSIZE", 1LL << 30)}}};
}

// As root a range of unprivileged ids; as an ordinary user our own id and nothing else.
Json id_map(id_t own) {
  if (::geteuid() == 0) return Json::array({{{"containerID", 0}, {"hostID", 1'879'048'192}, {"size", 65536}}});
  return Json::array({{{"containerID", 1000}, {"hostID", own}, {"size", 1}}});
}

Json linux_part() {
  Json namespaces = Json::array();
  for (const char* name : {"user", "mount", "pid", "network", "ipc", "uts", "cgroup"})
    namespaces.push_back({{"type", name}});
  return {{"namespaces", namespaces}, {"uidMappings", id_map(::geteuid())}, {"gidMappings", id_map(::getegid())}};
}

[[noreturn]] void hide_cgroups(int ready) {
  if (::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
      ::mount("none", "/sys/fs/cgroup", "tmpfs", 0, nullptr) == 0 && ::write(ready, "+", 1) == 1) {
    ::pause();
  }
  ::_exit(1);
}

}  // namespace

Result<std::string> make_oci_bundle(const Site& site, const Payload& payload) {
  const std::string folder = site.folder() + "/oci-" + payload.name;
  const Json config = {{"ociVersion", "1.0.0"},
                       {"root", {{"path", site.root()}, {"readonly", true}}},
                       {"mounts", mounts(site)},
                       {"hostname", "wardenv"},
                       {"process", process(site, payload)},
                       {"linux", linux_part()}};
  std::error_code failed;
  fs::create_directory(folder, failed);
  std::ofstream file(folder + "/config.json");
  file << config.dump(1);
  if (!file.flush()) return fail_errno(ErrorCode::kHost, "cannot write an OCI bundle");
  return folder;
}

UniqueFd namespace_without_cgroups() {
  UniqueFd result;
  int ends[2];
  if (::access("/sys/fs/cgroup/unified", F_OK) != 0 || ::pipe2(ends, O_CLOEXEC) < 0) return result;
  const UniqueFd ready(ends[0]);
  UniqueFd tell(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return result;
  if (child == 0) hide_cgroups(tell.get());
  tell.reset();
  char byte = 0;
  if (::read(ready.get(), &byte, 1) == 1) {
    result.reset(::open(("/proc/" + std::to_string(child) + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return result;
}

}  // namespace wardenv::bench
