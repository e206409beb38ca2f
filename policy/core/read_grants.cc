// SPDX-License-Identifier: Apache-2.0
// Reads who calls (grants) and who else is asked (approvals, hooks), and what the audit log keeps plain.
#include <algorithm>

#include "policy/core/reading.h"

namespace wardenv::policy::core {
namespace {

struct GrantText {
  Grant grant{};
  CompiledGrant compiled{};
};

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void read_token(Reading& reading, const Cursor& at, GrantText& to) {
  const std::string_view text = at.node.kind == Kind::kString ? at.node.text() : "";
  const bool hex = text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) { return hex_value(c) >= 0; });
  if (!hex) return reading.notes.error(at, "must be the SHA-256 of the token as 64 hex digits: printf %s \"$TOKEN\" | sha256sum");
  std::array<std::uint8_t, 32> digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<std::uint8_t>(hex_value(text[2 * i]) * 16 + hex_value(text[2 * i + 1]));
  to.grant.token_sha256 = digest;
}

void read_grant_tools(Reading& reading, const Cursor& at, GrantText& to) {
  to.compiled.tools.emplace();
  to.grant.tools.emplace();
  read_name_list(reading, at, *to.compiled.tools, "the name of a tool");
  if (at.node.kind != Kind::kArray) return;
  for (const Node& item : at.node.items()) {
    if (item.kind == Kind::kString) to.grant.tools->emplace_back(item.text());
  }
}

using GrantField = Field<Reading, GrantText>;
constexpr std::array<GrantField, 5> kGrantFields = {{
    {"description", [](Reading& reading, const Cursor& at, GrantText&) { expect(reading.notes, at, Kind::kString, "a text"); }},
    {"token_sha256", read_token},
    {"tools", read_grant_tools},
    {"profile", [](Reading& reading, const Cursor& at, GrantText& to) {
       auto name = read_name(reading.notes, at, "the name of a profile");
       if (!name) return;
       to.grant.profile = *name;
       reading.profiles.push_back({std::move(*name), at.pointer(), at.node.place});
     }},
    {"limits", [](Reading& reading, const Cursor& at, GrantText& to) {
       read_limits(reading, at, to.compiled.limits);
       for (const CompiledLimit& limit : to.compiled.limits) to.grant.limits.push_back(limit.limit);
     }},
}};

bool is_url(std::string_view text) {
  const bool scheme = text.starts_with("http://") || text.starts_with("https://");
  const std::size_t host = text.find("//") + 2;
  return scheme && text.size() > host && text.size() <= 2048 && text[host] != '/' && text.find_first_of(" \"<>\\^`{|}") == std::string_view::npos &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) { return c <= 0x20 || c >= 0x7F; });
}

void read_url(Reading& reading, const Cursor& at, std::string& to) {
  if (at.node.kind == Kind::kString && is_url(at.node.text())) to = at.node.text();
  else reading.notes.error(at, "must be an http:// or https:// URL");
}

void read_hook_url(Reading& reading, const Cursor& at, std::string& to) {
  read_url(reading, at, to);
  if (to.starts_with("https://")) reading.notes.error(at, "a hook is asked over http://: an OPA server runs beside us");
}

using ApprovalField = Field<Reading, ApprovalSettings>;
constexpr std::array<ApprovalField, 2> kWebhookFields = {{
    {"url", [](Reading& reading, const Cursor& at, ApprovalSettings& to) { read_url(reading, at, to.webhook_url); }},
    {"secret_env", [](Reading& reading, const Cursor& at, ApprovalSettings& to) {
       to.webhook_secret_env = read_name(reading.notes, at, "the name of a variable").value_or("");
       if (to.webhook_secret_env.find('=') != std::string::npos) reading.notes.error(at, "must be the name of a variable");
     }},
}};

bool read_webhook_fields(Reading& reading, const Cursor& at, ApprovalSettings& to) {
  if (!to.webhook_url.empty()) reading.notes.error(at, "there can be one webhook");
  if (!read_fields(reading, at, kWebhookFields, to, "an object {url, secret_env}")) return false;
  if (at.node.find("url") == nullptr) reading.notes.error(at, "`url` is missing");
  to.webhook_pointer = at.pointer();
  return true;
}

// Who can't tell that it comes from us can't act on it: it is always signed.
void read_webhook(Reading& reading, const Cursor& at, ApprovalSettings& to) {
  if (!read_webhook_fields(reading, at, to)) return;
  if (at.node.find("secret_env") == nullptr) reading.notes.error(at, "`secret_env` is missing: the name of the variable with the secret that signs it");
}

// The older form says no variable.
void read_older_webhook(Reading& reading, const Cursor& at, ApprovalSettings& to) {
  if (read_webhook_fields(reading, at, to) && to.webhook_secret_env.empty()) to.webhook_secret_env = "WARDENV_WEBHOOK_SECRET";
}

constexpr std::array<ApprovalField, 1> kNotifyFields = {{{"webhook", read_older_webhook}}};

