// SPDX-License-Identifier: Apache-2.0
// Error and Result: how a layer says that wardenv itself could not do its job.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace wardenv {

// What kind of failure it is; the name (see to_string) is the `code` of the report's `error` object.
enum class ErrorCode {
  kBadInput,      // the caller asked for something malformed or impossible
  kNotFound,      // a file, folder or program that the request names is missing
  kHost,          // the host lacks or refuses something that the request needs
  kUnenforceable, // a limit or wall that was asked for cannot be held on this host
  kLauncher,      // the launcher died or spoke nonsense
  kInternal,      // an invariant of ours is broken
};

std::string_view to_string(ErrorCode code);

// A failure of ours: never used for what the untrusted program did (that is a RunReport).
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;   // one line, lower case, no full stop, user input in backticks
  std::string hint;      // what to do about it; may be empty
  int sys_errno = 0;     // errno of the call that failed, 0 where none did
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint = {});

// Makes an Error out of the calling thread's errno: "<what>: <text of errno>". The one place where errno becomes text.
// Without a hint, what is usually done about that errno, if anything is.
tl::unexpected<Error> fail_errno(ErrorCode code, std::string_view what, std::string hint = {});
tl::unexpected<Error> fail_errno(ErrorCode code, std::string_view what, int sys_errno, std::string hint = {});

// Of an errno that means the same whatever was called; empty for all others.
std::string usual_hint(int sys_errno);

// What EAGAIN means where a process or a thread was to be made.
inline constexpr const char* kProcessesHint = "no more processes are allowed: raise the limit by `ulimit -u`, or pids.max of the control group that we are in";

}  // namespace wardenv

// Returns the error of a Result-valued expression to the caller.
#define WARDENV_TRY(expr)                                      \
  do {                                                         \
    if (auto wardenv_status = (expr); !wardenv_status) {       \
      return tl::unexpected(std::move(wardenv_status).error()); \
    }                                                          \
  } while (false)
