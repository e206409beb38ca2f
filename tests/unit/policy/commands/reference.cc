// SPDX-License-Identifier: Apache-2.0
// A second judge of commands. First all of the call is put into its plain form (which flag has which value, which words are positionals),
// then each of these is looked at.
#include "tests/unit/policy/commands/reference.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

namespace wardenv::testing {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

bool has(const Json& object, const std::string& key) { return object.is_object() && object.contains(key); }

bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }

bool allows_word(const Json& value, const std::string& word) {
  if (!has(value, "allow")) return false;
  for (const Json& entry : value["allow"]) {
    if (entry == word) return true;
  }
  return false;
}

// RFC 3629 by decoding, and encoding what came out.
bool is_utf8(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const int more = byte < 0x80 ? 0 : byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : -1;
    if (more < 0 || byte > 0xF7 || i + static_cast<std::size_t>(more) >= text.size()) return false;
    unsigned long point = more == 0 ? byte : byte & (0x3FU >> more);
    for (int k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]);
      if (next < 0x80 || next > 0xBF) return false;
      point = point * 64 + (next - 0x80);
    }
    const unsigned long least[] = {0, 0x80, 0x800, 0x10000};
    if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    i += static_cast<std::size_t>(more) + 1;
  }
  return true;
}

bool bytes_fit(const std::string& text, const std::function<bool(const char*)>& allowed) {
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte == 0) return false;
    if ((byte == '\n' || byte == '\r') && !allowed("newline")) return false;
    if (byte != '\n' && byte != '\r' && byte != '\t' && (byte < 32 || byte == 127) && !allowed("control")) return false;
  }
  return is_utf8(text);
}

bool integer_fits(const Json& range, const std::string& text) {
  static const std::regex kForm("0|-?[1-9][0-9]{0,18}");
  if (!std::regex_match(text, kForm)) return false;
  const auto digits = static_cast<__int128>(std::stoull(text[0] == '-' ? text.substr(1) : text));
  const __int128 number = text[0] == '-' ? -digits : digits;
  const __int128 low = range.is_array() ? range[0].get<std::int64_t>() : INT64_MIN;
  const __int128 high = range.is_array() ? range[1].get<std::int64_t>() : INT64_MAX;
  return number >= low && number <= high;
}

bool inside(const std::string& path, const std::string& folder) { return path == folder || begins(path, folder + "/"); }

bool path_fits(const Json& value, std::string text, const ReferenceContext& context) {
  if (has(value, "until")) text = text.substr(0, text.find(value["until"].get<std::string>()));
  if (text.empty() || text[0] == '~' || text.find("://") != std::string::npos) return false;
  const bool remote = text.find(':') != std::string::npos && text.find(':') < text.find('/');
  if (remote && !allows_word(value, "colon")) return false;
  const auto real = context.resolve(text);
  if (!real) return false;
  const Json folders = value["path_under"].is_array() ? value["path_under"] : Json::array({value["path_under"]});
  for (const Json& entry : folders) {
    std::string folder = entry.get<std::string>();
    if (begins(folder, "{workspace}")) folder = context.workspace + folder.substr(11);
    if (inside(*real, folder)) return true;
  }
  return false;
}

bool value_fits(const Json& declared, const std::string& text, const ReferenceContext& context, bool after_separator);

bool list_fits(const Json& value, const std::string& text, const ReferenceContext& context, bool after_separator) {
  const std::string separator = has(value, "separator") ? value["separator"].get<std::string>() : ",";
  std::string rest = text + separator;
  while (!rest.empty()) {
    const std::size_t end = rest.find(separator);
    if (!value_fits(value["list"], rest.substr(0, end), context, after_separator)) return false;
    rest = rest.substr(end + separator.size());
  }
  return true;
}

// "*" and "?" stay in one folder. The grammars of the tests have no other signs.
bool glob_fits(const std::string& glob, const std::string& text) {
  if (glob.empty()) return text.empty();
  if (glob[0] == '*') {
    for (std::size_t i = 0;; ++i) {
      if (glob_fits(glob.substr(1), text.substr(i))) return true;
      if (i == text.size() || text[i] == '/') return false;
    }
  }
  return !text.empty() && (glob[0] == '?' ? text[0] != '/' : glob[0] == text[0]) && glob_fits(glob.substr(1), text.substr(1));
}

bool kind_fits(const Json& value, const std::string& text, const ReferenceContext& context, bool after_separator) {
  if (has(value, "string")) return true;
  if (has(value, "integer")) return integer_fits(value["integer"], text);
  if (has(value, "enum")) return std::find(value["enum"].begin(), value["enum"].end(), Json(text)) != value["enum"].end();
  if (has(value, "regex")) return std::regex_match(text, std::regex(value["regex"].get<std::string>()));
  if (has(value, "glob")) return glob_fits(value["glob"].get<std::string>(), text);
  if (has(value, "path_under")) return path_fits(value, text, context);
  if (has(value, "not")) return is_utf8(text) && !kind_fits(value["not"], text, context, after_separator);
  return has(value, "list") && list_fits(value, text, context, after_separator);
}

