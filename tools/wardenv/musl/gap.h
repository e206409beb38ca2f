// SPDX-License-Identifier: Apache-2.0
// Included before everything else where `wardenv` is built against musl: what the C++ headers and our sources take for granted of glibc.
#pragma once

#include <features.h>
#include <pthread.h>
#include <time.h>

#define __locale_t locale_t                      // <bits/c++locale.h>
#define __GLIBC_PREREQ(major, minor) 1           // <bits/gthr-default.h>: threads are part of the C library

#define RENAME_NOREPLACE 1   // renameat2(2)

extern "C" {
// Named by templates of <mutex> that nothing of ours instantiates: the linker would say so.
int pthread_cond_clockwait(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);
int pthread_mutex_clocklock(pthread_mutex_t*, clockid_t, const struct timespec*);

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags);

const char* strerrordesc_np(int number);   // strerror(3)
const char* sigabbrev_np(int number);
}
