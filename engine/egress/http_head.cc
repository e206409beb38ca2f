// SPDX-License-Identifier: Apache-2.0
// HTTP/1 request heads.
#include "engine/egress/http_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace wardenv::engine {
namespace {

constexpr std::size_t kMaxHeaders = 100;

// RFC 9110, 7.6.1, and what proxies are told. Host and the framing are written anew.
constexpr std::array kNotForwarded = {"connection", "proxy-connection", "keep-alive", "proxy-authorization", "proxy-authenticate", "te", "trailer",
                                      "transfer-encoding", "upgrade", "host", "content-length", "http2-settings"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return lower(c); });
  return result;
}

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), good);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// No control character but tab, and CR and LF only together. The head may not be whole yet.
bool clean(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    if (c == '\r') {
      if (i + 1 < bytes.size() && bytes[i + 1] != '\n') return false;
    } else if (c == '\n') {
      if (i == 0 || bytes[i - 1] != '\r') return false;
    } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
      return false;
    }
  }
  return true;
}

template <typename Number>
bool to_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

enum class Port { kGiven, kOptional };

// "host:port", "[v6]:port".
bool split_authority(std::string_view text, Port port, HttpHead& head) {
  std::size_t end = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    head.host = text.substr(1, close - 1);
    if (head.host.find(':') == std::string::npos) return false;
    end = close + 1;
  } else {
    head.host = text.substr(0, end);
  }
  if (head.host.empty()) return false;
  if (end >= text.size()) return port == Port::kOptional;
  return text[end] == ':' && to_number(text.substr(end + 1), head.port) && head.port != 0;
}

bool clean_target(std::string_view target) {
  return !target.empty() && std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>'; });
}

const char* read_target(std::string_view target, HttpHead& head) {
  if (!clean_target(target)) return "a malformed target";
  if (head.method == "CONNECT") {
    head.form = HttpForm::kConnect;
    return split_authority(target, Port::kGiven, head) ? nullptr : "CONNECT takes host:port";
  }
  head.port = 80;
  if (target.starts_with('/')) {
    head.path = target;
    return nullptr;
  }
  head.form = HttpForm::kAbsolute;
  if (lower(target.substr(0, 8)) == "https://") return "https through a proxy begins with CONNECT";
  if (lower(target.substr(0, 7)) != "http://") return "only http:// is forwarded";
  target.remove_prefix(7);
  const std::size_t end = std::min(target.find_first_of("/?"), target.size());
  if (!split_authority(target.substr(0, end), Port::kOptional, head)) return "a malformed host in the target";
  const std::string_view rest = target.substr(end);
  head.path = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
  return nullptr;
}

const char* read_request_line(std::string_view line, HttpHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || line.find('\t') != std::string_view::npos) return "a malformed request line";
  head.method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(head.method) || head.method.size() > 32) return "a malformed method";
  if (head.method == "TRACE") return "TRACE is not forwarded: it would show what the proxy adds";
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return "only HTTP/1.1 and HTTP/1.0 are spoken";
  head.minor = version.back() - '0';
  return read_target(line.substr(first + 1, last - first - 1), head);
}

// What the headers say about the message as a whole.
struct Framing {
  std::optional<std::string> host{};
  std::optional<std::uint64_t> length{};
  bool chunked = false;
  std::vector<std::string> hop_by_hop{};
};

void add_names(std::string_view list, std::vector<std::string>& names) {
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    names.push_back(lower(trim(list.substr(begin, end - begin))));
    begin = end + 1;
  }
}

const char* note_framing(const std::string& name, std::string_view value, Framing& framing) {
  if (name == "host") {
    if (framing.host) return "two Host headers";
    framing.host = value;
  } else if (name == "content-length") {
    std::uint64_t length = 0;
    if (framing.length) return "two lengths";
    if (value.empty() || value.size() > 18 || value[0] < '0' || value[0] > '9' || !to_number(value, length)) return "a malformed length";
    framing.length = length;
  } else if (name == "transfer-encoding") {
    if (framing.chunked || lower(value) != "chunked") return "a transfer coding other than chunked";
    framing.chunked = true;
  } else if (name == "connection" || name == "proxy-connection") {
    add_names(value, framing.hop_by_hop);
  }
  return nullptr;
}

const char* read_header(std::string_view line, HttpHead& head, Framing& framing) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return "a malformed header";
  const std::string_view value = trim(line.substr(colon + 1));
  if (head.headers.size() >= kMaxHeaders) return "too many headers";
  head.headers.emplace_back(line.substr(0, colon), value);
  return note_framing(lower(line.substr(0, colon)), value, framing);
}

