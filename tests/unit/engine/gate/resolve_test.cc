// SPDX-License-Identifier: Apache-2.0
// Path tests follow links to where they lead, and say nothing where that can't be told.
#include "engine/gate/resolve.h"

#include <unistd.h>

#include <filesystem>

#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;

TEST_CASE("a path of a call is resolved from its folder, through every link") {
  const testing::Folder folder;
  folder.folder("work/sub");
  std::filesystem::create_symlink("/etc", folder.at("work/out"));
  std::filesystem::create_symlink("sub", folder.at("work/in"));
  std::filesystem::create_symlink("nowhere", folder.at("work/dangling"));
  std::filesystem::create_symlink("loop", folder.at("work/loop"));
  const auto resolve = path_resolver(folder.at("work"));
  CHECK(resolve("sub") == folder.at("work/sub"));
  CHECK(resolve("sub/") == folder.at("work/sub"));
  CHECK(resolve("./sub/../sub/.") == folder.at("work/sub"));
  CHECK(resolve("in/new/file") == folder.at("work/sub/new/file"));
  CHECK(resolve("..") == folder.path());
  CHECK(resolve("out/passwd") == "/etc/passwd");
  CHECK(resolve("out/no-such-file") == "/etc/no-such-file");
  CHECK(resolve("out/../etc/passwd") == "/etc/passwd");
  CHECK(resolve("/") == "/");
  CHECK(resolve("/no-such-folder") == "/no-such-folder");
}

TEST_CASE("what can't be told is not told") {
  const testing::Folder folder;
  folder.folder("work");
  std::filesystem::create_symlink("nowhere", folder.at("work/dangling"));
  std::filesystem::create_symlink("loop", folder.at("work/loop"));
  const auto resolve = path_resolver(folder.at("work"));
  REQUIRE(resolve("new"));
  CHECK_FALSE(resolve("dangling"));
  CHECK_FALSE(resolve("dangling/file"));
  CHECK_FALSE(resolve("loop"));
  CHECK_FALSE(resolve("new/../../secret"));
  CHECK_FALSE(resolve(""));
  CHECK_FALSE(resolve(std::string_view("a\0b", 3)));
  CHECK_FALSE(resolve(std::string(5000, 'a')));
  CHECK_FALSE(path_resolver("relative")("new"));
}
