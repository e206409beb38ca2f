// SPDX-License-Identifier: Apache-2.0
// Virtual environments, sound and broken: what is shown of them, and that nothing they say is believed.
#include "engine/venv.h"

#include "engine/spec_builder.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

// A Python of its own in `name`: a program and a standard library.
std::string make_python(const Folder& here, const std::string& name) {
  here.program(name + "/bin/python3.11");
  here.link(name + "/bin/python3", "python3.11");
  here.file(name + "/lib/python3.11/os.py");
  return here.at(name);
}

// A venv in `name`, based on the installation `base`.
std::string make_venv(const Folder& here, const std::string& name, const std::string& base) {
  here.file(name + "/pyvenv.cfg", "home = " + base + "/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n");
  here.link(name + "/bin/python", base + "/bin/python3");
  return here.at(name);
}

void check_refused(const std::string& venv, ErrorCode code, const std::string& word) {
  auto view = resolve_venv(venv);
  INFO(word);
  REQUIRE_FALSE(view);
  CHECK(view.error().code == code);
  INFO(view.error().message);
  CHECK(contains(view.error().message, word));
  CHECK_FALSE(contains(view.error().message, "\n"));
}

}  // namespace

TEST_CASE("a venv with a Python of its own shows both, read-only") {
  Folder here;
  const std::string base = make_python(here, "py");
  const std::string venv = make_venv(here, "venv", base);
  auto view = resolve_venv(venv);
  REQUIRE(view);
  CHECK(view->dir == venv);
  CHECK(view->real_dir == venv);
  CHECK(view->python == base + "/bin/python3.11");
  CHECK(view->version == "3.11.2");
  CHECK_FALSE(view->system_site_packages);
  CHECK(view->mounts.size() == 2);
  CHECK(has_mount(view->mounts, venv));
  CHECK(has_mount(view->mounts, base));
  for (const sandbox::Mount& mount : view->mounts) CHECK(mount.writable == sandbox::Writable::kNo);
  CHECK(has_link(view->symlinks, venv + "/bin/python", base + "/bin/python3"));
}

TEST_CASE("a venv of the system's Python shows nothing but itself") {
  Folder here;
  here.file("venv/pyvenv.cfg", "home = /usr/bin\n");
  here.link("venv/bin/python", "/usr/bin/python3");
  auto view = resolve_venv(here.at("venv"));
  REQUIRE(view);
  REQUIRE(view->mounts.size() == 1);
  CHECK(has_mount(view->mounts, here.at("venv")));
}

TEST_CASE("pyvenv.cfg is read as Python reads it") {
  Folder here;
  const std::string base = make_python(here, "py");
  const std::string venv = make_venv(here, "venv", base);
  here.file("venv/pyvenv.cfg",
            "# no key here\r\n  HOME =  " + base +
                "/bin\t\r\n\nInclude-System-Site-Packages = true\nversion_info = 3.11.2.final\n= x\nlast");
  auto view = resolve_venv(venv);
  REQUIRE(view);
  CHECK(view->version == "3.11.2.final");
  CHECK(view->system_site_packages);
}

TEST_CASE("what is no venv") {
  Folder here;
  here.file("file");
  here.folder("empty");
  here.file("only-config/pyvenv.cfg", "home = /usr/bin\n");
  check_refused(here.at("missing"), ErrorCode::kNotFound, "no virtual environment");
  check_refused(here.at("file"), ErrorCode::kBadInput, "not a folder");
  check_refused(here.at("empty"), ErrorCode::kBadInput, "pyvenv.cfg");
  check_refused(here.at("only-config"), ErrorCode::kNotFound, "bin/python");
  check_refused("/", ErrorCode::kBadInput, "can't be");
  check_refused("/usr", ErrorCode::kBadInput, "can't be");
}

