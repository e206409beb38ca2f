// SPDX-License-Identifier: Apache-2.0
// SHA-256, for digests of documents and fingerprints of calls: the policy layer is pure and links no cryptographic library.
#pragma once

#include <string>
#include <string_view>

namespace wardenv::policy::core {

// 64 lower-case hex digits (FIPS 180-4). Not for secrets: it does not hide its timing.
std::string sha256_hex(std::string_view data);

// The same without the processor's own instructions: what is used where there are none, and for the tests.
std::string sha256_hex_plain(std::string_view data);

}  // namespace wardenv::policy::core
