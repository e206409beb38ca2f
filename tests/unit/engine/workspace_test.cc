// SPDX-License-Identifier: Apache-2.0
// Which folder can be a workspace, and what in it stays read-only.
#include "engine/workspace.h"

#include <cstdlib>

#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

Result<WorkspaceView> direct(const std::string& dir, const std::optional<std::string>& cwd = {},
                             const std::string& state = {}) {
  return resolve_workspace(dir, cwd, Access::kDirect, state);
}

void check_refused(const Result<WorkspaceView>& result, const std::string& word) {
  INFO(word);
  REQUIRE_FALSE(result);
  CHECK(contains(result.error().message, word));
  CHECK_FALSE(contains(result.error().message, "\n"));
}

bool is_protected(const WorkspaceView& view, const std::string& path) {
  return std::count(view.read_only_again.begin(), view.read_only_again.end(), path) == 1;
}

}  // namespace

TEST_CASE("a folder is the workspace, writable or not") {
  Folder here;
  auto writable = direct(here.path());
  REQUIRE(writable);
  CHECK(writable->dir == here.path());
  CHECK(writable->cwd == here.path());
  REQUIRE(writable->mounts.size() == 1);
  CHECK(writable->mounts[0] ==
        sandbox::Mount{
            .source = here.path(), .target = here.path(), .writable = sandbox::Writable::kYes, .owner_mapped = true});
  CHECK(writable->read_only_again.empty());
  auto read_only = resolve_workspace(here.path(), {}, Access::kReadOnly, "");
  REQUIRE(read_only);
  CHECK(read_only->mounts[0].writable == sandbox::Writable::kNo);
}

TEST_CASE("the system, and folders of many, can't be one") {
  for (const char* path : {"/", "/usr", "/usr/lib", "/etc", "/etc/ssl", "/proc", "/proc/self", "/sys", "/dev",
                           "/dev/shm", "//", "/usr/../", "/tmp/.."}) {
    INFO(path);
    CHECK_FALSE(direct(path));
  }
  for (const char* path : {"/home", "/var", "/opt", "/tmp", "/var/tmp", "/var/lib", "/srv", "/mnt"}) {
    if (!std::filesystem::is_directory(path) || std::filesystem::is_symlink(path)) continue;
    check_refused(direct(path), "others keep their things");
  }
  CHECK(direct("/").error().code == ErrorCode::kBadInput);
}

TEST_CASE("a home folder, and what holds one, can't be one") {
  Folder here;
  const std::string home = here.folder("people/ann");
  here.folder("people/ann/project");
  const char* before = std::getenv("HOME");
  const std::string saved = before == nullptr ? "" : before;
  ::setenv("HOME", home.c_str(), 1);
  CHECK(direct(home));   // a container's, with nothing of a person in it
  here.file("people/ann/.ssh/id_rsa");
  check_refused(direct(home), "home folder");
  CHECK(contains(direct(home).error().hint, "project folder below it"));
  CHECK_FALSE(resolve_workspace(home, {}, Access::kReadOnly, ""));
  check_refused(direct(here.at("people")), "home folder");
  CHECK(direct(here.at("people/ann/project")));
  here.link("alias", "people/ann");
  ::setenv("HOME", here.at("alias").c_str(), 1);
  check_refused(direct(home), "home folder");
  ::setenv("HOME", here.folder("elsewhere").c_str(), 1);
  CHECK(direct(home));
  if (before == nullptr) {
    ::unsetenv("HOME");
  } else {
    ::setenv("HOME", saved.c_str(), 1);
  }
}

TEST_CASE("what is no folder can't be one") {
  Folder here;
  here.file("file");
  here.folder("real");
  here.link("link", "real");
  here.link("dangling", "nowhere");
  check_refused(direct(""), "not a path");
  check_refused(direct("a\nb"), "not a path");
  check_refused(direct(here.path() + std::string("\0b", 2)), "not a path");
  check_refused(direct(here.at("missing")), "No such file");
  check_refused(direct(here.at("file")), "not a folder");
  check_refused(direct(here.at("dangling")), "nowhere");
  check_refused(direct(here.at("link")), "symbolic link");
  CHECK(contains(direct(here.at("link")).error().hint, here.at("real")));
}