TEST_CASE("a pyvenv.cfg that is not a small regular file is refused") {
  Folder here;
  const std::string venv = make_venv(here, "venv", make_python(here, "py"));
  const std::string config = venv + "/pyvenv.cfg";
  auto replace_by = [&](auto&& make) {
    std::filesystem::remove_all(config);
    make();
    CHECK_FALSE(resolve_venv(venv));
  };
  replace_by([&] { here.link("venv/pyvenv.cfg", "/etc/hostname"); });
  replace_by([&] { here.folder("venv/pyvenv.cfg"); });
  replace_by([&] { REQUIRE(::mkfifo(config.c_str(), 0600) == 0); });
  replace_by([&] { here.file("venv/pyvenv.cfg", std::string(65537, '#')); });
  replace_by([&] { here.file("venv/pyvenv.cfg", std::string("home = /usr\0/bin\n", 17)); });
  replace_by([&] { here.link("venv/pyvenv.cfg", "/dev/zero"); });
  std::filesystem::remove_all(config);
  here.file("venv/pyvenv.cfg", "home = " + here.at("py/bin") + "\n");
  CHECK(resolve_venv(venv));
}

TEST_CASE("an interpreter that is gone, or is none") {
  Folder here;
  const std::string base = make_python(here, "py");
  const std::string venv = make_venv(here, "venv", base);
  REQUIRE(resolve_venv(venv));
  std::filesystem::rename(base, here.at("moved"));
  check_refused(venv, ErrorCode::kNotFound, "leads to `" + base);
  std::filesystem::remove(venv + "/bin/python");
  here.link("venv/bin/python", "/etc/passwd");
  check_refused(venv, ErrorCode::kBadInput, "not a program");
  std::filesystem::remove(venv + "/bin/python");
  here.folder("venv/bin/python");
  check_refused(venv, ErrorCode::kBadInput, "not a program");
  std::filesystem::remove(venv + "/bin/python");
  here.link("venv/bin/python", "python");
  check_refused(venv, ErrorCode::kNotFound, "gone");
}

TEST_CASE("a folder is shown only where a standard library is in it") {
  Folder here;
  here.program("secret/bin/python3");
  here.file("secret/lib/python3.11/token", "s");
  here.file("venv/pyvenv.cfg", "home = " + here.at("secret/bin") + "\n");
  here.link("venv/bin/python", here.at("secret/bin/python3"));
  check_refused(here.at("venv"), ErrorCode::kBadInput, "standard library");
  std::filesystem::remove(here.at("venv/bin/python"));
  here.program("venv/bin/python");
  check_refused(here.at("venv"), ErrorCode::kBadInput, "standard library");
}

TEST_CASE("a copied interpreter's home is looked up in pyvenv.cfg") {
  Folder here;
  const std::string base = make_python(here, "py");
  here.program("venv/bin/python");
  here.file("venv/pyvenv.cfg", "version = 3\n");
  check_refused(here.at("venv"), ErrorCode::kBadInput, "does not say");
  here.file("venv/pyvenv.cfg", "home = " + here.at("gone/bin") + "\n");
  check_refused(here.at("venv"), ErrorCode::kNotFound, "gone");
  here.file("venv/pyvenv.cfg", "home = " + base + "/bin\n");
  auto view = resolve_venv(here.at("venv"));
  REQUIRE(view);
  CHECK(view->python == here.at("venv/bin/python"));
  CHECK(has_mount(view->mounts, base));
}

TEST_CASE("of a prefix in which people keep other things, only Python is shown") {
  Folder here;
  const std::string base = make_python(here, "somebody");
  here.file("somebody/.ssh/id", "secret");
  here.file("somebody/lib/libpython3.11.so.1.0");
  here.folder("somebody/include/python3.11");
  here.file("somebody/lib/other/secret");
  auto view = resolve_venv(make_venv(here, "venv", base));
  REQUIRE(view);
  CHECK_FALSE(has_mount(view->mounts, base));
  for (const char* part : {"/bin/python3.11", "/lib/python3.11", "/lib/libpython3.11.so.1.0", "/include/python3.11"}) {
    INFO(part);
    CHECK(has_mount(view->mounts, base + part));
  }
  CHECK(view->mounts.size() == 5);
}

