// SPDX-License-Identifier: Apache-2.0
// What of the host's system files every sandbox sees. Each mount costs microseconds at every start, so they are few.
#include "engine/system_view.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "engine/paths.h"

namespace wardenv::engine {
namespace {

constexpr std::array kTopFolders = {"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"};

// World-readable configuration that programs and interpreters look for. Nothing that holds a secret on any system.
constexpr std::array kEtc = {"/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/mime.types",
                             "/etc/services", "/etc/protocols", "/etc/localtime", "/etc/os-release", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted"};

void add(SystemView& view, const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) < 0) return;
  if (!S_ISLNK(status.st_mode)) {
    const bool readable = (status.st_mode & (S_ISDIR(status.st_mode) ? 0005 : 0004)) != 0;
    const bool kept = is_beneath(path, "/etc") && S_ISREG(status.st_mode);
    if (!readable) return;
    view.mounts.push_back({.source = path, .target = path, .optional = true, .stable = true, .kept = kept});
    view.looks.push_back(status);
    return;
  }
  char target[PATH_MAX];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  if (length > 0) view.symlinks.push_back({path, std::string(target, static_cast<std::size_t>(length)), true});
}

}  // namespace

SystemView system_view(const std::string& hostname, const std::string& home) {
  SystemView view;
  view.mounts.push_back({.source = "/usr", .target = "/usr", .stable = true});
  view.looks.push_back({});
  for (const char* path : kTopFolders) add(view, path);
  for (const char* path : kEtc) add(view, path);
  view.files = {{"/etc/passwd", "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nwardenv:x:1000:1000:wardenv:" + home +
                                    ":/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
                {"/etc/group", "root:x:0:\nwardenv:x:1000:\nnogroup:x:65534:\n"},
                {"/etc/hosts", "127.0.0.1 localhost " + hostname + "\n::1 localhost ip6-localhost ip6-loopback\n"},
                {"/etc/hostname", hostname + "\n"},
                {"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"},
                {"/etc/resolv.conf", "# no name server: this network has nothing but loopback\n"},
                {"/etc/shells", "/bin/sh\n/bin/bash\n"}};
  return view;
}

SystemView system_view() {
  const sandbox::SandboxSpec usual;
  return system_view(usual.hostname, usual.home);
}

}  // namespace wardenv::engine
