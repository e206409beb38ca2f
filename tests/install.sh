#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install.sh build|tests|all: installs the Debian packages that building, or testing, needs and that are missing.
set -euo pipefail
build=(build-essential cmake ninja-build ccache git ca-certificates musl-tools linux-libc-dev libseccomp-dev libboost1.81-dev
       libboost-filesystem1.81-dev libboost-system1.81-dev nlohmann-json3-dev libspdlog-dev libfmt-dev libcli11-dev libexpected-dev
       libre2-dev libyaml-cpp-dev libsqlitecpp-dev libsqlite3-dev libhiredis-dev libssl-dev libsodium-dev libtomlplusplus-dev prometheus-cpp-dev
       zlib1g-dev python3 python3-venv)
tests=(catch2 libcap2-bin util-linux passwd gcc gcc-multilib libpython3.11-testsuite python3-dev python3-pip-whl python3-setuptools-whl
       openssl curl redis-server python3-jsonschema python3-pip iproute2 clang libclang-rt-14-dev)
all=(clang-tidy clang-format qemu-system-x86 busybox-static cpio bubblewrap tinyproxy-bin squid mmdebstrap)
packages=("${build[@]}")
# Node from elsewhere brings npm along, and Debian's npm package would not go with it.
command -v npm >/dev/null || tests+=(nodejs npm)
case ${1:-build} in
  build) ;;
  tests) packages+=("${tests[@]}") ;;
  all) packages+=("${tests[@]}" "${all[@]}") ;;
  *) echo "install.sh: build, tests or all" >&2; exit 2 ;;
esac
missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "install.sh: these packages are missing; install them as root: apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
