// SPDX-License-Identifier: Apache-2.0
// The audit log's readers over any bytes: they end, stay within the bytes, and only a line that seals to itself holds.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/audit/head.h"
#include "engine/audit/line_reader.h"
#include "engine/audit/read.h"
#include "sandbox/base/unique_fd.h"

using namespace wardenv;
using namespace wardenv::engine;

namespace {

constexpr std::string_view kKey = "the key of the seeds, 32 bytes..";

// Taken apart and put together again, a line is the same line.
void take_apart(std::string_view line, audit::Sealer& sealer, audit::ChainEnd& end) {
  const auto parts = audit::split_line(line);
  audit::ChainEnd before = end;
  const auto check = sealer.check(line, end);
  if (parts.has_value() == (check == audit::Sealer::Check::kForm)) std::abort();
  if (check != audit::Sealer::Check::kHolds) {
    if (!(before == end)) std::abort();
    return;
  }
  if (end.seq != before.seq + 1 || end.hash != parts->hash) std::abort();
  if (audit::to_hex(audit::Sha256::of(parts->body)) != parts->hash) std::abort();
}

// What people see of it can't drive a terminal.
void show(std::string_view line) {
  for (const char c : audit_line_text(line)) {
    if (c < ' ' || c > '~') std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const UniqueFd file(::memfd_create("log", MFD_CLOEXEC));
  if (::write(file.get(), data, size) != static_cast<ssize_t>(size)) return 0;
  audit::Sealer sealer{audit::Hmac(kKey)};
  audit::ChainEnd end{0, std::string(64, '0')};
  audit::LineReader reader(file.get());
  std::string_view line;
  std::string again;
  audit::LineReader::Next next = reader.next(line);
  for (; next == audit::LineReader::Next::kLine; next = reader.next(line)) {
    take_apart(line, sealer, end);
    show(line);
    again.append(line).append("\n");
    if (reader.offset() != again.size()) std::abort();
  }
  if (next == audit::LineReader::Next::kError || !bytes.starts_with(again)) std::abort();
  if (next == audit::LineReader::Next::kEnd && again.size() != size) std::abort();
  if (const auto head = audit_head_from_json(std::string(bytes)); head && !(audit_head_from_json(audit_head_to_json(*head)).value() == *head)) std::abort();
  return 0;
}
