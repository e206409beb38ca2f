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
  if (event.kind == EgressEventKind::kRefused || event.kind == EgressEventKind::kFailed) count(event);
  // The end of what was told to have begun is always told.
  if (event.kind != EgressEventKind::kClosed) {
    if (left_ == 0) return;
    --left_;
  }
  if (sink_) sink_(event);
}

void EgressReporter::count(const EgressEvent& event) {
  const std::string what = printable(place(event));
  const std::string hint = refusal_text(event.reason, event.needed);
  auto known = std::find_if(refusals_.begin(), refusals_.end(), [&](const EgressRefusal& item) { return item.what == what && item.hint == hint; });
  if (known == refusals_.end() && refusals_.size() >= kMaxKinds) known = refusals_.end() - 1;
  if (known != refusals_.end()) {
    ++known->count;
    if (refusals_.size() >= kMaxKinds && known->what != what) *known = {"connect others", known->count, "more than can be named here"};
    return;
  }
  refusals_.push_back({what, 1, hint});
}

}  // namespace wardenv::engine