constexpr std::array<ApprovalField, 4> kApprovalFields = {{
    {"timeout", [](Reading& reading, const Cursor& at, ApprovalSettings& to) { to.timeout = read_duration(reading.notes, at).value_or(to.timeout); }},
    {"dedupe_window", [](Reading& reading, const Cursor& at, ApprovalSettings& to) {
       to.dedupe_window = read_duration(reading.notes, at).value_or(to.dedupe_window);
     }},
    {"webhook", read_webhook},
    {"notify", [](Reading& reading, const Cursor& at, ApprovalSettings& to) { read_fields(reading, at, kNotifyFields, to, "an object {webhook}"); }},
}};

constexpr std::array<Choice, 2> kEvents = {{{"before_run", int(HookEvent::kBeforeRun)}, {"after_run", int(HookEvent::kAfterRun)}}};

bool is_program(std::string_view text) { return text.starts_with('/') || (!text.empty() && text.find('/') == std::string_view::npos); }

void read_argv(Reading& reading, const Cursor& at, HookSpec& to) {
  if (!expect(reading.notes, at, Kind::kArray, "a list: the program and its arguments")) return;
  if (at.node.size == 0) reading.notes.error(at, "must name a program");
  for (std::size_t i = 0; i < at.node.size; ++i) {
    const Cursor item = at.to(i);
    if (!expect(reading.notes, item, Kind::kString, "a string")) continue;
    const std::string_view text = item.node.text();
    if (i == 0 && !is_program(text)) reading.notes.error(item, "the program must be an absolute path, or a name to look up in the system's folders");
    if (text.find('\0') != std::string_view::npos) reading.notes.error(item, "an argument can't hold NUL");
    to.run.emplace_back(text);
  }
}

using HookField = Field<Reading, HookSpec>;
constexpr std::array<HookField, 5> kHookFields = {{
    {"name", [](Reading& reading, const Cursor& at, HookSpec& to) { to.name = read_name(reading.notes, at, "a name").value_or(""); }},
    {"event", [](Reading& reading, const Cursor& at, HookSpec& to) {
       to.event = read_choice<HookEvent>(reading.notes, at, kEvents).value_or(HookEvent::kBeforeRun);
     }},
    {"run", read_argv},
    {"http", [](Reading& reading, const Cursor& at, HookSpec& to) { read_hook_url(reading, at, to.http); }},
    {"timeout", [](Reading& reading, const Cursor& at, HookSpec& to) { to.timeout = read_duration(reading.notes, at).value_or(to.timeout); }},
}};
constexpr std::array<std::string_view, 2> kHookNeeds = {"name", "event"};

void check_hook(Reading& reading, const Cursor& at, const HookSpec& hook) {
  require_keys(reading.notes, at, kHookNeeds);
  const bool run = at.node.find("run") != nullptr;
  const bool http = at.node.find("http") != nullptr;
  if (run == http) reading.notes.error(at, "needs exactly one of `run` and `http`");
  for (const HookSpec& other : reading.document.hooks) {
    if (other.name == hook.name && !hook.name.empty()) reading.notes.error(at, "two hooks are called `" + hook.name + "`");
  }
}

}  // namespace

void read_grants(Reading& reading, const Cursor& at) {
  if (!expect(reading.notes, at, Kind::kObject, "an object of grants")) return;
  for (const Member& member : at.node.members()) {
    check_name(reading.notes, at, member, "the name of a grant");
    const Cursor item = at.to(member);
    GrantText text;
    text.compiled.pointer = item.pointer();
    read_fields(reading, item, kGrantFields, text, "an object {token_sha256, tools, profile, limits}");
    for (const auto& [name, other] : reading.document.grants) {
      if (text.grant.token_sha256 && other.token_sha256 == text.grant.token_sha256) reading.notes.error(item, "has the token of the grant `" + name + "`");
    }
    reading.document.grants.emplace(member.key, std::move(text.grant));
    reading.book.grants.emplace(member.key, std::move(text.compiled));
  }
}

void read_approvals(Reading& reading, const Cursor& at) { read_fields(reading, at, kApprovalFields, reading.document.approvals, "an object of settings"); }

void read_hooks(Reading& reading, const Cursor& at) {
  if (!expect(reading.notes, at, Kind::kArray, "a list of hooks")) return;
  for (std::size_t i = 0; i < at.node.size; ++i) {
    const Cursor item = at.to(i);
    HookSpec hook;
    hook.pointer = item.pointer();
    if (!read_fields(reading, item, kHookFields, hook, "a hook {name, event, run | http}")) continue;
    check_hook(reading, item, hook);
    reading.document.hooks.push_back(std::move(hook));
  }
}

void read_audit(Reading& reading, const Cursor& at) {
  constexpr std::array<Field<Reading, Document>, 1> kFields = {{
      {"plain_arguments", [](Reading& inner, const Cursor& list, Document& to) {
         if (!expect(inner.notes, list, Kind::kArray, "a list of names of arguments")) return;
         for (std::size_t i = 0; i < list.node.size; ++i) {
           auto name = read_name(inner.notes, list.to(i), "the name of an argument");
           if (name) to.plain_arguments.push_back(std::move(*name));
         }
       }},
  }};
  read_fields(reading, at, kFields, reading.document, "an object {plain_arguments}");
}

}  // namespace wardenv::policy::core
