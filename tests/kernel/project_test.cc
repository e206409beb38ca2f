// SPDX-License-Identifier: Apache-2.0
// Projects for real: environments made, packages installed from an index in the workspace, and a stand-in for uv.
#include "engine/project/project.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/kernel/support.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

// wheels `alpha` 1.0 and 2.0 (needs beta), `beta` 1.0, `evil` 1.0 (an sdist whose setup.py writes where it should not).
constexpr const char* kMakeIndex = R"(
import base64, hashlib, io, os, sys, tarfile, zipfile
index = sys.argv[1]
def wheel(name, version, requires=()):
    info = f"{name}-{version}.dist-info"
    files = {f"{name}.py": f"version = '{version}'\n",
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {r}\n" for r in requires),
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    os.makedirs(f"{index}/{name}", exist_ok=True)
    with zipfile.ZipFile(f"{index}/{name}/{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
wheel("alpha", "1.0", ["beta>=1"])
wheel("alpha", "2.0", ["beta>=1"])
wheel("beta", "1.0")
for name in sorted(os.listdir(index)):
    links = "".join(f'<a href="{file}">{file}</a>' for file in sorted(os.listdir(f"{index}/{name}")))
    open(f"{index}/{name}/index.html", "w").write(f"<!DOCTYPE html><html><body>{links}</body></html>")
)";

struct Bench {
  ScratchFolder scratch;
  StateFolder state;
  Engine engine = std::move(*Engine::create());
  Workspaces workspaces = *Workspaces::open({scratch.path()}, "");
  Place here = *workspaces.folder(scratch.path());

  Runner runner() {
    Runner runner;
    runner.granted.limits.wall_time = std::chrono::seconds(120);
    runner.granted.limits.memory_bytes = 1ULL << 30;
    runner.run = [this](const RunRequest& request) { return engine.run(request); };
    runner.installer.index_url = "file://" + scratch.path() + "/index";
    return runner;
  }

  [[nodiscard]] std::string path(const std::string& name) const { return scratch.path() + "/" + name; }
  [[nodiscard]] std::string content(const std::string& name) const { return testing::text_of(path(name)); }
  // Whether a file lies in the environment's site-packages, whatever Python it is of.
  [[nodiscard]] bool installed(const std::string& name) const {
    const std::filesystem::directory_iterator pythons(path(".venv/lib"));
    return std::any_of(begin(pythons), end(pythons), [&](const auto& python) { return std::filesystem::exists(python.path() / "site-packages" / name); });
  }
  void make_index() const {
    scratch.write("make_index.py", kMakeIndex);
    REQUIRE(std::system(("/usr/bin/python3 " + path("make_index.py") + " " + path("index")).c_str()) == 0);
  }
};

std::string trouble(const Outcomes& outcomes) {
  if (!outcomes.error) return "";
  return outcomes.error->message + "; " + outcomes.error->hint + (outcomes.report ? "\n" + outcomes.report->out.text + outcomes.report->err.text : "");
}

std::vector<Requirement> wanted(std::initializer_list<const char*> texts) {
  std::vector<Requirement> list;
  for (const char* text : texts) list.push_back(*parse_requirement(text));
  return list;
}

bool has(const std::vector<PackageChange>& changes, const std::string& name, const std::string& from, const std::string& to) {
  return std::any_of(changes.begin(), changes.end(), [&](const PackageChange& change) { return change.name == name && change.from == from && change.to == to; });
}

}  // namespace

