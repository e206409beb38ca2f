#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/bench/egress.sh [--no-install] [RUNS]: what named egress costs, beside tinyproxy and squid where they can be had. Release build.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${1:-}" = --no-install ]; then
  shift
elif [ "$(id -u)" = 0 ]; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tinyproxy-bin squid >/dev/null 2>&1 || echo "egress.sh: peers could not be installed" >&2
fi
cmake --preset release -DWARDENV_BENCH=ON >/dev/null
cmake --build --preset release -j "$(nproc)" --target wardenv-bench-egress wardenv_launcher >&2
exec build-release/bin/wardenv-bench-egress "$@"
