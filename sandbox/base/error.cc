// SPDX-License-Identifier: Apache-2.0
// Error and Result: names of the codes, and errno as text.
#include "sandbox/base/error.h"

#include <cerrno>
#include <cstring>

namespace wardenv {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kBadInput: return "bad_input";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kHost: return "host";
    case ErrorCode::kUnenforceable: return "unenforceable";
    case ErrorCode::kLauncher: return "launcher";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

// What to do about a limit of the caller's own, whichever call met it.
std::string usual_hint(int sys_errno) {
  if (sys_errno == EMFILE) return "raise the limit on open files, for example by `ulimit -n 1024`";
  if (sys_errno == ENFILE) return "the host has too many open files: raise fs.file-max";
  return {};
}

tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint) {
  return tl::unexpected(Error{code, std::move(message), std::move(hint), 0});
}

tl::unexpected<Error> fail_errno(ErrorCode code, std::string_view what, int sys_errno, std::string hint) {
  std::string message(what);
  message += ": ";
  message += strerrordesc_np(sys_errno) != nullptr ? strerrordesc_np(sys_errno) : "unknown error";
  return tl::unexpected(Error{code, std::move(message), hint.empty() ? usual_hint(sys_errno) : std::move(hint), sys_errno});
}

tl::unexpected<Error> fail_errno(ErrorCode code, std::string_view what, std::string hint) {
  return fail_errno(code, what, errno, std::move(hint));
}

}  // namespace wardenv
