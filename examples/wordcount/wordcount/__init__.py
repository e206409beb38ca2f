# SPDX-License-Identifier: Apache-2.0
"""Counts words in texts and keeps the counts in a database."""
import collections
import multiprocessing
import re
import sqlite3

WORD = re.compile(r"[^\W\d_]+", re.UNICODE)


def count(text):
    return collections.Counter(word.lower() for word in WORD.findall(text))


def count_all(texts, workers=2):
    with multiprocessing.Pool(workers) as pool:
        return sum(pool.map(count, texts), collections.Counter())


class Store:
    def __init__(self, path):
        self.connection = sqlite3.connect(path)
        self.connection.execute("create table if not exists words (word text primary key, n integer not null)")

    def add(self, counts):
        with self.connection:
            self.connection.executemany(
                "insert into words values (?, ?) on conflict (word) do update set n = n + excluded.n", counts.items())

    def top(self, n):
        return self.connection.execute("select word, n from words order by n desc, word limit ?", (n,)).fetchall()

    def close(self):
        self.connection.close()
