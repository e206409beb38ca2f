// SPDX-License-Identifier: Apache-2.0
// wardenv-stores: lets scripts ask the stores of quotas and approvals what the gate would ask.
//   wardenv-stores ask FILE CALL.json TIMEOUT_MS    prints "ID STATE"
//   wardenv-stores consume FILE CALL.json           prints "taken ID" or "none"
//   wardenv-stores webhook URL SECRET_ENV BODY      prints "sent" or what went wrong
//   wardenv-stores reserve STORE KEY WINDOW_MS MAX sliding|fixed    STORE: a file or a Redis URL; prints "granted" or "refused"
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/webhook/webhook.h"
#include "policy/approvals/store.h"
#include "policy/quota/store.h"
#include "tests/support/files.h"

namespace {

using namespace wardenv;
using namespace wardenv::policy;

int complain(const Error& error) {
  std::fprintf(stderr, "%s — %s\n", error.message.c_str(), error.hint.c_str());
  return 125;
}

ApprovalCall read_call(const char* path) {
  const auto json = nlohmann::json::parse(testing::text_of(path));
  return {.tool = json.at("tool"), .arguments_json = json.at("arguments").dump(), .grant = json.at("grant"), .cwd = json.at("cwd"), .rule = json.at("rule"),
          .granted_json = json.contains("granted") ? json.at("granted").dump() : ""};
}

int ask(ApprovalStore& store, const ApprovalCall& call, const char* timeout) {
  const auto asked = store.create_or_find(call, {.timeout = std::chrono::milliseconds(std::atoll(timeout)), .reason = "the rule says so"});
  if (!asked) return complain(asked.error());
  std::printf("%s %s\n", asked->approval.id.c_str(), std::string(to_string(asked->approval.state)).c_str());
  return 0;
}

int consume(ApprovalStore& store, const ApprovalCall& call) {
  const auto taken = store.consume(*fingerprint_of(call));
  if (!taken) return complain(taken.error());
  std::puts(*taken ? ("taken " + (*taken)->id).c_str() : "none");
  return 0;
}

int reserve(char** argv) {
  const std::string where = argv[2];
  auto store = where.find("://") != std::string::npos ? open_redis_quota(where) : open_sqlite_quota(where);
  if (!store) return complain(store.error());
  const Reservation wanted{.key = argv[3], .window = std::chrono::milliseconds(std::atoll(argv[4])),
                           .mode = argv[6] == std::string("fixed") ? WindowMode::kFixed : WindowMode::kSliding,
                           .max = static_cast<std::uint64_t>(std::atoll(argv[5]))};
  const auto answer = (*store)->reserve(std::span(&wanted, 1));
  if (!answer) return complain(answer.error());
  std::puts(answer->granted ? "granted" : "refused");
  return 0;
}

int webhook(char** argv) {
  const auto target = engine::webhook_target(argv[2], argv[3]);
  if (!target) return complain(target.error());
  bool sent = true;
  {
    engine::WebhookSender sender(*target, [&](const Error& error) {
      sent = false;
      std::puts(error.message.c_str());
    });
    sender.send(argv[4]);
  }
  if (sent) std::puts("sent");
  std::fflush(stdout);
  ::_exit(0);   // the sender's thread may still be ending, and leaks are looked for at any other end
}

}  // namespace

int main(int argc, char** argv) {
  const std::string action = argc > 1 ? argv[1] : "";
  if (action == "reserve" && argc == 7) return reserve(argv);
  if (action == "webhook" && argc == 5) return webhook(argv);
  if ((action != "ask" || argc != 5) && (action != "consume" || argc != 4)) return 125;
  auto store = open_sqlite_approvals(argv[2]);
  if (!store) return complain(store.error());
  return action == "ask" ? ask(**store, read_call(argv[3]), argv[4]) : consume(**store, read_call(argv[3]));
}
