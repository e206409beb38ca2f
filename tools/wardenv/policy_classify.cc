// SPDX-License-Identifier: Apache-2.0
// wardenv policy scan: sorts tools into classes.
#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tools/wardenv/policy_scan.h"

namespace wardenv::cli {
namespace {

using Json = nlohmann::json;

struct Words {
  ToolClass is;
  std::initializer_list<const char*> words;
};
const std::array<Words, 5> kNames = {{
    {ToolClass::kFinancial, {"pay", "payment", "payments", "payout", "charge", "refund", "invoice", "transfer", "purchase", "buy", "order", "checkout", "subscription", "billing", "withdraw", "deposit", "donate", "tip"}},
    {ToolClass::kDestructive, {"delete", "remove", "drop", "destroy", "purge", "wipe", "erase", "truncate", "uninstall", "kill", "terminate", "revoke", "reset", "clear", "prune", "discard", "del", "rm", "unlink", "empty", "cancel", "overwrite"}},
    {ToolClass::kExecute, {"run", "exec", "execute", "eval", "evaluate", "shell", "bash", "sh", "terminal", "spawn", "invoke", "script", "launch", "start", "command", "call", "sudo", "python", "node", "powershell", "cmd"}},
    {ToolClass::kWrite, {"create", "add", "update", "write", "set", "put", "post", "send", "edit", "insert", "upload", "install", "sync", "init", "move", "rename", "commit", "push", "merge", "save", "patch", "append", "copy", "publish", "deploy", "enable", "disable", "apply", "approve", "close", "open", "upgrade", "import", "register", "assign", "fork", "upsert", "modify", "change", "make", "new", "replace", "restore", "submit", "reply", "comment"}},
    {ToolClass::kRead, {"get", "list", "read", "search", "find", "fetch", "query", "describe", "show", "view", "count", "check", "status", "lookup", "download", "info", "inspect", "browse", "ls", "cat", "head", "stat", "diff", "log", "help", "ping", "validate", "explain", "export", "resolve"}},
}};
// Arguments that hold something to be run, or money.
const std::array<Words, 2> kArguments = {{
    {ToolClass::kExecute, {"command", "cmd", "shell", "script", "code", "argv", "program", "executable", "sql"}},
    {ToolClass::kFinancial, {"currency", "iban", "wallet", "payee"}},
}};

// A capital begins a word after a small letter, and before one where it follows capitals: HTTPDelete is http, delete.
bool begins_word(const std::string& name, std::size_t i) {
  const auto is = [&](std::size_t at, int (*kind)(int)) { return at < name.size() && kind(static_cast<unsigned char>(name[at])) != 0; };
  return i > 0 && is(i, std::isupper) && (is(i - 1, std::islower) || (is(i - 1, std::isupper) && is(i + 1, std::islower)));
}

// "createChargeV2" and "create-charge" are both create, charge.
std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    if ((std::isalnum(c) == 0 || begins_word(name, i)) && !words.back().empty()) words.emplace_back();
    if (std::isalnum(c) != 0) words.back() += static_cast<char>(std::tolower(c));
  }
  return words;
}

const char* find_word(const Words& of, const std::vector<std::string>& words) {
  for (const char* word : of.words) {
    if (std::find(words.begin(), words.end(), word) != words.end()) return word;
  }
  return nullptr;
}

std::optional<bool> hint(const Json& tool, const char* name) {
  const auto annotations = tool.find("annotations");
  if (annotations == tool.end() || !annotations->is_object()) return std::nullopt;
  const auto found = annotations->find(name);
  if (found == annotations->end() || !found->is_boolean()) return std::nullopt;
  return found->get<bool>();
}

void raise(Classified& to, ToolClass is, const std::string& why) {
  if (!to.why.empty() && to.is >= is) return;
  to = {is, why};
}

void by_arguments(const Json& tool, Classified& to) {
  const auto schema = tool.find("inputSchema");
  const auto properties = schema != tool.end() && schema->is_object() ? schema->find("properties") : Json::const_iterator();
  if (schema == tool.end() || !schema->is_object() || properties == schema->end() || !properties->is_object()) return;
  for (const auto& property : properties->items()) {
    for (const Words& words : kArguments) {
      if (const char* word = find_word(words, {property.key()})) raise(to, words.is, std::string("it takes an argument `") + word + "`");
    }
  }
}

}  // namespace

Classified classify(const Json& tool) {
  Classified found;
  const std::vector<std::string> words = words_of(tool.value("name", std::string()));
  for (const Words& of : kNames) {
    if (const char* word = find_word(of, words)) raise(found, of.is, std::string("its name says `") + word + "`");
  }
  by_arguments(tool, found);
  if (hint(tool, "destructiveHint") == true && hint(tool, "readOnlyHint") != true) raise(found, ToolClass::kDestructive, "the server says so (destructiveHint)");
  if (hint(tool, "readOnlyHint") == false) raise(found, ToolClass::kWrite, "the server says that it changes something (readOnlyHint: false)");
  if (!found.why.empty()) {
    if (hint(tool, "readOnlyHint") == true && found.is != ToolClass::kRead) found.why += ", though the server says that it only reads";
    return found;
  }
  if (hint(tool, "readOnlyHint") == true) return {ToolClass::kRead, "the server says that it only reads (readOnlyHint)"};
  return {ToolClass::kWrite, "nothing tells what it does, so it is taken for one that writes"};
}

}  // namespace wardenv::cli
