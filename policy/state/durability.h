// SPDX-License-Identifier: Apache-2.0
// Durability: what a store's answer outlives.
#pragma once

namespace wardenv::policy {

// kPowerLoss: what was answered outlives a crash of the host. kProcessCrash: it outlives the death of every process.
enum class Durability { kPowerLoss, kProcessCrash };

}  // namespace wardenv::policy
