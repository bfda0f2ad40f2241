"""Figures of a cache backend: filling, opening, hitting, evicting.

    python -m bench.load_cache_fill [--entries 1000000] [--value-bytes 2000] [--backend sqlite] [--folder DIR]

Every hit is compared with the value that was stored. Where a raw floor exists (the same SELECT on the same file), it
is measured in turn with the store in the same run, since machines are noisy and only ratios travel. The goals are those
of a million entries of 2 kB; ends with exit code 1 when one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.measure import Result
from heavenbase.plugin import Cache, CacheStore

SAMPLE = 20_000
ROUNDS = 3


def key_of(number: int) -> bytes:
    """The key of a number."""
    return sha256(b"%d" % number).digest()


def value_of(number: int, size: int) -> bytes:
    """What is stored under the key of a number."""
    return (sha256(b"value %d" % number).digest() * (size // 32 + 1))[:size]


def rss() -> int:
    """Resident bytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


GOALS: list[Result] = []


def goal(name: str, value: float, limit: float, unit: str) -> None:
    """Note a figure that has a goal."""
    GOALS.append(Result(name, value, limit, unit))


def percentile(times: list[float], part: float) -> float:
    """The value that this part of the durations does not exceed."""
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


def show(label: str, times: list[float], note: str = "") -> None:
    """Print the percentiles of durations in seconds."""
    times = sorted(times)
    at = {
        name: times[min(len(times) - 1, int(len(times) * part))] * 1e6 for name, part in (("p50", 0.5), ("p99", 0.99))
    }
    print(f"{label:34} p50 {at['p50']:8.1f}  p99 {at['p99']:8.1f}  max {times[-1] * 1e6:9.0f} microseconds  {note}")


def timed(action: Callable[[int], object], numbers: list[int]) -> list[float]:
    """The duration of the action for each number."""
    times = []
    for number in numbers:
        start = time.perf_counter()
        action(number)
        times.append(time.perf_counter() - start)
    return times


def backend_of(name: str) -> Cache:
    """The backend of a name."""
    if name == "memory":
        from hb_cache_memory import MemoryCache

        return MemoryCache()
    from hb_cache_sqlite import SQLiteCache

    return SQLiteCache()


