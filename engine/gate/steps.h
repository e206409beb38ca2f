// SPDX-License-Identifier: Apache-2.0
// The steps of a call through the gate, each of which can stop it; and what its end gives back and writes down.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "engine/gate/announce.h"
#include "engine/gate/gate.h"
#include "engine/gate/policy_source.h"
#include "engine/gate/stores.h"

namespace wardenv::engine {

// What finish() gives back or writes down; one for each allowed call.
struct Admission::Pending {
  std::shared_ptr<const Edition> edition;
  ToolCall call;
  std::optional<policy::Receipt> receipt;
  bool unsettled = false;   // the reservation is not on disk yet
  bool recorded = false;    // the log says that the call is allowed
  std::optional<policy::Approval> approval;
  std::atomic<bool> finished = false;
};

// The state of one call on its way through the gate.
struct Judging {
  const ToolCall& call;
  std::shared_ptr<const Edition> edition;
  int cancel_fd = -1;   // see Gate::admit
  Admission admission{};
  std::shared_ptr<Admission::Pending> pending{};
  std::string profile{};   // the one that the call will run under: the decision's, or as ToolCall::profile_of says

  // Answers false, as a step that stops the call does.
  bool no(std::string rule, std::string reason);
  // Where the judge itself could not do its work. The reason goes to the caller, who has no business with our folders: the error does not.
  bool broken(const char* what);
};

// How a reservation and the record of its call get on disk: a server puts those of many calls there at once, each after the other; a program that makes
// one call puts both there beside each other.
enum class Syncing { kOneByOne, kSideBySide };

// Thread-safe. Each step answers whether the call goes on; where it does not, the admission says why.
class Steps {
 public:
  using Notice = std::function<void(std::string_view line)>;
  Steps(Stores& stores, Notice notice, Syncing syncing) : stores_(stores), notice_(notice), announcer_(std::move(notice)), syncing_(syncing) {}

  bool judge(Judging& judging) const;
  static bool ask_hooks(Judging& judging);
  bool take_approval(Judging& judging);   // true where nobody needs to agree, or somebody has
  bool reserve(Judging& judging);
  bool write_down(Judging& judging);      // record and reservation are on disk when it answers true

  // For a call that was stopped. The refusal stands whether or not it can be written down.
  void undo(const Judging& judging);

  // For a call that is over.
  void give_back(Admission::Pending& pending);
  // What the outcome is to be hidden for, if a hook denied.
  static std::optional<Withholding> ask_after(const Admission& admission, std::string_view outcome);
  void write_end(const Admission& admission, AuditRecord end);
  // That an edit of the policy took effect, or, with what is wrong with it, that the edition in force stays.
  void write_edit(const Edition& in_force, std::string_view refusal);

 private:
  [[nodiscard]] policy::Decision ask_document(const Judging& judging, std::string_view tool, const nlohmann::json& arguments) const;
  [[nodiscard]] std::string profile_of(const Judging& judging, const nlohmann::json& arguments) const;
  bool await_approval(Judging& judging, policy::ApprovalStore& store, const policy::ApprovalCall& call);
  Status write(const AuditRecord& record, Durable durable);
  Status settle();
  void notice(const char* what, const Error& error) const;

  Stores& stores_;
  Notice notice_;
  Announcer announcer_;
  Syncing syncing_;
};

}  // namespace wardenv::engine
