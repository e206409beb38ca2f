// SPDX-License-Identifier: Apache-2.0
// What a thread costs before it does anything.
#include <link.h>

#include "tests/support/catch.h"

namespace {

// Of the program itself, which comes first.
std::size_t thread_local_bytes() {
  std::size_t bytes = 0;
  ::dl_iterate_phdr(
      [](dl_phdr_info* program, std::size_t, void* sum) {
        for (int i = 0; i < program->dlpi_phnum; ++i) {
          if (program->dlpi_phdr[i].p_type == PT_TLS) *static_cast<std::size_t*>(sum) = program->dlpi_phdr[i].p_memsz;
        }
        return 1;
      },
      &bytes);
  return bytes;
}

}  // namespace

// Each thread that starts writes all of it, page after page: buffers belong on the heap.
TEST_CASE("a thread starts with less than a page of memory of its own") {
  const std::size_t bytes = thread_local_bytes();
  CHECK(bytes > 0);
  CHECK(bytes < 4096);
}