bool value_fits(const Json& declared, const std::string& text, const ReferenceContext& context, bool after_separator) {
  const Json value = declared.is_string() ? Json{{declared.get<std::string>(), true}} : declared;
  if (has(value, "max_length") && text.size() > value["max_length"].get<std::size_t>()) return false;
  const auto part_fits = [&](const Json& part) { return value_fits(part, text, context, after_separator); };
  if (has(value, "any_of")) return std::any_of(value["any_of"].begin(), value["any_of"].end(), part_fits);
  if (has(value, "all_of")) return std::all_of(value["all_of"].begin(), value["all_of"].end(), part_fits);
  const auto allowed = [&](const char* word) { return allows_word(value, word); };
  if (!bytes_fit(text, allowed)) return false;
  if (text.empty()) return allowed("empty");
  if (text == "-") return allowed("stdin");
  if (text[0] == '@' && !allowed("at")) return false;
  if (text[0] == '-') {
    const bool negative = has(value, "integer") && (!value["integer"].is_array() || value["integer"][0] < 0);
    if (!allowed("dash") && !negative && !after_separator) return false;
  }
  return kind_fits(value, text, context, after_separator);
}

const Json* flag_of(const Json& grammar, const std::string& name) {
  return has(grammar, "flags") && has(grammar["flags"], name) ? &grammar["flags"][name] : nullptr;
}

bool takes_nothing(const Json& flag) { return flag == "none" || has(flag, "none"); }
bool is_denied(const Json& flag) { return flag == "deny"; }
bool is_optional(const Json& flag) { return has(flag, "optional"); }

bool has_long_flag_with_one_dash(const Json& grammar) {
  if (!has(grammar, "flags")) return false;
  for (const auto& [name, value] : grammar["flags"].items()) {
    if (name.size() > 2 && name[1] != '-') return true;
  }
  return false;
}

bool switched_on(const Json& grammar, const char* key, bool otherwise) { return has(grammar, key) ? grammar[key].get<bool>() : otherwise; }

// One use of a flag, in its plain form.
struct Use {
  std::string name{};
  std::optional<std::string> value{};
};

struct Call {
  const Json& grammar;
  const ReferenceContext& context;
  Words args{};
  std::vector<Use> uses{};
  Words positionals{};
  bool separated = false;
};

bool level_allows(const Json& grammar, const ReferenceContext& context, Words args);

bool counts_fit(const Json& declared, std::size_t count, bool listed) {
  const std::size_t least = has(declared, "min") ? declared["min"].get<std::size_t>() : (listed ? 1 : 0);
  const std::size_t most = has(declared, "max") ? declared["max"].get<std::size_t>() : (listed ? std::max<std::size_t>(least, 1) : SIZE_MAX);
  return count >= least && count <= most;
}

std::size_t most_of(const Json& times) {
  if (has(times, "max")) return times["max"].get<std::size_t>();
  return std::max<std::size_t>(has(times, "min") ? times["min"].get<std::size_t>() : 1, 1);
}
bool is_full(const Json& times, std::size_t count) { return count >= most_of(times); }
bool is_over(const Json& times, std::size_t count) { return has(times, "max") && count > times["max"].get<std::size_t>(); }

bool flags_fit(const Call& call) {
  std::map<std::string, std::size_t> counts;
  for (const Use& use : call.uses) {
    const Json* flag = flag_of(call.grammar, use.name);
    if (flag == nullptr || is_denied(*flag)) return false;
    ++counts[use.name];
    if (takes_nothing(*flag) && use.value) return false;
    if (!takes_nothing(*flag) && !is_optional(*flag) && !use.value) return false;
    if (use.value && !value_fits(is_optional(*flag) ? (*flag)["optional"] : *flag, *use.value, call.context, false)) return false;
  }
  if (!has(call.grammar, "flags")) return true;
  for (const auto& [name, flag] : call.grammar["flags"].items()) {
    if (flag.is_object() && !counts_fit(flag, counts[name], false)) return false;
  }
  return true;
}

// Whether there must be enough of them already.
enum class Enough { kAsked, kNotAsked };

// A letter before each word tells where it stands: "A" after "--", "B" before.
bool positionals_fit(const Call& call, Enough enough) {
  const bool others = call.separated && has(call.grammar, "after_separator");
  Json declared = others ? call.grammar["after_separator"] : has(call.grammar, "positionals") ? call.grammar["positionals"] : Json::array();
  const bool listed = declared.is_array();
  if (!listed) declared = Json::array({declared});
  std::size_t at = 0;
  for (const Json& rule : declared) {
    const Json times = rule.is_object() ? rule : Json::object();
    std::size_t count = 0;
    for (; at < call.positionals.size() && (!listed || count == 0 || !is_full(times, count)); ++at, ++count) {
      const std::string& word = call.positionals[at];
      if (!value_fits(rule, word.substr(1), call.context, word[0] == 'A')) return false;
    }
    if (enough == Enough::kAsked && !counts_fit(times, count, listed)) return false;
    if (!listed && is_over(times, count)) return false;
  }
  return at == call.positionals.size();
}

