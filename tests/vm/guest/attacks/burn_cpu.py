# SPDX-License-Identifier: Apache-2.0
# Keeps two processes busy for SECONDS; prints the CPU time that they got as a share of the time that passed.
import os
import sys
import time

seconds = float(sys.argv[1])
started = time.monotonic()
for _ in range(2):
    if os.fork() == 0:
        while time.monotonic() - started < seconds:
            pass
        os._exit(0)
for _ in range(2):
    os.wait()
used = os.times()
print((used.children_user + used.children_system) / (time.monotonic() - started))
