// SPDX-License-Identifier: Apache-2.0
// One POST. The only file here that pays for Beast's headers.
#include "engine/webhook/post.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace wardenv::engine::webhook {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using TimePoint = std::chrono::steady_clock::time_point;
using Request = http::request<http::string_body>;

// Runs one asynchronous operation until it is over or the deadline has passed. `give_up` must make it end.
template <typename Begin, typename GiveUp>
Status step(asio::io_context& context, TimePoint deadline, const char* what, const Begin& begin, const GiveUp& give_up) {
  boost::system::error_code result;
  bool done = false;
  begin([&](boost::system::error_code error, const auto&...) {
    result = error;
    done = true;
  });
  context.restart();
  context.run_until(deadline);
  if (!done) {
    give_up();
    context.restart();
    context.run();
    return fail(ErrorCode::kHost, "the webhook took too long");
  }
  return result ? fail(ErrorCode::kHost, std::string("the webhook ") + what + ": " + result.message()) : Status();
}

Request request_for(const Url& url, const std::vector<Header>& headers, const std::string& body) {
  Request request(http::verb::post, url.target, 11, body);
  request.set(http::field::host, url.host.find(':') == std::string::npos ? url.host + ":" + url.port : "[" + url.host + "]:" + url.port);
  request.set(http::field::content_type, "application/json");
  request.set(http::field::user_agent, "wardenv");
  for (const Header& header : headers) request.set(header.name, header.value);
  request.keep_alive(false);
  request.prepare_payload();
  return request;
}

template <typename Stream>
Status exchange(asio::io_context& context, Stream& stream, const Request& request, TimePoint deadline) {
  const auto give_up = [&] { beast::get_lowest_layer(stream).close(); };
  WARDENV_TRY(step(context, deadline, "can't be told", [&](auto done) { http::async_write(stream, request, std::move(done)); }, give_up));
  beast::flat_buffer buffer(16384);
  http::response_parser<http::empty_body> response;
  response.header_limit(8192);
  WARDENV_TRY(step(context, deadline, "did not answer", [&](auto done) { http::async_read_header(stream, buffer, response, std::move(done)); }, give_up));
  const unsigned status = response.get().result_int();
  return status >= 200 && status < 300 ? Status() : fail(ErrorCode::kHost, "the webhook answered with HTTP status " + std::to_string(status));
}

Status connect(asio::io_context& context, beast::tcp_stream& stream, const Url& url, TimePoint deadline) {
  tcp::resolver resolver(context);
  tcp::resolver::results_type found;
  WARDENV_TRY(step(context, deadline, "has a name that can't be resolved",
                   [&](auto done) {
                     resolver.async_resolve(url.host, url.port, [&found, done](boost::system::error_code error, tcp::resolver::results_type results) mutable {
                       found = std::move(results);
                       done(error);
                     });
                   },
                   [&] { resolver.cancel(); }));
  stream.expires_never();   // the deadline is the steps'
  return step(context, deadline, "can't be reached", [&](auto done) { stream.async_connect(found, std::move(done)); }, [&] { stream.close(); });
}

Status post_https(asio::io_context& context, const Url& url, const Request& request, TimePoint deadline) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  boost::system::error_code error;
  tls.set_default_verify_paths(error);
  tls.set_verify_mode(asio::ssl::verify_peer);
  beast::ssl_stream<beast::tcp_stream> stream(context, tls);
  stream.set_verify_callback(asio::ssl::host_name_verification(url.host));
  if (SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str()) != 1) return fail(ErrorCode::kHost, "the webhook's name does not fit into TLS");
  WARDENV_TRY(connect(context, beast::get_lowest_layer(stream), url, deadline));
  WARDENV_TRY(step(context, deadline, "has no good certificate",
                   [&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, std::move(done)); }, [&] { beast::get_lowest_layer(stream).close(); }));
  return exchange(context, stream, request, deadline);
}

bool is_port(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits && std::stoul(text) >= 1 && std::stoul(text) <= 65535;
}

}  // namespace

Result<Url> parse_url(const std::string& url) {
  const auto bad = [] { return fail(ErrorCode::kBadInput, "the webhook's URL is none that can be used", "for example https://approvals.example/wardenv"); };
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 127 && c != '#' && c != '\\' && c != '"'; });
  const bool tls = url.starts_with("https://");
  if (!plain || (!tls && !url.starts_with("http://"))) return bad();
  const std::string rest = url.substr(tls ? 8 : 7);
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  std::string place = rest.substr(0, path);
  Url parts{.scheme = tls ? Url::Scheme::kHttps : Url::Scheme::kHttp, .port = tls ? "443" : "80"};
  if (path < rest.size()) parts.target = (rest[path] == '?' ? "/" : "") + rest.substr(path);
  const std::size_t bracket = place.starts_with('[') ? place.find(']') : 0;
  if (bracket == std::string::npos) return bad();
  const std::size_t colon = place.find(':', bracket);
  parts.host = bracket > 0 ? place.substr(1, bracket - 1) : place.substr(0, colon);
  if (bracket > 0 && colon != bracket + 1 && bracket + 1 != place.size()) return bad();
  if (colon != std::string::npos) parts.port = place.substr(colon + 1);
  return parts.host.empty() || parts.host.find_first_of("@[]%") != std::string::npos || !is_port(parts.port) ? Result<Url>(bad()) : parts;
}

Status post(const Url& url, const std::vector<Header>& headers, const std::string& body, TimePoint deadline) {
  try {
    asio::io_context context(1);
    const Request request = request_for(url, headers, body);
    if (url.scheme == Url::Scheme::kHttps) return post_https(context, url, request, deadline);
    beast::tcp_stream stream(context);
    WARDENV_TRY(connect(context, stream, url, deadline));
    return exchange(context, stream, request, deadline);
  } catch (const std::exception& thrown) {
    return fail(ErrorCode::kHost, std::string("the webhook failed: ") + thrown.what());
  }
}

}  // namespace wardenv::engine::webhook
