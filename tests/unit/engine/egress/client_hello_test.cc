// SPDX-License-Identifier: Apache-2.0
// The server name in a TLS ClientHello, whole, cut, spread over records, and malformed.
#include "engine/egress/client_hello.h"

#include <cstdint>

#include "tests/support/catch.h"

using namespace wardenv::engine;

namespace {

std::string number(std::size_t value, int bytes) {
  std::string text;
  for (int i = bytes; i-- > 0;) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

std::string vec(const std::string& body, int length_bytes) { return number(body.size(), length_bytes) + body; }
std::string extension(std::size_t type, const std::string& body) { return number(type, 2) + vec(body, 2); }
std::string sni(const std::string& name) { return extension(0, vec(std::string(1, '\0') + vec(name, 2), 2)); }

std::string hello(const std::string& extensions) {
  const std::string body = "\x03\x03" + std::string(32, 'r') + vec("session", 1) + vec("\x13\x01\x13\x02", 2) + vec(std::string(1, '\0'), 1) + vec(extensions, 2);
  return "\x01" + vec(body, 3);
}

std::string record(const std::string& fragment) { return "\x16\x03\x01" + vec(fragment, 2); }

std::string in_records(const std::string& message, std::size_t each) {
  std::string text;
  for (std::size_t i = 0; i < message.size(); i += each) text += record(message.substr(i, each));
  return text;
}

std::string name_of(const std::string& bytes) {
  const ClientHello read = read_client_hello(bytes);
  INFO(read.why);
  REQUIRE(read.state == HelloState::kDone);
  return read.server_name;
}

bool is_bad(const std::string& bytes) { return read_client_hello(bytes).state == HelloState::kBad; }

}  // namespace

TEST_CASE("the server name of a ClientHello is found, in one record or in many") {
  const std::string message = hello(extension(10, "abc") + sni("allowed.example") + extension(43, "x"));
  CHECK(name_of(record(message)) == "allowed.example");
  CHECK(name_of(record(message) + "\x14\x03\x03\x00\x01\x01") == "allowed.example");   // early data comes in records of its own
  for (std::size_t each : {1U, 2U, 3U, 5U, 50U}) CHECK(name_of(in_records(message, each)) == "allowed.example");
  CHECK(name_of(record(hello(extension(10, "abc")))).empty());
  CHECK(name_of(record(hello(""))).empty());
}

TEST_CASE("a ClientHello that is not whole yet asks for more, wherever it is cut") {
  const std::string bytes = in_records(hello(sni("allowed.example")), 7);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    INFO(i);
    CHECK(read_client_hello(bytes.substr(0, i)).state == HelloState::kMore);
  }
}

TEST_CASE("what hides or doubles the name is refused") {
  CHECK(is_bad(record(hello(sni("allowed.example") + extension(0xfe0d, "x")))));
  CHECK(is_bad(record(hello(extension(0xfe0d, "") + sni("allowed.example")))));
  CHECK(is_bad(record(hello(extension(0xffce, "x")))));
  CHECK(is_bad(record(hello(sni("allowed.example") + sni("evil.example")))));
  const std::string name = std::string(1, '\0') + vec("a.example", 2);
  CHECK(is_bad(record(hello(extension(0, vec(name + name, 2))))));
  CHECK(is_bad(record(hello(extension(0, vec("\x01" + vec("a.example", 2), 2))))));
  CHECK(is_bad(record(hello(extension(0, vec(name, 2) + "x")))));
  CHECK(is_bad(record(hello(extension(0, "")))));
  CHECK(is_bad(record(hello(extension(0, vec(std::string(1, '\0') + vec("", 2), 2))))));
}

TEST_CASE("what is no ClientHello is refused at its first bytes") {
  for (const char* text : {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x", "\x80\x2e\x01\x03\x01", "\x15\x03\x01\x00\x02\x02\x28", "\x16\x02", "\x17\x03\x03"}) CHECK(is_bad(text));
  CHECK(is_bad(record("\x02" + vec("server hello", 3))));
  CHECK(is_bad(std::string("\x16\x03\x01\x00\x00", 5)));
  CHECK(is_bad("\x16\x03\x01\xff\xff"));
  CHECK(is_bad(record(hello(sni("a.example")) + "more")));
  CHECK(is_bad(record("\x01" + number(1 << 20, 3))));
  CHECK(is_bad(record("\x01" + vec("short", 3))));
}

TEST_CASE("a hello's records hold nothing else, and their size is told") {
  const std::string message = hello(sni("allowed.example"));
  CHECK(read_client_hello(record(message) + "behind").size == record(message).size());
  CHECK(read_client_hello(in_records(message, 7) + "behind").size == in_records(message, 7).size());
  const std::string two = record(message + hello(sni("evil.example")));
  for (std::size_t i = message.size() + 5; i <= two.size(); ++i) CHECK(is_bad(two.substr(0, i)));
}

TEST_CASE("a server's answer says whether another hello is wanted") {
  const std::string retry =
      "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C";
  const auto answer = [](const std::string& random) { return record("\x02" + vec("\x03\x03" + random + std::string(10, 'x'), 3)); };
  const std::string warning("\x15\x03\x03\x00\x02\x01\x70", 7);
  CHECK(read_server_answer(answer(retry)) == ServerAnswer::kRetry);
  CHECK(read_server_answer(warning + answer(retry)) == ServerAnswer::kRetry);
  CHECK(read_server_answer(answer(std::string(32, 'r'))) == ServerAnswer::kOther);
  CHECK(read_server_answer(warning + answer(std::string(32, 'r'))) == ServerAnswer::kOther);
  for (const char* other : {"HTTP/1.1 400", "\x17\x03\x03", "\x15\x03\x03\x7f\x02\x01\x70"}) CHECK(read_server_answer(other) == ServerAnswer::kOther);
  const std::string whole = warning + answer(retry);
  for (std::size_t i = 0; i < warning.size() + 43; ++i) {
    INFO(i);
    CHECK(read_server_answer(whole.substr(0, i)) == ServerAnswer::kMore);
  }
}

TEST_CASE("a ClientHello is bounded") {
  std::string endless;
  const std::string message = "\x01" + number(kMaxHelloBytes, 3) + std::string(kMaxHelloBytes - 1, 'x');
  for (std::size_t i = 0; i < message.size(); i += 100) endless += record(message.substr(i, 100));
  CHECK(is_bad(endless));
  CHECK(read_client_hello(endless.substr(0, 1000)).state == HelloState::kMore);
}
