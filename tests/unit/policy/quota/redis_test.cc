// SPDX-License-Identifier: Apache-2.0
// The Redis store against the memory store, a private server that dies and comes back, and servers that must not be trusted.
#include "policy/quota/redis_url.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "sandbox/base/unique_fd.h"
#include "tests/unit/policy/quota/processes.h"

using namespace wardenv;
using namespace wardenv::policy;
using wardenv::testing::Folder;
using wardenv::testing::RedisServer;
using wardenv::testing::skip_without_redis;

namespace {

using std::chrono::steady_clock;

// So long that no window ends during the test.
constexpr auto kLong = std::chrono::hours(24 * 36500);

Reservation one(std::uint64_t max = 2) { return {.key = "k", .window = kLong, .amount = 1, .max = max}; }

bool granted(QuotaStore& store, const Reservation& wanted) {
  const auto answer = store.reserve(std::span(&wanted, 1));
  REQUIRE(answer);
  return answer->granted;
}

struct Grant {
  steady_clock::time_point begin, end;
};

// By the callers' own watches: never more than `max` calls that began and ended within less than one window.
void check_spans(std::vector<Grant> grants, std::size_t max, std::chrono::milliseconds window) {
  std::sort(grants.begin(), grants.end(), [](const Grant& a, const Grant& b) { return a.end < b.end; });
  for (std::size_t i = 0; i + max < grants.size(); ++i) {
    const auto first = std::min_element(grants.begin() + static_cast<std::ptrdiff_t>(i), grants.begin() + static_cast<std::ptrdiff_t>(i + max + 1),
                                        [](const Grant& a, const Grant& b) { return a.begin < b.begin; });
    REQUIRE(grants[i + max].end - first->begin >= window);
  }
}

void run_in_real_time(QuotaStore& store) {
  constexpr std::size_t kMax = 7;
  constexpr auto kWindow = std::chrono::milliseconds(50);
  const Reservation wanted{.key = "span", .window = kWindow, .amount = 1, .max = kMax};
  std::mutex mutex;
  std::vector<Grant> grants;
  const auto stop = steady_clock::now() + std::chrono::seconds(20);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (steady_clock::now() < stop) {
        const auto begin = steady_clock::now();
        const auto answer = store.reserve(std::span(&wanted, 1));
        const std::scoped_lock lock(mutex);
        if (answer && answer->granted) grants.push_back({begin, steady_clock::now()});
        if (!answer || grants.size() >= 10 * kMax) return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(grants.size() >= 10 * kMax);   // windows do pass
  check_spans(grants, kMax, kWindow);
}

// The same calls must have the same answers.
void compare(QuotaStore& redis, unsigned seed) {
  std::mt19937 random(seed);
  const auto memory = make_memory_quota();
  const std::string keys[] = {"a", std::string("a\0b", 3), "a:b", "{wardenv}:quota:"};
  std::vector<std::pair<Receipt, Receipt>> receipts;
  int refused = 0;
  for (int round = 0; round < 1500; ++round) {
    std::vector<Reservation> wanted(1 + random() % 3);
    for (Reservation& entry : wanted) {
      const WindowMode mode = random() % 2 == 0 ? WindowMode::kSliding : WindowMode::kFixed;
      entry = {.key = keys[random() % 4] + std::to_string(random() % 8), .window = kLong - std::chrono::hours(random() % 2), .mode = mode, .amount = random() % 4, .max = random() % 30};
    }
    if (!receipts.empty() && random() % 3 == 0) {
      const std::size_t which = random() % receipts.size();
      REQUIRE(memory->give_back(receipts[which].first));
      REQUIRE(redis.give_back(receipts[which].second));
      receipts.erase(receipts.begin() + static_cast<std::ptrdiff_t>(which));
    }
    const auto expected = memory->reserve(wanted);
    const auto answer = redis.reserve(wanted);
    REQUIRE(answer);
    REQUIRE(answer->granted == expected->granted);
    REQUIRE(answer->free_at.has_value() == expected->free_at.has_value());
    if (answer->granted) receipts.emplace_back(expected->receipt, answer->receipt);
    else ++refused;
    const Reservation& entry = wanted.front();
    REQUIRE(*redis.used(entry.key, entry.window, entry.mode) == *memory->used(entry.key, entry.window, entry.mode));
  }
  REQUIRE(refused > 100);
  REQUIRE(refused < 1400);
}

}  // namespace

TEST_CASE("a Redis URL is read strictly, and no error repeats it") {
  CHECK(parse_redis_url("redis://h")->port == 6379);
  const auto full = parse_redis_url("redis://us%40er:p%3Aw%2F@[::1]:7000/3");
  REQUIRE(full);
  CHECK((full->user == "us@er" && full->password == "p:w/" && full->host == "::1" && full->port == 7000 && full->database == 3));
  CHECK(full->shown() == "::1:7000");
  CHECK(parse_redis_url("unix:///run/r.sock?db=2")->database == 2);
  CHECK(parse_redis_url("unix://:pw@/run/r.sock")->socket == "/run/r.sock");
  for (const char* url : {"", "http://s3cret", "rediss://:s3cret@h", "redis://", "redis://s3cret@h", "redis://:@h", "redis://u:s3cret%zz@h", "redis://:s3cret@h:0",
                          "redis://:s3cret@h:99999", "redis://:s3cret@h/x", "redis://:s3cret@[::1", "unix://:s3cret@relative", "unix:///a?x=1", "redis://:s3cret@"}) {
    CAPTURE(url);
    const auto parsed = parse_redis_url(url);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message.find("s3cret") == std::string::npos);
  }
}

