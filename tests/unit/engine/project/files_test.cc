// SPDX-License-Identifier: Apache-2.0
// File access in a workspace that hostile code has filled.
#include "engine/project/files.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <thread>

#include "engine/project/list_files.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

struct Served {
  Folder here;
  Workspaces workspaces;

  Served() : workspaces(*Workspaces::open({here.folder("ws")}, "")) { here.file("secret", "outside"); }

  std::string at(const std::string& name) const { return here.at("ws/" + name); }
  Place place(const std::string& path) const { return *workspaces.place(path); }
};

std::string why(const Served& served, const std::string& path, const std::string& text = "x") {
  auto written = write_whole(served.place(path), text, IfExists::kReplace);
  return written ? "" : written.error().message;
}

}  // namespace

TEST_CASE("a caller's path is placed in a served folder, or nowhere") {
  Served served;
  served.here.folder("ws/sub");
  served.here.folder("ws2");
  served.here.link("alias", "ws");
  served.here.link("ws/out", "../ws2");
  served.here.link("ws/in", "sub");
  served.here.file("ws/file");
  const Workspaces& all = served.workspaces;
  CHECK(all.place("a/b")->inside == "a/b");
  CHECK(all.place("b", served.at("sub"))->inside == "sub/b");
  CHECK(all.place(served.at("sub"))->inside == "sub");
  CHECK(all.place(served.at(""))->inside.empty());
  for (const std::string& path : {served.here.at("ws2"), served.here.path(), std::string("/etc/passwd"), std::string("/nowhere"), served.here.at("wsx")}) {
    INFO(path);
    auto place = all.place(path);
    REQUIRE_FALSE(place);
    CHECK(contains(place.error().message, "not inside a served workspace"));
  }
  CHECK_FALSE(all.place(""));
  CHECK_FALSE(all.place(std::string("a\0b", 3)));
  CHECK_FALSE(all.place(std::string(5000, 'a')));

  CHECK(all.folder(served.at("in"))->inside == "sub");
  CHECK(all.folder(".")->inside.empty());
  CHECK(all.folder(served.at("sub/../sub"))->inside == "sub");
  for (const char* path : {"out", "..", "sub/../..", "../ws2", "/", "file", "missing"}) {
    INFO(path);
    CHECK_FALSE(all.folder(path));
  }
  auto gone = all.folder(served.here.at("ws/out/not-there"));
  auto there = all.folder(served.here.at("ws/out"));
  CHECK(contains(gone.error().message, "leads out"));
  CHECK(contains(there.error().message, "leads out"));

  auto by_alias = Workspaces::open({served.here.folder("ws") + "/../ws"}, "");
  CHECK(by_alias);
  CHECK_FALSE(Workspaces::open({"/"}, ""));
  CHECK_FALSE(Workspaces::open({}, ""));
}

TEST_CASE("files are read in parts") {
  Served served;
  served.here.file("ws/a", "0123456789");
  served.here.link("ws/link", "a");
  auto slice = read_slice(served.place("a"), 3, 4);
  REQUIRE(slice);
  CHECK(slice->bytes == "3456");
  CHECK(slice->size == 10);
  CHECK(slice->next() == 7);
  CHECK(read_slice(served.place("link"), 8, 100)->bytes == "89");
  CHECK(read_slice(served.place("a"), 11, 100)->bytes.empty());
  CHECK(read_slice(served.place("a"), ~0ULL, 100)->bytes.empty());
  CHECK(read_whole(served.place("a"), 10));
  CHECK_FALSE(read_whole(served.place("a"), 9));
  CHECK(read_whole(served.place("missing"), 9).error().code == ErrorCode::kNotFound);
}

