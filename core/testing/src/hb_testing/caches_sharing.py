"""What a cache backend must do when it is shared: between stores, threads, tasks and event loops."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from hb_testing.caches_base import ManualClock, StoreTests, cache_key
from hb_testing.conformance.needs import promises

if TYPE_CHECKING:
    from pathlib import Path

from heavenbase.plugin import CacheStore


class SharingChecks(StoreTests):
    """Part of CacheStoreContract."""

    @promises("persistent", "persistence")
    def test_entries_outlive_the_store(self, tmp_path: Path, clock: ManualClock) -> None:
        self._needs(self.persistent, "persistence")
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"one")
            store.set("text", cache_key(2), b"two", ttl=10)
        clock.advance(10)
        with closing(self.make_store(tmp_path, clock)) as store:
            assert store.get("text", cache_key(1)) == b"one"
            assert store.get("text", cache_key(2)) is None

    @promises("persistent", "persistence")
    def test_two_open_stores_share_their_entries(self, tmp_path: Path, clock: ManualClock) -> None:
        self._needs(self.persistent, "persistence")
        with closing(self.make_store(tmp_path, clock)) as one, closing(self.make_store(tmp_path, clock)) as other:
            one.set("text", cache_key(1), b"one")
            assert other.get("text", cache_key(1)) == b"one"
            other.set("text", cache_key(1), b"other")
            assert one.get("text", cache_key(1)) == b"other"
            one.purge()
            other.set("text", cache_key(2), b"two")
            assert one.get("text", cache_key(1)) is None
            assert one.get("text", cache_key(2)) == b"two"

    def test_closing_twice_is_harmless(self, tmp_path: Path, clock: ManualClock) -> None:
        store = self.make_store(tmp_path, clock)
        store.set("text", cache_key(1), b"one")
        store.close()
        store.close()

    def test_threads_share_a_store(self, tmp_path: Path, clock: ManualClock) -> None:
        failures: list[BaseException] = []
        with closing(self.make_store(tmp_path, clock, max_entries=40)) as store:

            def work(number: int) -> None:
                try:
                    for turn in range(60):
                        name = (number * 7 + turn) % 50
                        found = store.get("text", cache_key(name))
                        assert found in (None, str(name).encode())
                        store.set("text", cache_key(name), str(name).encode())
                        if not turn % 20:
                            store.delete("text", cache_key(name))
                            list(store.entries("text", limit=5))
                except BaseException as error:
                    failures.append(error)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert failures == []
            stats = store.stats()["text"]
            assert stats["entries"] == len(list(store.entries("text")))
            assert stats["entries"] <= 40 or not self.bounded

    def test_tasks_share_a_store_over_several_loops(self, tmp_path: Path, clock: ManualClock) -> None:
        async def work(store: CacheStore, number: int) -> bytes | None:
            await store.aset("text", cache_key(number), str(number).encode(), ttl=60)
            return await store.aget("text", cache_key(number))

        async def all_of(store: CacheStore) -> list[bytes | None]:
            return await asyncio.gather(*(work(store, number) for number in range(20)))

        with closing(self.make_store(tmp_path, clock)) as store:
            for _ in range(2):
                assert asyncio.run(all_of(store)) == [str(number).encode() for number in range(20)]
            assert store.get("text", cache_key(3)) == b"3"
