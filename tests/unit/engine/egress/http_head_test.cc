// SPDX-License-Identifier: Apache-2.0
// HTTP request heads: what is read, what is refused because two readers could differ on it, and what goes on to the server.
#include "engine/egress/http_head.h"

#include "tests/support/catch.h"

using namespace wardenv::engine;

namespace {

HttpHead good(const std::string& text) {
  HttpHead head = read_http_head(text);
  INFO(text << ": " << head.why);
  REQUIRE(head.state == HeadState::kDone);
  return head;
}

bool bad(const std::string& text) { return read_http_head(text).state == HeadState::kBad; }

std::string get(const std::string& headers) { return "GET http://a.example/x HTTP/1.1\r\n" + headers + "\r\n"; }

}  // namespace

TEST_CASE("the three forms of a target") {
  const HttpHead connect = good("CONNECT a.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\nmore");
  CHECK(connect.form == HttpForm::kConnect);
  CHECK(connect.host == "a.example");
  CHECK(connect.port == 443);
  CHECK(connect.size == 55);
  CHECK(good("CONNECT [2001:db8::1]:443 HTTP/1.0\r\n\r\n").host == "2001:db8::1");
  const HttpHead absolute = good("GET http://a.example:8080/x?y=1 HTTP/1.1\r\nHost: other.example\r\n\r\n");
  CHECK(absolute.host == "a.example");
  CHECK(absolute.port == 8080);
  CHECK(absolute.path == "/x?y=1");
  CHECK(good("GET HTTP://A.example HTTP/1.1\r\n\r\n").path == "/");
  CHECK(good("GET http://a.example?q HTTP/1.1\r\n\r\n").path == "/?q");
  const HttpHead origin = good("GET /x HTTP/1.1\r\nHost: a.example:81\r\n\r\n");
  CHECK(origin.form == HttpForm::kOrigin);
  CHECK(origin.port == 81);
}

TEST_CASE("a head that is not whole asks for more, wherever it is cut") {
  const std::string text = "GET http://a.example/x HTTP/1.1\r\nAccept: */*\r\n\r\n";
  for (std::size_t i = 0; i < text.size(); ++i) {
    INFO(i);
    CHECK(read_http_head(text.substr(0, i)).state == HeadState::kMore);
  }
}

TEST_CASE("a malformed target or line is refused") {
  for (const char* line : {"CONNECT a.example HTTP/1.1", "CONNECT a.example: HTTP/1.1", "CONNECT a.example:0 HTTP/1.1", "CONNECT a.example:65536 HTTP/1.1",
                           "CONNECT a.example:44x HTTP/1.1", "CONNECT :443 HTTP/1.1", "CONNECT [::1:443 HTTP/1.1", "CONNECT [name]:443 HTTP/1.1",
                           "CONNECT a.example:443:443 HTTP/1.1", "CONNECT http://a.example:443 HTTP/1.1", "GET https://a.example/ HTTP/1.1", "GET ftp://a.example/ HTTP/1.1",
                           "GET a.example/ HTTP/1.1", "GET http:///x HTTP/1.1", "GET http://a.example:/x HTTP/1.1", "GET http://a.example/a b HTTP/1.1",
                           "GET http://a.example/#f HTTP/1.1", "GET http://a.example/\x01 HTTP/1.1", "GET http://a.example/\xff HTTP/1.1", "GET  http://a.example/ HTTP/1.1",
                           "GET http://a.example/ HTTP/2.0", "GET http://a.example/ HTTP/1.2", "GET http://a.example/", "GET", "G\tT http://a.example/ HTTP/1.1",
                           "G(T http://a.example/ HTTP/1.1", "TRACE http://a.example/ HTTP/1.1", " GET http://a.example/ HTTP/1.1"}) {
    INFO(line);
    CHECK(bad(std::string(line) + "\r\n\r\n"));
  }
  CHECK(bad("\r\n\r\n"));
  CHECK(bad("GET / HTTP/1.1\r\n\r\n"));
  CHECK(bad(std::string("CONNECT a.example\0.evil:443 HTTP/1.1\r\n\r\n", 41)));
}