TEST_CASE("a link on the way is shown inside as well") {
  Folder here;
  here.folder("real/project");
  here.link("alias", "real");
  auto view = direct(here.at("alias/project"));
  REQUIRE(view);
  CHECK(view->dir == here.at("real/project"));
  CHECK(has_link(view->symlinks, here.at("alias"), "real"));
}

TEST_CASE("a folder that can't be read is refused") {
  Folder here;
  ::chmod(here.path().c_str(), 0755);
  ::chmod(here.folder("closed").c_str(), 0);
  {
    OrdinaryUser user;
    auto result = direct(here.at("closed"));
    REQUIRE_FALSE(result);
  }
  ::chmod(here.at("closed").c_str(), 0755);
  CHECK(direct(here.at("closed")));
}

TEST_CASE("the state of wardenv and the workspace lie apart") {
  Folder here;
  here.folder("ws/inner");
  here.folder("state/ws");
  here.folder("states");
  check_refused(direct(here.at("ws"), {}, here.at("ws/state")), "state");
  check_refused(direct(here.at("ws"), {}, here.at("ws")), "state");
  check_refused(direct(here.at("state/ws"), {}, here.at("state")), "state");
  here.link("alias", "ws/inner");
  check_refused(direct(here.at("ws"), {}, here.at("alias")), "state");
  CHECK(direct(here.at("states"), {}, here.at("state")));
}

TEST_CASE("the current folder lies inside") {
  Folder here;
  here.folder("ws/a/b");
  here.folder("out");
  here.file("ws/file");
  here.link("ws/in", "a/b");
  here.link("ws/away", "../out");
  CHECK(direct(here.at("ws"), "a")->cwd == here.at("ws/a"));
  CHECK(direct(here.at("ws"), here.at("ws/a/b"))->cwd == here.at("ws/a/b"));
  CHECK(direct(here.at("ws"), "in")->cwd == here.at("ws/a/b"));
  CHECK(direct(here.at("ws"), "a/..")->cwd == here.at("ws"));
  for (const char* path : {"..", "../out", "away", "/", "/tmp"})
    check_refused(direct(here.at("ws"), path), "not inside");
  check_refused(direct(here.at("ws"), "file"), "not a folder");
  check_refused(direct(here.at("ws"), "missing"), "--cwd");
}

TEST_CASE("protected paths that exist are read-only again") {
  Folder here;
  here.file(".git/hooks/pre-commit");
  here.file(".git/config");
  here.file(".git/HEAD");
  here.folder(".vscode");
  here.file("sitecustomize.py");
  here.file("evil.pth");
  here.file("code.py");
  here.file("sub/.vscode/settings.json");
  auto view = direct(here.path());
  REQUIRE(view);
  for (const char* name : {".git/hooks", ".git/config", ".vscode", "sitecustomize.py", "evil.pth"}) {
    INFO(name);
    CHECK(is_protected(*view, here.at(name)));
  }
  for (const char* name : {"code.py", ".git", ".git/HEAD", ".envrc", "sub/.vscode"}) {
    INFO(name);
    CHECK_FALSE(is_protected(*view, here.at(name)));
  }
  CHECK(view->read_only_again.size() == 5);
  auto read_only = resolve_workspace(here.path(), {}, Access::kReadOnly, "");
  REQUIRE(read_only);
  CHECK(read_only->read_only_again.empty());
}

TEST_CASE("protected paths are protected however they are spelt") {
  Folder here;
  here.file(".GIT/Hooks/pre-commit");
  here.file(".GIT/CONFIG");
  here.file(".GIT/info/Attributes");
  here.file(".GIT/HEAD");
  here.folder(".VsCode");
  here.file("Pip.Conf");
  here.file("evil.PTH");
  here.file("GIT");
  here.file(".gitx");
  here.folder("sub/.GIT/hooks");
  auto view = direct(here.path());
  REQUIRE(view);
  for (const char* name : {".GIT/Hooks", ".GIT/CONFIG", ".GIT/info/Attributes", ".VsCode", "Pip.Conf", "evil.PTH"}) {
    INFO(name);
    CHECK(is_protected(*view, here.at(name)));
  }
  CHECK(view->read_only_again.size() == 6);
}