const char* apply_framing(const Framing& framing, HttpHead& head) {
  if (framing.length && framing.chunked) return "a length beside chunks";
  if (framing.chunked && head.minor == 0) return "chunks in HTTP/1.0";
  head.body = framing.chunked ? BodyKind::kChunked : framing.length ? BodyKind::kLength : BodyKind::kNone;
  head.body_bytes = framing.length.value_or(0);
  if (head.form == HttpForm::kConnect && (framing.chunked || head.body_bytes > 0)) return "a CONNECT with a body";
  if (head.form != HttpForm::kOrigin) return nullptr;
  return framing.host && split_authority(*framing.host, Port::kOptional, head) ? nullptr : "no usable Host header";
}

void drop_hop_by_hop(const Framing& framing, HttpHead& head) {
  std::erase_if(head.headers, [&](const auto& header) {
    const std::string name = lower(header.first);
    return std::find(kNotForwarded.begin(), kNotForwarded.end(), name) != kNotForwarded.end() ||
           std::find(framing.hop_by_hop.begin(), framing.hop_by_hop.end(), name) != framing.hop_by_hop.end();
  });
}

const char* read_lines(std::string_view text, HttpHead& head) {
  Framing framing;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    const char* why = first ? read_request_line(line, head) : read_header(line, head, framing);
    if (why != nullptr) return why;
    first = false;
    text.remove_prefix(end + 2);
  }
  if (const char* why = apply_framing(framing, head)) return why;
  drop_hop_by_hop(framing, head);
  return nullptr;
}

}  // namespace

HttpHead read_http_head(std::string_view bytes) {
  HttpHead head;
  const std::size_t end = bytes.find("\r\n\r\n");
  const std::string_view seen = bytes.substr(0, end == std::string_view::npos ? std::min(bytes.size(), kMaxHeadBytes) : end + 4);
  const char* why = nullptr;
  if (!clean(seen)) {
    why = "control characters in the request";
  } else if (seen.size() >= kMaxHeadBytes) {
    why = "the head of the request is too long";
  } else if (end == std::string_view::npos) {
    return head;
  } else if (end == 0) {
    why = "an empty request";
  } else {
    why = read_lines(bytes.substr(0, end + 2), head);
  }
  head.state = why != nullptr ? HeadState::kBad : HeadState::kDone;
  head.why = why != nullptr ? why : "";
  head.size = seen.size();
  return head;
}

std::string forwarded_head(const HttpHead& head, const std::string& host, const std::vector<std::pair<std::string, std::string>>& added) {
  std::string text = head.method + " " + head.path + " HTTP/1." + std::to_string(head.minor) + "\r\nHost: " + host + "\r\n";
  auto replaced = [&](const std::string& name) {
    return std::any_of(added.begin(), added.end(), [&](const auto& header) { return lower(header.first) == lower(name); });
  };
  for (const auto& [name, value] : head.headers) {
    if (!replaced(name)) text += name + ": " + value + "\r\n";
  }
  for (const auto& [name, value] : added) text += name + ": " + value + "\r\n";
  if (head.body == BodyKind::kLength) text += "Content-Length: " + std::to_string(head.body_bytes) + "\r\n";
  if (head.body == BodyKind::kChunked) text += "Transfer-Encoding: chunked\r\n";
  return text + "Connection: close\r\n\r\n";
}

// RFC 9112, 7.1. False where `c` does not belong to a body.
bool BodyReader::step(char c) {
  const char digit = lower(c);
  const int value = digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
  switch (part_) {
    case Part::kFirstDigit:
    case Part::kSize:
      if (c == '\r' && part_ == Part::kSize) return part_ = Part::kSizeLf, true;
      if (value < 0 || left_ >> 56 != 0) return false;
      left_ = left_ << 4 | static_cast<std::uint64_t>(value);
      part_ = Part::kSize;
      return true;
    case Part::kSizeLf: part_ = left_ == 0 ? Part::kEndCr : Part::kData; return c == '\n';
    case Part::kData: return false;   // taken in one piece by read()
    case Part::kDataCr: part_ = Part::kDataLf; return c == '\r';
    case Part::kDataLf: part_ = Part::kFirstDigit; return c == '\n';
    case Part::kEndCr: part_ = Part::kEndLf; return c == '\r';
    case Part::kEndLf: kind_ = BodyKind::kNone; return c == '\n';
  }
  return false;
}

std::size_t BodyReader::read(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && !done() && !bad_) {
    if (kind_ == BodyKind::kLength || part_ == Part::kData) {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
      at += take;
      left_ -= take;
      if (kind_ == BodyKind::kChunked && left_ == 0) part_ = Part::kDataCr;
      continue;
    }
    if (!step(bytes[at])) {
      bad_ = true;
      return at;
    }
    ++at;
  }
  return at;
}

}  // namespace wardenv::engine
