// SPDX-License-Identifier: Apache-2.0
// Reads JSON strictly (RFC 8259) into a Tree. Checked against nlohmann's reader by the unit tests and the fuzzer.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "policy/core/cursor.h"
#include "policy/core/text/tree.h"
#include "sandbox/base/utf8.h"

namespace wardenv::policy::core {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '+' || c == '-'; }

// A container that is open. The readers of them are on the stack, and so is this list: a pointer is spelled out where something is wrong.
struct Open {
  Open* outer = nullptr;
  std::string_view key{};    // of the member that is read now
  std::size_t index = 0;     // of the item that is read now
  bool array = false;
  bool inside = false;       // in a value, and not before or behind one
};

std::string pointer_of(const Open* open) {
  if (open == nullptr) return {};
  const std::string outer = pointer_of(open->outer);
  if (!open->inside) return outer;
  return outer + "/" + (open->array ? std::to_string(open->index) : pointer_token(open->key));
}

class JsonReader {
 public:
  JsonReader(Tree& tree, const ReadLimits& limits) : tree_(tree), text_(tree.text), depth_left_(limits.max_depth), most_(limits.most_problems) {}

  TextProblems read() {
    if (value(tree_.root)) {
      skip_space();
      if (at_ < text_.size()) (void)wrong("nothing may follow the document");
    }
    return std::move(problems_);
  }

 private:
  // Whether it may go on.
  bool note(std::size_t at, std::string message, bool stands_in) {
    if (std::binary_search(tree_.bad_bytes.begin(), tree_.bad_bytes.end(), at)) message = kBadByte;
    problems_.list.push_back({{static_cast<std::uint32_t>(std::min(at, text_.size())), 0}, pointer_of(open_), std::move(message), stands_in});
    problems_.whole = problems_.whole && problems_.list.size() < most_;
    return problems_.whole;
  }

  bool wrong(std::string message) { return note(at_, std::move(message), false); }
  bool wrong_value(std::size_t at, std::string message) { return note(at, std::move(message), true); }

  // Nothing can be made of what follows.
  bool stop(std::string message) {
    (void)wrong(std::move(message));
    return problems_.whole = false;
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }

  bool take(char c) {
    skip_space();
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  bool value(Node& node) {
    skip_space();
    node.place = {static_cast<std::uint32_t>(at_), 0};
    switch (peek()) {
      case '{': return container(node, &JsonReader::object);
      case '[': return container(node, &JsonReader::array);
      case '"': return string_value(node);
      case 't': return literal("true", node, Kind::kBool, true);
      case 'f': return literal("false", node, Kind::kBool, false);
      case 'n': return literal("null", node, Kind::kNull, false);
      default: return peek() == '-' || is_digit(peek()) ? number(node) : no_value(node);
    }
  }

  // A word of another language (True, NaN, nul) stands for a value all the same.
  bool no_value(Node& node) {
    if (at_ >= text_.size()) return stop("the text ends too early");
    if (!is_word(peek())) return stop("a value is expected here");
    node.kind = Kind::kNull;
    const std::size_t begin = at_;
    skip_word();
    return wrong_value(begin, "a value is expected here: words are true, false and null");
  }

  void skip_word() {
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
  }

  bool literal(std::string_view word, Node& node, Kind kind, bool truth) {
    const bool whole = text_.substr(at_, word.size()) == word && (at_ + word.size() == text_.size() || !is_word(text_[at_ + word.size()]));
    if (!whole) return no_value(node);
    at_ += word.size();
    node.kind = kind;
    node.truth = truth;
    return true;
  }

  bool container(Node& node, bool (JsonReader::*body)(Node&)) {
    if (depth_left_ == 0) return stop("nested too deeply");
    --depth_left_;
    ++at_;
    Open open{.outer = open_, .array = body == &JsonReader::array};
    open_ = &open;
    const bool good = (this->*body)(node);
    open_ = open.outer;
    ++depth_left_;
    return good;
  }

  // The elements are kept on a stack of all open arrays until the end of theirs is seen; then they move to the arena together.
  bool array(Node& node) {
    const std::size_t base = items_.size();
    const bool good = parts(']', &JsonReader::item);
    node.kind = Kind::kArray;
    node.first_item = keep(items_, base, node.size);
    return good;
  }

  bool object(Node& node) {
    const std::size_t base = members_.size();
    const bool good = parts('}', &JsonReader::member);
    node.kind = Kind::kObject;
    node.first_member = keep(members_, base, node.size);
    return good;
  }

  bool parts(char close, bool (JsonReader::*part)()) {
    if (take(close)) return true;
    for (;;) {
      if (!(this->*part)()) return false;
      open_->inside = false;
      const bool comma = take(',');
      const std::size_t behind = at_;
      if (take(close)) return !comma || note(behind - 1, std::string("no comma may stand before `") + close + "`", false);
      if (!comma && !no_comma(close)) return false;
    }
  }

  bool no_comma(char close) {
    const std::string message = std::string("`,` or `") + close + "` is expected here";
    const bool another = peek() == '"' || (close == ']' && (is_word(peek()) || peek() == '{' || peek() == '['));
    return another ? wrong(message) : stop(message);
  }

  bool item() {
    Node made;
    open_->inside = true;
    const bool good = value(made);
    ++open_->index;
    items_.push_back(made);
    return good;
  }

  bool member() {
    skip_space();
    Member made;
    made.place = {static_cast<std::uint32_t>(at_), 0};
    if (peek() != '"') return stop("a key in double quotes is expected here");
    if (!key(made.key)) return false;
    if (!take(':')) return stop("`:` is expected here");
    const bool good = value(made.value);
    members_.push_back(made);
    return good;
  }

  // What is wrong with a key is said with the key that was made of it: then it is not complained about as an unknown one, too.
  bool key(std::string_view& to) {
    const std::size_t before = problems_.list.size();
    if (!string(to)) return false;
    open_->key = to;
    open_->inside = true;
    for (std::size_t i = before; i < problems_.list.size(); ++i) problems_.list[i].pointer = pointer_of(open_);
    return true;
  }

  template <typename T>
  const T* keep(std::vector<T>& stack, std::size_t base, std::uint32_t& count) {
    count = static_cast<std::uint32_t>(stack.size() - base);
    auto* kept = static_cast<T*>(tree_.arena.allocate(sizeof(T) * std::max<std::size_t>(count, 1), alignof(T)));
    std::copy(stack.begin() + static_cast<std::ptrdiff_t>(base), stack.end(), kept);
    stack.resize(base);
    return kept;
  }

  bool string_value(Node& node) {
    std::string_view text;
    if (!string(text)) return false;
    node.kind = Kind::kString;
    node.chars = text.data();
    node.size = static_cast<std::uint32_t>(text.size());
    return true;
  }

  // A string without escapes is a view of the text itself.
  bool string(std::string_view& to) {
    const std::size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' && static_cast<unsigned char>(text_[at_]) >= 0x20) ++at_;
    if (peek() != '"') return escaped_string(begin, to);
    to = text_.substr(begin, at_++ - begin);
    return true;
  }

  bool escaped_string(std::size_t begin, std::string_view& to) {
    std::string made(text_.substr(begin, at_ - begin));
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\' ? !escape(made) : !character(made)) return false;
    }
    if (at_++ >= text_.size()) return stop("the string does not end");
    auto* kept = static_cast<char*>(tree_.arena.allocate(std::max<std::size_t>(made.size(), 1), 1));
    std::copy(made.begin(), made.end(), kept);
    to = {kept, made.size()};
    return true;
  }

