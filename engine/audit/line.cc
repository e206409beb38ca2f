// SPDX-License-Identifier: Apache-2.0
// One line of the log: sealed, taken apart, checked.
#include "engine/audit/line.h"

#include <charconv>
#include <chrono>
#include <cstdio>

namespace wardenv::engine::audit {
namespace {

constexpr std::string_view kSeq = R"({"seq":)";
constexpr std::string_view kPrev = R"(,"prev":")";
constexpr std::string_view kHash = R"(","hash":")";
constexpr std::string_view kMac = R"(","mac":")";
constexpr std::string_view kEnd = R"("})";
constexpr std::size_t kMacBytes = 16;
// From the comma before "prev" to the end of the line.
constexpr std::size_t kTrailer = kPrev.size() + 64 + kHash.size() + 64 + kMac.size() + 2 * kMacBytes + kEnd.size();

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

// Takes `expected` off the front.
bool skip(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

bool take_hex(std::string_view& text, std::size_t digits, std::string_view& out) {
  out = text.substr(0, digits);
  text.remove_prefix(out.size());
  return out.size() == digits && is_hex(out);
}

// A number as we write it: no sign, no leading zero, at least 1.
bool take_number(std::string_view& text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || text.front() == '0') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

std::optional<Line> split_line(std::string_view line) {
  Line parts;
  if (line.size() < kTrailer + kSeq.size() + 2 || line.size() >= kMaxLineBytes) return std::nullopt;
  std::string_view head = line.substr(0, line.size() - kTrailer);
  std::string_view tail = line.substr(head.size());
  if (!skip(head, kSeq) || head.empty() || !take_number(head, parts.seq) || !skip(head, ",")) return std::nullopt;
  parts.payload = head;
  parts.body = line.substr(0, line.size() - kTrailer + kPrev.size() + 64 + 1);
  const bool good = skip(tail, kPrev) && take_hex(tail, 64, parts.prev) && skip(tail, kHash) && take_hex(tail, 64, parts.hash) && skip(tail, kMac) &&
                    take_hex(tail, 2 * kMacBytes, parts.mac) && tail == kEnd;
  if (!good) return std::nullopt;
  return parts;
}

void Sealer::seal(std::string_view time, std::string_view payload, ChainEnd& end, std::string& out) {
  const std::size_t begin = out.size();
  out.append(kSeq).append(std::to_string(end.seq + 1)).append(R"(,"time":")").append(time).append("\",").append(payload);
  out.append(kPrev).append(end.hash).append("\"");
  const Digest hash = Sha256::of(std::string_view(out).substr(begin));
  const Digest mac = mac_.of({reinterpret_cast<const char*>(hash.data()), hash.size()});
  end.seq += 1;
  end.hash = to_hex(hash);
  out.append(kHash.substr(1)).append(end.hash).append(kMac);
  out.resize(out.size() + 2 * kMacBytes);
  write_hex(mac, kMacBytes, out.data() + out.size() - 2 * kMacBytes);
  out.append(kEnd).append("\n");
}

Sealer::Check Sealer::check(std::string_view line, ChainEnd& end) {
  const auto parts = split_line(line);
  if (!parts) return Check::kForm;
  if (parts->seq != end.seq + 1) return Check::kSequence;
  if (parts->prev != end.hash) return Check::kPrevious;
  const Digest hash = Sha256::of(parts->body);
  char digits[64];
  write_hex(hash, 32, digits);
  if (parts->hash != std::string_view(digits, 64)) return Check::kHash;
  write_hex(mac_.of({reinterpret_cast<const char*>(hash.data()), hash.size()}), kMacBytes, digits);
  if (!same(parts->mac, std::string_view(digits, 2 * kMacBytes))) return Check::kMac;
  end.seq = parts->seq;
  end.hash.assign(parts->hash);
  return Check::kHolds;
}

std::string_view describe(Sealer::Check check) {
  switch (check) {
    case Sealer::Check::kHolds: return "holds";
    case Sealer::Check::kForm: return "is not a record";
    case Sealer::Check::kSequence: return "is not the next record: something was taken out, put in or moved before it";
    case Sealer::Check::kPrevious: return "does not follow from the record before it";
    case Sealer::Check::kHash: return "was changed: its hash differs";
    case Sealer::Check::kMac: return "was not written with this log's key";
  }
  return "is not a record";
}

// gmtime_r(3) would read the host's time zone first, which nobody asked for.
std::string time_text(std::int64_t microseconds_since_epoch) {
  using namespace std::chrono;
  const sys_time<microseconds> at{microseconds(microseconds_since_epoch)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return text;
}

}  // namespace wardenv::engine::audit
