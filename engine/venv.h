// SPDX-License-Identifier: Apache-2.0
// A Python virtual environment as the sandbox is to see it: PEP 405, and what virtualenv and uv make of it.
#pragma once

#include <string>
#include <vector>

#include "sandbox/base/error.h"
#include "sandbox/spec.h"

namespace wardenv::engine {

struct VenvView {
  std::string dir;                       // as it was named, absolute: VIRTUAL_ENV
  std::string real_dir;
  std::string python;                    // the interpreter itself, real path
  std::string version;                   // as pyvenv.cfg tells it, may be empty
  bool system_site_packages = false;
  std::vector<sandbox::Mount> mounts;    // the venv and its base interpreter, read-only
  std::vector<sandbox::Symlink> symlinks;
};

// Looks at a venv that may have been written by untrusted code: what it names is shown only where it is an interpreter with a
// standard library beside it. Errors: kNotFound, kBadInput, each with what to do.
Result<VenvView> resolve_venv(const std::string& dir);

}  // namespace wardenv::engine
