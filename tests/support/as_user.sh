#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# as_user.sh BIN-DIR PROGRAM [ARG…]: runs a test program as an ordinary user that is made for it and removed after it.
# The programs are copied to where that user can reach them.
set -euo pipefail
bin=$1
shift
if [ "$(id -u)" != 0 ]; then
  exec "$bin/$1" "${@:2}"
fi
user=wardenv-test-$$
home=$(mktemp -d /tmp/wardenv-user.XXXXXX)
cleanup() {
  userdel "$user" 2>/dev/null || true
  rm -rf "$home"
}
trap cleanup EXIT
useradd --home-dir "$home" --no-create-home --shell /bin/sh "$user"
mkdir "$home/bin" "$home/work"
find "$bin" -maxdepth 1 -type f -perm -u+x -exec cp {} "$home/bin/" \;
chown -R "$user:" "$home"
cd "$home/work"
setpriv --reuid="$user" --regid="$user" --clear-groups --inh-caps=-all \
  env -i HOME="$home" PATH=/usr/bin:/bin USER="$user" LANG=C.UTF-8 ${WARDENV_FAULTS:+"WARDENV_FAULTS=$WARDENV_FAULTS"} ${WARDENV_RUNS:+"WARDENV_RUNS=$WARDENV_RUNS"} \
  "$home/bin/$1" "${@:2}"
