// SPDX-License-Identifier: Apache-2.0
// What <ext/atomicity.h> asks of glibc.
#pragma once

extern "C" char __libc_single_threaded;
