#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/fuzz/run.sh SECONDS [NAME…]: builds the fuzzers (clang, libFuzzer, address and undefined-behaviour sanitizers) and runs each for so
# long. What is found stays in build-fuzz/found/, one file each; new seeds do not go into the sources by themselves.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [NAME…]}
shift
have_libfuzzer() { echo 'int main() {}' | clang++ -fsanitize=fuzzer-no-link,address -x c++ - -o /dev/null 2>/dev/null; }
if ! have_libfuzzer; then
  echo "SKIPPED libFuzzer: clang++ and its runtime are not installed: tests/install.sh tests"
  echo "fuzz: 0 passed, 0 failed, 1 skipped"
  [ "${WARDENV_FAIL_ON_SKIP:-0}" != 1 ]
  exit
fi
cmake --preset fuzz >/dev/null
if [ $# -eq 0 ]; then
  for source in tests/fuzz/fuzz_*.cc; do
    name=${source##*/fuzz_}
    set -- "$@" "${name%.cc}"
  done
fi
cmake --build --preset fuzz -j "$(nproc)" --target "${@/#/wardenv-fuzz-}"
passed=0 failed=0
for name in "$@"; do
  work=build-fuzz/corpus/$name
  mkdir -p "$work" build-fuzz/found
  echo "=== $name"
  if build-fuzz/bin/wardenv-fuzz-"$name" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="build-fuzz/found/$name-" "$work" "tests/fuzz/corpus/$name"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $name: see build-fuzz/found/"
  fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