  // A line break is a forgotten quote: what would be read on with is no string.
  bool character(std::string& to) {
    if (text_[at_] == '\n' || text_[at_] == '\r') return stop("the string does not end on its line: write a line break as \\n");
    if (static_cast<unsigned char>(text_[at_]) < 0x20 && !wrong_value(at_, "a control character in a string must be escaped")) return false;
    to += text_[at_++];
    return true;
  }

  bool escape(std::string& to) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    const std::size_t begin = at_++;
    if (peek() == 'u') return unicode_escape(begin, to);
    const std::size_t which = at_ < text_.size() ? kNames.find(text_[at_]) : std::string_view::npos;
    if (which == std::string_view::npos) return wrong_value(begin, "no such escape in JSON");
    to += kMeant[which];
    ++at_;
    return true;
  }

  bool unicode_escape(std::size_t begin, std::string& to) {
    const auto first = four_digits();
    if (!first) return wrong_value(begin, "\\u needs four hexadecimal digits");
    char32_t code = *first;
    if (code >= 0xD800 && code <= 0xDBFF) {
      const std::size_t behind = at_;
      const auto low = text_.substr(at_++, 2) == "\\u" ? four_digits() : std::nullopt;
      if (!low || *low < 0xDC00 || *low > 0xDFFF) at_ = behind;
      if (at_ == behind) return wrong_value(begin, "half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10U) + (*low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      return wrong_value(begin, "half of a surrogate pair");
    }
    append_utf8(to, code);
    return true;
  }

  // Of the escape whose `u` is here; goes behind them, or, where they are none, behind the `u`.
  std::optional<std::uint32_t> four_digits() {
    const std::string_view digits = text_.substr(std::min(++at_, text_.size()), 4);
    std::uint32_t code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) return std::nullopt;
    at_ += 4;
    return code;
  }

  std::size_t digits() {
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    return at_ - begin;
  }

  bool number(Node& node) {
    const std::size_t begin = at_;
    bool whole = true;
    const char* problem = number_form(whole);
    if (problem == nullptr && is_word(peek())) problem = "not a JSON number";
    if (problem == nullptr && !convert(text_.substr(begin, at_ - begin), whole, node)) problem = "the number is out of range: integers have at most 64 bits";
    if (problem == nullptr) return true;
    skip_word();
    node.kind = Kind::kNull;
    return wrong_value(begin, problem);
  }

  // Goes behind it, or says what is wrong. `whole`: without fraction and exponent.
  const char* number_form(bool& whole) {
    if (peek() == '-') ++at_;
    const bool zero = peek() == '0';
    const std::size_t count = digits();
    if (count == 0 || (zero && count > 1)) return "not a JSON number";
    if (peek() == '.') {
      whole = false;
      ++at_;
      if (digits() == 0) return "a digit is expected after the point";
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (digits() == 0) return "a digit is expected in the exponent";
    }
    return nullptr;
  }

  static bool convert(std::string_view digits, bool whole, Node& node) {
    const char* end = digits.data() + digits.size();
    node.kind = Kind::kInteger;
    if (whole && std::from_chars(digits.data(), end, node.integer).ec == std::errc()) return true;
    node.kind = Kind::kNatural;
    if (whole && digits.front() != '-' && std::from_chars(digits.data(), end, node.natural).ec == std::errc()) return true;
    node.kind = Kind::kReal;
    return !whole && std::from_chars(digits.data(), end, node.real).ec == std::errc() && std::isfinite(node.real);
  }

  Tree& tree_;
  std::string_view text_;
  std::size_t at_ = 0;
  int depth_left_;
  std::size_t most_;
  Open* open_ = nullptr;   // the innermost container
  std::vector<Node> items_;
  std::vector<Member> members_;
  TextProblems problems_;
};

}  // namespace

TextProblems read_json(Tree& tree, const ReadLimits& limits) { return JsonReader(tree, limits).read(); }

}  // namespace wardenv::policy::core
