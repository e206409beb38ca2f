// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/secrets.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

namespace wardenv::engine {
namespace {

constexpr std::size_t kMaxSecret = 8 * 1024;

// What decides where a request goes and where it ends is never injected.
constexpr std::array kReserved = {"host", "connection", "content-length", "transfer-encoding", "proxy-authorization", "upgrade", "te", "trailer"};

bool valid_name(const std::string& name) {
  std::string low = name;
  std::transform(low.begin(), low.end(), low.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const bool plain = std::all_of(low.begin(), low.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
  return plain && !low.empty() && low.size() <= 64 && std::find(kReserved.begin(), kReserved.end(), low) == kReserved.end();
}

bool valid_value(const std::string& value) {
  return !value.empty() && value.size() <= kMaxSecret && std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Result<std::string> read_secret(const InjectedHeader& header) {
  const int sources = !header.file.empty() + !header.variable.empty() + !header.value.empty();
  if (sources != 1) return fail(ErrorCode::kBadInput, "the header `" + header.name + "` of an egress rule takes its value from one file or one variable");
  std::string value = header.value;
  if (!header.variable.empty()) {
    const char* text = std::getenv(header.variable.c_str());
    if (text == nullptr) return fail(ErrorCode::kNotFound, "the variable `" + header.variable + "` of an egress rule is not set for wardenv");
    value = text;
  } else if (!header.file.empty()) {
    std::ifstream file(header.file);
    if (!std::getline(file, value)) return fail(ErrorCode::kNotFound, "the file `" + header.file + "` of an egress rule can't be read");
    while (!value.empty() && (value.back() == '\r' || value.back() == ' ')) value.pop_back();
  }
  value = header.prefix + value;
  if (!valid_value(value)) return fail(ErrorCode::kBadInput, "the value for the header `" + header.name + "` of an egress rule is empty or not one line of plain text");
  return value;
}

}  // namespace

Result<std::vector<std::vector<std::pair<std::string, std::string>>>> read_secrets(const std::vector<EgressRule>& rules) {
  std::vector<std::vector<std::pair<std::string, std::string>>> all;
  for (const EgressRule& rule : rules) {
    auto& list = all.emplace_back();
    for (const InjectedHeader& header : rule.inject) {
      if (!valid_name(header.name)) return fail(ErrorCode::kBadInput, "`" + header.name.substr(0, 64) + "` is no header that an egress rule can add");
      auto value = read_secret(header);
      if (!value) return tl::unexpected(value.error());
      list.emplace_back(header.name, std::move(*value));
    }
  }
  return all;
}

}  // namespace wardenv::engine
