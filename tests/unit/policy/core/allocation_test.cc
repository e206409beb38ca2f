// SPDX-License-Identifier: Apache-2.0
// A decision takes no more memory from a long policy than from a short one.
#include <cstdlib>
#include <new>

#include "tests/unit/policy/core/support.h"

namespace {

thread_local std::size_t allocations = 0;
thread_local std::size_t allocated_bytes = 0;

void* counted(std::size_t size) {
  ++allocations;
  allocated_bytes += size;
  if (void* memory = std::malloc(size != 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// Where it puts only one of a pair in line (under the thread sanitizer), gcc takes the other for a stranger.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

// In place of the library's for this whole program: malloc, and a count.
void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size != 0 ? size : 1); }   // std::stable_partition() asks for it
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size != 0 ? size : 1); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

using namespace wardenv::policy;
using namespace wardenv::policy::testing;

namespace {

// `count` predicates that do not decide, conditions, commands, globs and other tools.
std::shared_ptr<const Document> document_of(int count) {
  std::string denials, requirements, conditions, commands, tools;
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    const std::string comma = i > 0 ? "," : "";
    denials += comma + R"({"arg":"command","op":"regex","value":"^never)" + n + R"($"})";
    requirements += comma + R"({"arg":"size","op":"lt","value":)" + std::to_string(1000 + i) + "}";
    conditions += comma + R"({"name":"r)" + n + R"(","conditions":[{"path":"args.size","op":"neq","value":)" + std::to_string(5000 + i) + "}]}";
    commands += R"(,"c)" + n + R"(":{})";
    tools += R"(,"other)" + n + R"(":{},"glob)" + n + R"(*":{})";
  }
  return load(R"({"version":"1","default":"deny","tools":{"t":{"deny_if":[)" + denials + R"(],"require":[)" + requirements + R"(],"rules":[)" + conditions +
              R"(],"commands":{"pytest":{"flags":{"-x":"none","-k":"string"}})" + commands + R"(},"limits":[{"counter":"n","window":"minute","max":5}]})" + tools + "}}");
}

struct Cost {
  std::size_t allocations = 0;
  std::size_t bytes = 0;
  bool operator==(const Cost&) const = default;
};

// The second judging of two: the first may fill caches.
Cost cost_of(const Document& document, const char* tool, const char* arguments) {
  const auto parsed = nlohmann::json::parse(arguments);
  Cost cost;
  for (int i = 0; i < 2; ++i) {
    allocations = allocated_bytes = 0;
    const Decision decision = authorize({tool, parsed}, document, NothingUsed());
    cost = {allocations, allocated_bytes};
  }
  return cost;
}

}  // namespace

TEST_CASE("a decision allocates the same under ten rules and under a thousand") {
  const auto few = document_of(10);
  const auto many = document_of(1000);
  constexpr const char* kAllowed = R"({"command":"pytest","args":["-x","-k","slow"],"size":7})";
  constexpr const char* kDenied = R"({"command":"pytest","args":["-p","evil"],"size":7})";
  REQUIRE(verdict(*few, "t", kAllowed) == "allow /tools/t");
  REQUIRE(verdict(*many, "t", kAllowed) == "allow /tools/t");
  REQUIRE(judge(*many, "t", kDenied).effect == Effect::kDeny);
  CHECK(cost_of(*few, "t", kAllowed) == cost_of(*many, "t", kAllowed));
  CHECK(cost_of(*few, "t", kDenied) == cost_of(*many, "t", kDenied));
  CHECK(cost_of(*few, "unknown", "{}") == cost_of(*many, "unknown", "{}"));
  CHECK(cost_of(*few, "t", kAllowed).allocations > 0);   // the control: it is counted at all
}
