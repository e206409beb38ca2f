// SPDX-License-Identifier: Apache-2.0
// Capture: head and tail of a stream.
#include "engine/capture.h"

#include <sys/sysinfo.h>

#include <algorithm>

namespace wardenv::engine {

Status can_keep(std::uint64_t limit) {
  struct sysinfo host {};
  if (::sysinfo(&host) < 0) return fail_errno(ErrorCode::kHost, "sysinfo");
  const std::uint64_t most = static_cast<std::uint64_t>(host.totalram) * host.mem_unit / 32;
  if (limit <= most) return {};
  return fail(ErrorCode::kBadInput, "an output limit of " + std::to_string(limit) + " bytes is more than this host can keep",
              "at most " + std::to_string(most >> 20) + "M here; let the command write a file in the workspace instead");
}

void Capture::add(std::string_view chunk) {
  bytes_ += chunk.size();
  const std::size_t to_head = std::min<std::size_t>(chunk.size(), head_limit_ - head_.size());
  head_.append(chunk.substr(0, to_head));
  add_to_tail(chunk.substr(to_head));
}

void Capture::add_to_tail(std::string_view chunk) {
  if (tail_limit_ == 0) return;
  if (chunk.size() >= tail_limit_) {
    tail_.assign(chunk.substr(chunk.size() - tail_limit_));
    ring_start_ = 0;
    return;
  }
  const std::size_t to_end = std::min<std::size_t>(chunk.size(), tail_limit_ - tail_.size());
  tail_.append(chunk.substr(0, to_end));
  for (chunk.remove_prefix(to_end); !chunk.empty();) {
    const std::size_t part = std::min(chunk.size(), tail_.size() - ring_start_);
    std::copy_n(chunk.begin(), part, tail_.begin() + static_cast<std::ptrdiff_t>(ring_start_));
    ring_start_ = (ring_start_ + part) % tail_.size();
    chunk.remove_prefix(part);
  }
}

CapturedStream Capture::take() {
  CapturedStream stream{.text = std::move(head_), .bytes = bytes_, .truncated = over_limit()};
  std::rotate(tail_.begin(), tail_.begin() + static_cast<std::ptrdiff_t>(ring_start_), tail_.end());
  if (stream.truncated) {
    const std::uint64_t missing = bytes_ - stream.text.size() - tail_.size();
    stream.text += "\n[wardenv: " + std::to_string(missing) + " bytes omitted]\n";
  }
  stream.text += tail_;
  return stream;
}

}  // namespace wardenv::engine
