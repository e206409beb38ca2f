# SPDX-License-Identifier: Apache-2.0
# Takes up to GOAL MiB, one at a time, in PROCESSES processes in turn; prints the total after each MiB.
import mmap
import os
import sys

goal, count = int(sys.argv[1]), int(sys.argv[2])
PAGE = b"x" * 4096
MIB = 1 << 20


def take():
    block = mmap.mmap(-1, MIB)
    for offset in range(0, MIB, 4096):
        block[offset : offset + 4096] = PAGE
    return block


def serve(orders, answers):
    held = []
    while os.read(orders, 1):
        held.append(take())
        os.write(answers, b".")


workers = []
for _ in range(count):
    order_read, order_write = os.pipe()
    answer_read, answer_write = os.pipe()
    if os.fork() == 0:
        os.close(order_write)
        serve(order_read, answer_write)
        os._exit(0)
    os.close(order_read)
    os.close(answer_write)
    workers.append((order_write, answer_read))
for total in range(1, goal + 1):
    orders, answers = workers[total % count]
    os.write(orders, b".")
    if not os.read(answers, 1):
        sys.exit("a worker died")
    os.write(1, f"{total}\n".encode())
