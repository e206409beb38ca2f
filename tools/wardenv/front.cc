// SPDX-License-Identifier: Apache-2.0
// What every front end says and how it ends.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tools/wardenv/commands.h"

namespace wardenv::cli {

int complain(const Error& error) {
  std::fprintf(stderr, "wardenv: %s%s%s\n", error.message.c_str(), error.hint.empty() ? "" : " — ", error.hint.c_str());
  return kCannot;
}

void leave(int status) {
  std::fflush(nullptr);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::exit(status);   // there they look for leaks
#else
  ::_exit(status);     // libraries' destructors have nothing to do that the kernel does not
#endif
}

}  // namespace wardenv::cli
