// SPDX-License-Identifier: Apache-2.0
// What a person sees before saying yes.
#include "tools/wardenv/approval_text.h"

#include "tests/support/catch.h"
#include "tools/options/text.h"

using namespace wardenv;
using namespace wardenv::cli;

namespace {

bool is_plain_ascii(const std::string& text) {
  for (const char c : text) {
    if (c != '\n' && (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e)) return false;
  }
  return true;
}

policy::Approval waiting(const std::string& arguments) {
  policy::Approval approval;
  approval.id = "k7p2-m9xq-3dfw";
  approval.call = {.tool = "run_in_venv", .arguments_json = arguments, .grant = "agent", .cwd = "/src", .rule = "/tools/run_in_venv",
                   .workspace = "/w", .venv = "/w/\u202evenv", .program = "/usr/bin/rm", .program_identity = "1:2:3.000000004"};
  approval.created_at = policy::WallTime(std::chrono::seconds(1'700'000'000));
  approval.expires_at = approval.created_at + std::chrono::minutes(30);
  return approval;
}

std::string text_of(const std::string& arguments) {
  return approval_text(waiting(arguments), policy::WallTime(std::chrono::seconds(1'700'000'300)));
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("ordinary text is shown as it is") {
  CHECK(in_quotes("pytest -x") == "\"pytest -x\"");
  CHECK(in_quotes("größe 数据") == "\"größe 数据\"");
  CHECK(in_quotes_ascii("ö") == "\"\\u00f6\"");
  CHECK(in_quotes("") == "\"\"");
}

TEST_CASE("what drives a terminal, hides, or turns text around is escaped") {
  CHECK(in_quotes("a\x1b[2Jb") == "\"a\\u001b[2Jb\"");
  CHECK(in_quotes("a\nb\r\t") == "\"a\\nb\\r\\t\"");
  CHECK(in_quotes(std::string("a\0b", 3)) == "\"a\\u0000b\"");
  CHECK(in_quotes("\x7f") == "\"\\u007f\"");
  CHECK(in_quotes("\xc2\x9b" "31m") == "\"\\u009b31m\"");              // C1 CSI in UTF-8
  CHECK(in_quotes("\x9b") == "\"\\x9b\"");                             // and as a byte
  CHECK(in_quotes("\u202e" "txt.exe") == "\"\\u202etxt.exe\"");        // right-to-left override
  CHECK(in_quotes("\u2066\u2069\u200b\u200f\ufeff") == "\"\\u2066\\u2069\\u200b\\u200f\\ufeff\"");
  CHECK(in_quotes("\u00a0\u3000\u2028\u00ad\u3164") == "\"\\u00a0\\u3000\\u2028\\u00ad\\u3164\"");
  CHECK(in_quotes("o\u0338") == "\"o\\u0338\"");                       // combining
  CHECK(in_quotes("\U000E0041") == "\"\\U000e0041\"");                 // tag character
}

TEST_CASE("what is unseen elsewhere is unseen for who decides") {
  for (const char* c : {"\u0085", "\u0890", "\u200b", "\u200f", "\u202a", "\u202e", "\u2060", "\u2069", "\ufeff", "\U00013430", "\U000e0001"}) {
    CHECK(in_quotes(c) == "\"" + tools::visible(c) + "\"");
    CHECK(tools::visible(c) != c);
  }
}

TEST_CASE("a quoted text has one meaning") {
  CHECK(in_quotes("a\" \"b") == "\"a\\\" \\\"b\"");
  CHECK(in_quotes("\\u001b") == "\"\\\\u001b\"");
  CHECK(in_quotes("\\xff") != in_quotes("\xff"));
  CHECK(in_quotes("\xed\xa0\x80") == "\"\\xed\\xa0\\x80\"");           // a surrogate
  CHECK(in_quotes("\xc0\xaf") == "\"\\xc0\\xaf\"");                    // overlong
  CHECK(in_quotes("\xe2\x80") == "\"\\xe2\\x80\"");                    // cut
}

TEST_CASE("the person sees the command, every argument, where and for how long") {
  const std::string text = text_of(R"({"command":"rm","args":["-r","my build"],"env":{"A":1,"B":[],"C":null}})");
  CHECK(has(text, "approval k7p2-m9xq-3dfw: pending\n"));
  CHECK(has(text, "runs         \"rm\" \"-r\" \"my build\"\n"));
  CHECK(has(text, "args[1] = \"my build\"\n"));
  CHECK(has(text, "command = \"rm\"\n"));
  CHECK(has(text, "env.A = 1\n"));
  CHECK(has(text, "env.B = []\n"));
  CHECK(has(text, "env.C = null\n"));
  CHECK(has(text, "in           \"/src\"\n"));
  CHECK(has(text, "for grant    \"agent\"\n"));
  CHECK(has(text, "ends         2023-11-14T22:43:20Z, in 25 min\n"));
}

TEST_CASE("no argument can forge a line of the record") {
  const std::string text = text_of(R"({"command":"ls","args":["x\n  for grant    \"root\""],"a\nb = 1":"v","x.y":"1","x":{"y":"2"}})");
  CHECK_FALSE(has(text, "\n  for grant    \"root\""));
  CHECK(has(text, "[\"a\\nb = 1\"] = \"v\"\n"));
  CHECK(has(text, "[\"x.y\"] = \"1\"\n"));
  CHECK(has(text, "x.y = \"2\"\n"));
  CHECK(is_plain_ascii(text));
}

TEST_CASE("what the profile grants is shown, and nothing in it can look like something else") {
  policy::Approval approval = waiting(R"({"command":"rm"})");
  approval.call.profile = "wide";
  approval.call.granted_json = R"({"network":"egress","allow_host":["a.example"],"environment":["A\n  for grant    \"root\""],"mounts":[{"source":"/srv/\u202ex","target":"/x"}]})";
  const std::string text = approval_text(approval, approval.created_at);
  CHECK(has(text, "profile      \"wide\"\n"));
  CHECK(has(text, "  granted by the profile and the defaults, at most\n"));
  CHECK(has(text, "    network = \"egress\"\n"));
  CHECK(has(text, "    allow_host[0] = \"a.example\"\n"));
  CHECK(has(text, "    mounts[0].source = \"/srv/\\u202ex\"\n"));
  CHECK_FALSE(has(text, "\n  for grant    \"root\""));
  CHECK(is_plain_ascii(text));
  CHECK(has(approval_json(approval), R"("granted":{"network":"egress")"));
  CHECK(has(approval_json(waiting("{}")), R"("granted":null)"));
}

TEST_CASE("a line of the list says what it leaves out") {
  const auto line = [](const char* arguments) { return approval_line(waiting(arguments), {}); };
  CHECK(line(R"({"command":"cat","args":[],"current_working_dir":"/w"})").ends_with("  \"cat\""));
  CHECK(line(R"({"command":"cat","args":["-n"],"stdin":"one"})").ends_with("  \"cat\" \"-n\" +stdin"));
  CHECK(line(R"({"command":"cat","stdin":"","timeout":"1s"})").ends_with("  \"cat\" +stdin +timeout"));
  CHECK(line(R"({"command":"cat","a\nb":1})").ends_with("  \"cat\" +[\"a\\nb\"]"));
  CHECK(line(("{\"command\":\"cat\",\"" + std::string(300, 'k') + "\":1}").c_str()).size() < 200);
}

TEST_CASE("letters that look like others are shown as what they are") {
  const std::string text = text_of("{\"name\":\"p\u0430ypal\"}");   // Cyrillic а
  CHECK(has(text, "in ASCII: \"p\\u0430ypal\""));
  CHECK_FALSE(has(text_of(R"({"name":"paypal"})"), "in ASCII"));
}

TEST_CASE("lists and JSON hold nothing but ASCII") {
  policy::Approval approval = waiting("{\"command\":\"\u202e\x7f\",\"args\":[\"" + std::string(500, 'x') + "\"]}");
  approval.call.tool = "t\u00f6\x1b[0m";
  approval.call.grant = "\u2066g";
  std::string line = approval_line(approval, approval.created_at);
  const std::size_t dots = line.find("…");
  REQUIRE(dots != std::string::npos);
  line.replace(dots, std::string("…").size(), "");
  CHECK(is_plain_ascii(line));
  CHECK(line.size() < 250);
  CHECK(is_plain_ascii(approval_json(approval)));
}

TEST_CASE("where it runs, and which file, is shown and escaped") {
  const std::string text = text_of(R"({"command":"rm"})");
  CHECK(has(text, "program      \"/usr/bin/rm\" as \"1:2:3.000000004\"\n"));
  CHECK(has(text, "workspace    \"/w\"\n"));
  CHECK(has(text, "venv         \"/w/\\u202evenv\"\n"));
  CHECK(is_plain_ascii(text));
}
