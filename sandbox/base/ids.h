// SPDX-License-Identifier: Apache-2.0
// The range of host ids that sandboxes of root run under, where nothing else is configured.
#pragma once

#include <stdint.h>

namespace wardenv {

inline constexpr uint32_t kDefaultFirstId = 0x70000000;  // far above what distributions give to people, services and containers
inline constexpr uint32_t kDefaultIdCount = 1 << 16;

}  // namespace wardenv
