// SPDX-License-Identifier: Apache-2.0
// Where the state lies: what is named, else root's own place for root, whoever's HOME it has.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "engine/spec_builder.h"
#include "tests/support/catch.h"

using wardenv::engine::state_folder;

namespace {

// As it was again at the end.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name); before != nullptr) before_ = before;
    value != nullptr ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  ~Variable() { before_.empty() ? ::unsetenv(name_) : ::setenv(name_, before_.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};

}  // namespace

TEST_CASE("the state folder is the one that is named, else the user's own") {
  const Variable home("HOME", "/home/somebody");
  const Variable none("WARDENV_STATE", nullptr);
  const Variable no_xdg("XDG_STATE_HOME", nullptr);
  CHECK(state_folder() == (::geteuid() == 0 ? "/var/lib/wardenv" : "/home/somebody/.local/state/wardenv"));
  const Variable xdg("XDG_STATE_HOME", "/x");
  CHECK(state_folder() == "/x/wardenv");
  const Variable named("WARDENV_STATE", "/named");
  CHECK(state_folder() == "/named");
}