TEST_CASE("what is no file is never opened, and no way leads out") {
  Served served;
  served.here.folder("ws/folder");
  REQUIRE(::mkfifo(served.at("fifo").c_str(), 0644) == 0);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{AF_UNIX, {}};
  ::snprintf(address.sun_path, sizeof address.sun_path, "%s", served.at("socket").c_str());
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  served.here.link("ws/device", "/dev/zero");
  served.here.link("ws/secret", "../secret");
  served.here.link("ws/absolute", served.here.at("secret"));
  served.here.link("ws/loop", "loop");
  served.here.link("ws/proc", "/proc/self/root/etc/passwd");
  served.here.link("ws/back", "../ws/folder/../../secret");
  for (const char* path : {"folder", "fifo", "socket", "device", "secret", "absolute", "loop", "proc", "back", "../secret", "folder/../../secret", "secret/x"}) {
    INFO(path);
    CHECK_FALSE(read_slice(served.place(path), 0, 100));
  }
  // As root a device node can lie in the workspace itself.
  if (::mknod(served.at("null").c_str(), S_IFCHR | 0666, 0x103) == 0) CHECK_FALSE(read_slice(served.place("null"), 0, 100));
  ::close(fd);
}

TEST_CASE("a sparse file of a tebibyte costs nothing") {
  Served served;
  served.here.file("ws/sparse");
  if (::truncate(served.at("sparse").c_str(), 1LL << 40) < 0) return;
  auto slice = read_slice(served.place("sparse"), 1ULL << 39, 16);
  REQUIRE(slice);
  CHECK(slice->bytes == std::string(16, '\0'));
  CHECK(slice->size == 1ULL << 40);
  CHECK_FALSE(read_whole(served.place("sparse"), 1 << 20));
}

TEST_CASE("a file is written whole, with its folders, and keeps its mode") {
  Served served;
  auto made = write_whole(served.place("a/b/c.txt"), "hello", IfExists::kFail);
  REQUIRE(made);
  CHECK(made->created);
  CHECK(text_of(served.at("a/b/c.txt")) == "hello");
  CHECK_FALSE(write_whole(served.place("a/b/c.txt"), "no", IfExists::kFail));
  ::chmod(served.at("a/b/c.txt").c_str(), 0750);
  auto again = write_whole(served.place("a/b/c.txt"), "again", IfExists::kReplace);
  REQUIRE(again);
  CHECK_FALSE(again->created);
  CHECK(again->old_size == 5);
  struct stat status {};
  REQUIRE(::stat(served.at("a/b/c.txt").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0750);
  std::size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(served.at("a/b"))) left += entry.path().filename() != "c.txt" ? 1 : 0;
  CHECK(left == 0);
}

TEST_CASE("nothing is written through a link, a hard link or to what is no file") {
  Served served;
  served.here.folder("outside");
  served.here.link("ws/away", "../outside");
  served.here.link("ws/file", "../secret");
  served.here.folder("ws/folder");
  served.here.link("ws/inner", "folder");
  REQUIRE(::mkfifo(served.at("fifo").c_str(), 0644) == 0);
  for (const char* path : {"away/x", "file", "inner/x", "fifo", "folder", "folder/", "../x", "folder/../x", "fifo/x", "."}) {
    INFO(path);
    CHECK_FALSE(why(served, path).empty());
  }
  CHECK(text_of(served.here.at("secret")) == "outside");
  CHECK_FALSE(std::filesystem::exists(served.here.at("outside/x")));
  std::filesystem::create_hard_link(served.here.at("secret"), served.at("hard"));
  CHECK(why(served, "hard").empty());
  CHECK(text_of(served.here.at("secret")) == "outside");
}

TEST_CASE("protected paths are not written, at any depth, whether they exist or not") {
  Served served;
  for (const char* path : {".git/hooks/pre-commit", ".git/config", ".git", "sub/.git/HEAD", ".GIT/config", ".claude/settings.json", ".codex/config.toml", ".cursor/x",
                           ".mcp.json", ".vscode/tasks.json", "deep/er/.vscode/tasks.json", ".idea/x", ".envrc", ".npmrc", ".pypirc", "pip.conf", "sub/pip.conf", "uv.toml", "x.pth",
                           "a/b/evil.PTH", "sitecustomize.py", "lib/usercustomize.py", ".venv/bin/python", "x/pyvenv.cfg", ".bashrc", "sub//.git//config"}) {
    INFO(path);
    CHECK(contains(why(served, path), "is protected"));
  }
  for (const char* path : {".gitignore", "git/config", "x.pth.txt", "claude", "src/sitecustomize.pyx", ".github/x.yml"}) {
    INFO(path);
    CHECK(why(served, path).empty());
  }
  served.here.file("ws/env/pyvenv.cfg", "home = /usr/bin\n");
  CHECK(contains(why(served, "env/lib/x.py"), "virtual environment"));
}