TEST_CASE("a venv by a link, and one that was moved") {
  Folder here;
  const std::string base = make_python(here, "py");
  make_venv(here, "first", base);
  std::filesystem::rename(here.at("first"), here.at("second"));
  REQUIRE(resolve_venv(here.at("second")));
  here.link("alias", "second");
  auto view = resolve_venv(here.at("alias"));
  REQUIRE(view);
  CHECK(view->dir == here.at("alias"));
  CHECK(view->real_dir == here.at("second"));
  CHECK(has_mount(view->mounts, here.at("second")));
  CHECK_FALSE(has_mount(view->mounts, here.at("alias")));
  CHECK(has_link(view->symlinks, here.at("alias"), "second"));
}

TEST_CASE("an alias of the Python's version is shown inside as well") {
  Folder here;
  const std::string base = make_python(here, "cpython-3.11.2");
  here.link("cpython-3.11", "cpython-3.11.2");
  auto view = resolve_venv(make_venv(here, "venv", here.at("cpython-3.11")));
  REQUIRE(view);
  CHECK(has_mount(view->mounts, base));
  CHECK(has_link(view->symlinks, here.at("cpython-3.11"), "cpython-3.11.2"));
}

TEST_CASE("a Python below a folder that only its owner may enter") {
  Folder here;
  const std::string base = make_python(here, "private/py");
  const std::string venv = make_venv(here, "venv", base);
  ::chmod(here.path().c_str(), 0755);
  ::chmod(here.at("private").c_str(), 0700);
  auto view = resolve_venv(venv);
  REQUIRE(view);
  CHECK(has_mount(view->mounts, base));
  CHECK_FALSE(has_mount(view->mounts, here.at("private")));
  ::chmod(here.at("private").c_str(), 0);
  {
    OrdinaryUser user;
    check_refused(venv, ErrorCode::kNotFound, "Permission denied");
  }
  ::chmod(here.at("private").c_str(), 0700);
}

TEST_CASE("a writable venv: the venv alone") {
  Folder here;
  Folder workspace;
  const std::string base = make_python(here, "py");
  RunRequest request;
  request.argv = {"true"};
  request.venv = make_venv(here, "venv", base);
  request.workspace = workspace.path();
  for (const VenvAccess access : {VenvAccess::kReadOnly, VenvAccess::kWritable}) {
    request.venv_access = access;
    auto spec = build_spec(request, "R", system_view());
    REQUIRE(spec);
    for (const sandbox::Mount& mount : spec->mounts) {
      INFO(mount.target);
      const bool writable =
          mount.target == workspace.path() || (mount.target == *request.venv && access == VenvAccess::kWritable);
      CHECK((mount.writable == sandbox::Writable::kYes) == writable);
    }
    CHECK(has_mount(spec->mounts, *request.venv));
    CHECK(has_mount(spec->mounts, base));
  }
}

TEST_CASE("a workspace that is the venv or its Python would make it writable: refused") {
  Folder here;
  const std::string base = make_python(here, "py");
  RunRequest request;
  request.argv = {"true"};
  request.venv = make_venv(here, "venv", base);
  for (const std::string& folder : {*request.venv, base}) {
    request.workspace = folder;
    request.access = Access::kDirect;
    auto spec = build_spec(request, "R", system_view());
    REQUIRE_FALSE(spec);
    CHECK(contains(spec.error().message, "stay read-only"));
    request.access = Access::kReadOnly;
    CHECK(build_spec(request, "R", system_view()));
  }
  request.access = Access::kDirect;
  request.workspace = here.folder("venv/project");
  CHECK(build_spec(request, "R", system_view()));
  request.workspace = here.path();
  CHECK(build_spec(request, "R", system_view()));
  request.workspace = *request.venv;
  request.venv_access = VenvAccess::kWritable;
  CHECK(build_spec(request, "R", system_view()));
}
