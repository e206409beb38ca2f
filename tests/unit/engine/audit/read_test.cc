// SPDX-License-Identifier: Apache-2.0
// Reading the log: filters, the newest ones, following through rotations, text that can't drive a terminal.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/audit/line_reader.h"
#include "engine/audit/read.h"
#include "sandbox/base/unique_fd.h"
#include "tests/unit/engine/audit/support.h"

namespace wardenv {
namespace {

using namespace wardenv::testing;
using engine::AuditFilter;
using engine::GoOn;

std::vector<std::uint64_t> numbers(const std::string& folder, const AuditFilter& filter) {
  std::vector<std::uint64_t> found;
  const Status status = engine::read_audit_log(folder, filter, [&](std::string_view line) {
    found.push_back(nlohmann::json::parse(line)["seq"].get<std::uint64_t>());
    return GoOn::kYes;
  });
  if (!status) FAIL(status.error().message);
  return found;
}

TEST_CASE("audit read: all, filtered, and the newest, over many files") {
  const Folder scratch;
  const std::string folder = scratch.at("audit");
  make_log(folder, 20, {.max_file_bytes = 2000});
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 1; i <= 21; ++i) all.push_back(i);
  CHECK(numbers(folder, {}) == all);
  CHECK(numbers(folder, {.run_id = "run7"}) == std::vector<std::uint64_t>{9});
  CHECK(numbers(folder, {.tool = "run_in_venv", .last = 2}) == std::vector<std::uint64_t>{20, 21});
  CHECK(numbers(folder, {.tool = "other"}).empty());
  CHECK(numbers(folder, {.since = "2999-01-01"}).empty());
  CHECK(numbers(folder, {.since = "2020-01-01"}).size() == 21);
  for (std::uint64_t last = 1; last <= 25; ++last) {
    CHECK(numbers(folder, {.last = last}) == std::vector<std::uint64_t>(all.end() - static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(last, 21)), all.end()));
  }
  int seen = 0;
  CHECK(engine::read_audit_log(folder, {}, [&](std::string_view) { return ++seen == 3 ? GoOn::kNo : GoOn::kYes; }));
  CHECK(seen == 3);
  CHECK_FALSE(engine::read_audit_log(scratch.at("none"), {}, [](std::string_view) { return GoOn::kYes; }));
}

TEST_CASE("audit follow: every record once and in order, through rotations, until told to stop") {
  const Folder scratch;
  const std::string folder = scratch.at("audit");
  make_log(folder, 3, {.max_file_bytes = 1500});
  const UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  std::vector<std::uint64_t> seen;
  Status status;
  std::thread follower([&] {
    status = engine::follow_audit_log(folder, {}, [&](std::string_view line) {
      seen.push_back(nlohmann::json::parse(line)["seq"].get<std::uint64_t>());
      const std::uint64_t one = 1;
      if (seen.back() == 204) (void)!::write(stop.get(), &one, sizeof one);
      return GoOn::kYes;
    }, stop.get());
  });
  make_log(folder, 200, {.max_file_bytes = 1500});
  follower.join();
  CHECK(status);
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = 1; i <= 204; ++i) all.push_back(i);
  CHECK(seen == all);
}

TEST_CASE("audit text: one line of printable ASCII, whatever is in the log") {
  for (const std::string& line : {std::string("{\"seq\":1,\"time\":\"t\",\"event\":\"admit\",\"decision\":\"allow\",\"x\":\"\\u001b[31m\\u202e\\u0000\"}"), std::string("\x1b]0;x\x07\xff"),
                                 std::string("[]"), std::string("{\"a\x1b\":1}"), std::string("{\"\\u001b\":{\"\\n\":\"\\r\"}}"), std::string()}) {
    for (const char c : engine::audit_line_text(line)) CHECK((c >= ' ' && c <= '~'));
  }
  CHECK(engine::audit_line_text(R"({"seq":3,"time":"T","event":"finish","decision":"deny","outcome":"exited","exit_code":0,"tool":"t","hash":"h"})").starts_with("T  3  finish  deny  exited  0  t"));
  CHECK(engine::audit_line_text(R"({"seq":2,"time":"T","event":"admit","run_id":"r","tool":"t","decision":"deny","reason":"a b","hash":"h"})") ==
        "T  2  admit  deny  t  run_id=r reason=\"a b\"");
}

TEST_CASE("audit times: dates and durations") {
  CHECK(engine::parse_audit_time("2026-01-31").value() == "2026-01-31");
  CHECK(engine::parse_audit_time("2026-01-31T12:00:00Z").value() == "2026-01-31T12:00:00");
  CHECK(engine::parse_audit_time("90m").value() > "2020-01-01");
  CHECK(engine::parse_audit_time("2d").value() < engine::parse_audit_time("1d").value());
  for (const char* text : {"", "soon", "2026-1-31", "2026-01-31 12:00", "-1h", "Z", "d", "20260131"}) {
    INFO(text);
    CHECK_FALSE(engine::parse_audit_time(text));
  }
}

TEST_CASE("audit lines: of any length up to the limit, and not beyond") {
  using engine::audit::LineReader;
  const Folder scratch;
  constexpr std::size_t kMax = engine::audit::kMaxLineBytes;
  const auto read = [&](const std::string& text) {
    const UniqueFd file(::open(scratch.file("log", text).c_str(), O_RDONLY | O_CLOEXEC));
    LineReader reader(file.get());
    std::vector<std::pair<LineReader::Next, std::size_t>> found;
    std::string_view line;
    do {
      found.emplace_back(reader.next(line), 0);
      found.back().second = line.size();
    } while (found.back().first == LineReader::Next::kLine);
    return found;
  };
  using Found = std::vector<std::pair<LineReader::Next, std::size_t>>;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65535}, std::size_t{65536}, std::size_t{65537}, kMax / 2, kMax - 1}) {
    const std::string line = std::string(size, 'x') + "\n";
    CHECK(read(line + line + line) == Found{{LineReader::Next::kLine, size}, {LineReader::Next::kLine, size}, {LineReader::Next::kLine, size}, {LineReader::Next::kEnd, 0}});
    if (size > 0) CHECK(read(line + line.substr(1, size - 1)).back().first == (size == 1 ? LineReader::Next::kEnd : LineReader::Next::kTorn));
  }
  CHECK(read(std::string(kMax, 'x') + "\n").back().first == LineReader::Next::kLong);
  CHECK(read("a\n" + std::string(3 * kMax, 'x')).back().first == LineReader::Next::kLong);
}

}  // namespace
}  // namespace wardenv
