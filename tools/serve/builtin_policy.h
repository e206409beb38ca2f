// SPDX-License-Identifier: Apache-2.0
// The policy of `wardenv serve` without --policy (interfaces.md, "Options of serve").
#pragma once

namespace wardenv::serve {

inline constexpr const char* kBuiltinPolicy = R"({
  "version": "1",
  "default": "deny",
  "hide": ["remove_package"],
  "tools": {
    "init": {}, "run_in_venv": {"limits": [{"counter": "run_in_venv_rate", "window": "minute", "max": 10, "scope": "grant"}]},
    "sync": {"limits": [{"counter": "install_rate", "window": "minute", "max": 30, "scope": "grant"}]},
    "add_package": {"limits": [{"counter": "install_rate", "window": "minute", "max": 30, "scope": "grant"}]},
    "add_packages": {"limits": [{"counter": "install_rate", "window": "minute", "max": 30, "scope": "grant"}]},
    "run_python": {"limits": [{"counter": "run_in_venv_rate", "window": "minute", "max": 10, "scope": "grant"}]},
    "start_run": {},
    "list_packages": {}, "describe_environment": {}, "read_file": {}, "write_file": {}, "list_files": {},
    "run_status": {}, "cancel_run": {}, "list_runs": {}
  }
})";

}  // namespace wardenv::serve
