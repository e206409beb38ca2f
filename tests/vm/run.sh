#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Boots Debian's kernel in an emulated machine, once per scenario, and tests the release build there as on other hosts.
#
# Usage: tests/vm/run.sh [SCENARIO…]      scenarios: v2-user v2-root no-cgroup no-cgroup-root no-userns (default: all)
#   BUILD_DIR    the build to test; its bin/ holds wardenv and wardenv-launcher (default: build-release)
#   PROBES_DIR   compiled probes (default: build-dev/probes)
#   VM_TIMEOUT   seconds for one boot with its tests (default: 180)
#   WARDENV_FAIL_ON_SKIP=1 makes a skip a failure
set -eu

here=$(cd "$(dirname "$0")" && pwd)
BUILD_DIR=${BUILD_DIR:-$here/../../build-release}
PROBES_DIR=${PROBES_DIR:-$here/../../build-dev/probes}
work=$BUILD_DIR/vm
scenarios=${*:-v2-user v2-root no-cgroup no-cgroup-root no-userns}
packages="qemu-system-x86 busybox-static e2fsprogs"
kernel_options="root=/dev/nvme0n1 rootfstype=ext4 rw init=/sbin/vm-init console=ttyS0 quiet loglevel=3 panic=-1"
passed=0 failed=0 skipped=0

finish() {
  echo "vm: $passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] || exit 1
  [ "$skipped" -eq 0 ] || [ "${WARDENV_FAIL_ON_SKIP:-0}" != 1 ] || exit 1
  exit 0
}

skip_all() {
  for scenario in $scenarios; do
    echo "skip $scenario - $1"
    skipped=$((skipped + 1))
  done
  finish
}

have_programs() {
  for program in qemu-system-x86_64 busybox mke2fs; do
    command -v "$program" > /dev/null || return 1
  done
}

install_programs() {
  have_programs && return 0
  [ "$(id -u)" = 0 ] || return 1
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; } \
    > "$work/apt.log" 2>&1 && have_programs
}

kernel_package() {
  apt-cache depends linux-image-cloud-amd64 2> /dev/null |
    sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1
}

# The kernel is unpacked into the work folder only: nothing of it is installed here.
fetch_kernel() {
  kernel=$(find "$work/kernel/boot" -name 'vmlinuz-*' 2> /dev/null | head -n 1)
  [ -z "$kernel" ] || return 0
  mkdir -p "$work/kernel"
  package=$(kernel_package)
  [ -n "$package" ] || { apt-get update > "$work/apt.log" 2>&1 && package=$(kernel_package); }
  [ -n "$package" ] || return 1
  (cd "$work/kernel" && apt-get download "$package" && dpkg -x "$package"_*.deb . && rm -f "$package"_*.deb) \
    > "$work/kernel.log" 2>&1 || return 1
  kernel=$(find "$work/kernel/boot" -name 'vmlinuz-*' | head -n 1)
  [ -n "$kernel" ]
}

# The image is not changed by a boot (-snapshot), so that each scenario starts from the same state.
boot() {
  : > "$work/$1.results"
  timeout --foreground "${VM_TIMEOUT:-180}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1536 \
    -nodefaults -display none -no-reboot -snapshot \
    -kernel "$kernel" -append "$kernel_options wardenv_scenario=$1" \
    -drive "file=$work/image.ext4,format=raw,if=none,id=root" -device nvme,drive=root,serial=root \
    -serial "file:$work/$1.console" -serial "file:$work/$1.results" < /dev/null > "$work/$1.qemu" 2>&1
}

count() { grep -c "^$1 " "$work/$scenario.results" || true; }

run_scenario() {
  scenario=$1
  started=$(date +%s)
  boot "$scenario" || true
  tr -d '\r' < "$work/$scenario.results" > "$work/$scenario.tap" && mv "$work/$scenario.tap" "$work/$scenario.results"
  grep -E '^(ok|not ok|skip|#) ' "$work/$scenario.results" | sed -E "s|^(ok\|not ok\|skip\|#) |\1 $scenario: |"
  passed=$((passed + $(count ok)))
  failed=$((failed + $(count 'not ok')))
  skipped=$((skipped + $(count skip)))
  total="VM-RESULT passed=$(count ok) failed=$(count 'not ok') skipped=$(count skip)"
  if ! grep -qx "$total" "$work/$scenario.results"; then
    failed=$((failed + 1))
    echo "not ok $scenario: the machine did not come to its end - the console says:"
    tail -n 20 "$work/$scenario.console" "$work/$scenario.qemu" || true
  fi
  echo "# $scenario: $(($(date +%s) - started)) s with boot"
}

mkdir -p "$work"
work=$(cd "$work" && pwd)
[ -x "$BUILD_DIR/bin/wardenv" ] || skip_all "no release build: $BUILD_DIR/bin/wardenv is missing"
install_programs || skip_all "missing: apt-get install $packages"
fetch_kernel || skip_all "cannot download linux-image-cloud-amd64: apt-get update"
if ! "$here/build_image.sh" "$BUILD_DIR/bin" "$PROBES_DIR" "$work"; then
  echo "not ok image - cannot be built"
  failed=1
  finish
fi
for name in $scenarios; do run_scenario "$name"; done
finish
