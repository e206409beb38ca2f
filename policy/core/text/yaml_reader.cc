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
#include <utility>
#include <vector>

#include "policy/commands/text.h"
#include "policy/core/cursor.h"
#include "policy/core/text/tree.h"

namespace wardenv::policy::core {
namespace {

// Thrown through yaml-cpp to end the reading; never leaves this file.
struct Stop {};

// yaml-cpp counts bytes, also in its columns: the offset is what locate() makes a line and a column of.
Place place_of(const YAML::Mark& mark) { return {static_cast<std::uint32_t>(std::max(mark.pos, 0)), 0}; }

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
  bool drops = false;    // the member that is read now: its key was none
  bool is_key = false;   // a collection where a key should be: read, and forgotten
};

class Builder final : public YAML::EventHandler {
 public:
  Builder(Tree& tree, const ReadLimits& limits) : tree_(tree), limits_(limits) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) stop(mark, "only one document may be in a file");
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { note(place_of(mark), kNoAnchors, false); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { stand_in(mark, kNoAnchors); }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (wants_key()) return stand_in(mark, "a key may not be empty");
    add(Node{place_of(mark), Kind::kNull, 0, {}});
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& text) override {
    note_masked_before(place_of(mark));
    const bool plain = tag == "?";
    const bool is_key = wants_key();
    if (is_key) key(mark, text);
    note_masked_in(text);
    // yaml-cpp 0.7 makes one byte of the escapes for U+0085 and U+00A0.
    if ((oddities_of(text) & kHasInvalidUtf8) != 0) note(place_of(mark), "an escape that is no UTF-8 then: write \\xa0 for \\_ and \\x85 for \\N", true);
    if (!plain && tag != "!" && !tag.empty()) note(place_of(mark), "tags are not taken: quote a value to make it a string", true);
    if (is_key && plain && text == "<<") note(place_of(mark), "merge keys are not taken: write the values out", true);
    if (is_key) return;
    Node node{place_of(mark), Kind::kString, 0, {}};
    if (!plain || !resolve(mark, text, node)) set_string(node, keep(text));
    add(node);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override { open(mark, tag, Kind::kArray); }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override { open(mark, tag, Kind::kObject); }
  void OnMapEnd() override { close(); }

  [[noreturn]] void stop(const YAML::Mark& mark, std::string message) {
    note_masked_before({place_of(mark).line_or_offset + 1, 0});
    problems_.list.push_back({place_of(mark), pointer(), std::move(message), false});
    throw Stop{};
  }

  // Also of what was cut off in the middle: then the tree is what was read by then.
  TextProblems finish(bool whole) {
    if (whole) note_masked_before({static_cast<std::uint32_t>(tree_.text.size()), 0});
    while (!open_.empty()) close();
    problems_.whole = whole;
    if (documents_ == 0 && problems_.list.empty()) problems_.list.push_back({{1, 1}, "", "the document is empty", true});
    return std::move(problems_);
  }

 private:
  static constexpr const char* kBadCharacter = "not UTF-8, or a control character: in double quotes \\x07 is one";
  static constexpr const char* kNoAnchors = "anchors and aliases are not taken: write the value out";

  // Of what is in a key that is none, enough was said.
  void note(Place place, std::string message, bool stands_in) {
    if (std::any_of(open_.begin(), open_.end(), [](const Open& open) { return open.is_key; })) return;
    problems_.list.push_back({place, pointer(), std::move(message), stands_in});
    if (problems_.list.size() >= limits_.most_problems) throw Stop{};
  }

  // Of what is read now: a container whose key or item has begun is in it.
  [[nodiscard]] std::string pointer() const {
    std::string text;
    for (const Open& open : open_) {
      if (open.node.kind == Kind::kArray) text += "/" + std::to_string(open.items.size());
      else if (open.key_waits) text += "/" + pointer_token(open.members.back().key);
    }
    return text;
  }

  // Bytes that were masked in comments and between values.
  void note_masked_before(Place place) {
    while (masked_ < tree_.bad_bytes.size() && tree_.bad_bytes[masked_] < place.line_or_offset) note({tree_.bad_bytes[masked_++], 0}, kBadCharacter, false);
  }

  void note_masked_in(const std::string& text) {
    auto count = std::count(text.begin(), text.end(), kMask);
    for (; count > 0 && masked_ < tree_.bad_bytes.size(); --count) note({tree_.bad_bytes[masked_++], 0}, kBadCharacter, true);
  }

  [[nodiscard]] bool wants_key() const { return !open_.empty() && open_.back().node.kind == Kind::kObject && !open_.back().key_waits; }

  void key(const YAML::Mark& mark, const std::string& text) {
    Member member;
    member.key = keep(text);
    member.place = place_of(mark);
    open_.back().members.push_back(member);
    open_.back().key_waits = true;
  }

  // A key or a value that was none.
  void stand_in(const YAML::Mark& mark, const char* message) {
    const bool is_key = wants_key();
    note(place_of(mark), message, !is_key);
    if (is_key) key(mark, "");
    if (is_key) open_.back().drops = true;
    else add(Node{place_of(mark), Kind::kNull, 0, {}});
  }

  void open(const YAML::Mark& mark, const std::string& tag, Kind kind) {
    Open made;
    made.is_key = wants_key();
    if (made.is_key) stand_in(mark, "a key must be a string");
    if (tag != "?" && !tag.empty()) note(place_of(mark), "tags are not taken", false);
    if (open_.size() == static_cast<std::size_t>(limits_.max_depth)) stop(mark, "nested too deeply");
    made.node.place = place_of(mark);
    made.node.kind = kind;
    open_.push_back(std::move(made));
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (done.is_key) return;
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
      Open& open = open_.back();
      open.members.back().value = node;
      open.key_waits = false;
      if (std::exchange(open.drops, false)) open.members.pop_back();
    }
  }

