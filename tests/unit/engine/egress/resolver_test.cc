// SPDX-License-Identifier: Apache-2.0
// Whose an address is, and names, where the host has nothing to find out with.
#include "engine/egress/resolver.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vector>

#include "sandbox/base/unique_fd.h"
#include "tests/support/catch.h"

using namespace wardenv::engine;

namespace {

// No descriptor can be had as long as this lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit none{0, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { (void)::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("an address of which can't be found out whose it is counts as this host's") {
  const IpAddress loopback = parse_address("127.0.0.1").value();
  CHECK(owner_of(loopback) == Owner::kThisHost);
  Owner owner = Owner::kOther;
  {
    const NoDescriptors none;
    owner = owner_of(loopback);
  }
  CHECK(owner == Owner::kUnknown);
  const EgressRule rule = parse_egress_rule("name.example").value();
  const EgressTarget target = make_target("name.example", 443).value();
  const IpAddress address = parse_address("1.1.1.1").value();
  CHECK(judge_address({&rule, 1}, rule, target, address, Owner::kOther).rule != nullptr);
  CHECK(judge_address({&rule, 1}, rule, target, address, Owner::kUnknown).rule == nullptr);
}

TEST_CASE("everybody who asks for a name is answered, and nothing is found out without descriptors") {
  const wardenv::UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  Resolver resolver(wake.get());
  std::vector<Resolution> answers;
  bool asked = true;
  {
    const NoDescriptors none;
    for (const std::uint64_t asker : {7U, 8U, 9U}) asked = resolver.ask(asker, "name.invalid") && asked;
    for (int i = 0; i < 1000 && answers.size() < 3; ++i) {
      ::usleep(10'000);
      for (Resolution& answer : resolver.take_answers()) answers.push_back(std::move(answer));
    }
  }
  CHECK(asked);
  REQUIRE(answers.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(answers[i].asked_by == 7 + i);
    CHECK(answers[i].addresses.empty());
    CHECK_FALSE(answers[i].why.empty());
  }
}
