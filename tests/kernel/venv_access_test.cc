// SPDX-License-Identifier: Apache-2.0
// A venv is read-only by default, wherever it lies; a writable one is writable without its base interpreter.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

constexpr const char* kWriteInto =
    "import os, sys\nopen(sys.prefix + '/lib/left', 'w').write('x')\nos.rename(sys.prefix + '/pyvenv.cfg', sys.prefix "
    "+ '/moved')\n";

// A venv without pip. Its interpreter is a link to the system's, or a copy of it.
std::string make_venv(const ScratchFolder& folder, const char* how) {
  const std::string path = folder.path() + "/venv";
  REQUIRE(std::system(("/usr/bin/python3 -m venv --without-pip " + std::string(how) + " " + path).c_str()) == 0);
  return path;
}

RunReport run_python(const ScratchFolder& workspace, const std::string& venv, VenvAccess access, const char* code) {
  auto engine = Engine::create();
  REQUIRE(engine);
  RunRequest wanted = request(workspace, {"python", "-c", code});
  wanted.venv = venv;
  wanted.venv_access = access;
  return engine->run(wanted);
}

bool there(const std::string& path) { return std::filesystem::exists(std::filesystem::symlink_status(path)); }

}  // namespace

TEST_CASE("a venv is read-only by default, inside and outside of the workspace") {
  ScratchFolder workspace;
  ScratchFolder elsewhere;
  for (const ScratchFolder* folder : {&workspace, &elsewhere}) {
    const std::string venv = make_venv(*folder, "--symlinks");
    const RunReport report = run_python(workspace, venv, VenvAccess::kReadOnly, kWriteInto);
    CHECK(report.exit_code == 1);
    CHECK(report.err.text.find("Read-only file system") != std::string::npos);
    CHECK_FALSE(there(venv + "/lib/left"));
    CHECK(there(venv + "/pyvenv.cfg"));
    const RunReport rename =
        run_python(workspace, venv, VenvAccess::kReadOnly, "import os, sys; os.rename(sys.prefix, sys.prefix + '2')");
    CHECK(rename.exit_code == 1);
    CHECK(there(venv));
  }
}

TEST_CASE("a writable venv is writable, and what was written is the caller's") {
  ScratchFolder workspace;
  ScratchFolder elsewhere;
  for (const char* how : {"--symlinks", "--copies"}) {
    for (const ScratchFolder* folder : {&workspace, &elsewhere}) {
      std::filesystem::remove_all(folder->path() + "/venv");
      const std::string venv = make_venv(*folder, how);
      const RunReport report = run_python(workspace, venv, VenvAccess::kWritable, kWriteInto);
      INFO((report.error ? report.error->message : std::string()) << report.err.text);
      CHECK(report.exit_code == 0);
      CHECK(there(venv + "/moved"));
      struct stat status {};
      REQUIRE(::stat((venv + "/lib/left").c_str(), &status) == 0);
      CHECK(status.st_uid == ::geteuid());
      CHECK_FALSE(run_python(workspace, venv, VenvAccess::kWritable, "pass").error ==
                  std::nullopt);  // its pyvenv.cfg is gone
    }
  }
}

TEST_CASE("a writable venv in a workspace that is read-only") {
  ScratchFolder workspace;
  const std::string venv = make_venv(workspace, "--symlinks");
  auto engine = Engine::create();
  REQUIRE(engine);
  RunRequest wanted = request(workspace, {"sh", "-c", "touch \"$VIRTUAL_ENV/in\"; touch out"});
  wanted.venv = venv;
  wanted.access = Access::kReadOnly;
  wanted.venv_access = VenvAccess::kWritable;
  CHECK(engine->run(wanted).exit_code == 1);
  CHECK(there(venv + "/in"));
  CHECK_FALSE(there(workspace.path() + "/out"));
}

TEST_CASE("the base interpreter of a writable venv stays read-only") {
  ScratchFolder workspace;
  const std::string venv = make_venv(workspace, "--symlinks");
  const RunReport report =
      run_python(workspace, venv, VenvAccess::kWritable,
                 "import os, errno, sysconfig\n"
                 "for path in (os.__file__, os.path.dirname(os.__file__), os.path.realpath('/usr/bin/python3')):\n"
                 "  assert os.statvfs(path).f_flag & os.ST_RDONLY, path\n"
                 "  try: os.rename(path, path + '2')\n"
                 "  except OSError as error: assert error.errno == errno.EROFS, error\n"
                 "  else: raise SystemExit(9)\n");
  INFO((report.error ? report.error->message : std::string()) << report.err.text);
  CHECK(report.exit_code == 0);
}

TEST_CASE("pip.conf of a writable venv, which says what later installs may reach, can't be written, moved or removed") {
  ScratchFolder workspace;
  const std::string venv = make_venv(workspace, "--symlinks");
  REQUIRE_FALSE(there(venv + "/pip.conf"));
  const RunReport report = run_python(workspace, venv, VenvAccess::kWritable,
                                      "import os, sys\n"
                                      "path = os.path.join(sys.prefix, 'pip.conf')\n"
                                      "open(path + '2', 'w').close()\n"   // control: its folder is writable
                                      "for act in (lambda: open(path, 'w'), lambda: os.remove(path), lambda: os.rename(path, path + '3'),\n"
                                      "            lambda: os.rename(path + '2', path), lambda: os.link(path, path + '4')):\n"
                                      "  try: act()\n"
                                      "  except OSError: continue\n"
                                      "  raise SystemExit(9)\n");
  INFO((report.error ? report.error->message : std::string()) << report.err.text);
  CHECK(report.exit_code == 0);
  CHECK(there(venv + "/pip.conf2"));
  struct stat status {};
  REQUIRE(::stat((venv + "/pip.conf").c_str(), &status) == 0);
  CHECK(status.st_size == 0);
}
