// SPDX-License-Identifier: Apache-2.0
// The operator's configuration file.
#include "engine/gate/config.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/gate/text_file.h"
#include "engine/paths.h"
#include "policy/core/authorize.h"

namespace wardenv::engine {
namespace {

constexpr std::size_t kMaxConfigBytes = 1U << 20;

Result<Config> read(const std::string& path) {
  auto text = read_trusted_file(path, kMaxConfigBytes);
  if (!text) return tl::unexpected(text.error());
  auto config = parse_config(*text);
  if (config) config->file = absolute(path);
  if (config) return config;
  Error error = config.error();
  error.message = "the configuration `" + path + "`: " + error.message;
  return tl::unexpected(std::move(error));
}

// The reader speaks of what it mostly reads.
Error not_json(Error error) {
  constexpr std::string_view kSubject = "the arguments of the call";
  if (error.message.starts_with(kSubject)) error.message = "it can't be read as JSON" + error.message.substr(kSubject.size());
  if (error.hint.empty()) error.hint = R"(it is one JSON object, for example {"policy": "/etc/wardenv/policy.yaml"})";
  return error;
}

bool valid_store(const std::string& value) {
  return value == "sqlite" || value == "memory" || value.starts_with("redis://") || value.starts_with("unix://");
}

constexpr std::uint32_t kFirstForPeople = 1000;   // those below belong to the system and its services
constexpr std::uint32_t kLeastIds = 128;          // as many as one launcher makes sandboxes at once
constexpr std::uint32_t kNoId = 0xffffffff;       // (uid_t)-1

Status check_ids(const sandbox::IdRange& ids) {
  if (ids == sandbox::IdRange()) return {};
  const char* hint = R"(for example {"uid_range_first": 500000, "uid_range_count": 65536}, which belong to nobody else: see /etc/passwd and /etc/subuid)";
  if (ids.first < kFirstForPeople || ids.count < kLeastIds || std::uint64_t{ids.first} + ids.count > kNoId) {
    return fail(ErrorCode::kBadInput, "uid_range_first and uid_range_count must be both there, the first 1000 or more, the count 128 or more, and the last id below 4294967295", hint);
  }
  return {};
}

Status check(const Config& config) {
  for (const std::string* path : {&config.policy, &config.state}) {
    if (!path->empty() && !path->starts_with('/')) return fail(ErrorCode::kBadInput, "`" + *path + "` is not an absolute path", R"(for example {"policy": "/etc/wardenv/policy.json"})");
  }
  if (!config.quota_store.empty() && !valid_store(config.quota_store)) {
    return fail(ErrorCode::kBadInput, "quota_store is neither sqlite nor memory nor a redis:// or unix:// URL");
  }
  return check_ids(config.ids);
}

// False where it is none.
bool take_number(const nlohmann::json& value, std::uint32_t& to) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() >= std::int64_t{kNoId}) return false;
  to = value.get<std::uint32_t>();
  return true;
}

}  // namespace

Result<Config> parse_config(const std::string& text) {
  auto document = policy::parse_arguments(text);   // the strict reader: one object, no duplicate keys
  if (!document) return tl::unexpected(not_json(document.error()));
  Config config;
  const std::map<std::string, std::string*> known = {
      {"policy", &config.policy}, {"grant", &config.grant}, {"quota_store", &config.quota_store}, {"state", &config.state}, {"index_url", &config.index_url}};
  const std::map<std::string, std::uint32_t*> numbers = {{"uid_range_first", &config.ids.first}, {"uid_range_count", &config.ids.count}};
  for (const auto& [key, value] : document->items()) {
    if (const auto number = numbers.find(key); number != numbers.end()) {
      if (!take_number(value, *number->second)) return fail(ErrorCode::kBadInput, "`" + key + "` is not a number of the range of user ids", "for example 500000");
      continue;
    }
    const auto place = known.find(key);
    if (place == known.end()) return fail(ErrorCode::kBadInput, "unknown key `" + key + "`", "known are policy, grant, quota_store, state, index_url, uid_range_first and uid_range_count");
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) return fail(ErrorCode::kBadInput, "`" + key + "` is not a text");
    *place->second = value.get<std::string>();
  }
  WARDENV_TRY(check(config));
  if (config.quota_store == "sqlite") config.quota_store.clear();
  return config;
}

Result<Config> read_config(const std::optional<std::string>& path) {
  if (path) return read(*path);
  const auto place = usual_config();
  return place ? read(*place) : Config{};
}

}  // namespace wardenv::engine
