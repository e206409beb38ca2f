// SPDX-License-Identifier: Apache-2.0
// Kept views: what is in them, when there is another, and that whatever is not as it has to be means that there is none.
#include "engine/kept_view.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>

#include <functional>
#include <set>
#include <thread>

#include "engine/kept_name.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;
namespace fs = std::filesystem;

namespace {

// A host of our own: a file, a folder that is mounted, and a link.
class Host {
 public:
  Host() {
    folder_.file("services", "http 80/tcp\n");
    folder_.file("certs/ca.pem", "a certificate\n");
    ::mkdir(views().c_str(), 0700);
  }

  [[nodiscard]] std::string at(const std::string& name) const { return folder_.at(name); }
  [[nodiscard]] std::string views() const { return folder_.at("views"); }
  [[nodiscard]] const Folder& folder() const { return folder_; }

  [[nodiscard]] SystemView system() const {
    SystemView view;
    const auto add = [&](const std::string& name, bool kept) {
      view.mounts.push_back({.source = at(name), .target = "/etc/" + name, .optional = true, .stable = true, .kept = kept});
      view.looks.push_back(look(at(name)));
    };
    view.mounts.push_back({.source = "/usr", .target = "/usr", .stable = true});
    view.looks.push_back({});
    add("services", true);
    add("certs", false);
    view.symlinks = {{"/bin", "usr/bin", true}, {"/etc/localtime", "/usr/share/zoneinfo/" + zone, true}};
    view.files = {{"/etc/passwd", "root:x:0:0\n"}, {"/etc/hosts", "127.0.0.1 localhost\n"}};
    return view;
  }

  void keep() const { keep_view(views(), system()); }
  [[nodiscard]] auto find() const { return find_kept_view(views(), system()); }
  [[nodiscard]] std::string place() const { return views() + "/" + kept_name(system()); }

  [[nodiscard]] std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(views())) names.push_back(entry.path().filename());
    return names;
  }

  std::string zone = "UTC";

 private:
  static struct stat look(const std::string& path) {
    struct stat status {};
    (void)!::lstat(path.c_str(), &status);
    return status;
  }

  Folder folder_;
};