TEST_CASE("a project's whole story: init, add, replace, list, sync, remove") {
  Bench bench;
  bench.make_index();
  const Runner runner = bench.runner();
  CHECK(find_project(bench.here).error().code == ErrorCode::kNotFound);
  // What an importer of the current folder would find first.
  for (const char* trap : {"json.py", "venv.py", "ensurepip.py", "pip.py", "site.py"}) bench.scratch.write(trap, "raise SystemExit('trapped')\n");

  Outcomes made = init_project(runner, bench.here);
  INFO(trouble(made));
  REQUIRE_FALSE(made.error);
  CHECK(made.made_venv);
  CHECK(std::filesystem::exists(bench.path(".venv/bin/pip")));
  Outcomes again = init_project(runner, bench.here);
  CHECK_FALSE(again.error);
  CHECK_FALSE(again.made_venv);

  bench.scratch.write("pyproject.toml", "# mine\n[project]\nname = \"x\"\nversion = \"1\"\ndependencies = [\n  # none\n]\n");
  Outcomes added = add_packages(runner, bench.here, wanted({"alpha<2"}), Section::kMain);
  INFO(trouble(added));
  REQUIRE_FALSE(added.error);
  CHECK(has(added.packages, "alpha", "", "1.0"));
  CHECK(has(added.packages, "beta", "", "1.0"));
  CHECK(bench.installed("beta.py"));
  CHECK(bench.content("pyproject.toml").find("# none") != std::string::npos);
  CHECK(bench.content("pyproject.toml").find("\"alpha<2\"") != std::string::npos);

  Outcomes replaced = add_packages(runner, bench.here, wanted({"Alpha==2.0"}), Section::kMain);
  INFO(trouble(replaced));
  REQUIRE_FALSE(replaced.error);
  CHECK(has(replaced.packages, "alpha", "1.0", "2.0"));
  CHECK(bench.content("pyproject.toml").find("alpha<2") == std::string::npos);

  EnvironmentList list;
  Outcomes listed = list_packages(runner, bench.here, list);
  INFO(trouble(listed));
  REQUIRE_FALSE(listed.error);
  CHECK(list.python.starts_with("3."));
  REQUIRE(list.needed);
  CHECK(*list.needed == std::set<std::string>{"alpha", "beta"});

  // Someone edited the file by hand: sync follows.
  bench.scratch.write("pyproject.toml", "[project]\nname = \"x\"\nversion = \"1\"\ndependencies = [\"beta\"]\n");
  Outcomes synced = sync_project(runner, bench.here);
  INFO(trouble(synced));
  REQUIRE_FALSE(synced.error);
  CHECK(has(synced.packages, "alpha", "2.0", ""));
  CHECK(synced.packages.size() == 1);

  REQUIRE_FALSE(add_packages(runner, bench.here, wanted({"alpha"}), Section::kDev).error);
  Outcomes removed = remove_package(runner, bench.here, "ALPHA", {});
  INFO(trouble(removed));
  REQUIRE_FALSE(removed.error);
  CHECK(has(removed.packages, "alpha", "2.0", ""));
  CHECK(removed.packages.size() == 1);   // beta is listed itself
  CHECK(bench.content("pyproject.toml").find("alpha") == std::string::npos);
  Outcomes unknown = remove_package(runner, bench.here, "alpha", {});
  REQUIRE(unknown.error);
  CHECK(unknown.error->message.find("not listed") != std::string::npos);
}

TEST_CASE("what could not be installed is not listed") {
  Bench bench;
  bench.make_index();
  const Runner runner = bench.runner();
  REQUIRE_FALSE(init_project(runner, bench.here).error);
  const std::string before = "[project]\nname = \"x\"\nversion = \"1\"\ndependencies = []\n";
  bench.scratch.write("pyproject.toml", before);
  Outcomes failed = add_packages(runner, bench.here, wanted({"beta", "there-is-no-such-package"}), Section::kMain);
  REQUIRE(failed.error);
  INFO(failed.error->message);
  CHECK(failed.error->message.find("there-is-no-such-package") != std::string::npos);
  CHECK(bench.content("pyproject.toml") == before);

  // A file that can't be edited is found before anything is installed.
  bench.scratch.write("pyproject.toml", "[project\n");
  Outcomes broken = add_packages(runner, bench.here, wanted({"beta"}), Section::kMain);
  REQUIRE(broken.error);
  CHECK(broken.error->message.find("line 1") != std::string::npos);
  CHECK_FALSE(bench.installed("beta.py"));

  // What pyproject.toml lists is as untrusted as an argument.
  for (const char* entry : {"-e .", "--index-url=http://x", "beta @ file:///etc", "./beta", "git+ssh://x/y"}) {
    bench.scratch.write("pyproject.toml", std::string("[project]\nname = \"x\"\nversion = \"1\"\ndependencies = [\"") + entry + "\"]\n");
    INFO(entry);
    CHECK(sync_project(runner, bench.here).error);
  }
}

TEST_CASE("a venv that leads elsewhere is none") {
  Bench bench;
  ScratchFolder elsewhere;
  REQUIRE(std::system(("/usr/bin/python3 -m venv --without-pip " + elsewhere.path() + "/venv").c_str()) == 0);
  std::filesystem::create_directory_symlink(elsewhere.path() + "/venv", bench.path(".venv"));
  CHECK_FALSE(find_project(bench.here));
  const Runner runner = bench.runner();
  CHECK(init_project(runner, bench.here).error);
  CHECK(add_packages(runner, bench.here, wanted({"beta"}), Section::kMain).error);
  // The engine says no by itself, should the link come later.
  RunRequest late = request(bench.scratch, {"true"});
  late.venv = bench.path(".venv");
  late.venv_within = bench.scratch.path();
  const RunReport report = bench.engine.run(late);
  REQUIRE(report.error);
  CHECK(report.error->message.find("leads out") != std::string::npos);
  late.venv_within = elsewhere.path();
  CHECK(bench.engine.run(late).exit_code == 0);
}

