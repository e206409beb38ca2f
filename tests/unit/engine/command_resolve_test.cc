// SPDX-License-Identifier: Apache-2.0
// A bare name is looked up as the sandbox does it, and stays the same file.
#include "engine/command_resolve.h"

#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

TEST_CASE("a command is found in the venv first, then in the system") {
  Folder here;
  here.program("bin/sh");
  const auto own = resolve_command("sh", here.path(), here.path());
  REQUIRE(own);
  CHECK(own->program.path == here.at("bin/sh"));
  const auto system = resolve_command("env", here.path(), here.path());
  REQUIRE(system);
  CHECK(system->program.path.starts_with("/usr/"));
  CHECK(resolve_command("sh", std::nullopt, here.path())->program.path != here.at("bin/sh"));
  CHECK(check_unchanged(*own));
}

TEST_CASE("what can't be executed is passed over, as by execvp") {
  Folder here;
  here.file("bin/sh");
  here.folder("bin/env");
  here.link("bin/ls", "nothing");
  for (const char* name : {"sh", "env", "ls"}) {
    INFO(name);
    const auto command = resolve_command(name, here.path(), here.path());
    REQUIRE(command);
    CHECK(command->program.path.starts_with("/usr/"));
  }
}

TEST_CASE("only a name or a path is looked up, and only a program is found") {
  Folder here;
  here.file("bin/text");
  here.file("bin/folder/x");
  here.link("bin/nowhere", "nothing");
  here.link("bin/round", "round");
  for (const char* name : {"", ".", "..", "./sh", "bin/text", "bin/", "bin/nowhere", "/", "/nonexistent/sh", "text", "folder", "nowhere", "round", "no-such-command-at-all"}) {
    INFO(name);
    CHECK_FALSE(resolve_command(name, here.path(), here.path()));
  }
  CHECK_FALSE(resolve_command(std::string("sh\0x", 4), here.path(), here.path()));
}

TEST_CASE("a path is looked up from where the run starts, and is bound as a name is") {
  Folder here;
  here.program("work/tool");
  here.program("work/sub/tool");
  here.link("work/link", "sub/tool");
  const auto look = [&](const std::string& path, const std::string& cwd) { return resolve_command(path, here.path(), here.at(cwd)); };
  CHECK(look("./tool", "work")->program.path == here.at("work/tool"));
  CHECK(look("./tool", "work/sub")->program.path == here.at("work/sub/tool"));
  CHECK(look("../tool", "work/sub")->program.path == here.at("work/tool"));
  CHECK(look(here.at("work/link"), "work")->program.path == here.at("work/sub/tool"));
  const auto command = look("./tool", "work");
  CHECK(check_unchanged(*command));
  std::filesystem::rename(here.at("work/sub/tool"), here.at("work/tool"));
  CHECK_FALSE(check_unchanged(*command));
}

TEST_CASE("links are followed to the file itself") {
  Folder here;
  here.program("elsewhere/tool-3");
  here.link("bin", "real-bin");
  here.link("real-bin/tool", "../elsewhere/tool-3");
  const auto command = resolve_command("tool", here.path(), here.path());
  REQUIRE(command);
  CHECK(command->found == here.at("bin/tool"));
  CHECK(command->program.path == here.at("elsewhere/tool-3"));
}

TEST_CASE("a command that is replaced, changed, hidden or gone is not the same any more") {
  Folder here;
  here.program("later/x");
  here.program("bin/tool");
  here.program("bin/other");
  const auto look = [&] { return std::move(*resolve_command("tool", here.path(), here.path())); };
  auto command = look();
  CHECK(check_unchanged(command));
  std::filesystem::rename(here.at("bin/other"), here.at("bin/tool"));
  CHECK_FALSE(check_unchanged(command));

  command = look();
  std::filesystem::permissions(here.at("bin/tool"), std::filesystem::perms(0700));
  CHECK_FALSE(check_unchanged(command));

  command = look();
  std::filesystem::remove(here.at("bin/tool"));
  CHECK_FALSE(check_unchanged(command));

  auto system = std::move(*resolve_command("env", here.path(), here.path()));
  CHECK(check_unchanged(system));
  here.program("bin/env");
  CHECK_FALSE(check_unchanged(system));
}
