// SPDX-License-Identifier: Apache-2.0
// Asking an HTTP server. The only file of the hooks that pays for Beast's headers.
#include "engine/hooks/http.h"

#include <netdb.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace wardenv::engine::hooks {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using Endpoints = std::vector<tcp::endpoint>;

constexpr std::uint32_t kMaxHeaderBytes = 16384;

// getaddrinfo(3) knows no deadline: it works in a thread of its own, which nobody waits for longer than that.
struct Lookup {
  std::mutex mutex{};
  std::condition_variable done{};
  std::optional<Endpoints> found{};
};

Endpoints look_up(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Endpoints found;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &list) != 0) return found;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    tcp::endpoint endpoint;
    if (one->ai_addrlen > endpoint.capacity()) continue;
    std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen, reinterpret_cast<char*>(endpoint.data()));
    endpoint.resize(one->ai_addrlen);
    found.push_back(endpoint);
  }
  ::freeaddrinfo(list);
  return found;
}

Result<Endpoints> resolve(const HttpUrl& url, Deadline deadline) {
  boost::system::error_code not_numeric;
  const auto address = boost::asio::ip::make_address(url.host, not_numeric);
  if (!not_numeric) return Endpoints{{address, static_cast<std::uint16_t>(std::stoul(url.port))}};
  const auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, url] {
    Endpoints found = look_up(url.host, url.port);
    const std::scoped_lock lock(lookup->mutex);
    lookup->found = std::move(found);
    lookup->done.notify_one();
  }).detach();
  std::unique_lock lock(lookup->mutex);
  lookup->done.wait_until(lock, deadline, [&lookup] { return lookup->found.has_value(); });
  if (!lookup->found) return fail(ErrorCode::kHost, "it took too long: its name was not resolved");
  if (lookup->found->empty()) return fail(ErrorCode::kHost, "its name can't be resolved");
  return std::move(*lookup->found);
}

// Runs one asynchronous operation until it is over or the deadline has passed.
template <typename Begin>
Status step(boost::asio::io_context& context, beast::tcp_stream& stream, Deadline deadline, const char* what, const Begin& begin) {
  boost::system::error_code result;
  bool done = false;
  begin([&](boost::system::error_code error, const auto&...) {
    result = error;
    done = true;
  });
  context.restart();
  context.run_until(deadline);
  if (!done) {
    stream.close();
    context.restart();
    context.run();
    return fail(ErrorCode::kHost, "it took too long");
  }
  if (result == http::error::body_limit) return fail(ErrorCode::kHost, "its answer is too long");
  if (result) return fail(ErrorCode::kHost, std::string(what) + ": " + result.message());
  return {};
}

http::request<http::string_body> request_for(const HttpUrl& url, const std::string& body) {
  http::request<http::string_body> request(http::verb::post, url.target, 11, body);
  request.set(http::field::host, (url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]") + ":" + url.port);
  request.set(http::field::content_type, "application/json");
  request.set(http::field::accept, "application/json");
  request.set(http::field::user_agent, "wardenv");
  request.keep_alive(false);
  request.prepare_payload();
  return request;
}

Result<std::string> exchange(const HttpUrl& url, const Endpoints& endpoints, const std::string& body, Deadline deadline, std::size_t max_bytes) {
  boost::asio::io_context context(1);
  beast::tcp_stream stream(context);
  stream.expires_never();   // the deadline is the steps'
  WARDENV_TRY(step(context, stream, deadline, "it can't be reached", [&](auto done) { stream.async_connect(endpoints, std::move(done)); }));
  const auto request = request_for(url, body);
  WARDENV_TRY(step(context, stream, deadline, "it can't be asked", [&](auto done) { http::async_write(stream, request, std::move(done)); }));
  beast::flat_buffer buffer(kMaxHeaderBytes + max_bytes);
  http::response_parser<http::string_body> response;
  response.header_limit(kMaxHeaderBytes);
  response.body_limit(max_bytes);
  WARDENV_TRY(step(context, stream, deadline, "it did not answer", [&](auto done) { http::async_read(stream, buffer, response, std::move(done)); }));
  if (response.get().result_int() != 200) return fail(ErrorCode::kHost, "it answered with HTTP status " + std::to_string(response.get().result_int()));
  return std::move(response.get().body());
}

bool is_port(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits && std::stoul(text) >= 1 && std::stoul(text) <= 65535;
}

}  // namespace

Result<HttpUrl> parse_http_url(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  const auto bad = [] { return fail(ErrorCode::kBadInput, "its URL is not one", "for example http://127.0.0.1:8181/v1/data/wardenv"); };
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 127 && c != '#' && c != '\\' && c != '"'; });
  if (!plain || !url.starts_with(kScheme)) return bad();
  const std::string rest = url.substr(kScheme.size());
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  std::string place = rest.substr(0, path);
  HttpUrl parts;
  if (path < rest.size()) parts.target = (rest[path] == '?' ? "/" : "") + rest.substr(path);
  if (place.starts_with('[')) {
    const std::size_t end = place.find(']');
    if (end == std::string::npos) return bad();
    parts.host = place.substr(1, end - 1);
    place.erase(0, end + 1);
  } else {
    parts.host = place.substr(0, place.find(':'));
    place.erase(0, parts.host.size());
  }
  if (!place.empty()) parts.port = place.substr(1);
  const bool good = !parts.host.empty() && parts.host.find_first_of("@[]%") == std::string::npos && (place.empty() || place[0] == ':') && is_port(parts.port);
  if (!good) return bad();
  return parts;
}

Result<std::string> ask_http(const std::string& url, const std::string& body, Deadline deadline, std::size_t max_bytes) try {
  const auto parts = parse_http_url(url);
  if (!parts) return tl::unexpected(parts.error());
  const auto endpoints = resolve(*parts, deadline);
  if (!endpoints) return tl::unexpected(endpoints.error());
  return exchange(*parts, *endpoints, body, deadline, max_bytes);
} catch (const std::exception& failure) {
  return fail(ErrorCode::kHost, failure.what());
}

}  // namespace wardenv::engine::hooks
