// SPDX-License-Identifier: Apache-2.0
// What every front end says and how it ends.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "tools/options/text.h"
#include "tools/wardenv/commands.h"

namespace wardenv::cli {

void tell(std::string_view line) { std::fprintf(stderr, "wardenv: %s\n", tools::one_line(line).c_str()); }

int complain(const Error& error) {
  std::fprintf(stderr, "wardenv: %s\n", tools::one_line(error).c_str());
  return kCannot;
}

int written(int status) {
  static bool told = false;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  if (!std::exchange(told, true)) complain(fail_errno(ErrorCode::kHost, "cannot write to stdout", "make room, or send stdout elsewhere").value());
  return kCannot;
}

int say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (!text.ends_with('\n')) std::fputc('\n', stdout);
  return written();
}

void leave(int status) {
  status = written(status);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::exit(status);   // there they look for leaks
#else
  ::_exit(status);     // libraries' destructors have nothing to do that the kernel does not
#endif
}

}  // namespace wardenv::cli
