// SPDX-License-Identifier: Apache-2.0
// Head: signed, written as JSON, read back.
#include "engine/audit/head.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "engine/audit/writer.h"

namespace wardenv::engine {
namespace {

bool is_hex(const std::string& text, std::size_t bytes) { return !audit::from_hex(text, bytes).empty(); }

}  // namespace

Result<AuditHead> sign_audit_head(const std::string& folder) {
  // Only a log that is there: asking must not begin one.
  auto there = audit::open_folder(folder);
  if (!there) return tl::unexpected(there.error());
  auto writer = audit::Writer::open(folder, {});
  if (!writer) return tl::unexpected(writer.error());
  return writer->head();
}

std::string audit_head_to_json(const AuditHead& head) {
  const nlohmann::ordered_json document{
      {"seq", head.seq}, {"hash", head.hash}, {"time", head.time}, {"public_key", head.public_key}, {"signature", head.signature}};
  return document.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

Result<AuditHead> audit_head_from_json(const std::string& text) try {
  const auto document = nlohmann::json::parse(text);
  AuditHead head{document.at("seq").get<std::uint64_t>(), document.at("hash").get<std::string>(), document.at("time").get<std::string>(),
                 document.at("public_key").get<std::string>(), document.at("signature").get<std::string>()};
  const bool good = document.size() == 5 && document.at("seq").is_number_unsigned() && is_hex(head.hash, 32) && is_hex(head.public_key, 32) &&
                    is_hex(head.signature, 64);
  if (!good) return fail(ErrorCode::kBadInput, "not a head of an audit log", "give a file that `wardenv audit head` printed");
  return head;
} catch (const nlohmann::json::exception&) {
  return fail(ErrorCode::kBadInput, "not a head of an audit log", "give a file that `wardenv audit head` printed");
}

bool audit_head_holds(const AuditHead& head) {
  return audit::signature_holds(audit::from_hex(head.public_key, 32), audit::head_message({head.seq, head.hash}, head.time),
                                audit::from_hex(head.signature, 64));
}

}  // namespace wardenv::engine
