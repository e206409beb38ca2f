// SPDX-License-Identifier: Apache-2.0
// Quotas in Redis.
#include <hiredis/hiredis.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "policy/quota/redis_script.h"
#include "policy/quota/redis_url.h"
#include "policy/quota/windows.h"

namespace wardenv::policy {
namespace {

constexpr timeval kConnectTime{1, 0};
constexpr timeval kCommandTime{2, 0};
constexpr std::uint64_t kMost = 1ULL << 53;   // Lua counts in doubles

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;
using Words = std::vector<std::string>;

// What went wrong, and whether another connection may do better.
struct Trouble {
  Error error{};
  enum class Kind { kClosed, kOther } kind = Kind::kOther;
};
template <typename T>
using Attempt = tl::expected<T, Trouble>;

// hiredis writes with send(2) and no MSG_NOSIGNAL: a server that went away would end us by SIGPIPE. For the length of a call it is blocked in
// this thread, and taken off again if it came (signal(7): a thread's own SIGPIPE is pending for that thread).
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigset_t pending;
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::sigpending(&pending);
    if (::sigismember(&pending, SIGPIPE) == 1) return;   // somebody else's
    active_ = ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_) == 0;
  }
  ~NoPipeSignal() {
    if (!active_) return;
    const timespec now{};
    while (::sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool active_ = false;
};

// One connection, logged in. Not thread-safe.
class Connection {
 public:
  static Attempt<std::unique_ptr<Connection>> open(const RedisAddress& address);

  Attempt<Reply> command(const Words& words) {
    std::vector<const char*> texts;
    std::vector<std::size_t> lengths;
    for (const std::string& word : words) {
      texts.push_back(word.data());
      lengths.push_back(word.size());
    }
    int sys_errno = 0;
    Reply reply(send(texts, lengths, sys_errno));
    if (reply == nullptr) return lost(sys_errno);
    return reply;
  }

  // As command(), but an error that the server answers is an error.
  Attempt<Reply> demand(const Words& words) {
    auto reply = command(words);
    if (reply && (*reply)->type == REDIS_REPLY_ERROR) return tl::unexpected(Trouble{said((*reply)->str), Trouble::Kind::kOther});
    return reply;
  }

 private:
  Connection(redisContext* context, std::string where) : context_(context), where_(std::move(where)) {}

  // A server's error never repeats what we sent to log in.
  [[nodiscard]] Error said(const std::string& text) const {
    return {ErrorCode::kHost, "the quota store at `" + where_ + "` refused: " + text, "mend the server or its settings; until then nothing is allowed", 0};
  }
  redisReply* send(std::vector<const char*>& texts, const std::vector<std::size_t>& lengths, int& sys_errno) {
    const NoPipeSignal guard;
    void* reply = redisCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(), lengths.data());
    sys_errno = errno;   // before the guard's own calls
    return static_cast<redisReply*>(reply);
  }
  [[nodiscard]] tl::unexpected<Trouble> lost(int sys_errno) const {
    const bool closed = context_->err == REDIS_ERR_EOF || (context_->err == REDIS_ERR_IO && (sys_errno == ECONNRESET || sys_errno == EPIPE));
    // SO_RCVTIMEO and SO_SNDTIMEO end a call with EAGAIN (socket(7)).
    const bool late = context_->err == REDIS_ERR_IO && sys_errno == EAGAIN;
    return tl::unexpected(Trouble{late ? too_late() : unreachable(context_->errstr), closed ? Trouble::Kind::kClosed : Trouble::Kind::kOther});
  }
  [[nodiscard]] Error unreachable(const std::string& why) const {
    return {ErrorCode::kHost, "the quota store at `" + where_ + "` can't be reached: " + why, "start it, or mend its address; until then nothing is allowed", 0};
  }
  [[nodiscard]] Error too_late() const {
    return {ErrorCode::kHost, "the quota store at `" + where_ + "` did not answer in time (" + std::to_string(kCommandTime.tv_sec) + " s)",
            "see what keeps it busy; until it answers nothing is allowed", 0};
  }
  Attempt<void> log_in(const RedisAddress& address);
  Attempt<void> check_server();

  std::unique_ptr<redisContext, FreeContext> context_;
  std::string where_;
};

Attempt<std::unique_ptr<Connection>> Connection::open(const RedisAddress& address) {
  redisContext* context = address.host.empty() ? redisConnectUnixWithTimeout(address.socket.c_str(), kConnectTime)
                                               : redisConnectWithTimeout(address.host.c_str(), address.port, kConnectTime);
  if (context == nullptr) return tl::unexpected(Trouble{{ErrorCode::kHost, "no memory for a connection", "", 0}});
  std::unique_ptr<Connection> connection(new Connection(context, address.shown()));
  if (context->err != 0) return tl::unexpected(Trouble{connection->unreachable(context->errstr)});
  if (redisSetTimeout(context, kCommandTime) != REDIS_OK) return tl::unexpected(Trouble{connection->unreachable("no time-out can be set")});
  if (auto done = connection->log_in(address); !done) return tl::unexpected(std::move(done).error());
  if (auto done = connection->check_server(); !done) return tl::unexpected(std::move(done).error());
  return connection;
}

