// SPDX-License-Identifier: Apache-2.0
// What a hook answered, read strictly.
#include "engine/hooks/answer.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace wardenv::engine::hooks {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxReasonBytes = 1024;

tl::unexpected<Error> bad(const char* what) { return fail(ErrorCode::kBadInput, what); }

// Watches a parse: an object that says one thing twice says nothing, since readers differ in which they take.
class Watch {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    const auto level = static_cast<std::size_t>(depth);
    if (level > kMaxDepth) bad_ = "its answer is nested too deep";
    if (event == Json::parse_event_t::object_start) {
      keys_.resize(level + 1);
      keys_[level].clear();
    } else if (event == Json::parse_event_t::key && !keys_.at(level - 1).insert(parsed.get<std::string>()).second) {
      bad_ = "its answer says one thing twice";
    }
    return bad_ == nullptr;
  }
  [[nodiscard]] const char* bad() const { return bad_; }

 private:
  std::vector<std::set<std::string>> keys_{};
  const char* bad_ = nullptr;
};

Result<Json> parse(std::string_view text) {
  if (text.size() > kMaxAnswerBytes) return bad("its answer is too long");
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return bad("it did not answer");
  if (text.find('\0') != std::string_view::npos) return bad("its answer is not JSON");   // the parser takes it for the end
  Watch watch;
  Json value = Json::parse(text, std::ref(watch), false);
  if (watch.bad() != nullptr) return bad(watch.bad());
  if (value.is_discarded()) return bad("its answer is not JSON");
  return value;
}

// One line, bounded, without what would drive a terminal. The text is valid UTF-8: the parser saw to that.
std::string tidy(std::string text) {
  if (text.size() > kMaxReasonBytes) {
    std::size_t end = kMaxReasonBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) text[i++] = ' ';
    if (byte < ' ' || byte == 127 || c1) text[i] = ' ';
  }
  return text;
}

Result<HookAnswer> read_object(const Json& object) {
  static constexpr std::pair<std::string_view, HookDecision> kWords[] = {{"allow", HookDecision::kAllow}, {"deny", HookDecision::kDeny},
                                                                         {"require_approval", HookDecision::kRequireApproval},
                                                                         {"abstain", HookDecision::kAbstain}};
  if (!object.is_object()) return bad("its answer is not an object");
  const auto decision = object.find("decision");
  if (decision == object.end() || !decision->is_string()) return bad("its answer has no decision");
  HookAnswer answer;
  if (const auto reason = object.find("reason"); reason != object.end()) {
    if (!reason->is_string()) return bad("the reason in its answer is not a string");
    answer.reason = tidy(reason->get<std::string>());
  }
  for (const auto& [word, meaning] : kWords) {
    if (decision->get_ref<const std::string&>() != word) continue;
    answer.decision = meaning;
    return answer;
  }
  return bad("its decision is not one of allow, deny, require_approval, abstain");
}

}  // namespace

Result<HookAnswer> read_program_answer(std::string_view text) {
  const auto value = parse(text);
  if (!value) return tl::unexpected(value.error());
  return read_object(*value);
}

Result<HookAnswer> read_http_answer(std::string_view text) {
  const auto value = parse(text);
  if (!value) return tl::unexpected(value.error());
  if (!value->is_object()) return bad("its answer is not an object");
  const auto result = value->find("result");
  if (result == value->end()) return bad("its answer has no result: is the document defined?");
  if (result->is_boolean()) return HookAnswer{result->get<bool>() ? HookDecision::kAllow : HookDecision::kDeny, "", ""};
  return read_object(*result);
}

}  // namespace wardenv::engine::hooks
