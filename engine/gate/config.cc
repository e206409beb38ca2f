// SPDX-License-Identifier: Apache-2.0
// The operator's configuration file.
#include "engine/gate/config.h"

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

bool valid_store(const std::string& value) {
  return value == "sqlite" || value == "memory" || value.starts_with("redis://") || value.starts_with("unix://");
}

Status check(const Config& config) {
  for (const std::string* path : {&config.policy, &config.state}) {
    if (!path->empty() && !path->starts_with('/')) return fail(ErrorCode::kBadInput, "`" + *path + "` is not an absolute path", R"(for example {"policy": "/etc/wardenv/policy.json"})");
  }
  if (!config.quota_store.empty() && !valid_store(config.quota_store)) {
    return fail(ErrorCode::kBadInput, "quota_store is neither sqlite nor memory nor a redis:// or unix:// URL");
  }
  return {};
}

}  // namespace

Result<Config> parse_config(const std::string& text) {
  auto document = policy::parse_arguments(text);   // the strict reader: one object, no duplicate keys
  if (!document) return tl::unexpected(document.error());
  Config config;
  const std::map<std::string, std::string*> known = {
      {"policy", &config.policy}, {"grant", &config.grant}, {"quota_store", &config.quota_store}, {"state", &config.state}, {"index_url", &config.index_url}};
  for (const auto& [key, value] : document->items()) {
    const auto place = known.find(key);
    if (place == known.end()) return fail(ErrorCode::kBadInput, "unknown key `" + key + "`", "known are policy, grant, quota_store, state and index_url");
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