Attempt<void> Connection::log_in(const RedisAddress& address) {
  if (!address.password.empty()) {
    const auto reply = demand(address.user.empty() ? Words{"AUTH", address.password} : Words{"AUTH", address.user, address.password});
    if (!reply) return tl::unexpected(reply.error());
  }
  if (address.database == 0) return {};
  const auto reply = demand({"SELECT", std::to_string(address.database)});
  return reply ? Attempt<void>() : tl::unexpected(reply.error());
}

// A server that drops keys when its memory is full would forget what was used; one that follows another does not decide.
Attempt<void> Connection::check_server() {
  for (const char* section : {"memory", "replication"}) {
    const auto reply = demand({"INFO", section});
    if (!reply) return tl::unexpected(reply.error());
    const std::string text((*reply)->str != nullptr ? (*reply)->str : "", (*reply)->len);
    const bool bounded = text.find("\nmaxmemory:") != std::string::npos && text.find("\nmaxmemory:0\r") == std::string::npos;
    if (bounded && text.find("\nmaxmemory_policy:noeviction\r") == std::string::npos) {
      return tl::unexpected(Trouble{said("it drops keys when its memory is full (set `maxmemory-policy noeviction`)")});
    }
    if (text.find("\nrole:slave\r") != std::string::npos) return tl::unexpected(Trouble{said("it is a replica (name its primary)")});
  }
  return {};
}

std::string name_of(const char* kind, std::string_view key, std::chrono::milliseconds window, WindowMode mode) {
  // One hash tag: a cluster keeps all of them in one place, so that one script may use them together.
  return std::string("{wardenv}:quota:") + kind + (mode == WindowMode::kSliding ? "s:" : "f:") + std::to_string(window.count()) + ":" + std::string(key);
}

// The words of one call of the script.
struct Script {
  Words keys{};
  Words values{};

  explicit Script(const char* action) : values{action} {}
  void add(std::string_view key, std::chrono::milliseconds window, WindowMode mode, std::uint64_t amount, std::string last) {
    const bool sliding = mode == WindowMode::kSliding;
    keys.push_back(name_of("", key, window, mode));
    keys.push_back(sliding ? name_of("events:", key, window, mode) : keys.back());
    for (std::string word : {std::string(sliding ? "s" : "f"), std::to_string(window.count()), std::to_string(amount), std::move(last)}) values.push_back(std::move(word));
  }
  [[nodiscard]] Words words(const char* verb, const std::string& script) const {
    Words all{verb, script, std::to_string(keys.size())};
    all.insert(all.end(), keys.begin(), keys.end());
    all.insert(all.end(), values.begin(), values.end());
    return all;
  }
};

class RedisQuota final : public QuotaStore {
 public:
  explicit RedisQuota(RedisAddress address) : address_(std::move(address)) {}

  // Connects, and teaches the server the script.
  Status begin() {
    auto connection = connect();
    if (!connection) return tl::unexpected(std::move(connection).error().error);
    auto digest = (*connection)->demand({"SCRIPT", "LOAD", kRedisScript});
    if (!digest) return tl::unexpected(std::move(digest).error().error);
    if ((*digest)->type != REDIS_REPLY_STRING) return nonsense();
    digest_.assign((*digest)->str, (*digest)->len);
    put_back(std::move(*connection));
    return {};
  }

  Result<Reserved> reserve(std::span<const Reservation> wanted) override {
    Script script("reserve");
    for (const Reservation& entry : wanted) {
      WARDENV_TRY(check_window(entry.window));
      // An amount beyond what is counted must stay beyond the maximum.
      script.add(entry.key, entry.window, entry.mode, std::min(entry.amount, 2 * kMost), std::to_string(std::min(entry.max, kMost)));
    }
    if (wanted.empty()) return Reserved{.granted = true};
    auto numbers = run(script);
    if (!numbers) return tl::unexpected(std::move(numbers).error());
    return read_reserved(wanted, *numbers);
  }

  Status give_back(const Receipt& receipt) override {
    Script script("give_back");
    for (const Receipt::Entry& entry : receipt.entries) script.add(entry.key, entry.window, entry.mode, entry.amount, std::to_string(entry.place));
    if (receipt.entries.empty()) return {};
    // Never twice, which would hand out too much: on a connection of its own, that can't have gone stale, and not tried again.
    auto connection = connect();
    if (!connection) return tl::unexpected(std::move(connection).error().error);
    auto numbers = run_on(std::move(*connection), script);
    return numbers ? Status() : tl::unexpected(std::move(numbers).error().error);
  }

