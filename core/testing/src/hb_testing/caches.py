"""What every cache backend must do, as tests to inherit.

    class TestMyStore(CacheStoreContract):
        def make_store(self, tmp_path, clock, **limits):
            return MyCache().open({"path": str(tmp_path / "db"), "clock": clock, "namespaces": {"text": limits}})

A store opened twice on one `tmp_path` is the same store when `persistent`.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from hb_testing.caches_base import ManualClock, cache_key
from hb_testing.caches_sharing import SharingChecks
from hb_testing.conformance.needs import promises
from heavenbase.errors import InputError
from heavenbase.plugin import CacheStore

__all__ = ["CacheStoreContract", "ManualClock", "cache_key"]

if TYPE_CHECKING:
    from pathlib import Path


MIB = 1 << 20


class CacheStoreContract(SharingChecks):
    """Inherit it in a class named Test…, implement `make_store`, and state what the store does not promise."""

    def test_a_stored_value_is_found_under_its_key_only(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            assert store.get("text", cache_key(1)) is None
            store.set("text", cache_key(1), b"one")
            assert store.get("text", cache_key(1)) == b"one"
            assert store.get("text", cache_key(2)) is None

    def test_storing_again_replaces_the_value(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"old value")
            store.set("text", cache_key(1), b"new")
            assert store.get("text", cache_key(1)) == b"new"
            assert store.stats()["text"]["entries"] == 1
            assert store.stats()["text"]["bytes"] == 3

    @pytest.mark.parametrize(
        "value", [b"", b"\0", bytes(range(256)), b"\xff" * MIB], ids=["empty", "nul", "all", "MiB"]
    )
    def test_any_bytes_come_back_as_they_were(self, tmp_path: Path, clock: ManualClock, value: bytes) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), value)
            assert store.get("text", cache_key(1)) == value

    @pytest.mark.parametrize("key", [b"", b"short", b"x" * 33])
    def test_a_key_of_another_length_is_refused(self, tmp_path: Path, clock: ManualClock, key: bytes) -> None:
        with closing(self.make_store(tmp_path, clock)) as store, pytest.raises(InputError, match="32 bytes"):
            store.set("text", key, b"value")

    def test_a_value_that_is_no_bytes_is_refused(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store, pytest.raises(InputError, match="bytes"):
            store.set("text", cache_key(1), "text")  # type: ignore[arg-type]

    def test_a_deleted_entry_is_gone(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"one")
            assert store.delete("text", cache_key(1)) is True
            assert store.delete("text", cache_key(1)) is False
            assert store.get("text", cache_key(1)) is None

    def test_an_entry_lives_until_its_time_is_over(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key("hour"), b"hour", ttl=3600)
            store.set("text", cache_key("ever"), b"ever")
            clock.advance(3599)
            assert store.get("text", cache_key("hour")) == b"hour"
            clock.advance(1)
            assert store.get("text", cache_key("hour")) is None
            assert store.get("text", cache_key("ever")) == b"ever"

    def test_reading_does_not_make_an_entry_live_longer(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"one", ttl=10)
            for _ in range(3):
                clock.advance(3)
                assert store.get("text", cache_key(1)) == b"one"
            clock.advance(3)
            assert store.get("text", cache_key(1)) is None

    def test_storing_again_starts_the_time_anew(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"one", ttl=10)
            clock.advance(9)
            store.set("text", cache_key(1), b"two", ttl=10)
            clock.advance(9)
            assert store.get("text", cache_key(1)) == b"two"

    @pytest.mark.parametrize("ttl", [0, -1, float("nan")])
    def test_no_time_to_live_stores_nothing(self, tmp_path: Path, clock: ManualClock, ttl: float) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"old")
            store.set("text", cache_key(1), b"new", ttl=ttl)
            assert store.get("text", cache_key(1)) is None

    def test_endless_time_to_live_is_for_ever(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"one", ttl=float("inf"))
            clock.advance(1e9)
            assert store.get("text", cache_key(1)) == b"one"

    def test_expired_entries_are_swept_by_later_writes(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            for number in range(100):
                store.set("text", cache_key(number), b"x", ttl=1)
            clock.advance(2)
            for number in range(1000, 1200):
                store.set("text", cache_key(number), b"x", ttl=60)
            assert store.stats()["text"]["entries"] == 200

    @promises("bounded", "bounds")
    def test_no_more_entries_are_kept_than_allowed(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock, max_entries=10)) as store:
            for number in range(50):
                store.set("text", cache_key(number), b"x")
                assert store.stats()["text"]["entries"] == min(number + 1, 10)
            assert store.get("text", cache_key(49)) == b"x"
            assert store.get("text", cache_key(0)) is None

    @promises("bounded", "bounds")
    def test_no_more_bytes_are_kept_than_allowed(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock, max_bytes=1000)) as store:
            for number in range(30):
                store.set("text", cache_key(number), bytes(100))
                assert store.stats()["text"]["bytes"] <= 1000
            assert store.stats()["text"]["entries"] == 10

    @promises("bounded", "bounds")
    def test_a_large_value_displaces_as_many_as_it_needs(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock, max_bytes=10_000)) as store:
            for number in range(200):
                store.set("text", cache_key(number), bytes(50))
            store.set("text", cache_key("large"), bytes(9_990))
            assert store.get("text", cache_key("large")) == bytes(9_990)
            assert store.stats()["text"]["bytes"] <= 10_000

    @promises("bounded", "bounds")
    def test_a_value_beyond_the_bound_is_not_stored_and_displaces_nothing(
        self, tmp_path: Path, clock: ManualClock
    ) -> None:
        with closing(self.make_store(tmp_path, clock, max_bytes=1000)) as store:
            store.set("text", cache_key("small"), b"small")
            store.set("text", cache_key("large"), b"old")
            store.set("text", cache_key("large"), bytes(1001))
            assert store.get("text", cache_key("large")) is None
            assert store.get("text", cache_key("small")) == b"small"

    @promises("bounded", "bounds")
    @promises("exact_order", "an exact order")
    def test_the_entry_not_used_for_longest_goes_first(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock, max_entries=3)) as store:
            for name in "abc":
                store.set("text", cache_key(name), name.encode())
                clock.advance(1)
            assert store.get("text", cache_key("a")) == b"a"
            clock.advance(1)
            store.set("text", cache_key("d"), b"d")
            assert [name for name in "abcd" if store.get("text", cache_key(name))] == ["a", "c", "d"]

    @promises("bounded", "bounds")
    @promises("exact_order", "an exact order")
    def test_the_order_of_use_is_kept_when_the_clock_stands_still(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock, max_entries=3)) as store:
            for name in "abc":
                store.set("text", cache_key(name), name.encode())
            store.get("text", cache_key("b"))
            store.get("text", cache_key("a"))
            store.set("text", cache_key("d"), b"d")
            store.set("text", cache_key("e"), b"e")
            assert [name for name in "abcde" if store.get("text", cache_key(name))] == ["a", "d", "e"]

    @promises("bounded", "bounds")
    def test_the_bounds_of_one_namespace_leave_others_alone(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock, max_entries=2)) as store:
            for number in range(5):
                store.set("text", cache_key(number), b"x")
                store.set("image", cache_key(number), b"y")
            assert store.stats()["text"]["entries"] == 2
            assert store.stats()["image"]["entries"] == 5

    def test_namespaces_do_not_see_each_other(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"text")
            store.set("image", cache_key(1), b"image")
            assert store.get("text", cache_key(1)) == b"text"
            assert store.get("image", cache_key(1)) == b"image"
            assert store.get("embedding", cache_key(1)) is None
            assert store.delete("text", cache_key(1)) is True
            assert store.get("image", cache_key(1)) == b"image"

    @pytest.mark.parametrize("name", ["", "ä/ö ü", "密钥", "a\0b", "line\nbreak", "\ud800", "%", "'; --", "x" * 300])
    def test_any_text_names_a_namespace(self, tmp_path: Path, clock: ManualClock, name: str) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set(name, cache_key(1), b"one")
            store.set("text", cache_key(2), b"two")
            assert store.get(name, cache_key(1)) == b"one"
            assert store.stats()[name]["entries"] == 1
            assert [entry.namespace for entry in store.entries(name)] == [name]
            assert store.clear(name) == 1
            assert store.get("text", cache_key(2)) == b"two"

    def test_clearing_a_namespace_keeps_the_others(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            for number in range(150):
                store.set("text", cache_key(number), b"x")
            store.set("image", cache_key(1), b"y")
            assert store.clear("text") == 150
            assert store.get("text", cache_key(1)) is None
            assert store.get("image", cache_key(1)) == b"y"
            assert store.clear("text") == 0

    def test_clearing_everything_leaves_nothing(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"x")
            store.set("image", cache_key(1), b"y")
            assert store.clear() == 2
            assert list(store.entries()) == []
            store.set("text", cache_key(2), b"z")
            assert store.get("text", cache_key(2)) == b"z"

    def test_purging_leaves_nothing_and_the_store_usable(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"x")
            store.purge()
            assert store.get("text", cache_key(1)) is None
            store.set("text", cache_key(1), b"y")
            assert store.get("text", cache_key(1)) == b"y"

    def test_stats_count_entries_and_bytes(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"12345")
            store.set("text", cache_key(2), b"123")
            store.set("image", cache_key(1), b"1")
            store.delete("text", cache_key(2))
            stats = store.stats()
            assert (stats["text"]["entries"], stats["text"]["bytes"]) == (1, 5)
            assert (stats["image"]["entries"], stats["image"]["bytes"]) == (1, 1)

    def test_entries_tell_size_and_times(self, tmp_path: Path, clock: ManualClock) -> None:
        start = clock.now
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"12345", ttl=60)
            clock.advance(5)
            store.get("text", cache_key(1))
            (entry,) = store.entries("text")
            assert (entry.namespace, entry.key, entry.size) == ("text", cache_key(1), 5)
            assert entry.created == pytest.approx(start, abs=0.001)
            assert entry.accessed == pytest.approx(start + 5, abs=0.001)
            assert entry.expires == pytest.approx(start + 60, abs=0.001)

    def test_looking_at_an_entry_is_no_use_of_it(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"one", ttl=60)
            store.set("text", cache_key(2), b"two")
            before = list(store.entries("text"))
            clock.advance(5)
            assert store.peek("text", cache_key(1)) == b"one"
            assert store.peek("text", cache_key(3)) is None
            if type(store).peek is not CacheStore.peek:
                assert list(store.entries("text")) == before
            clock.advance(55)
            assert store.peek("text", cache_key(1)) is None

    def test_several_values_are_stored_and_found_at_once(self, tmp_path: Path, clock: ManualClock) -> None:
        values = {cache_key(number): str(number).encode() for number in range(100)}
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set_many("text", values, ttl=60)
            assert store.get_many("text", [cache_key("absent"), *values]) == values
            assert asyncio.run(store.aget_many("text", list(values)[:3])) == dict(list(values.items())[:3])
            asyncio.run(store.aset_many("text", {cache_key("later"): b"x"}))
            assert store.stats()["text"]["entries"] == 101
            clock.advance(60)
            assert store.get_many("text", list(values)) == {}
            store.set_many("text", {})

    def test_entries_come_in_the_order_of_use_and_in_slices(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            for number in range(600):
                store.set(("text", "image")[number % 2], cache_key(number), b"x")
                clock.advance(1)
            every = list(store.entries())
            assert len({entry.key for entry in every}) == 600
            assert list(store.entries(limit=7, offset=590)) == every[590:597]
            assert list(store.entries("text", limit=0)) == []
            assert list(store.entries("nothing")) == []
            if self.exact_order:
                assert [entry.key for entry in every] == [cache_key(number) for number in reversed(range(600))]
            with pytest.raises(InputError, match="negative"):
                store.entries(offset=-1)

    def test_expired_entries_are_not_listed(self, tmp_path: Path, clock: ManualClock) -> None:
        with closing(self.make_store(tmp_path, clock)) as store:
            store.set("text", cache_key(1), b"x", ttl=1)
            store.set("text", cache_key(2), b"x")
            clock.advance(1)
            assert [entry.key for entry in store.entries("text")] == [cache_key(2)]
