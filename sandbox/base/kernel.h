// SPDX-License-Identifier: Apache-2.0
// Kernel constants that the headers of Debian 12 (6.1) or musl lack, each with the release that brought it. No library needed.
#pragma once

#include <stdint.h>

namespace wardenv::kernel {

// System call numbers are the same on every architecture since 5.0 (scripts/syscall.tbl).
enum : long {
  kSysPidfdSendSignal = 424,
  kSysOpenTree = 428,
  kSysMoveMount = 429,
  kSysFsopen = 430,
  kSysFsconfig = 431,
  kSysFsmount = 432,
  kSysPidfdOpen = 434,
  kSysClone3 = 435,
  kSysCloseRange = 436,
  kSysOpenat2 = 437,
  kSysMountSetattr = 442,
  kSysLandlockCreateRuleset = 444,
  kSysLandlockAddRule = 445,
  kSysLandlockRestrictSelf = 446,
};

// Landlock access rights by ABI (linux/landlock.h). ABI 1: 5.13, 2: 5.19, 3: 6.2, 4: 6.7, 5: 6.10, 6: 6.12, 7: 6.15.
enum : uint64_t {
  kFsExecute = 1ULL << 0,
  kFsWriteFile = 1ULL << 1,
  kFsReadFile = 1ULL << 2,
  kFsReadDir = 1ULL << 3,
  kFsRemoveDir = 1ULL << 4,
  kFsRemoveFile = 1ULL << 5,
  kFsMakeChar = 1ULL << 6,
  kFsMakeDir = 1ULL << 7,
  kFsMakeReg = 1ULL << 8,
  kFsMakeSock = 1ULL << 9,
  kFsMakeFifo = 1ULL << 10,
  kFsMakeBlock = 1ULL << 11,
  kFsMakeSym = 1ULL << 12,
  kFsRefer = 1ULL << 13,     // ABI 2
  kFsTruncate = 1ULL << 14,  // ABI 3
  kFsIoctlDev = 1ULL << 15,  // ABI 5
  kNetBindTcp = 1ULL << 0,   // ABI 4
  kNetConnectTcp = 1ULL << 1,
  kScopeAbstractUnix = 1ULL << 0,  // ABI 6
  kScopeSignal = 1ULL << 1,
};

}  // namespace wardenv::kernel
