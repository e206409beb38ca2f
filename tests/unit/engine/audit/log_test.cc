// SPDX-License-Identifier: Apache-2.0
// The audit log: what a line says, what survives a crash, many writers at once, and disks that fail.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/unit/engine/audit/support.h"

namespace wardenv {
namespace {

using engine::AuditLog;
using engine::AuditRecord;
using engine::Durable;
using namespace wardenv::testing;

nlohmann::json last_record(const std::string& folder) { return nlohmann::json::parse(lines_of(text_of(folder + "/audit.jsonl")).back()); }

TEST_CASE("audit: a record is one line of JSON with its fields") {
  const Folder scratch;
  const std::string folder = scratch.at("audit");
  {
    const auto log = open_log(folder);
    AuditRecord record = admission("01J");
    record.event = "finish";
    record.reason = "line\nbreak \x1b[31m and \xff";
    record.plain_arguments = {"command"};
    record.outcome = "exited";
    record.exit_code = 3;
    record.usage = sandbox::Usage{.wall_ms = 1.5, .cpu_user_ms = 1, .cpu_system_ms = 0, .peak_memory_bytes = 10, .peak_processes = 2};
    record.connections = {{.host = "a.example", .port = 443, .verdict = engine::AuditConnection::Verdict::kRefused, .reason = "not listed", .count = 2}};
    record.details_json = R"({"n":1})";
    REQUIRE(log->append(record, Durable::kYes));
  }
  const auto record = last_record(folder);
  CHECK(record["seq"] == 2);
  CHECK(record["reason"] == "line\nbreak \x1b[31m and \xef\xbf\xbd");
  CHECK(record["arguments"]["command"] == "pytest");
  CHECK(record["arguments"]["args"].get<std::string>().starts_with("hmac:"));
  CHECK(record["connections"][0]["verdict"] == "refused");
  CHECK(record["usage"]["peak_processes"] == 2);
  CHECK(record["details"]["n"] == 1);
  CHECK(lines_of(text_of(folder + "/audit.jsonl")).size() == 2);
  CHECK_FALSE(verify(folder).problem);
}

TEST_CASE("audit: as many connections are listed as a run's report has") {
  const Folder scratch;
  const std::string folder = scratch.at("audit");
  {
    const auto log = open_log(folder);
    AuditRecord record = admission("01J");
    record.event = "finish";
    record.outcome = "exited";
    record.connections.resize(387, {.host = "a.example", .port = 443, .verdict = engine::AuditConnection::Verdict::kConnected, .count = 1});
    REQUIRE(log->append(record, Durable::kYes));
  }
  CHECK(last_record(folder)["connections"].size() == 387);
}

TEST_CASE("audit: values are hashed under the log's own key") {
  const Folder scratch;
  make_log(scratch.at("a"), 2);
  make_log(scratch.at("b"), 1);
  const auto first = lines_of(text_of(scratch.at("a/audit.jsonl")));
  const auto value = [](const std::string& line) { return nlohmann::json::parse(line)["arguments"]["args"]; };
  CHECK(value(first[1]) == value(first[2]));
  CHECK(value(first[1]) != value(lines_of(text_of(scratch.at("b/audit.jsonl")))[1]));
}

TEST_CASE("audit: what a caller sends can't make a line long, or a second one") {
  const Folder scratch;
  const auto log = open_log(scratch.at("audit"));
  AuditRecord record = admission("01J");
  record.reason = std::string(10'000'000, '\x01');
  record.arguments_json = "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  REQUIRE(log->append(record, Durable::kNo));
  record.arguments_json = "not json\n{\"seq\":3}";
  REQUIRE(log->append(record, Durable::kNo));
  nlohmann::json many = nlohmann::json::object();
  for (int i = 0; i < 5000; ++i) many["argument" + std::string(1000, 'x') + std::to_string(i)] = i;
  record.arguments_json = many.dump();
  record.details_json = many.dump();
  REQUIRE(log->append(record, Durable::kNo));
  const auto lines = lines_of(text_of(scratch.at("audit/audit.jsonl")));
  REQUIRE(lines.size() == 4);
  for (const std::string& line : lines) CHECK(line.size() < 200'000);
  CHECK_FALSE(verify(scratch.at("audit")).problem);
  record.event = "head";
  CHECK_FALSE(log->append(record, Durable::kNo));
}

TEST_CASE("audit: the folder and the key are the owner's alone") {
  const Folder scratch;
  make_log(scratch.at("state/audit"), 1);
  struct stat status {};
  REQUIRE(::stat(scratch.at("state/audit/key").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  REQUIRE(::stat(scratch.at("state/audit").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  ::chmod(scratch.at("state/audit/key").c_str(), 0640);
  CHECK_FALSE(AuditLog::open(scratch.at("state/audit")));
  ::chmod(scratch.at("state/audit/key").c_str(), 0600);
  CHECK(AuditLog::open(scratch.at("state/audit")));
  ::chmod(scratch.at("state/audit").c_str(), 0770);
  CHECK_FALSE(AuditLog::open(scratch.at("state/audit")));
}

TEST_CASE("audit: a last line torn anywhere is cut off, and the log says so") {
  const Folder scratch;
  const std::string file = scratch.at("audit/audit.jsonl");
  make_log(scratch.at("audit"), 2);
  const std::string anchored = text_of(file);
  const std::string before = text_of(scratch.at("audit/anchor"));
  {
    const auto log = open_log(scratch.at("audit"));
    REQUIRE(log->append(admission("torn"), Durable::kNo));
    const std::string whole = text_of(file);
    const std::string after = text_of(scratch.at("audit/anchor"));
    // Stopped before the anchor moved, and after.
    for (std::size_t i = 2 * anchored.size(); i <= 2 * whole.size() + 1; ++i) {
      const std::size_t size = i / 2;
      const bool moved = i % 2 == 1;
      const Folder other;
      std::filesystem::copy(scratch.at("audit"), other.at("audit"), std::filesystem::copy_options::recursive);
      write_file(other.at("audit/audit.jsonl"), whole.substr(0, size));
      write_file(other.at("audit/anchor"), moved ? after : before);
      const bool torn = size != whole.size() && (moved || size != anchored.size());
      CHECK(verify(other.at("audit")).problem.has_value() == torn);
      {
        const auto again = open_log(other.at("audit"));
        CHECK(again->take_notices().size() == (torn ? 1U : 0U));
        CHECK(again->take_notices().empty());
        REQUIRE(again->append(admission("after"), Durable::kYes));
      }
      const auto verdict = verify(other.at("audit"));
      CHECK_FALSE(verdict.problem);
      const auto lines = lines_of(text_of(other.at("audit/audit.jsonl")));
      if (torn) CHECK(nlohmann::json::parse(lines[3])["details"]["cut_bytes"] == size - anchored.size());
      if (torn) CHECK(nlohmann::json::parse(lines[3])["details"]["lost_records"] == (moved ? 1 : 0));
      CHECK(lines.size() == (torn || size == whole.size() ? 5U : 4U));
    }
  }
}

TEST_CASE("audit: what is known to be on disk is never cut off") {
  const Folder scratch;
  const std::string file = scratch.at("audit/audit.jsonl");
  make_log(scratch.at("audit"), 3);
  const std::string whole = text_of(file);
  for (std::size_t size = 0; size < whole.size(); size += 37) {
    write_file(file, whole.substr(0, size));
    const auto log = AuditLog::open(scratch.at("audit"));
    REQUIRE_FALSE(log);
    CHECK(log.error().code == ErrorCode::kUnenforceable);
    CHECK(text_of(file).size() == size);
  }
  write_file(file, whole);
  CHECK(AuditLog::open(scratch.at("audit")));
}

TEST_CASE("audit: a missing, changed or other key, anchor or file is refused") {
  const Folder scratch;
  const std::string folder = scratch.at("audit");
  make_log(folder, 3);
  make_log(scratch.at("other"), 3);
  for (const std::string name : {"/key", "/anchor", "/audit.jsonl"}) {
    const std::string text = text_of(folder + name);
    std::filesystem::remove(folder + name);
    CHECK_FALSE(AuditLog::open(folder));
    CHECK(verify(folder).problem);
    for (const std::string& bad : {std::string(), text.substr(1), text + "x", text_of(scratch.at("other") + name)}) {
      write_file(folder + name, bad);
      ::chmod((folder + name).c_str(), 0600);
      if (name != "/audit.jsonl" || bad != text + "x") CHECK_FALSE(AuditLog::open(folder));
      CHECK(verify(folder).problem);
    }
    write_file(folder + name, text);
    CHECK_FALSE(verify(folder).problem);
  }
  CHECK(AuditLog::open(folder));
}

TEST_CASE("audit: rotation keeps the chain, also when it is stopped half-way") {
  const Folder scratch;
  const std::string folder = scratch.at("audit");
  const engine::AuditOptions small{.max_file_bytes = 2000};
  make_log(folder, 20, small);
  auto verdict = verify(folder);
  CHECK_FALSE(verdict.problem);
  CHECK(verdict.files > 5);
  CHECK(verdict.records == 21);
  // Put aside and not begun anew.
  const std::string active = text_of(folder + "/audit.jsonl");
  const auto seq = nlohmann::json::parse(lines_of(active)[0])["seq"].get<std::uint64_t>();
  const std::string digits = std::to_string(seq);
  std::filesystem::rename(folder + "/audit.jsonl", folder + "/audit-" + std::string(20 - digits.size(), '0') + digits + ".jsonl");
  make_log(folder, 1, small);
  CHECK_FALSE(verify(folder).problem);
  // Begun anew and nothing written.
  std::filesystem::rename(folder + "/audit.jsonl", folder + "/audit-00000000000000000022.jsonl");
  write_file(folder + "/audit.jsonl", "");
  make_log(folder, 3, small);
  verdict = verify(folder);
  CHECK_FALSE(verdict.problem);
  CHECK(verdict.records == 25);
}

TEST_CASE("audit: heads are signed into the log on the way") {
  const Folder scratch;
  make_log(scratch.at("audit"), 25, {.sign_every = 10});
  const std::string text = text_of(scratch.at("audit/audit.jsonl"));
  std::size_t heads = 0;
  for (const std::string& line : lines_of(text)) heads += line.find(R"("event":"head")") != std::string::npos ? 1 : 0;
  CHECK(heads >= 2);
  CHECK_FALSE(verify(scratch.at("audit")).problem);
}

TEST_CASE("audit: threads share one log") {
  const Folder scratch;
  {
    const auto log = open_log(scratch.at("audit"), {.max_file_bytes = 30'000});
    std::vector<std::thread> threads;
    std::vector<int> failed(8, 0);
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) failed[static_cast<std::size_t>(t)] += log->append(admission(std::to_string(t)), i % 3 == 0 ? Durable::kYes : Durable::kNo) ? 0 : 1;
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failed == std::vector<int>(8, 0));
  }
  const auto verdict = verify(scratch.at("audit"));
  CHECK_FALSE(verdict.problem);
  CHECK(verdict.records == 401);
}

// In a child: appends until killed, telling after each durable record through the pipe.
[[noreturn]] void append_and_tell(const std::string& folder, int pipe, const std::string& name) {
  auto log = AuditLog::open(folder, {.max_file_bytes = 20'000});
  for (int i = 0; log && i < 100'000; ++i) {
    const std::string id = name + "-" + std::to_string(i);
    if (!(*log)->append(admission(id), Durable::kYes)) break;
    const std::string line = id + "\n";
    if (::write(pipe, line.data(), line.size()) < 0) break;
  }
  ::_exit(1);
}

TEST_CASE("audit: processes append at once, are killed, and nothing that was acknowledged is lost") {
  const Folder scratch;
  const std::string folder = scratch.at("state/audit");
  std::string told;
  for (int round = 0; round < 6; ++round) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
      const pid_t child = ::fork();
      if (child == 0) append_and_tell(folder, pipe[1], std::to_string(round) + "-" + std::to_string(i));
      children.push_back(child);
    }
    ::close(pipe[1]);
    char buffer[4096];
    for (std::size_t got = 0; got < 600;) {
      const ssize_t n = ::read(pipe[0], buffer, sizeof buffer);
      REQUIRE(n > 0);
      got += static_cast<std::size_t>(n);
      told.append(buffer, static_cast<std::size_t>(n));
    }
    for (const pid_t child : children) ::kill(child, SIGKILL);
    for (const pid_t child : children) ::waitpid(child, nullptr, 0);
    for (ssize_t n = 0; (n = ::read(pipe[0], buffer, sizeof buffer)) > 0;) told.append(buffer, static_cast<std::size_t>(n));
    ::close(pipe[0]);
  }
  make_log(folder, 1);
  CHECK_FALSE(verify(folder).problem);
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl") all += text_of(entry.path().string());
  }
  std::size_t lost = 0;
  for (const std::string& line : lines_of(told)) {
    if (line.ends_with('\n')) lost += all.find("\"" + line.substr(0, line.size() - 1) + "\"") == std::string::npos ? 1 : 0;
  }
  CHECK(lines_of(told).size() > 100);
  CHECK(lost == 0);
}

TEST_CASE("audit: a full disk is an error, leaves no half line, and passes") {
  const Folder scratch;
  const std::string folder = scratch.at("audit");
  const auto log = open_log(folder);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  REQUIRE(log->append(admission("before"), Durable::kYes));
  const std::string whole = text_of(folder + "/audit.jsonl");
  for (const std::size_t room : {std::size_t{0}, std::size_t{1}, std::size_t{200}}) {
    rlimit limit = before;
    limit.rlim_cur = whole.size() + room;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    const Status refused = log->append(admission("too much"), Durable::kYes);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK_FALSE(refused);
    CHECK(text_of(folder + "/audit.jsonl") == whole);
  }
  CHECK(log->append(admission("after"), Durable::kYes));
  ::signal(SIGXFSZ, handler);
  CHECK_FALSE(verify(folder).problem);
}

TEST_CASE("audit: a folder that can't be made, or that moved away, is refused") {
  const Folder scratch;
  scratch.file("file");
  CHECK_FALSE(AuditLog::open(scratch.at("file/audit")));
  const auto log = open_log(scratch.at("audit"));
  std::filesystem::rename(scratch.at("audit"), scratch.at("moved"));
  CHECK_FALSE(log->append(admission("lost"), Durable::kYes));
  std::filesystem::rename(scratch.at("moved"), scratch.at("audit"));
  CHECK(log->append(admission("found"), Durable::kYes));
}

TEST_CASE("audit: a forked child can't append through its parent's log") {
  const Folder scratch;
  const auto log = open_log(scratch.at("audit"));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(log->append(admission("child"), Durable::kYes) ? 0 : 7);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 7));
}

}  // namespace
}  // namespace wardenv
