# SPDX-License-Identifier: Apache-2.0
# Tries to outlive its run: ignores every signal that it can, forks twice into a new session, and sleeps there and here.
# The first argument marks the processes so that they can be found from outside.
import os
import signal
import time

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
print("staying", flush=True)
time.sleep(1000)
