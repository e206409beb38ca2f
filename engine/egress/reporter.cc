// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/reporter.h"

#include <algorithm>
#include <string_view>

namespace wardenv::engine {
namespace {

// How many a report names, of each verdict by itself: what a command is refused, which costs it nothing, must not hide where it has been.
constexpr std::size_t kMaxKinds = 64;
constexpr std::size_t kMaxConnected = 256;   // a rule has allowed each of them
constexpr char kOthers[] = "(others)", kTooMany[] = "more than can be named here";
constexpr std::size_t kMaxText = 800;   // of a refusal: the longest name twice, and words

bool is_letter_or_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

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

// A name that comes from inside: nothing in it means anything to a shell that it may be pasted into.
std::string plain(std::string text) {
  for (char& c : text) {
    if (!is_letter_or_digit(c) && std::string_view(" -._:%@[]").find(c) == std::string_view::npos) c = '?';
  }
  return text;
}

// As much as a rule that was made up here can consist of.
bool may_be_pasted(std::string_view rule) {
  return std::all_of(rule.begin(), rule.end(), [](char c) { return is_letter_or_digit(c) || std::string_view(" -._:/~[]=,*").find(c) != std::string_view::npos; });
}

using Verdict = EgressConnection::Verdict;

Verdict verdict_of(EgressEventKind kind) {
  if (kind == EgressEventKind::kOpened || kind == EgressEventKind::kClosed) return Verdict::kConnected;
  return kind == EgressEventKind::kFailed ? Verdict::kFailed : Verdict::kRefused;
}

std::size_t most_of(Verdict verdict) { return verdict == Verdict::kConnected ? kMaxConnected : kMaxKinds; }

// The item that `same` finds, else a new one; where there are too many of the verdict, one more of it for all others.
template <typename Item, typename Same>
Item& entry(std::vector<Item>& list, Item item, const Item& others, Same same) {
  auto known = std::find_if(list.begin(), list.end(), [&](const Item& other) { return same(other, item); });
  if (known != list.end()) return *known;
  const auto count = std::count_if(list.begin(), list.end(), [&](const Item& other) { return other.verdict == item.verdict; });
  if (static_cast<std::size_t>(count) < most_of(item.verdict)) return list.emplace_back(std::move(item));
  known = std::find_if(list.begin(), list.end(), [&](const Item& other) { return same(other, others); });
  return known != list.end() ? *known : list.emplace_back(others);
}

}  // namespace

std::string refusal_text(const std::string& reason, const std::string& needed) {
  const std::string rule = "; a rule that allows it: --allow-host '" + needed + "'";
  const bool shown = !needed.empty() && may_be_pasted(needed) && reason.size() + rule.size() <= kMaxText;   // whole or not at all
  return printable(shown ? reason + rule : reason);
}

EgressReporter::EgressReporter(EgressSink sink, std::uint64_t events) : sink_(std::move(sink)), left_(events == 0 ? ~0ULL : events) {}

void EgressReporter::tell(const EgressEvent& event) {
  if (event.kind == EgressEventKind::kRefused || event.kind == EgressEventKind::kFailed) count_refusal(event);
  count_connection(event);
  // What was reached is always told: its number has a cap of its own.
  if (verdict_of(event.kind) != Verdict::kConnected) {
    if (left_ == 0) return;
    --left_;
  }
  if (sink_) sink_(event);
}

// As a list by host, port, verdict and reason.
void EgressReporter::count_connection(const EgressEvent& event) {
  const Verdict verdict = verdict_of(event.kind);
  const EgressConnection others{.host = kOthers, .port = 0, .verdict = verdict, .reason = kTooMany};
  auto same = [](const EgressConnection& a, const EgressConnection& b) {
    return a.port == b.port && a.verdict == b.verdict && a.host == b.host && a.reason == b.reason;
  };
  EgressConnection& item = entry(summary_.connections, {.host = event.host, .port = event.port, .verdict = verdict, .reason = event.reason}, others, same);
  if (event.kind != EgressEventKind::kClosed) ++item.count;
  if (event.kind != EgressEventKind::kClosed) return;
  item.bytes_up += event.bytes_up;
  item.bytes_down += event.bytes_down;
}

void EgressReporter::count_refusal(const EgressEvent& event) {
  const Verdict verdict = verdict_of(event.kind);
  const EgressRefusal others{.what = "connect (others)", .count = 0, .hint = kTooMany, .verdict = verdict};
  auto same = [](const EgressRefusal& a, const EgressRefusal& b) { return a.verdict == b.verdict && a.what == b.what && a.hint == b.hint; };
  ++entry(summary_.refusals, {plain(place(event)), 0, refusal_text(event.reason, event.needed), verdict}, others, same).count;
}

// What was reached comes first, for readers that show only so many.
EgressSummary EgressReporter::take() {
  auto& list = summary_.connections;
  std::stable_partition(list.begin(), list.end(), [](const EgressConnection& item) { return item.verdict == Verdict::kConnected; });
  return std::move(summary_);
}

}  // namespace wardenv::engine