// What a run in the background can do between the making of the folder and the run that fills it.
TEST_CASE("init writes nothing to where a link leads that came meanwhile") {
  Bench bench;
  ScratchFolder elsewhere;
  std::filesystem::create_directories(bench.path("b"));
  std::filesystem::create_directories(elsewhere.path() + "/.venv");
  const Place inside = *bench.workspaces.folder(bench.path("b"));
  Runner runner = bench.runner();
  const auto run = runner.run;
  runner.run = [&](const RunRequest& request) {
    std::filesystem::rename(bench.path("b"), bench.path("moved"));
    std::filesystem::create_directory_symlink(elsewhere.path(), bench.path("b"));
    return run(request);
  };
  const Outcomes swapped = init_project(runner, inside);
  REQUIRE(swapped.error);
  CHECK(swapped.error->message.find("leads out") != std::string::npos);
  CHECK(std::filesystem::is_empty(elsewhere.path() + "/.venv"));
  CHECK_FALSE(std::filesystem::exists(bench.path("moved/.venv")));   // what was made is gone

  std::filesystem::remove(bench.path("b"));
  std::filesystem::rename(bench.path("moved"), bench.path("b"));
  CHECK(init_project(bench.runner(), inside).made_venv);
}

TEST_CASE("an environment that could not be made leaves nothing behind") {
  Bench bench;
  Runner runner = bench.runner();
  runner.installer.python = "/usr/bin/false";
  Outcomes outcomes = init_project(runner, bench.here);
  REQUIRE(outcomes.error);
  CHECK_FALSE(std::filesystem::exists(bench.path(".venv")));
}

TEST_CASE("the venv of a folder above is found, one outside of the workspace is not") {
  Bench bench;
  std::filesystem::create_directories(bench.path("outer/inner/deep"));
  REQUIRE(std::system(("/usr/bin/python3 -m venv --without-pip " + bench.path("outer/.venv")).c_str()) == 0);
  auto found = find_project(*bench.workspaces.folder(bench.path("outer/inner/deep")));
  REQUIRE(found);
  CHECK(found->venv == bench.path("outer/.venv"));
  auto inner = Workspaces::open({bench.path("outer/inner")}, "");
  REQUIRE(inner);
  CHECK_FALSE(find_project(*inner->folder(bench.path("outer/inner/deep"))));
}

TEST_CASE("text is handed over as standard input, whole and once") {
  Bench bench;
  RunRequest wanted_run = request(bench.scratch, {"sh", "-c", "cat; echo x >> /proc/self/fd/0 || echo sealed"});
  wanted_run.stdin_mode = StdinMode::kText;
  wanted_run.stdin_text = std::string(1 << 20, 'a') + "\n";
  wanted_run.output_limit_bytes = 4 << 20;
  const RunReport report = bench.engine.run(wanted_run);
  CHECK(report.out.text == wanted_run.stdin_text + "sealed\n");
}

// uv itself could not be had where this was written: the stand-in takes the command line as uv documents it, and does the work with pip.
TEST_CASE("uv is called as it documents its command line") {
  Bench bench;
  bench.make_index();
  std::filesystem::create_directories(bench.path("bin"));
  bench.scratch.write("bin/uv", R"(#!/usr/bin/python3 -I
import subprocess, sys
words, flags, values = [], set(), {}
rest = iter(sys.argv[1:])
for word in rest:
    if word == "--":
        words += rest
    elif word in ("--python", "--default-index", "--color", "--link-mode"):
        values[word] = next(rest)
    elif word in ("--no-config", "--no-cache", "--no-progress", "--no-python-downloads", "--allow-existing"):
        flags.add(word)
    elif word.startswith("-"):
        sys.exit(f"error: unexpected argument '{word}' found")
    else:
        words.append(word)
assert {"--no-config", "--no-cache"} <= flags, flags
if words[0] == "venv":
    sys.exit(subprocess.call([values["--python"], "-I", "-m", "venv", words[1]]))
python = values["--python"]
index = ["--index-url", values["--default-index"]] if "--default-index" in values else []
more = {"install": ["--no-cache-dir", *index], "uninstall": ["--yes"]}[words[1]]
sys.exit(subprocess.call([python, "-I", "-m", "pip", words[1], "--disable-pip-version-check", *more, *words[2:]]))
)");
  std::filesystem::permissions(bench.path("bin/uv"), std::filesystem::perms(0755));
  Runner runner = bench.runner();
  runner.installer.kind = InstallerKind::kUv;
  runner.installer.uv = bench.path("bin/uv");
  // It lies in the workspace here, which init does not show: so the environment is made the other way.
  REQUIRE_FALSE(init_project(bench.runner(), bench.here).error);
  Outcomes added = add_packages(runner, bench.here, wanted({"beta"}), Section::kMain);
  INFO(trouble(added));
  REQUIRE_FALSE(added.error);
  CHECK(has(added.packages, "beta", "", "1.0"));
  CHECK(bench.content("pyproject.toml").find("beta") != std::string::npos);
  Outcomes removed = remove_package(runner, bench.here, "beta", Section::kMain);
  INFO(trouble(removed));
  REQUIRE_FALSE(removed.error);
  CHECK(has(removed.packages, "beta", "1.0", ""));
}
