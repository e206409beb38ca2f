#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# profile.sh [BUILD]: writes judged.ld anew, from what judged runs of BUILD (default: build-release, built) execute. Needs valgrind and ninja.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../../build-release}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/workspace" "$work/seen"

# The very program, linked again without an order, and with a map.
cd "$build"
link=$(ninja -t commands bin/wardenv-cli | grep -F -- '-o bin/wardenv-cli' | tail -1)
link=$(sed 's/ && cd .*//; s/^: && //; s#-Wl,-T,[^ ]*##; s#-o bin/wardenv-cli#-Wl,-Map,'"$work"'/map -o '"$work"'/cli#' <<<"$link")
sh -c "$link" 2>/dev/null
cp bin/wardenv bin/wardenv-launcher "$work/bin"
cat >"$work/bin/wardenv-cli" <<END
#!/bin/sh
exec valgrind -q --tool=callgrind --callgrind-out-file="$work/seen/\$(date +%s%N)" --dump-instr=yes --compress-strings=no --compress-pos=no "$work/cli" "\$@"
END
chmod +x "$work/bin/wardenv-cli"

cat >"$work/plain.yaml" <<'END'
version: "1"
default: deny
tools:
  run_in_venv:
    commands:
      "true": {}
      pytest: {preset: pytest}
      python: {flags: {-m: {enum: [unittest, json.tool]}}, after: {-m: rest}}
    deny_if: [{arg: args, op: contains, value: "--evil"}]
END
{ cat "$work/plain.yaml"; echo '    limits: [{counter: run_in_venv_rate, window: minute, max: 1000000}]'; } >"$work/counted.yaml"
export WARDENV_STATE="$work/state"
run() { "$work/bin/wardenv" run --no-venv --workspace "$work/workspace" --policy "$work/$1.yaml" "${@:2}" -- true >/dev/null 2>&1; }

# First what most runs do, then what a durable quota adds, then what a policy's first run does. The first runs make files that later ones find.
run plain; run counted; run plain; run counted
rm "$work"/seen/*
run plain; run plain --json; run counted; run counted --json
rm -r "$WARDENV_STATE/policies"
run plain
"$here/order.py" "$work/map" "$work"/seen/* >"$work/judged.ld"
cp "$work/judged.ld" "$here/judged.ld"
