// SPDX-License-Identifier: Apache-2.0
// The environment is built from nothing, and dangerous names do not get in.
#include "engine/environment.h"

#include <algorithm>

#include "tests/support/catch.h"

using namespace wardenv::engine;

namespace {

EnvironmentInput input(std::vector<std::string> extra) { return {.venv_dir = "/v", .home = "/h", .run_id = "R", .extra = std::move(extra)}; }

}  // namespace

TEST_CASE("exactly the contract's variables") {
  ::setenv("WARDENV_TEST_LEAK", "secret", 1);
  auto variables = build_environment(input({"DEBUG=1"}));
  REQUIRE(variables);
  std::sort(variables->begin(), variables->end());
  CHECK(*variables == std::vector<std::string>{"DEBUG=1", "HOME=/h", "LANG=C.UTF-8", "PATH=/v/bin:/usr/local/bin:/usr/bin:/bin",
                                               "PYTHONUNBUFFERED=1", "TERM=dumb", "TMPDIR=/tmp", "VIRTUAL_ENV=/v", "WARDENV_RUN_ID=R"});
}

TEST_CASE("defaults can be replaced, ours can't") {
  auto variables = build_environment(input({"TERM=xterm", "LANG=de_DE.UTF-8"}));
  REQUIRE(variables);
  CHECK(std::count(variables->begin(), variables->end(), "TERM=dumb") == 0);
  CHECK(std::count(variables->begin(), variables->end(), "TERM=xterm") == 1);
  for (const char* name : {"PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "WARDENV_RUN_ID"}) CHECK_FALSE(build_environment(input({std::string(name) + "=x"})));
}

TEST_CASE("names that load, start or redirect are refused") {
  for (const char* name : {"LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GCONV_PATH", "GLIBC_TUNABLES", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME",
                           "PYTHONBREAKPOINT", "PYTHONINSPECT", "PYTHONWARNINGS", "PYTHONEXECUTABLE", "PYTHONPLATLIBDIR", "PYTHONUSERBASE",
                           "PYTHON_NEW_THING", "BASH_ENV", "ENV", "GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_CONFIG_COUNT", "GIT_PAGER",
                           "HTTP_PROXY", "http_proxy", "https_proxy", "All_Proxy", "PERL5OPT", "RUBYOPT", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS",
                           "EDITOR", "PAGER", "PIP_INDEX_URL", "IFS", "PS4", "SHELLOPTS"}) {
    INFO(name);
    CHECK_FALSE(build_environment(input({std::string(name) + "=x"})));
  }
  for (const char* name : {"PYTHONHASHSEED", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "CI", "TZ", "MY_APP_MODE", "LC_ALL"}) {
    INFO(name);
    CHECK(build_environment(input({std::string(name) + "=x"})));
  }
}

TEST_CASE("malformed variables are refused") {
  for (const char* bad : {"", "A", "=x", "1A=x", "A B=x", "A-B=x", "BASH_FUNC_x%%=() { :; }", "\xc3\xa4=x"}) {
    INFO(bad);
    CHECK_FALSE(build_environment(input({bad})));
  }
  CHECK_FALSE(build_environment(input({"A=1", "A=2"})));
  CHECK(build_environment(input({"A="})));
}
