// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/reporter.h"

#include <algorithm>

namespace wardenv::engine {
namespace {

constexpr std::size_t kMaxKinds = 64;   // different refusals that a report names; the last one takes the rest
constexpr std::size_t kMaxText = 400;

std::string place(const EgressEvent& event) {
  if (event.host.empty()) return "proxy request";
  const std::string host = event.host.find(':') != std::string::npos ? "[" + event.host + "]" : event.host;
  return (event.method.empty() || event.method == "CONNECT" ? "connect " : event.method + " ") + host + ":" + std::to_string(event.port);
}

std::string printable(const std::string& text) {
  std::string result;
  for (char c : text.substr(0, kMaxText)) result += c >= 0x20 && c < 0x7f ? c : '?';
  return result;
}

}  // namespace

std::string refusal_text(const std::string& reason, const std::string& needed) {
  return printable(needed.empty() ? reason : reason + "; a rule that allows it: --allow-host '" + needed + "'");
}

EgressReporter::EgressReporter(EgressSink sink, std::uint64_t events) : sink_(std::move(sink)), left_(events == 0 ? ~0ULL : events) {}

void EgressReporter::tell(const EgressEvent& event) {
  if (event.kind == EgressEventKind::kRefused || event.kind == EgressEventKind::kFailed) count_refusal(event);
  count_connection(event);
  // The end of what was told to have begun is always told.
  if (event.kind != EgressEventKind::kClosed) {
    if (left_ == 0) return;
    --left_;
  }
  if (sink_) sink_(event);
}

// As a list by host, port, verdict and reason; what comes when it is full is added to its last entry, under no name.
void EgressReporter::count_connection(const EgressEvent& event) {
  using Verdict = EgressConnection::Verdict;
  const bool connected = event.kind == EgressEventKind::kOpened || event.kind == EgressEventKind::kClosed;
  const Verdict verdict = connected ? Verdict::kConnected : event.kind == EgressEventKind::kFailed ? Verdict::kFailed : Verdict::kRefused;
  auto& list = summary_.connections;
  auto known = std::find_if(list.begin(), list.end(), [&](const EgressConnection& item) {
    return item.port == event.port && item.verdict == verdict && item.host == event.host && item.reason == event.reason;
  });
  if (known == list.end() && list.size() >= kMaxKinds) {
    known = list.end() - 1;
    known->host = "(others)";
    known->reason = "more than can be named here";
  }
  if (known == list.end()) {
    list.push_back({.host = event.host, .port = event.port, .verdict = verdict, .reason = event.reason});
    known = list.end() - 1;
  }
  if (event.kind != EgressEventKind::kClosed) ++known->count;
  if (event.kind != EgressEventKind::kClosed) return;
  known->bytes_up += event.bytes_up;
  known->bytes_down += event.bytes_down;
}

void EgressReporter::count_refusal(const EgressEvent& event) {
  auto& refusals = summary_.refusals;
  const std::string what = printable(place(event));
  const std::string hint = refusal_text(event.reason, event.needed);
  auto known = std::find_if(refusals.begin(), refusals.end(), [&](const EgressRefusal& item) { return item.what == what && item.hint == hint; });
  if (known == refusals.end() && refusals.size() >= kMaxKinds) known = refusals.end() - 1;
  if (known != refusals.end()) {
    ++known->count;
    if (refusals.size() >= kMaxKinds && known->what != what) *known = {"connect others", known->count, "more than can be named here"};
    return;
  }
  refusals.push_back({what, 1, hint});
}

}  // namespace wardenv::engine
