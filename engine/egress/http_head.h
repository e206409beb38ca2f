// SPDX-License-Identifier: Apache-2.0
// The head of an HTTP/1 request, read strictly, and the bounds of its body. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wardenv::engine {

inline constexpr std::size_t kMaxHeadBytes = 32 * 1024;

enum class HeadState { kMore, kDone, kBad };

// RFC 9112, 3.2: how the target is written.
enum class HttpForm {
  kConnect,   // CONNECT host:port
  kAbsolute,  // GET http://host/path
  kOrigin,    // GET /path, with a Host header
};

enum class BodyKind { kNone, kLength, kChunked };

struct HttpHead {
  HeadState state = HeadState::kMore;
  const char* why = "";        // kBad
  std::size_t size = 0;        // kDone: bytes of the head
  HttpForm form = HttpForm::kOrigin;
  std::string method{};
  std::string host{};          // as it was sent, without port and brackets
  std::uint16_t port = 0;      // 80 where none was given; a CONNECT always gives one
  std::string path{};          // with its query; begins with "/"
  int minor = 1;               // HTTP/1.x
  BodyKind body = BodyKind::kNone;
  std::uint64_t body_bytes = 0;
  std::vector<std::pair<std::string, std::string>> headers{};   // end to end ones: without Host, framing and hop-by-hop headers
};

// `bytes`: all that has come so far. Refused is whatever two readers could take in two ways (RFC 9112, 11.2): bare CR or LF, NUL, folded
// lines, space before a colon, two lengths, a length beside chunks, codings other than chunked, more than one Host, userinfo.
HttpHead read_http_head(std::string_view bytes);

// The head as it goes to the server: origin form, our Host, `added` headers instead of those of the same name, one request only.
std::string forwarded_head(const HttpHead& head, const std::string& host, const std::vector<std::pair<std::string, std::string>>& added);

// How many bytes of the stream still belong to the body.
class BodyReader {
 public:
  BodyReader() = default;
  BodyReader(BodyKind kind, std::uint64_t bytes) : kind_(kind), left_(kind == BodyKind::kLength ? bytes : 0) {}

  // How many of the first bytes of `bytes` belong to the body; they count as read. After that see done() and bad(). Chunk extensions and trailers are refused.
  std::size_t read(std::string_view bytes);
  [[nodiscard]] bool done() const { return kind_ == BodyKind::kNone || (kind_ == BodyKind::kLength && left_ == 0); }
  [[nodiscard]] bool bad() const { return bad_; }

 private:
  enum class Part { kFirstDigit, kSize, kSizeLf, kData, kDataCr, kDataLf, kEndCr, kEndLf };
  bool step(char c);

  BodyKind kind_ = BodyKind::kNone;
  std::uint64_t left_ = 0;
  Part part_ = Part::kFirstDigit;
  bool bad_ = false;
};

}  // namespace wardenv::engine