class Bench:
    """One backend, one folder, one number of entries."""

    def __init__(self, backend: str, folder: Path, entries: int, size: int) -> None:
        self.backend = backend
        self.path = folder / "cache.db"
        self.entries = entries
        self.size = size
        self.wrong = 0

    def open(self, **limits: int) -> CacheStore:
        """A store on the file, with these limits."""
        settings: Mapping[str, Any] = {"path": str(self.path), "namespaces": {"text": limits}}
        return backend_of(self.backend).open(settings)

    def hit(self, store: CacheStore, number: int) -> None:
        """Read one entry and compare it."""
        if store.get("text", key_of(number)) != value_of(number, self.size):
            self.wrong += 1

    def some(self) -> list[int]:
        """Numbers of entries at random."""
        return [random.randrange(self.entries) for _ in range(SAMPLE)]

    def fill(self, store: CacheStore) -> None:
        """Store every entry, one write each, with a time to live."""
        before, largest, times = rss(), 0, []
        start = time.perf_counter()
        for number in range(self.entries):
            key, value = key_of(number), value_of(number, self.size)
            began = time.perf_counter()
            store.set("text", key, value, ttl=86400)
            times.append(time.perf_counter() - began)
            if not number % 500:
                largest = max(largest, self.log_size())
        show("set", times, f"({time.perf_counter() - start:.1f} s in all)")
        goal("fill", time.perf_counter() - start, 240 * self.entries / 1_000_000, "s")
        if largest:
            print(f"{'largest log':34} {largest / 2**20:.1f} MiB")
            goal("largest log", largest / 2**20, 64, "MiB")
        # 24 bytes of float and 8 of list slot per measured time are the bench's own.
        grown = (rss() - before - 32 * self.entries) / 2**20
        print(f"{'memory after filling':34} +{grown:.0f} MiB")
        if self.backend == "sqlite":
            goal("memory", grown, 150, "MiB")

    def log_size(self) -> int:
        """Bytes of the write-ahead log."""
        log = Path(f"{self.path}-wal")
        return log.stat().st_size if log.exists() else 0

    def reads(self, store: CacheStore) -> None:
        """Hits, misses, a hit after a write, an async hit, and the floor."""
        keys = {number: key_of(number) for number in range(min(self.entries, 200_000))}
        known = list(keys)
        raw = sqlite3.connect(self.path) if self.backend == "sqlite" else None
        floor = floor_of(raw) if raw is not None else None
        for _ in range(ROUNDS):
            numbers = [random.choice(known) for _ in range(SAMPLE)]
            if floor is not None:
                show("floor: the same SELECT, bare", timed(lambda number: floor(keys[number]), numbers))
            hits = timed(lambda number: store.get("text", keys[number]), numbers)
            show("get, hit", hits)
        goal("hit p50", percentile(hits, 0.5) * 1e3, 0.2, "ms")
        goal("hit p99", percentile(hits, 0.99) * 1e3, 2, "ms")
        if raw is not None:
            raw.close()
        show("get, miss", timed(lambda number: store.get("text", key_of(-1 - number)), self.some()))
        for number in self.some():
            self.hit(store, number)
        times = []
        for number in self.some()[:2000]:
            store.set("image", key_of(number), b"x")
            times += timed(lambda number: store.get("text", key_of(number)), [number])
        show("get, hit, after a write", times)

        async def read() -> list[float]:
            times = []
            for number in self.some():
                start = time.perf_counter()
                await store.aget("text", keys[number % len(keys)])
                times.append(time.perf_counter() - start)
            return times

        show("aget, hit", asyncio.run(read()))

    def evictions(self) -> None:
        """How long one transaction of an eviction holds the write lock, and a set that evicts takes."""
        with closing(self.open(max_entries=self.entries * 9 // 10)) as store:
            held: list[float] = []
            database = getattr(store, "_database", None)
            if database is not None:
                write = database.write

                def measured(*args: Any, **kwargs: Any) -> Any:
                    start = time.perf_counter()
                    try:
                        return write(*args, **kwargs)
                    finally:
                        held.append(time.perf_counter() - start)

                database.write = measured
            fresh = range(self.entries, self.entries + 2000)
            times = timed(lambda number: store.set("text", key_of(number), value_of(number, self.size)), list(fresh))
            show("set, evicting", times)
            if held:
                show("one transaction, write lock held", held)
                goal("write lock held", max(held) * 1e3, 50, "ms")

    def run(self) -> None:
        """Everything, in order."""
        print(f"{self.backend}: {self.entries:,} entries of {self.size:,} bytes; sqlite {sqlite3.sqlite_version}")
        store = self.open()
        self.fill(store)
        if self.backend == "sqlite":
            store.close()
            size = self.path.stat().st_size
            print(f"{'file':34} {size / 2**20:.0f} MiB, {size / self.entries / self.size:.2f} x payload")
            goal("file", size / self.entries / self.size, 1.6, "x")
            opening = []
            for _ in range(5):
                start = time.perf_counter()
                store = self.open()
                store.get("text", key_of(1))
                opening.append(time.perf_counter() - start)
                store.close()
            print(f"{'open and first hit':34} {min(opening) * 1e3:.1f} to {max(opening) * 1e3:.1f} ms")
            goal("open", max(opening) * 1e3, 200, "ms")
            store = self.open()
        before = rss()
        self.reads(store)
        print(f"{'memory after reading':34} +{(rss() - before) / 2**20:.0f} MiB (the bench's keys included)")
        store.close()
        if self.backend == "sqlite":
            self.evictions()
        goal("wrong values", self.wrong, 0, "")


def floor_of(raw: sqlite3.Connection) -> Callable[[bytes], object]:
    """What a hit costs at least: the statement alone."""
    from hb_cache_sqlite import rows

    namespace = rows.namespace_id("text")
    return lambda key: raw.execute(rows.GET, (namespace, key)).fetchone()


def main() -> int:
    """Read the arguments and run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--value-bytes", type=int, default=2000)
    parser.add_argument("--backend", choices=("sqlite", "memory"), default="sqlite")
    parser.add_argument("--folder", help="where the file is made; a temporary folder otherwise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        Bench(options.backend, Path(folder), options.entries, options.value_bytes).run()
    print()
    for result in GOALS:
        print(result.line())
    return int(any(result.verdict != "ok" for result in GOALS))


if __name__ == "__main__":
    sys.exit(main())
