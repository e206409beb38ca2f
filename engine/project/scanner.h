// SPDX-License-Identifier: Apache-2.0
// Scanner: a text and a place in it, for small parsers.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace wardenv::engine {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return place_ >= text_.size(); }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[place_]; }
  [[nodiscard]] std::string_view rest() const { return text_.substr(std::min(place_, text_.size())); }
  [[nodiscard]] bool after_space() const { return place_ > 0 && is_space(text_[place_ - 1]); }
  void advance(std::size_t count) { place_ = std::min(place_ + count, text_.size()); }
  void skip_space() { take_while(is_space); }

  bool take(char wanted) {
    if (at_end() || text_[place_] != wanted) return false;
    ++place_;
    return true;
  }

  template <typename Test>
  std::string_view take_while(Test test) {
    const std::size_t begin = place_;
    while (!at_end() && test(text_[place_])) ++place_;
    return text_.substr(begin, place_ - begin);
  }

  // A name as packages and extras have: a letter or digit at both ends. What does not belong to it is left.
  std::string take_name() {
    std::string_view name = take_while([](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
    const std::size_t whole = name.size();
    while (!name.empty() && !is_alphanumeric(name.back())) name.remove_suffix(1);
    place_ -= whole - name.size();
    if (!name.empty() && is_alphanumeric(name.front())) return std::string(name);
    place_ -= name.size();
    return {};
  }

  std::string take_version() {
    return std::string(take_while([](char c) { return is_alphanumeric(c) || std::string_view("-_.*+!").find(c) != std::string_view::npos; }));
  }

  std::string take_until_space() { return std::string(take_while([](char c) { return !is_space(c); })); }

  static bool is_space(char c) { return c == ' ' || c == '\t'; }
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
  static bool is_alphanumeric(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

 private:
  std::string_view text_;
  std::size_t place_ = 0;
};

}  // namespace wardenv::engine
