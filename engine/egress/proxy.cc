// SPDX-License-Identifier: Apache-2.0
// The proxy's thread: one epoll loop over the listener and all connections.
#include "engine/egress/proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "engine/egress/connection.h"
#include "engine/egress/secrets.h"
#include "engine/egress/sockets.h"

namespace wardenv::engine {
namespace {

constexpr std::uint64_t kListenerId = 0, kWakeId = 1, kFirstId = 2;
constexpr int kTickMs = 100, kStarvedTickMs = 10;
constexpr std::uint64_t kAwakeUs = 100;
constexpr int kAcceptsInARow = 64;
constexpr std::uint32_t kCrowd = 64;   // connections above the cap that are told so; more wait in the kernel's queue
constexpr std::uint32_t kToldUsedUp = 256;   // connections beyond the cap in all that are told so, before the port is closed
constexpr std::uint32_t kMostConnections = 4096;

using Events = std::array<epoll_event, 256>;

std::uint64_t clock_us() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_nsec) / 1000;
}

std::uint64_t clock_ms() { return clock_us() / 1000; }

void block_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

// Each connection needs two descriptors, and the usual soft limit is 1024. The limit grows with every proxy that there is, so that one whose
// command opens all it may takes none from another's, nor from the engine. What runs in sandboxes has limits of its own.
class DescriptorShare {
 public:
  explicit DescriptorShare(std::uint32_t connections) : count_(2ULL * connections) {
    const rlim_t wanted = total_.fetch_add(count_) + count_ + 1024;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted) return;
    limit.rlim_cur = std::min(limit.rlim_max, wanted);
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
  }
  DescriptorShare(const DescriptorShare&) = delete;
  DescriptorShare& operator=(const DescriptorShare&) = delete;
  ~DescriptorShare() { total_.fetch_sub(count_); }

 private:
  static inline std::atomic<rlim_t> total_ = 0;
  rlim_t count_;
};

// How long may be waited awake: half a second, and then a tenth of the time. It is the engine's processor, which no limit of the run's holds.
class AwakeTime {
 public:
  bool may(std::uint64_t now_us) {
    if (seen_us_ != 0) left_us_ = std::min(kMostUs, left_us_ + (now_us - seen_us_) / 10);
    seen_us_ = now_us;
    return left_us_ >= kAwakeUs;
  }
  void spend(std::uint64_t us) { left_us_ -= std::min(left_us_, us); }

 private:
  static constexpr std::uint64_t kMostUs = 500'000;
  std::uint64_t left_us_ = kMostUs;
  std::uint64_t seen_us_ = 0;
};

Status check_caps(const EgressCaps& caps) {
  if (caps.connections_at_once >= 1 && caps.connections_at_once <= kMostConnections) return {};
  return fail(ErrorCode::kBadInput, "an egress run has 1 to 4096 connections at once");
}

}  // namespace

struct EgressProxy::Impl {
  DescriptorShare descriptors;
  EgressShared shared;
  UniqueFd epoll;
  UniqueFd wake;
  UniqueFd listener;
  std::atomic<bool> stopping = false;
  std::thread thread;

  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections;
  std::vector<std::uint64_t> touched;
  std::vector<std::uint64_t> again;
  std::unordered_set<std::uint64_t> starved;
  std::uint64_t next_id = kFirstId;
  std::uint64_t accepted = 0;
  std::uint64_t last_tick_ms = 0;
  AwakeTime awake;
  bool paused = false;   // no more is accepted until a connection has ended

  Impl(const EgressSettings& settings, std::vector<HeaderList> secrets, EgressSink sink, UniqueFd epoll_fd, UniqueFd wake_fd)
      : descriptors(settings.caps.connections_at_once + kCrowd), shared{.rules = settings.rules, .secrets = std::move(secrets), .caps = settings.caps, .budget = Budget(settings.caps), .pipes = {},
               .reporter = EgressReporter(std::move(sink), settings.caps.connections), .resolver = Resolver(wake_fd.get()),
               .epoll = epoll_fd.get(), .now_ms = clock_ms(), .names = {}},
        epoll(std::move(epoll_fd)), wake(std::move(wake_fd)) {}