  // The core schema of YAML 1.2 for plain scalars that are no strings.
  bool resolve(const YAML::Mark& mark, const std::string& text, Node& node) {
    if (text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE") {
      node.kind = Kind::kBool;
      node.truth = text[0] == 't' || text[0] == 'T';
      return true;
    }
    if (is_ambiguous_number(text)) note(place_of(mark), "`" + text + "` is read as different numbers by different readers: write it in plain decimal digits, or quote it", true);
    if (!looks_like_json_number(text)) return false;
    if (!number(text, node)) note(place_of(mark), "the number is out of range: integers have at most 64 bits", true);
    return true;
  }

  static bool number(const std::string& text, Node& node) {
    const char* end = text.data() + text.size();
    const bool whole = text.find_first_of(".eE") == std::string::npos;
    node.kind = Kind::kInteger;
    if (whole && std::from_chars(text.data(), end, node.integer).ec == std::errc()) return true;
    node.kind = Kind::kNatural;
    if (whole && text[0] != '-' && std::from_chars(text.data(), end, node.natural).ec == std::errc()) return true;
    node.kind = Kind::kReal;
    return !whole && std::from_chars(text.data(), end, node.real).ec == std::errc() && std::isfinite(node.real);
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
  ReadLimits limits_;
  std::vector<Open> open_;
  int documents_ = 0;
  std::size_t masked_ = 0;   // how many of the masked bytes were met
  TextProblems problems_;
};

// yaml-cpp takes EOT for the end of the text, and passes on others that YAML does not allow (YAML 1.2, section 5.1).
void mask_control_characters(Tree& tree) {
  std::vector<std::uint32_t> found;
  for (std::size_t at = 0; at < tree.text.size(); ++at) {
    const auto c = static_cast<unsigned char>(tree.text[at]);
    if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7F) found.push_back(static_cast<std::uint32_t>(at));
  }
  mask_bytes(tree, std::move(found));   // those that are masked are control characters by now
}

TextProblems read_with(Builder& builder, const Tree& tree) {
  try {
    std::istringstream in{std::string(tree.text)};
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.finish(true);
  } catch (const Stop&) {
  } catch (const YAML::Exception& error) {
    try {
      builder.stop(error.mark, "not YAML: " + error.msg);
    } catch (const Stop&) {
    }
  }
  return builder.finish(false);
}

}  // namespace

TextProblems read_yaml(Tree& tree, const ReadLimits& limits) {
  mask_control_characters(tree);
  Builder builder(tree, limits);
  try {
    return read_with(builder, tree);
  } catch (const std::exception& error) {
    return {{{{1, 1}, "", std::string("not YAML: ") + error.what(), false}}, false};
  }
}

}  // namespace wardenv::policy::core
