// SPDX-License-Identifier: Apache-2.0
// Listening, TLS, and what happens every 200 milliseconds.
#include "tools/mcp/http.h"

#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <ctime>

#include "tools/mcp/http_connection.h"

namespace wardenv::mcp {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kSweep = std::chrono::milliseconds(200);
constexpr auto kPatience = std::chrono::milliseconds(600);
constexpr std::chrono::milliseconds kShortPatience(2000);   // with clients that don't read, where there are many of them
constexpr std::size_t kMuchOutput = 16U << 20;
constexpr std::size_t kReadBytes = 16384;

template <typename Stream>
class SocketConnection : public Connection {
 public:
  template <typename... Args>
  explicit SocketConnection(HttpShared& shared, tcp::socket socket, Args&... args) : Connection(shared), stream_(std::move(socket), args...) {}

  [[nodiscard]] int fd() const override { return const_cast<Stream&>(stream_).lowest_layer().native_handle(); }

  // TLS only.
  void shake_hands() {
    stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this(), this](const boost::system::error_code& error) {
      if (error) return self->close();
      shaken_ = true;
      self->start();
    });
  }

 protected:
  void read_some() override {
    stream_.async_read_some(buffer_.prepare(kReadBytes), [self = this->shared_from_this(), this](const boost::system::error_code& error, std::size_t count) {
      on_read(error, count);
    });
  }

  // As much as is taken now: each part that a slow client takes is a sign of life.
  void write_some(std::string_view data) override {
    stream_.async_write_some(asio::buffer(data.data(), data.size()), [self = this->shared_from_this(), this](const boost::system::error_code& error, std::size_t count) {
      on_written(error, count);
    });
  }

  // TLS keeps its sending half for its own goodbye.
  void shut_sending() override {
    boost::system::error_code ignored;
    if constexpr (!kIsTls) stream_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  // An end without close_notify looks like a cut to a careful client. Over once the client has said the same, or at the deadline.
  void say_goodbye() override {
    if constexpr (kIsTls) {
      if (shaken_) return stream_.async_shutdown([self = this->shared_from_this(), this](const boost::system::error_code&) { shut(); });
    }
    shut();
  }

  void reset() override {
    boost::system::error_code ignored;
    stream_.lowest_layer().set_option(asio::socket_base::linger(true, 0), ignored);
    shut();
  }

  void shut() override {
    boost::system::error_code ignored;
    stream_.lowest_layer().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.lowest_layer().close(ignored);
  }

 private:
  static constexpr bool kIsTls = !std::is_same_v<Stream, tcp::socket>;

  Stream stream_;
  bool shaken_ = false;   // TLS: there is something to say goodbye to
};

using Plain = SocketConnection<tcp::socket>;
using Tls = SocketConnection<asio::ssl::stream<tcp::socket>>;

std::string date_line() {
  std::array<char, 48> text{};
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  return {text.data(), std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts)};
}

// The usual soft limit, 1024, is as many as there may be clients, and nothing would be left for tools. Sandboxes have limits of their own, and what
// starts them was started before.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

struct HttpServer::Impl {
  Impl(Server& server, HttpOptions options) : shared(server, std::move(options)), acceptor(shared.io), timer(shared.io) {}

  ~Impl() { shared.sessions.clear(); }

  Status listen();
  Status load_tls();
  void accept();
  void accept_again();
  void welcome(tcp::socket socket);
  void sweep();
  void find_hung_up();
  void drop_ended_sessions();
  void give_back_memory();
  void stop();

  HttpShared shared;
  std::optional<asio::ssl::context> tls;
  tcp::acceptor acceptor;
  asio::steady_timer timer;
  std::atomic<std::size_t> count{0};
  unsigned sweeps = 0;
  bool accepting = false;   // a wait for the next client is under way
  bool held_much = false;   // output, since memory was given back
};

Status HttpServer::Impl::load_tls() {
  const HttpOptions& options = shared.options;
  if (options.tls_cert.empty() != options.tls_key.empty()) return fail(ErrorCode::kBadInput, "TLS needs both a certificate and a key", "give --tls-cert and --tls-key");
  if (options.tls_cert.empty()) return {};
  try {
    tls.emplace(asio::ssl::context::tls_server);
    tls->set_password_callback([](std::size_t, asio::ssl::context::password_purpose) { return std::string(); });   // nobody is asked
    tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    tls->use_certificate_chain_file(options.tls_cert);
    tls->use_private_key_file(options.tls_key, asio::ssl::context::pem);
  } catch (const boost::system::system_error& error) {
    return fail(ErrorCode::kBadInput, "cannot use the certificate `" + options.tls_cert + "` with the key `" + options.tls_key + "`: " + error.code().message(),
                "both must be PEM files that belong together, and the key without a passphrase");
  }
  return {};
}

