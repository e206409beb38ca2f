#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install-from-index/run.sh [WARDENV]: builds a small package, serves it from an index on this machine, and installs it through named egress:
# the index is reached, nothing else is. Needs pip for the system's Python (python3-pip) and bash.
set -euo pipefail
cd "$(dirname "$0")"
wardenv=${1:-$(realpath ../../build-release/bin/wardenv)}
work=$(mktemp -d "${TMPDIR:-/tmp}/wardenv-install.XXXXXX")
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
mkdir -p "$work/project"

echo "== 1. a package, and an index that has it"
/usr/bin/python3 make_index.py "$work/index" > "$work/project/requirements.txt"
cat "$work/project/requirements.txt"
(cd "$work/index" && exec /usr/bin/python3 -u -m http.server --bind 127.0.0.1 0 > "$work/server.log" 2>&1) &
server=$!
for _ in $(seq 100); do
  port=$(sed -n 's/^Serving HTTP on .* port \([0-9]*\).*/\1/p' "$work/server.log")
  [ -z "$port" ] || break
  sleep 0.1
done
index=http://127.0.0.1:$port/simple/

cd "$work/project"
# A rule for an address names the range by itself; a name would need one, as loopback is not public: localhost:8000=127.0.0.0/8
run() { "$wardenv" run --no-venv --allow-host "127.0.0.1:$port" --env "INDEX=$index" "$@"; }
install='unset NO_PROXY no_proxy; exec /usr/bin/python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir \
  --index-url "$INDEX" --require-hashes -r requirements.txt --target lib'

echo "== 2. without a network it can't be installed"
if "$wardenv" run --no-venv --quiet --env "INDEX=$index" -- bash -c "$install --retries 0" 2>/dev/null; then
  echo "installed without a network?" && exit 1
fi
echo "== 3. with the index allowed, it is"
run -- bash -c "$install"
"$wardenv" run --no-venv -- bash -c 'cd lib && /usr/bin/python3 -c "import tinypkg; print(tinypkg.hello())"'

echo "== 4. nothing else is reached, and the refusal says which rule would allow it"
run --json -- bash -c 'unset NO_PROXY no_proxy; /usr/bin/python3 -c "import urllib.request as r; r.urlopen(\"http://elsewhere.example/\")" 2>/dev/null' > report.json || true
/usr/bin/python3 - <<'END'
import json
report = json.load(open("report.json"))
refused = [item for item in report["violations"] if item["kind"] == "network"]
print(refused)
assert report["exit_code"] != 0 and refused and "elsewhere.example" in refused[0]["what"], report
END
echo "== done"