TEST_CASE("spans hold by the callers' own watches") {
  run_in_real_time(*make_memory_quota());
  const Folder folder;
  run_in_real_time(**open_sqlite_quota(folder.at("quota.db")));
  if (skip_without_redis("spans in Redis")) return;
  const RedisServer server;
  run_in_real_time(**open_redis_quota(server.url()));
}

TEST_CASE("Redis answers what memory answers") {
  if (skip_without_redis("Redis answers what memory answers")) return;
  const RedisServer server;
  auto store = open_redis_quota(server.url());
  REQUIRE(store);
  compare(**store, 1);
}

TEST_CASE("Redis says when a window is free") {
  if (skip_without_redis("Redis says when a window is free")) return;
  const RedisServer server;
  auto store = open_redis_quota(server.url());
  REQUIRE(store);
  const auto before = std::chrono::system_clock::now();
  const std::vector<Reservation> wanted{{.key = "s", .window = std::chrono::hours(1), .amount = 1, .max = 1},
                                        {.key = "f", .window = std::chrono::hours(24), .mode = WindowMode::kFixed, .amount = 1, .max = 1}};
  REQUIRE((*store)->reserve(wanted)->granted);
  const auto after = std::chrono::system_clock::now();
  const auto sliding = (*store)->reserve(std::span(wanted).first(1));
  REQUIRE(sliding->free_at);
  CHECK(*sliding->free_at >= std::chrono::floor<std::chrono::milliseconds>(before) + std::chrono::hours(1));
  CHECK(*sliding->free_at <= after + std::chrono::hours(1) + std::chrono::milliseconds(1));
  const auto fixed = (*store)->reserve(std::span(wanted).subspan(1));
  REQUIRE(fixed->free_at);
  CHECK(*fixed->free_at == std::chrono::ceil<std::chrono::hours>(*fixed->free_at));
  CHECK(std::chrono::duration_cast<std::chrono::hours>(fixed->free_at->time_since_epoch()).count() % 24 == 0);
  const Reservation never{.key = "s", .window = std::chrono::hours(1), .amount = std::numeric_limits<std::uint64_t>::max(), .max = std::numeric_limits<std::uint64_t>::max()};
  CHECK_FALSE((*store)->reserve(std::span(&never, 1))->free_at);
}

