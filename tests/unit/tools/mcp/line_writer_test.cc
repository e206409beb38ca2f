// SPDX-License-Identifier: Apache-2.0
// What a slow reader has taken is not kept, even where it never has taken all.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "sandbox/base/unique_fd.h"
#include "tests/support/catch.h"
#include "tools/mcp/line_io.h"

using namespace wardenv;

namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  std::string take(std::size_t most) const {
    std::string text(most, 0);
    const ssize_t count = ::read(out.get(), text.data(), most);
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
  }
  UniqueFd out;
  UniqueFd in;
};

}  // namespace

TEST_CASE("a reader that is always a little behind") {
  const Pipe pipe;
  const UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  mcp::LineWriter writer(pipe.in.get(), wake.get());
  std::string sent;
  std::string got;
  const auto write = [&](std::size_t number) {
    std::string line(8000, static_cast<char>('a' + number % 26));
    sent += line + "\n";
    writer.write(std::move(line));
  };
  std::size_t number = 0;
  while (writer.backlog() < 200'000) write(number++);
  for (int round = 0; round < 2000; ++round) {   // 16 MB in all
    write(number++);
    got += pipe.take(8001);
    writer.flush();
    REQUIRE(writer.backlog() > 0);
    REQUIRE(writer.held() < (1U << 20));
  }
  while (got.size() < sent.size()) {
    const std::string more = pipe.take(65536);
    REQUIRE_FALSE(more.empty());
    got += more;
    writer.flush();
  }
  CHECK(got == sent);
  CHECK(writer.backlog() == 0);
  CHECK(writer.held() <= 65536);
}