TEST_CASE("a folder that is swapped for a link meanwhile never lets a write out") {
  Served served;
  served.here.folder("outside");
  served.here.folder("ws/real");
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    served.here.link("ws/link", "../outside");
    while (!stop) (void)!::syscall(316 /* renameat2 */, AT_FDCWD, served.at("real").c_str(), AT_FDCWD, served.at("link").c_str(), 2 /* RENAME_EXCHANGE */);
  });
  int written = 0;
  for (int i = 0; i < 2000; ++i) written += why(served, "real/file").empty() ? 1 : 0;
  for (int i = 0; i < 2000; ++i) {
    auto slice = read_slice(served.place("real/../../secret"), 0, 10);
    CHECK_FALSE(slice);
  }
  stop = true;
  swapper.join();
  CHECK(written > 0);
  CHECK(std::filesystem::is_empty(served.here.at("outside")));
}

TEST_CASE("folders are listed page by page") {
  Served served;
  for (int i = 0; i < 25; ++i) served.here.file("ws/f/" + std::string(1, static_cast<char>('a' + i)), std::string(static_cast<std::size_t>(i), 'x'));
  auto page = list_files(served.place("f"), {.limit = 10});
  REQUIRE(page);
  REQUIRE(page->entries.size() == 10);
  CHECK(page->entries[3] == Entry{"d", EntryKind::kFile, 3, ""});
  CHECK_FALSE(page->complete);
  CHECK(page->next_after == "j");
  page = list_files(served.place("f"), {.limit = 15, .after = "j"});
  CHECK(page->entries.size() == 15);
  CHECK(page->complete);
  CHECK(page->next_after.empty());
  CHECK_FALSE(list_files(served.place("missing"), {}));
  CHECK_FALSE(list_files(served.place("f/a"), {}));
  CHECK_FALSE(list_files(served.place(".."), {}));
}

TEST_CASE("hostile folders are listed, not followed") {
  Served served;
  served.here.file("ws/x\xff\xfe\n", "");
  served.here.link("ws/out", "../");
  REQUIRE(::mkfifo(served.at("fifo").c_str(), 0644) == 0);
  served.here.file("ws/.git/objects/a");
  std::string deep = "deep";
  for (int i = 0; i < 30; ++i) deep += "/d";
  served.here.folder("ws/" + deep);
  auto listing = list_files(served.place("."), {.limit = 1000, .depth = 8});
  REQUIRE(listing);
  std::vector<std::string> paths;
  for (const Entry& entry : listing->entries) paths.push_back(entry.path);
  CHECK(std::count(paths.begin(), paths.end(), "x\xff\xfe\n") == 1);
  CHECK(std::count(paths.begin(), paths.end(), "deep/d/d/d/d/d/d/d") == 1);
  CHECK(std::count(paths.begin(), paths.end(), "deep/d/d/d/d/d/d/d/d") == 0);
  CHECK(std::count_if(paths.begin(), paths.end(), [](const std::string& path) { return path.starts_with("out/") || path.starts_with(".git/"); }) == 0);
  CHECK(std::count_if(listing->entries.begin(), listing->entries.end(), [](const Entry& entry) { return entry.kind == EntryKind::kFifo; }) == 1);
  CHECK(listing->complete);
  auto few = list_files(served.place("."), {.limit = 3, .depth = 8});
  CHECK(few->entries.size() == 3);
  CHECK_FALSE(few->complete);
}

TEST_CASE("a folder a thousand deep is no trouble") {
  Served served;
  UniqueFd folder(::open(served.at("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(::mkdirat(folder.get(), "deep-folder", 0755) == 0);
    folder.reset(::openat(folder.get(), "deep-folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  auto listing = list_files(served.place("."), {.limit = 2000, .depth = kMaxListDepth});
  REQUIRE(listing);
  CHECK(listing->entries.size() == kMaxListDepth);
}
