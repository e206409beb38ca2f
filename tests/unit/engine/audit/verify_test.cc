// SPDX-License-Identifier: Apache-2.0
// Verifying: every kind of tampering at every place is found, and said where.
#include <filesystem>

#include "tests/unit/engine/audit/support.h"

namespace wardenv {
namespace {

using namespace wardenv::testing;
using engine::AuditHead;

struct Log {
  Folder scratch;
  std::string folder = scratch.at("audit");
  std::string file = folder + "/audit.jsonl";
  explicit Log(int count, const engine::AuditOptions& options = {}) { make_log(folder, count, options); }
};

TEST_CASE("audit verify: any byte changed to any of several others is found") {
  const Log log(3, {.sign_every = 2});
  const std::string whole = text_of(log.file);
  REQUIRE_FALSE(verify(log.folder).problem);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {1, 0x20, 0x80}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ change);
      write_file(log.file, changed);
      INFO(at);
      REQUIRE(verify(log.folder).problem);
    }
  }
  for (const std::string name : {"/anchor", "/key"}) {
    const std::string text = text_of(log.folder + name);
    write_file(log.file, whole);
    for (std::size_t at = 0; at < text.size(); ++at) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      write_file(log.folder + name, changed);
      INFO(name << at);
      REQUIRE(verify(log.folder).problem);
    }
    write_file(log.folder + name, text);
  }
  CHECK_FALSE(verify(log.folder).problem);
}

TEST_CASE("audit verify: bytes cut, put in or doubled anywhere are found") {
  const Log log(2);
  const std::string whole = text_of(log.file);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const std::string& changed :
         {whole.substr(0, at) + whole.substr(at + 1), whole.substr(0, at) + "x" + whole.substr(at), whole.substr(0, at) + "\n" + whole.substr(at),
          whole.substr(0, at), whole.substr(at + 1)}) {
      write_file(log.file, changed);
      INFO(at);
      REQUIRE(verify(log.folder).problem);
    }
  }
  write_file(log.file, whole + "x");
  CHECK(verify(log.folder).problem->kind == "torn");
  write_file(log.file, whole + whole);
  CHECK(verify(log.folder).problem);
}

TEST_CASE("audit verify: records taken out, doubled or swapped are found where they were") {
  const Log log(6);
  const auto lines = lines_of(text_of(log.file));
  REQUIRE(lines.size() == 7);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto changed = lines;
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
    write_file(log.file, joined(changed));
    auto problem = verify(log.folder).problem;
    REQUIRE(problem);
    CHECK(problem->seq == i + 1);
    CHECK(problem->kind == (i + 1 == lines.size() ? "cut" : "order"));
    if (i + 1 < lines.size()) CHECK(problem->line == i + 1);

    changed = lines;
    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
    write_file(log.file, joined(changed));
    problem = verify(log.folder).problem;
    REQUIRE(problem);
    CHECK(problem->line == i + 2);

    for (std::size_t j = i + 1; j < lines.size(); ++j) {
      changed = lines;
      std::swap(changed[i], changed[j]);
      write_file(log.file, joined(changed));
      problem = verify(log.folder).problem;
      REQUIRE(problem);
      CHECK(problem->line == i + 1);
      CHECK(problem->file == "audit.jsonl");
    }
  }
}

TEST_CASE("audit verify: a record forged without the key is found, though its chain fits") {
  const Log log(3);
  Log other(5);
  // The same records under another key: hashes and chain hold, the MACs and the start don't.
  write_file(log.file, text_of(other.file));
  CHECK(verify(log.folder).problem);
  std::filesystem::copy_file(other.folder + "/anchor", log.folder + "/anchor", std::filesystem::copy_options::overwrite_existing);
  CHECK(verify(log.folder).problem);
}

TEST_CASE("audit verify: files taken away, swapped or renamed are found") {
  const Log log(20, {.max_file_bytes = 2000});
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(log.folder)) {
    if (entry.path().extension() == ".jsonl") names.push_back(entry.path().string());
  }
  std::sort(names.begin(), names.end());
  REQUIRE(names.size() > 4);
  for (const std::string& name : names) {
    const std::string text = text_of(name);
    std::filesystem::remove(name);
    CHECK(verify(log.folder).problem);
    write_file(name, "");
    CHECK(verify(log.folder).problem);
    for (const std::string& other : names) {
      if (other == name) continue;
      write_file(name, text_of(other));
      CHECK(verify(log.folder).problem);
    }
    write_file(name, text);
  }
  CHECK_FALSE(verify(log.folder).problem);
}

AuditHead head_of(const std::string& folder) {
  auto head = engine::sign_audit_head(folder);
  if (!head) FAIL(head.error().message);
  return *head;
}

TEST_CASE("audit verify: a held head shows a rewrite and a rollback") {
  const Log log(3);
  const std::string early = log.scratch.at("early");
  std::filesystem::copy(log.folder, early, std::filesystem::copy_options::recursive);
  make_log(log.folder, 2);
  const AuditHead head = head_of(log.folder);
  CHECK(head.seq == 6);
  CHECK(engine::audit_head_holds(head));
  CHECK(engine::audit_head_from_json(engine::audit_head_to_json(head)).value() == head);
  CHECK_FALSE(verify(log.folder, head).problem);
  make_log(log.folder, 1);
  CHECK_FALSE(verify(log.folder, head).problem);
  // Rolled back to a copy of before with its anchor: whole in itself, and only the head tells.
  CHECK_FALSE(verify(early).problem);
  CHECK(verify(early, head).problem->kind == "cut");
  // Rewritten by who has the key.
  make_log(early, 5);
  CHECK_FALSE(verify(early).problem);
  CHECK(verify(early, head).problem->kind == "head");
  // Begun anew.
  const Log fresh(9);
  CHECK(verify(fresh.folder, head).problem->kind == "head");
  AuditHead forged = head;
  forged.seq = 5;
  CHECK(verify(log.folder, forged).problem->kind == "head");
}

TEST_CASE("audit verify: older files may be archived where a head vouches for them") {
  const Log log(2);
  const AuditHead head = head_of(log.folder);
  std::filesystem::rename(log.file, log.folder + "/audit-00000000000000000001.jsonl");
  make_log(log.folder, 3);
  CHECK_FALSE(verify(log.folder).problem);
  std::filesystem::rename(log.folder + "/audit-00000000000000000001.jsonl", log.scratch.at("archived"));
  CHECK(verify(log.folder).problem->kind == "order");   // the active file's name doesn't tell where it begins
  std::filesystem::rename(log.file, log.folder + "/audit-00000000000000000004.jsonl");
  make_log(log.folder, 1);
  CHECK(verify(log.folder).problem->kind == "start");
  const auto verdict = verify(log.folder, head);
  CHECK_FALSE(verdict.problem);
  CHECK(verdict.records == 4);
  CHECK(verdict.first_seq == 4);
}

TEST_CASE("audit verify: heads that are none are refused") {
  for (const char* text : {"", "{}", "[]", R"({"seq":1})", R"({"seq":-1,"hash":"","time":"","public_key":"","signature":""})", "{\"seq\":1,\"seq\":1}"}) {
    CHECK_FALSE(engine::audit_head_from_json(text));
  }
}

TEST_CASE("audit head: asking for one begins no log") {
  const Folder scratch;
  CHECK_FALSE(engine::sign_audit_head(scratch.at("audit")));
  CHECK_FALSE(engine::verify_audit_log(scratch.at("audit")));
  CHECK_FALSE(std::filesystem::exists(scratch.at("audit")));
}

}  // namespace
}  // namespace wardenv
