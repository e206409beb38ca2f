// SPDX-License-Identifier: Apache-2.0
// Remarks on a log that holds.
#include "engine/audit/remarks.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace wardenv::engine::audit {
namespace {

using nlohmann::json;

constexpr std::size_t kMostOpen = 100'000;   // that are remembered
constexpr std::size_t kMostHealed = 20;      // that are told one by one
constexpr std::size_t kShownOpen = 10;

// The event is what follows the time: nothing that a caller chose comes before it.
bool is_event(std::string_view line, std::string_view name) {
  const std::string form = "Z\",\"event\":\"" + std::string(name) + "\"";
  return line.substr(0, 128).find(form) != std::string_view::npos;
}

std::string text_of(const json& record, const char* name) {
  const auto found = record.find(name);
  return found != record.end() && found->is_string() ? found->get<std::string>() : "";
}

std::uint64_t count_of(const json& details, const char* name) {
  const auto found = details.find(name);
  return found != details.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

}  // namespace

void Remarks::take(std::string_view line, std::uint64_t seq) {
  const bool admit = is_event(line, "admit");
  const bool finish = is_event(line, "finish");
  if (!admit && !finish && !is_event(line, "healed")) return;
  const json record = json::parse(line, nullptr, false);
  if (!record.is_object()) return;
  if (finish) return end(text_of(record, "run_id"));
  if (admit && text_of(record, "decision") == "allow") return begin(text_of(record, "run_id"), seq);
  if (admit) return end(text_of(record, "run_id"));   // refused after all
  const auto details = record.find("details");
  if (!admit && details != record.end() && details->is_object()) healed(seq, count_of(*details, "lost_records"), count_of(*details, "cut_bytes"));
}

void Remarks::begin(std::string run_id, std::uint64_t seq) {
  if (open_.size() < kMostOpen) open_.insert_or_assign(std::move(run_id), seq);
  else ++untold_open_;
}

void Remarks::healed(std::uint64_t seq, std::uint64_t lost_records, std::uint64_t cut_bytes) {
  if (lost_records == 0 && cut_bytes == 0) return;
  if (healed_.size() == kMostHealed) {
    ++untold_healed_;
    return;
  }
  healed_.push_back("record " + std::to_string(seq) + " says that before it " + std::to_string(lost_records) + " records that were written were gone and " +
                    std::to_string(cut_bytes) + " bytes cut off: a power cut or a crash, or somebody who cut off what was not known to be on disk");
}

std::vector<std::string> Remarks::notes() const {
  std::vector<std::string> notes = healed_;
  if (untold_healed_ > 0) notes.push_back(std::to_string(untold_healed_) + " more records say so");
  if (open_.empty()) return notes;
  std::vector<std::pair<std::uint64_t, std::string>> first;
  for (const auto& [run_id, seq] : open_) first.emplace_back(seq, run_id);
  std::sort(first.begin(), first.end());
  std::string text = std::to_string(open_.size() + untold_open_) + " calls that were allowed have no end: killed before it, still under way, or its record lost";
  for (std::size_t i = 0; i < std::min(kShownOpen, first.size()); ++i) text += (i == 0 ? ": record " : ", record ") + std::to_string(first[i].first) + " (run " + first[i].second + ")";
  notes.push_back(text + (first.size() > kShownOpen ? ", …" : ""));
  return notes;
}

}  // namespace wardenv::engine::audit
