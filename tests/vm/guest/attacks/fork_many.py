# SPDX-License-Identifier: Apache-2.0
# Forks up to GOAL children that stay, and prints how many there were.
# With "forever", every child forks on as well; an unconfined bomb gives up after BOMB_SECONDS, for the machine's sake.
import os
import sys
import time

BOMB_SECONDS = 30


def fork_forever():
    started = time.monotonic()
    while time.monotonic() - started < BOMB_SECONDS:
        try:
            os.fork()
        except OSError:
            pass


def fork_and_count(goal):
    wait_end, hold_end = os.pipe()
    for made in range(goal):
        try:
            child = os.fork()
        except OSError:
            return made
        if child == 0:
            os.close(hold_end)
            os.read(wait_end, 1)  # ends when the parent does
            os._exit(0)
    return goal


if sys.argv[1] == "forever":
    fork_forever()
else:
    print(fork_and_count(int(sys.argv[1])))