Status HttpServer::Impl::listen() {
  const HttpOptions& options = shared.options;
  boost::system::error_code error;
  const std::string name = same_text(options.host, "localhost") ? "127.0.0.1" : options.host;
  const auto address = asio::ip::make_address(name.starts_with('[') ? name.substr(1, name.size() - 2) : name, error);
  if (error) return fail(ErrorCode::kBadInput, "`" + options.host + "` is no address to listen on", "for example 127.0.0.1:8080 or [::1]:8080");
  shared.origins = {address.is_loopback(), options.allowed_origins};
  if (!address.is_loopback() && (!options.grant_of_token || (options.asks_for_tokens && !options.asks_for_tokens()))) {
    return fail(ErrorCode::kBadInput, "`" + options.host + "` can be reached by others, and no grant of the policy has a token",
                "add a grant with `token_sha256` to the policy, or listen on 127.0.0.1");
  }
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(ErrorCode::kHost, "cannot listen on `" + options.host + ":" + std::to_string(options.port) + "`: " + error.message(), "choose another port, or 0 for any");
  const std::string shown = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  shared.authority = shown + ":" + std::to_string(acceptor.local_endpoint().port());
  return {};
}

void HttpServer::Impl::accept() {
  accepting = true;
  acceptor.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
    accepting = false;
    if (error == asio::error::operation_aborted) return;
    if (!error) welcome(std::move(socket));
    // Out of descriptors: the sweep tries again, instead of a loop that does nothing else.
    if (error && error != asio::error::connection_aborted) return;
    accept();
  });
}

void HttpServer::Impl::accept_again() {
  if (!accepting && acceptor.is_open()) accept();
}

void HttpServer::Impl::welcome(tcp::socket socket) {
  boost::system::error_code ignored;
  if (shared.connections.size() >= shared.options.limits.connections) {
    static constexpr std::string_view kFull = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 2\r\nConnection: close\r\n\r\n";
    socket.non_blocking(true, ignored);
    if (!tls) socket.write_some(asio::buffer(kFull), ignored);
    return;
  }
  socket.set_option(tcp::no_delay(true), ignored);
  if (tls) return std::make_shared<Tls>(shared, std::move(socket), *tls)->shake_hands();
  std::make_shared<Plain>(shared, std::move(socket))->start();
}

// Whoever waits for an answer does not read: so we look whether its client is still there.
void HttpServer::Impl::find_hung_up() {
  std::vector<pollfd> fds;
  std::vector<std::shared_ptr<Connection>> waiting;
  for (Connection* connection : shared.connections) {
    if (!connection->busy()) continue;
    fds.push_back({connection->fd(), POLLRDHUP, 0});
    waiting.push_back(connection->shared_from_this());
  }
  if (fds.empty() || poll(fds.data(), fds.size(), 0) <= 0) return;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    if (fds[i].revents != 0) waiting[i]->client_gone();
  }
}

void HttpServer::Impl::drop_ended_sessions() {
  shared.server.end_idle_sessions();
  for (auto at = shared.sessions.begin(); at != shared.sessions.end();) {
    const bool ended = at->second.pending == 0 && !shared.server.session(at->first, at->second.grant);
    if (ended) at->second.close();   // whoever still listens
    at = ended ? shared.sessions.erase(at) : std::next(at);
  }
}

// What slow clients made us hold, malloc would keep in pieces.
void HttpServer::Impl::give_back_memory() {
  if (shared.out_bytes > kMuchOutput) held_much = true;
  if (!held_much || shared.out_bytes > kMuchOutput / 16) return;
  held_much = false;
  ::malloc_trim(0);
}

void HttpServer::Impl::sweep() {
  const auto now = Clock::now();
  shared.date = date_line();
  shared.asks_for_tokens();   // also where nobody called meanwhile
  find_hung_up();
  std::vector<std::shared_ptr<Connection>> all;
  for (Connection* connection : shared.connections) all.push_back(connection->shared_from_this());
  const HttpLimits& limits = shared.options.limits;
  const auto patience = shared.out_bytes > limits.all_backlog_bytes ? std::min(kShortPatience, limits.write_time) : limits.write_time;
  for (const auto& connection : all) connection->sweep(now, patience);
  std::size_t kept = 0;
  for (const auto& [id, streams] : shared.sessions) kept += streams.kept_bytes();
  for (auto& [id, streams] : shared.sessions) streams.sweep(now, kept > limits.all_kept_bytes ? Memory::kShort : Memory::kEnough);
  give_back_memory();
  accept_again();
  if (++sweeps % 50 == 0) drop_ended_sessions();
  count = shared.connections.size();
  timer.expires_after(kSweep);
  timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) sweep();
  });
}

void HttpServer::Impl::stop() {
  shared.stopping = true;
  boost::system::error_code ignored;
  acceptor.close(ignored);
  shared.server.shut_down(kPatience);
  timer.cancel();
  shared.io.poll();   // last answers, as far as they go
  shared.io.stop();
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::open(Server& server, HttpOptions options) {
  auto impl = std::make_unique<Impl>(server, std::move(options));
  WARDENV_TRY(impl->load_tls());
  WARDENV_TRY(impl->listen());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

std::uint16_t HttpServer::port() const { return impl_->acceptor.local_endpoint().port(); }
std::size_t HttpServer::connections() const { return impl_->count; }

std::string HttpServer::url() const {
  return (impl_->tls ? "https://" : "http://") + impl_->shared.authority + impl_->shared.options.path;
}

void HttpServer::run(int stop_fd) {
  allow_many_descriptors();
  asio::posix::stream_descriptor stop(impl_->shared.io, dup(stop_fd));
  stop.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code&) { impl_->stop(); });
  impl_->accept();
  impl_->sweep();
  impl_->shared.io.run();
}

}  // namespace wardenv::mcp
