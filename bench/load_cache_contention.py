"""Processes that share one cache file, some of them killed: nothing wrong, nothing locked, nothing damaged.

    python -m bench.load_cache_contention --seconds 300 [--kill-every 10] [--writers 4] [--readers 4]

Ends with exit code 1 when an invariant does not hold: integrity_check says ok, no wrong value, no error, no file moved
aside, counts that match the entries, p99 of writing at most 100 ms. `locked` counts the values that were not stored in
time, which only an overloaded machine should show.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

from hb_cache_sqlite import SQLiteCache
from heavenbase.errors import CacheWarning

KEYS = 20_000
MAX_ENTRIES = 15_000
THINK = 0.0005
WRONG = ("wrong", "failed", "damaged")
WRITE_P99 = 0.1
"""Seconds that one write in a hundred may take longer than."""


def key_of(number: int) -> bytes:
    """The key of a number."""
    return sha256(b"%d" % number).digest()


def value_of(number: int) -> bytes:
    """What is stored under the key of a number; 1 to 4 kB."""
    return sha256(b"value %d" % number).digest() * (32 + number % 96)


def work(role: str, path: str, seed: int, seconds: float) -> None:
    """Use the file for some seconds and print what happened, as JSON."""
    warnings.simplefilter("ignore", CacheWarning)
    chance = random.Random(seed)
    store = SQLiteCache().open({"path": path, "namespaces": {"text": {"max_entries": MAX_ENTRIES}}})
    times: list[float] = []
    wrong = hits = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        number = chance.randrange(KEYS)
        start = time.perf_counter()
        if role == "writer":
            store.set("text", key_of(number), value_of(number), ttl=chance.choice([5, 3600]))
        else:
            found = store.get("text", key_of(number))
            hits += found is not None
            wrong += found is not None and found != value_of(number)
        times.append(time.perf_counter() - start)
        time.sleep(THINK)
    counts = store.stats()["text"]
    store.close()
    answer = {"role": role, "wrong": wrong, "hits": hits}
    answer |= {name: counts[name] for name in ("locked", "failed", "damaged")}
    print(json.dumps({**answer, "times": times}))


def start(role: str, path: Path, seed: int, seconds: float) -> subprocess.Popen[str]:
    """A process that works."""
    command = [sys.executable, __file__, "--work", role, str(path), str(seed), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def percentiles(times: list[float]) -> str:
    """p50, p99, p99.9 and the longest, in milliseconds."""
    times = sorted(times)
    parts = ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"))
    shown = [f"{name} {times[int(len(times) * part)] * 1e3:.2f}" for part, name in parts]
    return f"{len(times):,} calls, {', '.join(shown)}, max {times[-1] * 1e3:.1f} ms"


def check(path: Path) -> list[str]:
    """What is wrong with the file."""
    problems = [f"moved aside: {name}" for name in path.parent.glob("*.corrupt-*")]
    with closing(sqlite3.connect(path)) as raw:
        answer = raw.execute("PRAGMA integrity_check").fetchone()[0]
        counted = raw.execute("SELECT count(*), sum(size), sum(length(value)) FROM entries").fetchone()
        kept = raw.execute("SELECT entries, bytes, bytes FROM namespaces").fetchone()
    print(f"integrity_check: {answer}; {counted[0]:,} entries, {path.stat().st_size / 2**20:.1f} MiB")
    if answer != "ok":
        problems.append(f"integrity_check: {answer}")
    if counted != kept:
        problems.append(f"counts {kept}, entries {counted}")
    return problems


def run(path: Path, options: argparse.Namespace) -> list[str]:
    """All processes until the time is over; what went wrong."""
    roles = ["writer"] * options.writers + ["reader"] * options.readers
    until = time.monotonic() + options.seconds
    running = [start(role, path, seed, options.seconds) for seed, role in enumerate(roles)]
    killed, largest, next_kill = 0, 0, time.monotonic() + options.kill_every
    while time.monotonic() < until:
        time.sleep(0.05)
        log = Path(f"{path}-wal")
        largest = max(largest, log.stat().st_size if log.exists() else 0)
        left = until - time.monotonic()
        if time.monotonic() >= next_kill and left > 1:
            index = random.randrange(len(running))
            running[index].kill()
            running[index].communicate()
            killed += 1
            running[index] = start(roles[index], path, 1000 + killed, left)
            next_kill += options.kill_every
    reports: list[dict[str, Any]] = []
    problems: list[str] = []
    for process in running:
        out, errors = process.communicate(timeout=120)
        if process.returncode or errors:
            problems.append(f"a process failed: {errors.strip()[-500:]}")
        else:
            reports.append(json.loads(out))
    for role in ("writer", "reader"):
        times = [seconds for report in reports if report["role"] == role for seconds in report["times"]]
        print(f"{role}s: {percentiles(times)}")
        slow = sorted(times)[int(len(times) * 0.99)]
        if role == "writer" and slow > WRITE_P99:
            problems.append(f"p99 of writing is {slow * 1e3:.1f} ms, more than {WRITE_P99 * 1e3:g}")
    for name in ("locked", *WRONG):
        total = sum(report[name] for report in reports)
        print(f"{name}: {total}")
        if total and name in WRONG:
            problems.append(f"{name}: {total}")
    print(
        f"hits: {sum(report['hits'] for report in reports):,}; killed: {killed}; largest log {largest / 2**20:.1f} MiB"
    )
    return problems + check(path)


def main() -> int:
    """Read the arguments and run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--kill-every", type=float, default=10)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        role, path, seed, seconds = options.work
        work(role, path, int(seed), float(seconds))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        problems = run(Path(folder) / "cache.db", options)
    print("\n".join(problems) or "every invariant holds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
