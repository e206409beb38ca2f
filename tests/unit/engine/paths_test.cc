// SPDX-License-Identifier: Apache-2.0
// Paths are resolved as the kernel does it, and every link on the way is told.
#include "engine/paths.h"

#include <climits>

#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

TEST_CASE("absolute paths") {
  CHECK(absolute("/") == "/");
  CHECK(absolute("//a///b/") == "/a/b");
  CHECK(absolute("/a/./b/.") == "/a/b");
  CHECK(absolute("/a/../b") == "/a/../b");
  CHECK(absolute("x") == absolute(std::filesystem::current_path().string() + "/x"));
  CHECK(absolute("") == absolute(std::filesystem::current_path().string()));
}

TEST_CASE("parents") {
  CHECK(parent_of("/a/b") == "/a");
  CHECK(parent_of("/a") == "/");
  CHECK(parent_of("/") == "/");
}

TEST_CASE("beneath is by component, not by letter") {
  CHECK(is_beneath("/a/b", "/a"));
  CHECK(is_beneath("/a", "/a"));
  CHECK(is_beneath("/a", "/"));
  CHECK_FALSE(is_beneath("/ab", "/a"));
  CHECK_FALSE(is_beneath("/a", "/a/b"));
  CHECK_FALSE(is_beneath("/", "/a"));
}

TEST_CASE("paths that lead to the same file") {
  namespace fs = std::filesystem;
  Folder here;
  here.file("conf/policy");
  here.file("conf/other");
  fs::create_directory_symlink("conf", here.at("folder"));
  fs::create_symlink("conf/policy", here.at("link"));
  fs::create_hard_link(here.at("conf/policy"), here.at("hard"));
  fs::create_symlink("turning", here.at("turning"));
  const std::string policy = here.at("conf/policy");
  for (const char* same : {"conf/policy", "conf/./policy", "folder/policy", "folder/../conf/policy", "link", "hard"}) {
    INFO(same);
    CHECK(lead_to_same(here.at(same), policy));
  }
  for (const char* other : {"conf/other", "conf", "conf/policy/x", "conf/policy2", "policy", "none/policy", "turning"}) {
    INFO(other);
    CHECK_FALSE(lead_to_same(here.at(other), policy));
  }
  // While it is not there, a file in its place would be it.
  fs::remove(policy);
  for (const char* same : {"conf/policy", "folder/policy", "link", "conf/POLICY"}) {
    INFO(same);
    CHECK(lead_to_same(here.at(same), policy));
    CHECK(lead_to_same(policy, here.at(same)));
  }
  for (const char* other : {"hard", "conf/other", "conf/policy2", "none/policy", "turning"}) {
    INFO(other);
    CHECK_FALSE(lead_to_same(here.at(other), policy));
  }
  fs::remove_all(here.at("conf"));
  CHECK(lead_to_same(here.at("link"), policy));
  CHECK_FALSE(lead_to_same(here.at("hard"), policy));
}

TEST_CASE("folders that overlap") {
  namespace fs = std::filesystem;
  Folder here;
  here.file("a/b/c/file");
  here.file("a/other/file");
  fs::create_directory_symlink("a", here.at("link"));
  for (const char* one : {"a", "a/b", "a/b/c", "link", "link/b", "a/b/c/d", "link/b/c/d/e", "a/b/../b", "a/b/c/file", "link/b/c/file", "none/../other"}) {   // the state folder, there or not
    INFO(one);
    CHECK(overlap(here.at("a/b"), here.at(one)));
    CHECK(overlap(here.at(one), here.at("a/b")));
  }
  for (const char* one : {"a/other", "link/other", "link/other/new", "a/bc", "none", "a/b2/x", "a/other/file", "link/other/file"}) {
    INFO(one);
    CHECK_FALSE(overlap(here.at("a/b"), here.at(one)));
    CHECK_FALSE(overlap(here.at(one), here.at("a/b")));
  }
  for (const char* one : {"none", "none/in", "None/in/it", "link/../none/in/it/x", "none/in/it"}) {   // neither is there
    INFO(one);
    CHECK(overlap(here.at("none/in/it"), here.at(one)));
    CHECK(overlap(here.at(one), here.at("none/in/it")));
  }
  for (const char* one : {"none/in/other", "none/in/it2", "nine/in/it", "a/none/in/it"}) {
    INFO(one);
    CHECK_FALSE(overlap(here.at("none/in/it"), here.at(one)));
    CHECK_FALSE(overlap(here.at(one), here.at("none/in/it")));
  }
  std::string deep = here.at("deep");
  for (int i = 0; i < 800; ++i) deep += "/x";
  fs::create_directories(deep);
  CHECK(overlap(here.at("deep/x"), deep));
  CHECK_FALSE(overlap(here.at("a"), deep));
  const OrdinaryUser user;
  Folder mine;
  mine.file("in/locked/state/file");
  fs::permissions(mine.at("in/locked"), fs::perms::none);
  for (const char* one : {"in/locked", "in/locked/state", "in/locked/state/new"}) {
    INFO(one);
    CHECK(overlap(mine.at("in"), mine.at(one)));
    CHECK_FALSE(overlap(mine.at("other"), mine.at(one)));
  }
  fs::permissions(mine.at("in/locked"), fs::perms::owner_all);
}