  Result<std::uint64_t> used(std::string_view key, std::chrono::milliseconds window, WindowMode mode) override {
    WARDENV_TRY(check_window(window));
    Script script("used");
    script.add(key, window, mode, 0, "0");
    const auto numbers = run(script);
    if (!numbers) return tl::unexpected(numbers.error());
    if (numbers->front() < 0) return nonsense();
    return static_cast<std::uint64_t>(numbers->front());
  }

 private:
  using Numbers = std::vector<std::int64_t>;

  [[nodiscard]] tl::unexpected<Error> nonsense() const {
    return fail(ErrorCode::kHost, "the quota store at `" + address_.shown() + "` answered nonsense", "is it Redis 5 or newer?");
  }

  Result<Reserved> read_reserved(std::span<const Reservation> wanted, const Numbers& numbers) const {
    Reserved answer;
    if (numbers[0] == 0 && numbers.size() == 3 && numbers[1] >= 0 && static_cast<std::size_t>(numbers[1]) < wanted.size()) {
      answer.refused = static_cast<std::size_t>(numbers[1]);
      if (numbers[2] >= 0) answer.free_at = std::chrono::system_clock::time_point(std::chrono::milliseconds(numbers[2]));
      return answer;
    }
    if (numbers[0] != 1 || numbers.size() != wanted.size() + 1) return nonsense();
    answer.granted = true;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i].amount > 0) answer.receipt.entries.push_back({wanted[i].key, wanted[i].window, wanted[i].mode, wanted[i].amount, numbers[i + 1]});
    }
    return answer;
  }

  // On a connection that the server had closed meanwhile (it restarted, it was idle) another is tried, once. Should the first one have
  // counted after all, a reservation is counted twice: never too little. A time-out is not tried again.
  Result<Numbers> run(const Script& script) {
    auto numbers = run_once(script);
    if (!numbers && numbers.error().kind == Trouble::Kind::kClosed) {
      drop_idle();
      numbers = run_once(script);
    }
    if (!numbers) return tl::unexpected(std::move(numbers).error().error);
    if (numbers->empty()) return nonsense();
    return std::move(*numbers);
  }

  Attempt<Numbers> run_once(const Script& script) {
    auto connection = take();
    if (!connection) return tl::unexpected(std::move(connection).error());
    return run_on(std::move(*connection), script);
  }

  Attempt<Numbers> run_on(std::unique_ptr<Connection> connection, const Script& script) {
    auto reply = connection->command(script.words("EVALSHA", digest_));
    if (reply && (*reply)->type == REDIS_REPLY_ERROR && std::strncmp((*reply)->str, "NOSCRIPT", 8) == 0) {
      reply = connection->demand(script.words("EVAL", kRedisScript));   // the server restarted
    } else if (reply && (*reply)->type == REDIS_REPLY_ERROR) {
      reply = tl::unexpected(Trouble{{ErrorCode::kHost, "the quota store at `" + address_.shown() + "` refused: " + (*reply)->str,
                                      "mend the server or its settings; until then nothing is allowed", 0}});
    }
    if (!reply) return tl::unexpected(std::move(reply).error());
    put_back(std::move(connection));
    return read_numbers(**reply);
  }

  // Empty where the answer is no list of numbers.
  static Numbers read_numbers(const redisReply& reply) {
    Numbers numbers;
    if (reply.type != REDIS_REPLY_ARRAY) return numbers;
    for (std::size_t i = 0; i < reply.elements; ++i) {
      if (reply.element[i]->type != REDIS_REPLY_INTEGER) return {};
      numbers.push_back(reply.element[i]->integer);
    }
    return numbers;
  }

  Attempt<std::unique_ptr<Connection>> connect() const { return Connection::open(address_); }

  Attempt<std::unique_ptr<Connection>> take() {
    {
      const std::scoped_lock lock(mutex_);
      if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
      }
    }
    return connect();
  }

  void put_back(std::unique_ptr<Connection> connection) {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(connection));
  }

  void drop_idle() {
    const std::scoped_lock lock(mutex_);
    idle_.clear();
  }

  RedisAddress address_;
  std::string digest_{};
  std::mutex mutex_{};
  std::vector<std::unique_ptr<Connection>> idle_{};   // as many as callers were there at once
};

}  // namespace

Result<std::unique_ptr<QuotaStore>> open_redis_quota(const std::string& url) {
  auto address = parse_redis_url(url);
  if (!address) return tl::unexpected(std::move(address).error());
  auto store = std::make_unique<RedisQuota>(std::move(*address));
  if (Status begun = store->begin(); !begun) return tl::unexpected(std::move(begun).error());
  return store;
}

}  // namespace wardenv::policy