  void wake_up() const {
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);
  }

  [[nodiscard]] bool watch(int fd, std::uint32_t events, std::uint64_t data) const {
    epoll_event interest{.events = events, .data = {.u64 = data}};
    return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &interest) == 0;
  }

  void pause(bool now) {
    if (paused == now || !listener.valid()) return;
    epoll_event interest{.events = now ? 0U : EPOLLIN, .data = {.u64 = kListenerId << 1}};
    (void)::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, listener.get(), &interest);
    paused = now;
  }

  void run() {
    block_signals();
    while (!stopping.load()) {
      Events events{};
      const int count = wait_for(events);
      shared.now_ms = clock_ms();
      shared.budget.refill(shared.now_ms);
      for (int i = 0; i < count; ++i) dispatch(events[static_cast<std::size_t>(i)]);
      take_turns();
      tick();
    }
    connections.clear();
    listener.reset();
  }

  // A peer that is about to say its next word is waited for awake: on one host, being woken takes longer than the word. Who else wants
  // this processor gets it.
  int wait_for(Events& events) {
    const int most = patience();
    const std::uint64_t begin = clock_us();
    const bool soon = most != 0 && std::exchange(shared.expects_soon, false) && awake.may(begin);
    int count = 0;
    for (std::uint64_t now = begin; soon && count == 0 && now < begin + kAwakeUs; now = clock_us()) {
      count = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), 0);
      if (count == 0) ::sched_yield();
    }
    if (soon) awake.spend(clock_us() - begin);
    return count != 0 ? count : ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), most);
  }

  [[nodiscard]] int patience() const {
    if (!again.empty()) return 0;
    if (!starved.empty()) return kStarvedTickMs;
    return connections.empty() && !paused ? -1 : kTickMs;
  }

  void dispatch(const epoll_event& event) {
    const std::uint64_t id = event.data.u64 >> 1;
    if (id == kListenerId) return accept_some();
    if (id == kWakeId) return note_wake();
    const auto found = connections.find(id);
    if (found == connections.end()) return;
    found->second->note(static_cast<Side>(event.data.u64 & 1), event.events);
    touched.push_back(id);
  }

  void note_wake() {
    std::uint64_t count = 0;
    (void)!::read(wake.get(), &count, sizeof count);
    for (const Resolution& resolution : shared.resolver.take_answers()) {
      const auto found = connections.find(resolution.asked_by);
      if (found == connections.end()) continue;
      found->second->take(resolution);
      touched.push_back(resolution.asked_by);
    }
  }

  void accept_some() {
    for (int i = 0; i < kAcceptsInARow; ++i) {
      if (connections.size() >= shared.caps.connections_at_once + kCrowd) return pause(true);
      UniqueFd client(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!client.valid()) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) pause(true);
        return;
      }
      admit(std::move(client));
      if (shared.caps.connections != 0 && accepted >= shared.caps.connections + std::uint64_t{kToldUsedUp}) return close_listener();
    }
  }

  // Who has used up its connections has been told so often enough: nobody answers any more.
  void close_listener() {
    shared.reporter.tell({.kind = EgressEventKind::kRefused, .reason = "the proxy has closed its port: the run's connections are long used up"});
    listener.reset();
    paused = false;
  }

  void admit(UniqueFd client) {
    const std::uint64_t id = next_id++;
    const int fd = client.get();
    ++accepted;
    auto admission = Connection::Admission::kServed;
    if (connections.size() >= shared.caps.connections_at_once) admission = Connection::Admission::kCrowded;
    if (shared.caps.connections != 0 && accepted > shared.caps.connections) admission = Connection::Admission::kUsedUp;
    if (!watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, id << 1)) {
      return shared.reporter.tell({.kind = EgressEventKind::kFailed, .reason = "the proxy can't watch one more connection"});
    }
    connections.emplace(id, std::make_unique<Connection>(shared, std::move(client), id, admission));
  }

  // Those that something happened to, then those whose turn was over, then the starved ones, each once.
  void take_turns() {
    std::vector<std::uint64_t> turn = std::exchange(touched, {});
    turn.insert(turn.end(), again.begin(), again.end());
    again.clear();
    if (shared.budget.allowance() > 0 || shared.budget.used_up()) {
      turn.insert(turn.end(), starved.begin(), starved.end());
      starved.clear();
    }
    std::sort(turn.begin(), turn.end());
    turn.erase(std::unique(turn.begin(), turn.end()), turn.end());
    if (!turn.empty()) std::rotate(turn.begin(), turn.begin() + static_cast<std::ptrdiff_t>(shared.now_ms % turn.size()), turn.end());
    for (const std::uint64_t id : turn) advance(id);
  }

  void advance(std::uint64_t id) {
    const auto found = connections.find(id);
    if (found == connections.end()) return;
    switch (found->second->advance()) {
      case Turn::kWaits: return;
      case Turn::kAgain: again.push_back(id); return;
      case Turn::kStarved:
        starved.insert(id);
        return;
      case Turn::kOver:
        connections.erase(found);
        return pause(false);
    }
  }

  void tick() {
    if (shared.now_ms - last_tick_ms < static_cast<std::uint64_t>(kTickMs)) return;
    last_tick_ms = shared.now_ms;
    pause(false);
    std::vector<std::uint64_t> late;
    for (const auto& [id, connection] : connections) {
      if (connection->deadline_ms() != 0 && shared.now_ms >= connection->deadline_ms()) late.push_back(id);
    }
    for (const std::uint64_t id : late) {
      connections[id]->expire();
      advance(id);
    }
  }
};

