// SPDX-License-Identifier: Apache-2.0
// What every sandbox sees of the system: nothing writable, nothing that may hold a secret.
#include "engine/system_view.h"

#include "engine/paths.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

std::string content_of(const SystemView& view, const std::string& path) {
  auto file = std::find_if(view.files.begin(), view.files.end(),
                           [&](const sandbox::SyntheticFile& f) { return f.path == path; });
  return file == view.files.end() ? "" : file->content;
}

}  // namespace

TEST_CASE("the system is seen at its own places, read-only") {
  const SystemView view = system_view("h", "/home/x");
  CHECK(has_mount(view.mounts, "/usr"));
  for (const sandbox::Mount& mount : view.mounts) {
    INFO(mount.source);
    CHECK(mount.source == mount.target);
    CHECK(mount.writable == sandbox::Writable::kNo);
    CHECK_FALSE(mount.owner_mapped);
    CHECK((mount.source == "/usr" || mount.optional));
    CHECK(resolve_path(mount.source)->real == mount.source);
  }
}

TEST_CASE("folders at the top come along as what they are on this host") {
  const SystemView view = system_view("h", "/home/x");
  for (const char* name : {"/bin", "/sbin", "/lib", "/lib64"}) {
    INFO(name);
    if (std::filesystem::is_symlink(name)) {
      CHECK(has_link(view.symlinks, name, std::filesystem::read_symlink(name).string()));
      CHECK_FALSE(has_mount(view.mounts, name));
    } else {
      CHECK(has_mount(view.mounts, name) == exists(name));
    }
  }
}

TEST_CASE("of /etc only what is named, and never what is secret") {
  const SystemView view = system_view("h", "/home/x");
  for (const sandbox::Mount& mount : view.mounts) {
    INFO(mount.source);
    for (const char* secret : {"/etc/shadow", "/etc/gshadow", "/etc/ssl/private", "/etc/ssh", "/etc/sudoers", "/root",
                               "/home", "/var", "/run", "/proc"}) {
      CHECK_FALSE(is_beneath(secret, mount.target));
      CHECK_FALSE(is_beneath(mount.target, secret));
    }
    struct stat status {};
    REQUIRE(::stat(mount.source.c_str(), &status) == 0);
    CHECK((status.st_mode & 0004) != 0);
  }
}

TEST_CASE("files of our own name nobody of the host") {
  const SystemView view = system_view("box", "/home/x");
  CHECK(content_of(view, "/etc/hostname") == "box\n");
  CHECK(contains(content_of(view, "/etc/hosts"), "127.0.0.1 localhost box\n"));
  CHECK(contains(content_of(view, "/etc/passwd"), ":1000:1000:wardenv:/home/x:/bin/sh\n"));
  CHECK(contains(content_of(view, "/etc/nsswitch.conf"), "hosts: files"));
  for (const sandbox::SyntheticFile& file : view.files) {
    INFO(file.path);
    CHECK(is_beneath(file.path, "/etc"));
    CHECK(file.content.ends_with('\n'));
    CHECK(std::count_if(view.files.begin(), view.files.end(),
                        [&](const sandbox::SyntheticFile& f) { return f.path == file.path; }) == 1);
    CHECK_FALSE(has_mount(view.mounts, file.path));
  }
  CHECK_FALSE(contains(content_of(view, "/etc/resolv.conf"), "nameserver "));
}