std::optional<Words> take_value(Call& call) {
  if (call.args.empty() || call.args[0] == "--") return std::nullopt;
  Words value{call.args[0]};
  call.args.erase(call.args.begin());
  return value;
}

// Splits one argument that begins with a dash into uses. False where that can't be done.
bool split_flag(Call& call, const std::string& arg, std::vector<Use>& uses) {
  const std::size_t equals = arg.find('=');
  if (flag_of(call.grammar, arg) != nullptr) {
    uses.push_back({arg, std::nullopt});
  } else if (equals != std::string::npos && equals > 2 && flag_of(call.grammar, arg.substr(0, equals)) != nullptr) {
    uses.push_back({arg.substr(0, equals), arg.substr(equals + 1)});
  } else if (has(call.grammar, "number_flag") && arg.size() > 1 && arg[1] >= '0' && arg[1] <= '9') {
    return value_fits(call.grammar["number_flag"], arg.substr(1), call.context, false);
  } else if (arg[1] == '-' || !switched_on(call.grammar, "clusters", !has_long_flag_with_one_dash(call.grammar))) {
    return false;
  } else {
    for (std::size_t i = 1; i < arg.size(); ++i) {
      const std::string name = std::string("-") + arg[i];
      const Json* flag = flag_of(call.grammar, name);
      if (flag == nullptr) return false;
      const std::string rest = arg.substr(i + 1);
      if (takes_nothing(*flag) || is_denied(*flag) || rest.empty()) {
        uses.push_back({name, std::nullopt});
        continue;
      }
      if (rest[0] == '=') return false;
      uses.push_back({name, rest});
      return true;
    }
  }
  return true;
}

// What comes after a use that ends the arguments of this level; nothing where the level goes on.
std::optional<bool> handed_over(Call& call, const Use& use) {
  if (!has(call.grammar, "after") || !has(call.grammar["after"], use.name)) return std::nullopt;
  const Json* next = &call.grammar["after"][use.name];
  if (!flags_fit(call)) return false;
  if (next->is_object()) {
    if (!use.value || !has(*next, *use.value)) return false;
    next = &(*next)[*use.value];
  }
  if (next->is_object()) return level_allows(*next, call.context, call.args);
  return std::all_of(call.args.begin(), call.args.end(), [](const std::string& arg) { return bytes_fit(arg, [](const char*) { return false; }); });
}

bool level_allows(const Json& grammar, const ReferenceContext& context, Words args) {
  if (args.size() == 1 && has(grammar, "standalone")) {
    for (const Json& word : grammar["standalone"]) {
      if (word == args[0]) return true;
    }
  }
  Call call{grammar, context, std::move(args), {}, {}, false};
  while (!call.args.empty()) {
    const std::string arg = call.args[0];
    call.args.erase(call.args.begin());
    const bool only_positionals = call.separated || (!switched_on(grammar, "interspersed", true) && !call.positionals.empty());
    if (only_positionals) {
      call.positionals.push_back((call.separated ? "A" : "B") + arg);
    } else if (arg == "--") {
      if (has(grammar, "subcommands") || !switched_on(grammar, "end_of_flags", !has_long_flag_with_one_dash(grammar))) return false;
      if (has(grammar, "after_separator")) {
        if (!positionals_fit(call, Enough::kAsked)) return false;
        call.positionals.clear();
      }
      call.separated = true;
    } else if (arg.size() > 1 && arg[0] == '-') {
      std::vector<Use> uses;
      if (!split_flag(call, arg, uses)) return false;
      for (std::size_t i = 0; i < uses.size(); ++i) {
        const Json* flag = flag_of(grammar, uses[i].name);
        const bool wants = !takes_nothing(*flag) && !is_optional(*flag) && !is_denied(*flag);
        if (wants && !uses[i].value) {
          const auto value = take_value(call);
          if (!value) return false;
          uses[i].value = value->front();
        }
        call.uses.push_back(uses[i]);
        if (const auto verdict = handed_over(call, uses[i])) return *verdict && i + 1 == uses.size() && positionals_fit(call, Enough::kNotAsked);
      }
    } else if (has(grammar, "subcommands")) {
      return has(grammar["subcommands"], arg) && flags_fit(call) && level_allows(grammar["subcommands"][arg], context, call.args);
    } else {
      call.positionals.push_back("B" + arg);
    }
  }
  return !has(grammar, "subcommands") && flags_fit(call) && positionals_fit(call, Enough::kAsked);
}

}  // namespace

bool reference_allows(const Json& commands, const std::string& command, Words args, const ReferenceContext& context) {
  return has(commands, command) && level_allows(commands[command], context, std::move(args));
}

}  // namespace wardenv::testing