void make_old(const std::string& path, int hours) {
  const timespec times[] = {{::time(nullptr) - hours * 3600, 0}, {::time(nullptr) - hours * 3600, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
}

}  // namespace

TEST_CASE("a view is made once, complete, and found by who sees the same system") {
  const Host host;
  CHECK_FALSE(host.find());
  CHECK(host.entries().empty());
  host.keep();
  const auto held = host.find();
  REQUIRE(held);
  CHECK(held->place.path == host.place());
  CHECK(host.entries().size() == 1);
  const std::string etc = held->place.path + "/etc";
  CHECK(text_of(etc + "/services") == "http 80/tcp\n");
  CHECK(text_of(etc + "/passwd") == "root:x:0:0\n");
  CHECK(fs::read_symlink(etc + "/localtime") == "/usr/share/zoneinfo/UTC");
  CHECK(fs::is_directory(etc + "/certs"));
  CHECK(fs::is_empty(etc + "/certs"));
  CHECK_FALSE(fs::exists(held->place.path + "/bin"));
  CHECK(mode_of(etc + "/services") == 0444);
  CHECK(mode_of(etc) == 0755);
  CHECK(mode_of(held->place.path) == 0700);
  CHECK(fs::is_empty(held->place.path + "/var/empty"));
  CHECK(fs::file_size(held->place.path + "/var/none") == 0);
  CHECK(fs::read_symlink(held->place.path + "/dev/fd") == "/proc/self/fd");
  struct stat status {};
  for (const char* device : {"null", "zero", "full", "random", "urandom", "tty"}) {
    REQUIRE(::lstat((held->place.path + "/dev/" + device).c_str(), &status) == 0);
    CHECK((held->place.has_devices ? S_ISCHR(status.st_mode) : S_ISREG(status.st_mode)));
  }
}

TEST_CASE("modes are what they are under any umask") {
  const Host host;
  const mode_t before = ::umask(0777);
  host.keep();
  ::umask(before);
  REQUIRE(host.find());
  CHECK(mode_of(host.place() + "/etc/services") == 0444);
  CHECK(mode_of(host.place() + "/etc/certs") == 0755);
}

TEST_CASE("whatever changes on the host gives another view") {
  Host host;
  host.keep();
  REQUIRE(host.find());
  std::set<std::string> names{kept_name(host.system())};
  const auto is_another = [&](const char* what) {
    INFO(what);
    CHECK(names.insert(kept_name(host.system())).second);
    CHECK_FALSE(host.find());
  };
  host.folder().file("services", "http 80/tcp\nx 1\n");
  is_another("content");
  host.keep();
  REQUIRE(host.find());
  CHECK(text_of(host.place() + "/etc/services") == "http 80/tcp\nx 1\n");
  host.folder().file("other", "http 80/tcp\nx 1\n");
  fs::rename(host.at("other"), host.at("services"));
  is_another("another file of the same content");
  ::chmod(host.at("services").c_str(), 0640);
  is_another("mode");
  host.zone = "Europe/Paris";
  is_another("where a link leads");
  fs::remove(host.at("services"));
  is_another("gone");
}

TEST_CASE("what others could have written is not used") {
  const Host host;
  host.keep();
  REQUIRE(host.find());
  for (const char* part : {"", "/dev", "/etc", "/var"}) {
    INFO(part);
    const std::string path = host.place() + part;
    const mode_t mode = mode_of(path);
    for (const mode_t more : {0020U, 0002U}) {
      ::chmod(path.c_str(), mode | more);
      CHECK_FALSE(host.find());
    }
    ::chmod(path.c_str(), mode);
    REQUIRE(host.find());
    if (::geteuid() != 0) continue;
    REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
    CHECK_FALSE(host.find());
    REQUIRE(::chown(path.c_str(), 0, 0) == 0);
    REQUIRE(host.find());
  }
  CHECK_FALSE(find_kept_view("", host.system()));
}

TEST_CASE("a link in the place of a view, or of a part of it, is not followed") {
  const Host host;
  host.keep();
  for (const char* part : {"", "/dev", "/etc", "/var"}) {
    REQUIRE(host.find());
    const std::string path = host.place() + part;
    fs::rename(path, host.at("moved"));
    CHECK_FALSE(host.find());
    fs::create_directory_symlink(host.at("moved"), path);
    CHECK_FALSE(host.find());
    fs::remove(path);
    fs::rename(host.at("moved"), path);
  }
  CHECK(host.find());
}

TEST_CASE("a system that changed since it was looked at is not kept") {
  const Host host;
  const SystemView before = host.system();
  host.folder().file("services", "others\n");
  keep_view(host.views(), before);
  CHECK(host.entries().empty());
  host.keep();
  CHECK(host.find());
}

TEST_CASE("what is no plain file is not kept") {
  const Host host;
  const auto is_marked = [&] {   // so that it is not tried again and again
    return host.entries() == std::vector<std::string>{kept_name(host.system())} && fs::is_regular_file(host.place());
  };
  fs::remove(host.at("services"));
  REQUIRE(::mkfifo(host.at("services").c_str(), 0644) == 0);
  host.keep();
  CHECK(is_marked());
  fs::remove(host.at("services"));
  host.folder().file("services", "http 80/tcp\n");
  host.keep();
  CHECK(host.find());
}

TEST_CASE("a view that something was taken from or added to is not used, and made anew where it is old") {
  const Host host;
  const auto spoil = [&](const std::function<void(const std::string&)>& act) {
    fs::remove_all(host.place());
    host.keep();
    REQUIRE(host.find());
    act(host.place());
    CHECK_FALSE(host.find());
  };
  spoil([](const std::string& view) { fs::remove(view + "/etc/hosts"); });
  spoil([](const std::string& view) { fs::remove(view + "/dev/zero"); });
  spoil([](const std::string& view) { fs::remove(view + "/var/none"); });
  spoil([](const std::string& view) { std::ofstream(view + "/etc/ld.so.preload") << "x"; });
  spoil([](const std::string& view) { make_old(view, 25); });
  spoil([](const std::string& view) { make_old(view, -25); });
  host.keep();
  CHECK(host.find());
  set_kept_view_aside(host.views(), host.system());
  make_old(host.place(), 25);
  host.keep();
  CHECK(host.find());
}

TEST_CASE("where nothing more can be written, nothing is left") {
  const Host host;
  host.folder().file("services", std::string(100'000, 'x'));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{50'000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  host.keep();
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, ignored);
  CHECK(host.entries().empty());
  host.keep();
  CHECK(host.find());
}

TEST_CASE("where nothing can be written at all, nothing happens") {
  const OrdinaryUser user;
  const Host host;
  ::chmod(host.views().c_str(), 0500);
  host.keep();
  CHECK_FALSE(host.find());
  keep_view(host.at("absent"), host.system());
  CHECK_FALSE(fs::exists(host.at("absent")));
}

TEST_CASE("those who make the same view at once make one") {
  const Host host;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) threads.emplace_back([&] { host.keep(); });
  for (std::thread& thread : threads) thread.join();
  CHECK(host.entries() == std::vector<std::string>{kept_name(host.system())});
  CHECK(host.find());
}

TEST_CASE("parts of a view that was never ready are swept by the next, unless somebody is at it") {
  const Host host;
  fs::create_directories(host.views() + "/.new-dead/etc");
  fs::create_directories(host.views() + "/.old-dead/var/empty");
  fs::create_directories(host.views() + "/.new-alive/etc");
  const UniqueFd alive(::open((host.views() + "/.new-alive").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(alive.get(), LOCK_EX) == 0);
  host.keep();
  CHECK(host.find());
  CHECK(fs::exists(host.views() + "/.new-alive/etc"));
  CHECK(host.entries().size() == 2);
}

TEST_CASE("old views are removed, but none that a run holds; and no more are made than can be kept") {
  const Host host;
  for (std::size_t i = 0; i < kMostKeptViews; ++i) {
    const std::string view = host.views() + "/view" + std::to_string(i);
    fs::create_directories(view + "/etc");
    make_old(view, static_cast<int>(10 + i));
  }
  const std::string oldest = host.views() + "/view" + std::to_string(kMostKeptViews - 1);
  {
    const UniqueFd held(::open(oldest.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(::flock(held.get(), LOCK_SH) == 0);
    host.keep();
    CHECK(fs::exists(oldest + "/etc"));
  }
  REQUIRE(host.find());
  fs::remove_all(host.place());
  host.keep();
  CHECK_FALSE(fs::exists(oldest));
  CHECK(host.entries().size() == kMostKeptViews);
  REQUIRE(host.find());
  fs::remove_all(host.place());
  fs::create_directories(host.views() + "/another");
  for (const std::string& name : host.entries()) make_old(host.views() + "/" + name, 0);
  host.keep();
  CHECK_FALSE(host.find());   // all are young
}

TEST_CASE("a view that is held is not removed, and one that is being removed is not found") {
  const Host host;
  host.keep();
  const UniqueFd remover(::open(host.place().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(remover.get(), LOCK_EX) == 0);
  CHECK_FALSE(host.find());
  REQUIRE(::flock(remover.get(), LOCK_UN) == 0);
  const auto held = host.find();
  REQUIRE(held);
  CHECK(::flock(remover.get(), LOCK_EX | LOCK_NB) < 0);
}

TEST_CASE("a view that was set aside is not used or made again for a day") {
  const Host host;
  host.keep();
  REQUIRE(host.find());
  set_kept_view_aside(host.views(), host.system());
  CHECK_FALSE(host.find());
  host.keep();
  CHECK_FALSE(host.find());
  host.folder().file("services", "others\n");
  host.keep();
  CHECK(host.find());
  CHECK(host.entries().size() == 2);   // a mark, and the new one
}

TEST_CASE("a view is set aside also where an earlier one of its name is still held") {
  const Host host;
  for (int i = 0; i < 2; ++i) {
    host.keep();
    const auto held = host.find();
    REQUIRE(held);
    set_kept_view_aside(host.views(), host.system());
    CHECK_FALSE(host.find());
    CHECK(fs::exists(fs::path("/proc/self/fd") / std::to_string(held->lock.get()) / "dev"));   // for the run that has it
    make_old(host.place(), 25);
    host.keep();
    const auto next = host.find();
    REQUIRE(next);
    set_kept_view_aside(host.views(), host.system());
    CHECK_FALSE(host.find());
    make_old(host.place(), 25);
  }
}

TEST_CASE("the system of this host can be kept") {
  const Folder folder;
  const SystemView system = system_view();
  keep_view(folder.path(), system);
  REQUIRE(find_kept_view(folder.path(), system));
  for (const sandbox::Mount& mount : system.mounts) {
    if (!mount.kept || !fs::is_regular_file(mount.source)) continue;
    INFO(mount.source);
    CHECK(text_of(mount.source) == text_of(folder.at(kept_name(system) + mount.target)));
  }
}
