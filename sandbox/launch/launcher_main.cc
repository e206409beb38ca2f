// SPDX-License-Identifier: Apache-2.0
// wardenv-launcher, as the library starts it.
#include "sandbox/base/standard_fds.h"
#include "sandbox/launch/serve.h"

int main() { return wardenv::hold_standard_fds() ? wardenv::launch::serve(nullptr) : 1; }
