// SPDX-License-Identifier: Apache-2.0
// A command that was looked up before the call was judged is executed as that very file, or not at all.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/command_resolve.h"
#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

// A venv with two programs: `tool` ends with 0, `other` with 1.
std::string make_venv(const ScratchFolder& folder) {
  const std::string venv = folder.path() + "/venv";
  REQUIRE(std::system(("/usr/bin/python3 -m venv --without-pip " + venv).c_str()) == 0);
  std::filesystem::copy_file("/bin/true", venv + "/bin/tool");
  std::filesystem::copy_file("/bin/false", venv + "/bin/other");
  return venv;
}

// Exchanges the two in one step (rename(2), RENAME_EXCHANGE).
void exchange(const std::string& venv) {
  (void)::renameat2(AT_FDCWD, (venv + "/bin/tool").c_str(), AT_FDCWD, (venv + "/bin/other").c_str(), RENAME_EXCHANGE);
}

RunRequest tool_request(const ScratchFolder& workspace, const std::string& venv) {
  RunRequest wanted = request(workspace, {"tool"});
  wanted.venv = venv;
  return wanted;
}

}  // namespace

TEST_CASE("a command that was looked up runs as what it is, with its own name") {
  ScratchFolder workspace;
  const std::string venv = make_venv(workspace);
  std::ofstream(venv + "/bin/script") << "#!" + venv + "/bin/python\nimport sys\nprint(sys.argv[0], sys.argv[1], sys.prefix)\n";
  std::filesystem::permissions(venv + "/bin/script", std::filesystem::perms(0755));
  auto engine = Engine::create();
  REQUIRE(engine);
  RunRequest wanted = tool_request(workspace, venv);
  wanted.argv = {"python", "-c", "import sys; print(sys.prefix, sys.executable)"};
  wanted.command = look_up_command("python", venv, workspace.path());
  REQUIRE(wanted.command);
  CHECK(engine->run(wanted).out.text == venv + " " + venv + "/bin/python\n");
  wanted.argv = {"script", "argument"};
  wanted.command = look_up_command("script", venv, workspace.path());
  REQUIRE(wanted.command);
  CHECK(engine->run(wanted).out.text == venv + "/bin/script argument " + venv + "\n");
  wanted.argv = {"id", "-u"};
  wanted.command = look_up_command("id", venv, workspace.path());
  REQUIRE(wanted.command);
  CHECK(engine->run(wanted).exit_code == 0);
}

TEST_CASE("a command that was looked up by its path runs as what it is, and what is put in its place does not") {
  ScratchFolder workspace;
  const std::string path = workspace.path() + "/step";
  const auto write = [&](const char* text) {
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms(0755));
  };
  write("#!/bin/sh\necho first $0 $1\n");
  auto engine = Engine::create();
  REQUIRE(engine);
  RunRequest wanted = request(workspace, {"./step", "argument"});
  wanted.command = look_up_command("./step", std::nullopt, workspace.path());
  REQUIRE(wanted.command);
  CHECK(engine->run(wanted).out.text == "first " + path + " argument\n");
  write("#!/bin/sh\necho second\n");
  const RunReport refused = engine->run(wanted);
  CHECK(refused.outcome == Outcome::kSetupFailed);
  CHECK(refused.out.text.empty());
  wanted.command = look_up_command("./step", std::nullopt, workspace.path());
  CHECK(engine->run(wanted).out.text == "second\n");   // the control

  std::filesystem::copy_file("/bin/false", workspace.path() + "/binary");
  wanted.argv = {workspace.path() + "/binary"};
  wanted.command = look_up_command(wanted.argv[0], std::nullopt, workspace.path());
  REQUIRE(wanted.command);
  CHECK(engine->run(wanted).exit_code == 1);
}

TEST_CASE("a command that was replaced after it had been looked up is not run") {
  ScratchFolder workspace;
  const std::string venv = make_venv(workspace);
  auto engine = Engine::create();
  REQUIRE(engine);
  RunRequest wanted = tool_request(workspace, venv);
  wanted.command = look_up_command("tool", venv, workspace.path());
  REQUIRE(wanted.command);
  CHECK(engine->run(wanted).exit_code == 0);

  exchange(venv);
  const RunReport refused = engine->run(wanted);
  CHECK(refused.outcome == Outcome::kSetupFailed);
  REQUIRE(refused.error);
  CHECK(refused.error->message.find("was replaced or changed") != std::string::npos);
  wanted.command = nullptr;
  CHECK(engine->run(wanted).exit_code == 1);  // the control: by its name alone, the other program runs
  exchange(venv);

  wanted.command = look_up_command("tool", venv, workspace.path());
  wanted.argv = {"other"};
  CHECK(engine->run(wanted).outcome == Outcome::kSetupFailed);
}

// Whatever moment the two are exchanged in: what runs is the file that was looked up.
TEST_CASE("a command that is replaced while it is started never runs as another") {
  ScratchFolder workspace;
  const std::string venv = make_venv(workspace);
  const auto inode = [](const std::string& path) {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_ino;
  };
  const auto succeeds = inode(venv + "/bin/tool");
  auto engine = Engine::create();
  REQUIRE(engine);
  RunRequest wanted = tool_request(workspace, venv);
  std::atomic<bool> over = false;
  std::thread swapper([&] {
    // In bursts, so that a run on a slow machine or under a sanitizer finds quiet as well.
    for (int i = 1; !over; ++i) {
      exchange(venv);
      ::usleep(i % 64 == 0 ? 200'000 : 700);
    }
  });
  int ran = 0;
  int refused = 0;
  int wrong = 0;
  for (int i = 0; i < 2000 && (i < 200 || ran < 5 || refused < 5); ++i) {
    wanted.command = look_up_command("tool", venv, workspace.path());
    if (!wanted.command) continue;
    const RunReport report = engine->run(wanted);
    const int expected = wanted.command->program.inode == succeeds ? 0 : 1;
    if (report.outcome == Outcome::kSetupFailed) ++refused;
    else if (report.exit_code == expected) ++ran;
    else ++wrong;
  }
  over = true;
  swapper.join();
  CHECK(wrong == 0);
  CHECK(ran >= 5);
  CHECK(refused >= 5);
}
