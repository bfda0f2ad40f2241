"""A process that uses a cache file until it is killed or has done enough: path, seed, number of calls."""

from __future__ import annotations

import random
import sys
import warnings
from hashlib import sha256

from hb_cache_sqlite import SQLiteCache


def value_of(number: int) -> bytes:
    """What is stored under the key of a number; 0.2 to 6 kB."""
    return sha256(b"%d" % number).digest() * (6 + number % 180)


def key_of(number: int) -> bytes:
    """The key of a number."""
    return sha256(b"key %d" % number).digest()


def main(path: str, seed: str, calls: str) -> None:
    """Print "ready", then "wrong" for each wrong value, then what was counted."""
    warnings.simplefilter("error")
    store = SQLiteCache().open({"path": path, "busy_timeout_ms": 5000, "namespaces": {"text": {"max_entries": 900}}})
    chance = random.Random(seed)
    store.get("text", key_of(0))
    print("ready", flush=True)
    for _ in range(int(calls)):
        number = chance.randrange(1000)
        found = store.get("text", key_of(number))
        if found is None:
            store.set("text", key_of(number), value_of(number), ttl=3600)
        elif found != value_of(number):
            print("wrong", flush=True)
    counts = store.stats()["text"]
    store.close()
    print("locked", counts["locked"], "failed", counts["failed"], "damaged", counts["damaged"], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
