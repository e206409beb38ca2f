# SPDX-License-Identifier: Apache-2.0
# Runs the project's probes one after the other; prints {probe: its result} after the nonce.
# Usage: probe_all.py NONCE "ACT [ARG…]"…
import json
import subprocess
import sys

PROBE = "/usr/lib/wardenv-vm/probes/probe"


def result_of(act, arguments):
    done = subprocess.run([PROBE, act, sys.argv[1], *arguments], stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    started = lines[:1] == ["NONCE " + sys.argv[1]]
    results = [line.removeprefix("RESULT ") for line in lines if line.startswith("RESULT ")]
    return results[0] if started and results else f"broken: {done.returncode} {lines}"


print(sys.argv[1])
print(json.dumps({words: result_of(words.split()[0], words.split()[1:]) for words in sys.argv[2:]}))