TEST_CASE("names beyond ASCII hide none, and make none up") {
  Folder here;
  here.file("caf\xc3\xa9");
  here.file("not UTF-8: \xff");
  here.file(".git/config");
  here.file(".git/\xc3\xa9");
  here.folder(".vscode");
  auto view = direct(here.path());
  REQUIRE(view);
  CHECK(is_protected(*view, here.at(".git/config")));
  CHECK(is_protected(*view, here.at(".vscode")));
  CHECK(view->read_only_again.size() == 2);
}

TEST_CASE("what can't be looked into for protected paths is refused") {
  Folder here;
  ::chmod(here.path().c_str(), 0755);
  here.file(".git/config");
  ::chmod(here.at(".git").c_str(), 0);
  {
    OrdinaryUser user;
    CHECK_FALSE(direct(here.path()));
  }
  ::chmod(here.at(".git").c_str(), 0755);
  OrdinaryUser user;
  CHECK(direct(here.path()));
}

TEST_CASE("the file that a worktree has for .git is protected") {
  Folder here;
  here.file(".git", "gitdir: /elsewhere\n");
  auto view = direct(here.path());
  REQUIRE(view);
  CHECK(is_protected(*view, here.at(".git")));
  Folder other;
  other.file(".Git", "gitdir: /elsewhere\n");
  auto spelt = direct(other.path());
  REQUIRE(spelt);
  CHECK(is_protected(*spelt, other.at(".Git")));
}

TEST_CASE("a repository is protected where its folder is, too") {
  Folder here;
  here.file(".git", "gitdir: .bare/worktrees/one\n");
  here.file(".bare/worktrees/one/commondir", "../..\n");
  here.file(".bare/worktrees/two/commondir", "../..\n");
  here.file(".bare/worktrees/two/index");
  here.file(".bare/config");
  here.file(".bare/config.worktree");
  here.file(".bare/info/attributes");
  here.folder(".bare/hooks");
  here.folder(".bare/modules");
  here.file(".bare/HEAD");
  auto view = direct(here.path());
  REQUIRE(view);
  for (const char* name : {".git", ".bare/worktrees/one/commondir", ".bare/worktrees/two/commondir", ".bare/config", ".bare/config.worktree",
                           ".bare/info/attributes", ".bare/hooks", ".bare/modules"}) {
    INFO(name);
    CHECK(is_protected(*view, here.at(name)));
  }
  CHECK(view->read_only_again.size() == 8);
  for (int i = 0; i < 15; ++i) here.file(".bare/worktrees/" + std::to_string(i) + "/commondir", "../..\n");
  view = direct(here.path());
  REQUIRE(view);
  CHECK(is_protected(*view, here.at(".bare/worktrees")));
  CHECK_FALSE(is_protected(*view, here.at(".bare/worktrees/two/commondir")));
}

TEST_CASE("a repository that is reached through a link of the workspace is refused") {
  Folder here;
  here.folder("real/repository");
  here.link("link", "real");
  here.file(".git", "gitdir: link/repository\n");
  check_refused(direct(here.path()), "symbolic link");
  here.file(".git", "gitdir: real/repository\n");
  CHECK(direct(here.path()));
  here.file("real/repository/commondir", "../../link\n");
  check_refused(direct(here.path()), "symbolic link");
  here.file(".git", "gitdir: nowhere\n");
  CHECK(direct(here.path()));
  Folder other;
  other.folder("elsewhere");
  other.folder(".git/worktrees");
  CHECK(direct(other.path()));
  other.link(".git/worktrees/one", "../../elsewhere");
  check_refused(direct(other.path()), "symbolic link");
}

TEST_CASE("a protected path behind a link is refused in a writable workspace") {
  for (const char* name : {".git", ".git/hooks", ".git/info", ".vscode", "x.pth", ".GIT", ".git/HOOKS"}) {
    INFO(name);
    Folder here;
    here.folder("elsewhere/hooks");
    here.link(name, here.at("elsewhere"));
    check_refused(direct(here.path()), "symbolic link");
    CHECK(resolve_workspace(here.path(), {}, Access::kReadOnly, ""));
  }
  Folder here;
  here.link(".envrc", "nowhere");
  check_refused(direct(here.path()), "symbolic link");
}
