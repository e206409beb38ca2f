// SPDX-License-Identifier: Apache-2.0
// wardenv-launcher, as the library starts it.
#include "sandbox/launch/serve.h"

int main() { return wardenv::launch::serve(nullptr); }
