#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# quickstart.sh: installs what is missing, builds, makes a virtual environment, and runs two things in it under full confinement:
# a real project's tests, which pass, and a hostile script, of which every attempt fails.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== 1. what the build needs"
tests/install.sh build
echo "== 2. build (release)"
cmake --preset release -DWARDENV_BENCH=OFF >/dev/null
cmake --build --preset release -j "$(nproc)" --target wardenv-cli wardenv_launcher
wardenv=$PWD/build-release/bin/wardenv
"$wardenv" version

echo "== 3. a project with a virtual environment, as anybody would have it"
project=$(mktemp -d "${TMPDIR:-/tmp}/wardenv-quickstart.XXXXXX")
trap 'rm -rf "$project"' EXIT
cp -r examples/wordcount/. examples/hostile.py "$project"
git -C "$project" init -q
/usr/bin/python3 -m venv --without-pip "$project/.venv"
cd "$project"

echo "== 4. its tests, confined"
"$wardenv" run -- python -m unittest discover -s tests -t . -v

echo "== 5. a hostile script, confined"
"$wardenv" run -- python hostile.py

echo "== 6. what the report says of it"
"$wardenv" run --json -- python hostile.py | python3 -c '
import json, sys
report = json.load(sys.stdin)
print("outcome:", report["outcome"], "exit:", report["exit_code"])
print("held by:", {k: report["enforced"][k] for k in ("memory", "processes", "cpu", "seccomp", "landlock_abi")})
for violation in report["violations"]:
    print("refused:", violation["what"], "x", violation["count"], "-", violation["hint"])
assert report["exit_code"] == 0 and report["violations"], report'
echo "== done: $wardenv run --help says more"