EgressProxy::EgressProxy(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EgressProxy::~EgressProxy() { (void)stop(); }

Result<std::unique_ptr<EgressProxy>> EgressProxy::make(const EgressSettings& settings, EgressSink sink) {
  WARDENV_TRY(check_caps(settings.caps));
  auto secrets = read_secrets(settings.rules);
  if (!secrets) return tl::unexpected(secrets.error());
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !wake.valid()) return fail_errno(ErrorCode::kHost, "cannot make the proxy");
  auto impl = std::make_unique<Impl>(settings, std::move(*secrets), std::move(sink), std::move(epoll), std::move(wake));
  if (!impl->watch(impl->wake.get(), EPOLLIN, kWakeId << 1)) return fail_errno(ErrorCode::kHost, "cannot make the proxy");
  return std::unique_ptr<EgressProxy>(new EgressProxy(std::move(impl)));
}

void EgressProxy::serve(UniqueFd listener) {
  Impl& impl = *impl_;
  if (impl.thread.joinable()) return;
  try {
    const int on = 1;   // what is accepted takes it over (tcp(7))
    (void)::setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    keep_alive(listener.get());
    if (!impl.watch(listener.get(), EPOLLIN, kListenerId << 1)) throw std::system_error(errno, std::generic_category());
    impl.listener = std::move(listener);
    impl.thread = std::thread([&impl] { impl.run(); });
  } catch (const std::system_error& error) {
    impl.listener.reset();   // closed: whoever connects is refused
    impl.shared.reporter.tell({.kind = EgressEventKind::kFailed, .reason = std::string("the proxy could not be started: ") + error.what()});
  }
}

EgressSummary EgressProxy::stop() {
  if (!impl_) return {};
  if (impl_->thread.joinable()) {
    impl_->stopping.store(true);
    impl_->wake_up();
    impl_->thread.join();
  }
  return impl_->shared.reporter.take();
}

}  // namespace wardenv::engine
