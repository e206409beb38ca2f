// SPDX-License-Identifier: Apache-2.0
// Reads JSON strictly (RFC 8259) into a Tree. Checked against nlohmann's reader by the unit tests and the fuzzer.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "policy/core/text/tree.h"

namespace wardenv::policy::core {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& to, std::uint32_t code) {
  const auto put = [&to](std::uint32_t byte) { to += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0U | (code >> 6));
  } else if (code < 0x10000) {
    put(0xE0U | (code >> 12));
    put(0x80U | ((code >> 6) & 0x3FU));
  } else {
    put(0xF0U | (code >> 18));
    put(0x80U | ((code >> 12) & 0x3FU));
    put(0x80U | ((code >> 6) & 0x3FU));
  }
  put(0x80U | (code & 0x3FU));
}

class JsonReader {
 public:
  JsonReader(Tree& tree, int max_depth) : tree_(tree), text_(tree.text), depth_left_(max_depth) {}

  std::optional<TextProblem> read() {
    if (value(tree_.root)) {
      skip_space();
      if (at_ < text_.size()) stop("nothing may follow the document");
    }
    return std::move(problem_);
  }

 private:
  bool stop(std::string message) {
    if (!problem_) problem_ = TextProblem{{static_cast<std::uint32_t>(std::min(at_, text_.size())), 0}, std::move(message)};
    return false;
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
      default: return peek() == '-' || is_digit(peek()) ? number(node) : stop(at_ < text_.size() ? "a value is expected here" : "the text ends too early");
    }
  }

  bool literal(std::string_view word, Node& node, Kind kind, bool truth) {
    if (text_.substr(at_, word.size()) != word) return stop("a value is expected here");
    at_ += word.size();
    node.kind = kind;
    node.truth = truth;
    return true;
  }

  bool container(Node& node, bool (JsonReader::*body)(Node&)) {
    if (depth_left_ == 0) return stop("nested too deeply");
    --depth_left_;
    ++at_;
    const bool good = (this->*body)(node);
    ++depth_left_;
    return good;
  }

  // The elements are kept on a stack of all open arrays until the end of theirs is seen; then they move to the arena together.
  bool array(Node& node) {
    const std::size_t base = items_.size();
    if (!take(']')) {
      do {
        Node item;
        if (!value(item)) return false;
        items_.push_back(item);
      } while (take(','));
      if (!take(']')) return stop("`,` or `]` is expected here");
    }
    node.kind = Kind::kArray;
    node.first_item = keep(items_, base, node.size);
    return true;
  }

  bool object(Node& node) {
    const std::size_t base = members_.size();
    if (!take('}')) {
      do {
        if (!member()) return false;
      } while (take(','));
      if (!take('}')) return stop("`,` or `}` is expected here");
    }
    node.kind = Kind::kObject;
    node.first_member = keep(members_, base, node.size);
    return true;
  }

  bool member() {
    skip_space();
    Member made;
    made.place = {static_cast<std::uint32_t>(at_), 0};
    if (peek() != '"') return stop("a key in double quotes is expected here");
    if (!string(made.key)) return false;
    if (!take(':')) return stop("`:` is expected here");
    if (!value(made.value)) return false;
    members_.push_back(made);
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
    if (peek() == '\\') return escaped_string(begin, to);
    if (at_ >= text_.size()) return stop("the string does not end");
    if (text_[at_] != '"') return stop("a control character in a string must be escaped");
    to = text_.substr(begin, at_++ - begin);
    return true;
  }

  bool escaped_string(std::size_t begin, std::string_view& to) {
    std::string made(text_.substr(begin, at_ - begin));
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return stop("a control character in a string must be escaped");
      if (text_[at_] != '\\') made += text_[at_++];
      else if (!escape(made)) return false;
    }
    if (at_++ >= text_.size()) return stop("the string does not end");
    auto* kept = static_cast<char*>(tree_.arena.allocate(std::max<std::size_t>(made.size(), 1), 1));
    std::copy(made.begin(), made.end(), kept);
    to = {kept, made.size()};
    return true;
  }

  bool escape(std::string& to) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    ++at_;
    if (peek() == 'u') return unicode_escape(to);
    const std::size_t which = at_ < text_.size() ? kNames.find(text_[at_]) : std::string_view::npos;
    if (which == std::string_view::npos) return stop("no such escape in JSON");
    to += kMeant[which];
    ++at_;
    return true;
  }

  bool unicode_escape(std::string& to) {
    std::uint32_t code = 0;
    if (!four_digits(code)) return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
      std::uint32_t low = 0;
      if (text_.substr(at_, 2) != "\\u") return stop("half of a surrogate pair");
      ++at_;
      if (!four_digits(low)) return false;
      if (low < 0xDC00 || low > 0xDFFF) return stop("half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      return stop("half of a surrogate pair");
    }
    append_utf8(to, code);
    return true;
  }

  bool four_digits(std::uint32_t& code) {
    const std::string_view digits = text_.substr(std::min(++at_, text_.size()), 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || digits.front() == '-' || error != std::errc() || end != digits.data() + 4) return stop("\\u needs four hexadecimal digits");
    at_ += 4;
    return true;
  }

  std::size_t digits() {
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    return at_ - begin;
  }

  bool number(Node& node) {
    const std::size_t begin = at_;
    bool whole = true;
    if (peek() == '-') ++at_;
    const bool zero = peek() == '0';
    const std::size_t count = digits();
    if (count == 0 || (zero && count > 1)) return stop("not a JSON number");
    if (peek() == '.') {
      whole = false;
      ++at_;
      if (digits() == 0) return stop("a digit is expected after the point");
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (digits() == 0) return stop("a digit is expected in the exponent");
    }
    return convert(text_.substr(begin, at_ - begin), whole, node);
  }

  bool convert(std::string_view digits, bool whole, Node& node) {
    const char* end = digits.data() + digits.size();
    if (whole && std::from_chars(digits.data(), end, node.integer).ec == std::errc()) {
      node.kind = Kind::kInteger;
      return true;
    }
    if (whole && digits.front() != '-' && std::from_chars(digits.data(), end, node.natural).ec == std::errc()) {
      node.kind = Kind::kNatural;
      return true;
    }
    if (whole || std::from_chars(digits.data(), end, node.real).ec != std::errc() || !std::isfinite(node.real)) {
      at_ = static_cast<std::size_t>(digits.data() - text_.data());
      return stop("the number is out of range: integers have at most 64 bits");
    }
    node.kind = Kind::kReal;
    return true;
  }

  Tree& tree_;
  std::string_view text_;
  std::size_t at_ = 0;
  int depth_left_;
  std::vector<Node> items_;
  std::vector<Member> members_;
  std::optional<TextProblem> problem_;
};

}  // namespace

std::optional<TextProblem> read_json(Tree& tree, int max_depth) { return JsonReader(tree, max_depth).read(); }

}  // namespace wardenv::policy::core
