// SPDX-License-Identifier: Apache-2.0
// A SAX handler that builds the value and stops at the first thing that is not allowed.
#include "tools/mcp/strict_json.h"

#include <nlohmann/json.hpp>
#include <vector>

namespace wardenv::mcp {
namespace {

using nlohmann::json;

class Builder {
 public:
  Builder(json& root, std::size_t max_depth) : root_(root), max_depth_(max_depth) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(json::number_integer_t value) { return put(value); }
  bool number_unsigned(json::number_unsigned_t value) { return put(value); }
  bool number_float(json::number_float_t value, const std::string&) { return put(value); }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(json::object()); }
  bool start_array(std::size_t) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    auto [at, fresh] = open_.back()->get_ref<json::object_t&>().emplace(std::move(name), nullptr);
    if (!fresh) return stop("the key `" + at->first.substr(0, 64) + "` appears twice in one object");
    slot_ = &at->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    return stop("malformed JSON at byte " + std::to_string(position));
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  bool stop(std::string why) {
    if (problem_.empty()) problem_ = std::move(why);
    return false;
  }

  template <typename T>
  json* place(T&& value) {
    if (open_.empty()) return &(root_ = std::forward<T>(value));
    json& parent = *open_.back();
    if (parent.is_array()) return &parent.get_ref<json::array_t&>().emplace_back(std::forward<T>(value));
    *slot_ = std::forward<T>(value);
    return slot_;
  }

  template <typename T>
  bool put(T&& value) {
    place(std::forward<T>(value));
    return true;
  }

  bool open(json container) {
    if (open_.size() >= max_depth_) return stop("nested deeper than " + std::to_string(max_depth_));
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  json& root_;
  std::size_t max_depth_;
  std::vector<json*> open_;
  json* slot_ = nullptr;
  std::string problem_;
};

}  // namespace

std::optional<std::string> parse_strict(std::string_view text, json& value, std::size_t max_depth) {
  // The library takes a NUL byte for the end of the text.
  if (text.find('\0') != std::string_view::npos) {
    value = nullptr;
    return "malformed JSON: a NUL byte";
  }
  Builder builder(value, max_depth);
  try {
    if (json::sax_parse(text.begin(), text.end(), &builder)) return std::nullopt;
  } catch (const std::exception& error) {
    return std::string("malformed JSON: ") + error.what();
  }
  value = nullptr;
  return builder.problem().empty() ? "malformed JSON" : builder.problem();
}

std::string json_string(std::string_view text) { return to_text(json(text)); }

std::string to_text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace wardenv::mcp