TEST_CASE("a Redis server that dies denies, and counts on when it is back with its file") {
  if (skip_without_redis("a Redis server that dies")) return;
  RedisServer server({"--appendonly", "yes", "--appendfsync", "always"});
  auto store = open_redis_quota(server.url());
  REQUIRE(store);
  REQUIRE(granted(**store, one()));
  server.kill();
  const Reservation wanted = one();
  CHECK_FALSE((*store)->reserve(std::span(&wanted, 1)));
  CHECK_FALSE((*store)->used("k", kLong, WindowMode::kSliding));
  CHECK_FALSE(open_redis_quota(server.url()));
  server.start();
  const auto used = (*store)->used("k", kLong, WindowMode::kSliding);   // on a new connection, the script taught anew
  REQUIRE(used);
  CHECK(*used == 1);
  CHECK(granted(**store, one()));
  CHECK_FALSE(granted(**store, one()));
}

TEST_CASE("a server that takes the connection and says nothing did not answer in time") {
  const Folder folder;
  const std::string path = folder.at("silent");
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 8) == 0);
  const auto store = open_redis_quota("unix://" + path);
  REQUIRE_FALSE(store);
  CHECK(store.error().message.find("did not answer in time") != std::string::npos);
  CHECK(store.error().message.find("unavailable") == std::string::npos);
  CHECK(store.error().message.find("reached") == std::string::npos);
  const auto absent = open_redis_quota("unix://" + folder.at("absent"));   // the control
  REQUIRE_FALSE(absent);
  CHECK(absent.error().message.find("can't be reached") != std::string::npos);
}

TEST_CASE("Redis logs in by the URL, and no error holds the password") {
  if (skip_without_redis("Redis logs in by the URL")) return;
  const RedisServer server({"--requirepass", "s3cret/+"});
  REQUIRE(open_redis_quota(server.url(":s3cret%2F%2B@")));
  for (const char* login : {"", ":s3cret-no@", "someone:s3cret%2F%2B@"}) {
    const auto store = open_redis_quota(server.url(login));
    REQUIRE_FALSE(store);
    CHECK((store.error().message + store.error().hint).find("s3cret") == std::string::npos);
    CHECK((store.error().message + store.error().hint).find("someone") == std::string::npos);
  }
}

// Answers as Redis would, but closes the connection instead of saying that it gave back; counts how often it was asked to.
class ServerThatHangsUp {
 public:
  explicit ServerThatHangsUp(const std::string& path) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    thread_ = std::thread([this] {
      for (int client = -1; (client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
        clients_.emplace_back([this, owned = UniqueFd(client)] { serve(owned.get()); });
      }
    });
  }
  ~ServerThatHangsUp() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& client : clients_) client.join();
  }
  std::atomic<int> given_back = 0;

 private:
  void serve(int client) {
    char buffer[65536];
    for (ssize_t got = 0; (got = ::recv(client, buffer, sizeof buffer, 0)) > 0;) {
      const std::string_view text(buffer, static_cast<std::size_t>(got));
      std::string answer;
      if (text.find("INFO") != std::string_view::npos) answer = "$16\r\nx\r\nrole:master\r\n\r\n";
      else if (text.find("SCRIPT") != std::string_view::npos) answer = "$1\r\nd\r\n";
      if (text.find("EVALSHA") != std::string_view::npos) {
        ++given_back;
        ::shutdown(client, SHUT_RDWR);
        return;
      }
      (void)!::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  UniqueFd listener_;
  std::thread thread_{};
  std::vector<std::thread> clients_{};   // end when the store has gone
};

TEST_CASE("what may have been given back in Redis is not given back again") {
  const Folder folder;
  ServerThatHangsUp server(folder.at("s"));
  const auto store = open_redis_quota("unix://" + folder.at("s"));
  REQUIRE(store);
  const Receipt receipt{.entries = {{.key = "k", .window = kLong, .mode = WindowMode::kFixed, .amount = 1, .place = 5}}};
  CHECK_FALSE((*store)->give_back(receipt));
  CHECK(server.given_back == 1);
}

TEST_CASE("a Redis server that forgets when it is full is refused") {
  if (skip_without_redis("a Redis server that forgets")) return;
  const RedisServer forgetful({"--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"});
  const auto refused = open_redis_quota(forgetful.url());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("noeviction") != std::string::npos);
  const RedisServer strict({"--maxmemory", "50mb", "--maxmemory-policy", "noeviction"});
  CHECK(open_redis_quota(strict.url()));
}