TEST_CASE("what two readers could take in two ways is refused") {
  for (const char* headers : {"A: b\nC: d\r\n", "A: b\rC: d\r\n", "A : b\r\n", " A: b\r\n", "A: b\r\n folded\r\n", "A\r\n", ": b\r\n", "A: \x01\r\n", "A: \x7f\r\n", "Content-Length: 1\r\nContent-Length: 1\r\n",
                              "Content-Length: +1\r\n", "Content-Length: 1, 1\r\n", "Content-Length: 0x1\r\n", "Content-Length: \r\n", "Content-Length: 9999999999999999999\r\n",
                              "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                              "Transfer-Encoding: xchunked\r\n", "Host: a\r\nHost: a\r\n"}) {
    INFO(headers);
    CHECK(bad(get(headers)));
  }
  CHECK(bad("POST http://a.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"));
  CHECK(bad("CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"));
  CHECK(bad(get("A: " + std::string(kMaxHeadBytes, 'x') + "\r\n")));
  CHECK(bad("GET http://a.example/" + std::string(kMaxHeadBytes, 'x')));
  std::string many;
  for (int i = 0; i < 200; ++i) many += "A: b\r\n";
  CHECK(bad(get(many)));
  CHECK(bad("GET / HTTP/1.1\r\nHost: user@a.example@\r\nHost: b\r\n\r\n"));
}

TEST_CASE("a request goes on with our Host, without hop-by-hop headers, and as the only one") {
  const HttpHead head = good(get("Host: other.example\r\nAccept: */*\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nProxy-Authorization: x\r\nTE: trailers\r\n"
                                 "Upgrade: h2c\r\nKeep-Alive: 1\r\nauthorization: mine\r\n"));
  CHECK(forwarded_head(head, "a.example", {{"Authorization", "Bearer theirs"}}) ==
        "GET /x HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nAuthorization: Bearer theirs\r\nConnection: close\r\n\r\n");
  const HttpHead post = good("POST http://a.example/ HTTP/1.1\r\nContent-Length: 5\r\nConnection: content-length\r\n\r\n");
  CHECK(forwarded_head(post, "a.example:81", {}) == "POST / HTTP/1.1\r\nHost: a.example:81\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
  const HttpHead chunked = good("POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n");
  CHECK(forwarded_head(chunked, "a", {}) == "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a body ends where its framing says, and nothing behind it belongs to it") {
  CHECK(BodyReader().done());
  BodyReader length(BodyKind::kLength, 5);
  CHECK(length.read("hel") == 3);
  CHECK_FALSE(length.done());
  CHECK(length.read("loGET /") == 2);
  CHECK(length.done());
  CHECK(BodyReader(BodyKind::kLength, 0).done());

  const std::string chunks = "5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
  for (std::size_t each : {1U, 2U, 3U, 7U, 100U}) {
    BodyReader reader(BodyKind::kChunked, 0);
    const std::string stream = chunks + "GET /smuggled";
    std::size_t at = 0;
    while (at < stream.size() && !reader.done()) {
      const std::size_t got = reader.read(stream.substr(at, each));
      at += got;
      if (got == 0) break;
    }
    CHECK(reader.done());
    CHECK_FALSE(reader.bad());
    CHECK(at == chunks.size());
  }
}

TEST_CASE("malformed chunks are refused") {
  for (const char* text : {"\r\n", "x\r\n", "5;ext=1\r\n", "5 \r\n", "5\n", "5\rx", "5\r\nhello5", "5\r\nhello\n", "0\r\nTrailer: x\r\n\r\n", "-1\r\n", "0x5\r\n", "ffffffffffffffff\r\n"}) {
    INFO(text);
    BodyReader reader(BodyKind::kChunked, 0);
    (void)reader.read(text);
    CHECK(reader.bad());
  }
}