TEST_CASE("kinds of files") {
  Folder here;
  here.file("file");
  here.link("to-file", "file");
  here.link("to-folder", ".");
  here.link("to-nothing", "nothing");
  CHECK(is_folder(here.path()));
  CHECK(is_folder(here.at("to-folder")));
  CHECK_FALSE(is_folder(here.at("file")));
  CHECK(is_regular_file(here.at("to-file")));
  CHECK_FALSE(is_regular_file(here.path()));
  CHECK(exists(here.at("to-nothing")));
  CHECK_FALSE(is_regular_file(here.at("to-nothing")));
  CHECK_FALSE(exists(here.at("nothing")));
}

TEST_CASE("a path without links is itself") {
  Folder here;
  here.file("a/b");
  auto resolved = resolve_path(here.path() + "/./a//b");
  REQUIRE(resolved);
  CHECK(resolved->real == here.at("a/b"));
  CHECK(resolved->symlinks.empty());
  CHECK(resolve_path("/")->real == "/");
  CHECK(resolve_path("/..")->real == "/");
}

TEST_CASE("links are followed and told, each at its real place") {
  Folder here;
  here.file("real/deep/file");
  here.link("one", "real");
  here.link("real/two", here.at("one/deep"));
  auto resolved = resolve_path(here.at("one/two/file"));
  REQUIRE(resolved);
  CHECK(resolved->real == here.at("real/deep/file"));
  CHECK(resolved->symlinks == std::vector<sandbox::Symlink>{{here.at("one"), "real"},
                                                            {here.at("real/two"), here.at("one/deep")},
                                                            {here.at("one"), "real"}});
  CHECK_FALSE(resolved->ends_in_link);
  CHECK_FALSE(resolve_path(here.at("one/deep"))->ends_in_link);
  CHECK_FALSE(resolve_path(here.at("one/.."))->ends_in_link);
  CHECK(resolve_path(here.at("one"))->ends_in_link);
  CHECK(resolve_path(here.at("one/two/"))->ends_in_link);
}

TEST_CASE(".. goes up from where a link led, not from where it was") {
  Folder here;
  here.file("x/target/file");
  here.file("x/beside");
  here.link("link", "x/target");
  auto resolved = resolve_path(here.at("link/../beside"));
  REQUIRE(resolved);
  CHECK(resolved->real == here.at("x/beside"));
  CHECK(std::filesystem::canonical(here.at("link/../beside")) == resolved->real);
}

TEST_CASE("what can't be resolved") {
  Folder here;
  here.file("file");
  here.link("loop", "loop");
  here.link("dangling", "no/such");
  auto missing = resolve_path(here.at("missing"));
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::kNotFound);
  CHECK(contains(missing.error().message, here.at("missing")));
  auto dangling = resolve_path(here.at("dangling"));
  REQUIRE_FALSE(dangling);
  CHECK(contains(dangling.error().message, "leads to `" + here.at("no/such")));
  auto loop = resolve_path(here.at("loop"));
  REQUIRE_FALSE(loop);
  CHECK(loop.error().code == ErrorCode::kBadInput);
  CHECK(loop.error().sys_errno == ELOOP);
  CHECK(resolve_path(here.at("file/below")).error().sys_errno == ENOTDIR);
  CHECK(resolve_path(here.path() + std::string("\0x", 2)).error().code == ErrorCode::kBadInput);
  CHECK(resolve_path(here.at(std::string(300, 'x'))).error().sys_errno == ENAMETOOLONG);
}

TEST_CASE("forty links are followed, one more is not") {
  Folder here;
  here.file("end");
  here.link("l1", "end");
  for (int i = 2; i <= 41; ++i) here.link("l" + std::to_string(i), "l" + std::to_string(i - 1));
  auto forty = resolve_path(here.at("l40"));
  REQUIRE(forty);
  CHECK(forty->symlinks.size() == 40);
  CHECK(resolve_path(here.at("l41")).error().sys_errno == ELOOP);
}

TEST_CASE("a folder that can't be entered is an error that says so") {
  Folder here;
  here.file("closed/file");
  ::chmod(here.path().c_str(), 0755);
  ::chmod(here.at("closed").c_str(), 0);
  {
    OrdinaryUser user;
    auto resolved = resolve_path(here.at("closed/file"));
    REQUIRE_FALSE(resolved);
    CHECK(resolved.error().sys_errno == EACCES);
  }
  ::chmod(here.at("closed").c_str(), 0700);
  CHECK(resolve_path(here.at("closed/file")));
}
