// SPDX-License-Identifier: Apache-2.0
// Reads one YAML document of plain data into a Tree, from the events of yaml-cpp.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <sstream>
#include <vector>

#include "policy/core/text/tree.h"

namespace wardenv::policy::core {
namespace {

// Thrown through yaml-cpp to end the reading; never leaves this file.
struct Stop {
  TextProblem problem;
};

Place place_of(const YAML::Mark& mark) {
  return {static_cast<std::uint32_t>(std::max(mark.line, 0) + 1), static_cast<std::uint32_t>(std::max(mark.column, 0) + 1)};
}

[[noreturn]] void stop(const YAML::Mark& mark, std::string message) { throw Stop{{place_of(mark), std::move(message)}}; }

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// What the number patterns of YAML 1.1 or 1.2 take for a number and JSON writes in another way: readers disagree on its value.
bool is_ambiguous_number(std::string_view text) {
  const bool sign = !text.empty() && (text.front() == '+' || text.front() == '-');
  const std::string_view rest = text.substr(sign ? 1 : 0);
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN") return true;
  if (text.starts_with("0x") || text.starts_with("0o") || text.starts_with("0b")) {
    return rest.size() > 2 && rest.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos;
  }
  if (text.starts_with('+')) return all_digits(rest);
  return rest.size() > 1 && rest.front() == '0' && all_digits(rest);
}

// The core schema's numbers as JSON writes them: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?
bool looks_like_json_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::string_view head = text.substr(0, text.find_first_not_of("0123456789"));
  if (head.empty()) return false;
  text.remove_prefix(head.size());
  if (text.empty()) return true;
  if (text.front() == '.') {
    const std::string_view fraction = text.substr(1, text.find_first_not_of("0123456789", 1) - 1);
    if (fraction.empty()) return false;
    text.remove_prefix(1 + fraction.size());
  }
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  text.remove_prefix(1);
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return all_digits(text);
}

// A collection whose end has not been seen. Members wait with their key; the elements of an array have none.
struct Open {
  Node node;
  std::vector<Node> items;
  std::vector<Member> members;
  bool key_waits = false;
};

class Builder final : public YAML::EventHandler {
 public:
  Builder(Tree& tree, int max_depth) : tree_(tree), max_depth_(static_cast<std::size_t>(max_depth)) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) stop(mark, "only one document may be in a file");
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { stop(mark, "anchors and aliases are not taken: write the value out"); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { stop(mark, "anchors and aliases are not taken: write the value out"); }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (wants_key()) stop(mark, "a key may not be empty");
    add(Node{place_of(mark), Kind::kNull, 0, {}});
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& text) override {
    if (tag != "?" && tag != "!" && !tag.empty()) stop(mark, "tags are not taken: quote a value to make it a string");
    const bool plain = tag == "?";
    if (wants_key()) return key(mark, plain, text);
    Node node{place_of(mark), Kind::kString, 0, {}};
    if (!plain || !resolve(mark, text, node)) set_string(node, keep(text));
    add(node);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override { open(mark, tag, Kind::kArray); }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override { open(mark, tag, Kind::kObject); }
  void OnMapEnd() override { close(); }

  [[nodiscard]] bool empty() const { return documents_ == 0; }

 private:
  [[nodiscard]] bool wants_key() const { return !open_.empty() && open_.back().node.kind == Kind::kObject && !open_.back().key_waits; }

  void key(const YAML::Mark& mark, bool plain, const std::string& text) {
    if (plain && text == "<<") stop(mark, "merge keys are not taken: write the values out");
    Member member;
    member.key = keep(text);
    member.place = place_of(mark);
    open_.back().members.push_back(member);
    open_.back().key_waits = true;
  }

  void open(const YAML::Mark& mark, const std::string& tag, Kind kind) {
    if (tag != "?" && !tag.empty()) stop(mark, "tags are not taken");
    if (wants_key()) stop(mark, "a key must be a string");
    if (open_.size() == max_depth_) stop(mark, "nested too deeply");
    Open made;
    made.node.place = place_of(mark);
    made.node.kind = kind;
    open_.push_back(std::move(made));
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (done.node.kind == Kind::kArray) done.node.first_item = keep(done.items, done.node.size);
    else done.node.first_member = keep(done.members, done.node.size);
    add(done.node);
  }

  void add(const Node& node) {
    if (open_.empty()) {
      tree_.root = node;
    } else if (open_.back().node.kind == Kind::kArray) {
      open_.back().items.push_back(node);
    } else {
      open_.back().members.back().value = node;
      open_.back().key_waits = false;
    }
  }

  // The core schema of YAML 1.2 for plain scalars that are no strings.
  static bool resolve(const YAML::Mark& mark, const std::string& text, Node& node) {
    if (text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE") {
      node.kind = Kind::kBool;
      node.truth = text[0] == 't' || text[0] == 'T';
      return true;
    }
    if (is_ambiguous_number(text)) stop(mark, "`" + text + "` is read as different numbers by different readers: write it in plain decimal digits, or quote it");
    return looks_like_json_number(text) && number(mark, text, node);
  }

  static bool number(const YAML::Mark& mark, const std::string& text, Node& node) {
    const char* end = text.data() + text.size();
    const bool whole = text.find_first_of(".eE") == std::string::npos;
    if (whole && std::from_chars(text.data(), end, node.integer).ec == std::errc()) {
      node.kind = Kind::kInteger;
    } else if (whole && text[0] != '-' && std::from_chars(text.data(), end, node.natural).ec == std::errc()) {
      node.kind = Kind::kNatural;
    } else if (!whole && std::from_chars(text.data(), end, node.real).ec == std::errc() && std::isfinite(node.real)) {
      node.kind = Kind::kReal;
    } else {
      stop(mark, "the number is out of range: integers have at most 64 bits");
    }
    return true;
  }

  static void set_string(Node& node, std::string_view text) {
    node.chars = text.data();
    node.size = static_cast<std::uint32_t>(text.size());
  }

  std::string_view keep(const std::string& text) {
    auto* kept = static_cast<char*>(tree_.arena.allocate(std::max<std::size_t>(text.size(), 1), 1));
    std::copy(text.begin(), text.end(), kept);
    return {kept, text.size()};
  }

  template <typename T>
  const T* keep(const std::vector<T>& from, std::uint32_t& count) {
    count = static_cast<std::uint32_t>(from.size());
    auto* kept = static_cast<T*>(tree_.arena.allocate(sizeof(T) * std::max<std::size_t>(count, 1), alignof(T)));
    std::copy(from.begin(), from.end(), kept);
    return kept;
  }

  Tree& tree_;
  std::size_t max_depth_;
  std::vector<Open> open_;
  int documents_ = 0;
};

}  // namespace

std::optional<TextProblem> read_yaml(Tree& tree, int max_depth) {
  try {
    std::istringstream in{std::string(tree.text)};
    YAML::Parser parser(in);
    Builder builder(tree, max_depth);
    while (parser.HandleNextDocument(builder)) {
    }
    if (builder.empty()) return TextProblem{{1, 1}, "the document is empty"};
    return std::nullopt;
  } catch (const Stop& stopped) {
    return stopped.problem;
  } catch (const YAML::Exception& error) {
    return TextProblem{place_of(error.mark), "not YAML: " + error.msg};
  } catch (const std::exception& error) {
    return TextProblem{{1, 1}, std::string("not YAML: ") + error.what()};
  }
}

}  // namespace wardenv::policy::core
