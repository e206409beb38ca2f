// SPDX-License-Identifier: Apache-2.0
// Who reads the YAML of policies: what one build has read, another one may read otherwise.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace wardenv::engine {

// 64 digits for the program that reads the YAML of policies here and all its libraries, by their build ids; none where some part has none. `wardenv`,
// which reads none itself, answers for the program that it would become (tools/wardenv/musl/readers.cc).
std::optional<std::string> readers_digest();

// The build id among the notes of one segment (elf(5)); empty where there is none.
std::string_view build_id_in(const char* at, std::size_t size);

}  // namespace wardenv::engine
