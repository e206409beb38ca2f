#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/run.sh: installs what a fresh Debian 12 lacks, builds, runs every test, and adds up what they counted.
#   tests/run.sh [--preset dev|clang|asan|tsan|fuzz] [--no-install] [--targets "what to build"] [ctest arguments…]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=dev
install=yes
targets=all
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=$2; shift 2 ;;
    --no-install) install=no; shift ;;
    --targets) targets=$2; shift 2 ;;
    -h|--help) sed -n '3,5s/^# //p' "$0"; exit 0 ;;
    *) break ;;
  esac
done

[ "$install" = no ] || tests/install.sh tests
cmake --preset "$preset"
# shellcheck disable=SC2086
cmake --build --preset "$preset" -j "$(nproc)" --target $targets

log="build-$preset/tests.log"
status=0
ctest --test-dir "build-$preset" --output-on-failure --verbose --timeout 900 "$@" 2>&1 | tee "$log" || status=$?
python3 tests/support/count.py "$log" || status=1
exit "$status"
