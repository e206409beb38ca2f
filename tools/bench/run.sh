#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tools/bench/run.sh: installs what is missing (as root), builds release, measures wardenv and its peers in one run.
#   tools/bench/run.sh [--no-install] [--quick] [--json FILE] [any other option of wardenv-bench, see --help]
set -euo pipefail
caller=$PWD
cd "$(dirname "$0")/../.."
install=yes
if [ "${1:-}" = --no-install ]; then
  install=no
  shift
fi

peers=(bubblewrap firejail crun)
missing=()
for package in "${peers[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ "$install" = yes ]; then
  tests/install.sh build
  if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ]; then
    echo "installing: ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    missing=()
  fi
fi
[ ${#missing[@]} -eq 0 ] || echo "run.sh: not installed and so not measured: ${missing[*]}" >&2

cmake --preset release -DWARDENV_BENCH=ON >/dev/null
cmake --build --preset release -j "$(nproc)" --target wardenv-cli wardenv_launcher wardenv-bench wardenv-bench-hog >&2
program=$PWD/build-release/bin/wardenv-bench
cd "$caller"
exec "$program" "$@"
