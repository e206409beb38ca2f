// SPDX-License-Identifier: Apache-2.0
// Capture: head and tail, whatever the chunks.
#include "engine/capture.h"

#include "tests/support/catch.h"

using wardenv::engine::Capture;

TEST_CASE("what fits is kept as it is") {
  Capture capture(10);
  capture.add("12345");
  capture.add("67890");
  const auto stream = capture.take();
  CHECK(stream.text == "1234567890");
  CHECK_FALSE(stream.truncated);
}

TEST_CASE("what does not fit keeps head and tail for chunks of every size") {
  std::string all;
  for (int i = 0; i < 100; ++i) all += static_cast<char>('a' + i % 26);
  for (std::size_t chunk = 1; chunk <= 100; ++chunk) {
    Capture capture(11);
    for (std::size_t at = 0; at < all.size(); at += chunk) capture.add(std::string_view(all).substr(at, chunk));
    const auto stream = capture.take();
    INFO("chunks of " << chunk);
    CHECK(stream.bytes == 100);
    CHECK(stream.truncated);
    CHECK(stream.text == all.substr(0, 6) + "\n[wardenv: 89 bytes omitted]\n" + all.substr(95));
  }
}

TEST_CASE("a limit of nothing keeps nothing") {
  Capture capture(0);
  capture.add("abc");
  CHECK(capture.take().text == "\n[wardenv: 3 bytes omitted]\n");
}
