# SPDX-License-Identifier: Apache-2.0
import asyncio
import concurrent.futures
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

import wordcount


class CountTest(unittest.TestCase):
    def test_counts_words_in_any_case(self):
        self.assertEqual(wordcount.count("One two, TWO; three 3"), {"one": 1, "two": 2, "three": 1})

    def test_workers_agree_with_one_process(self):
        texts = ["a b b", "b c", "c c c"] * 10
        self.assertEqual(wordcount.count_all(texts), wordcount.count(" ".join(texts)))

    def test_threads_agree_too(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.assertEqual(len(list(pool.map(wordcount.count, ["x y"] * 20))), 20)


class StoreTest(unittest.TestCase):
    def test_adds_up(self):
        with tempfile.TemporaryDirectory() as folder:
            store = wordcount.Store(str(pathlib.Path(folder) / "words.db"))
            store.add(wordcount.count("a a b"))
            store.add(wordcount.count("b b c"))
            self.assertEqual(store.top(2), [("b", 3), ("a", 2)])
            store.close()


class EnvironmentTest(unittest.TestCase):
    def test_runs_in_the_virtual_environment(self):
        self.assertNotEqual(sys.prefix, sys.base_prefix)

    def test_can_start_programs(self):
        done = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), "42")

    def test_asyncio_talks_over_loopback(self):
        async def talk():
            server = await asyncio.start_server(lambda r, w: (w.write(b"hello"), w.close()), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            data = await reader.read()
            writer.close()
            server.close()
            return data

        self.assertEqual(asyncio.run(talk()), b"hello")

    def test_names_do_not_leave_the_machine(self):
        with self.assertRaises(OSError):
            socket.create_connection(("192.0.2.1", 80), timeout=2)


if __name__ == "__main__":
    unittest.main()
