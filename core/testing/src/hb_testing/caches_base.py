"""What the tests of cache backends stand on: a clock, keys, and the attributes that say what a store promises."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar

import pytest

from hb_testing.conformance.needs import Selective

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from heavenbase.plugin import CacheStore


class ManualClock:
    """Seconds that pass only when told to, or when somebody sleeps on them; `slept` are those waits."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Note the wait, and let it pass at once."""
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        """Async form of `sleep`."""
        self.sleep(seconds)


def cache_key(name: object) -> bytes:
    """32 bytes that stand for a name."""
    return sha256(str(name).encode("utf-8", "surrogatepass")).digest()


class StoreTests(Selective):
    """Base of the tests of a store."""

    persistent: ClassVar[bool] = False
    """Whether a store that was closed finds its entries again."""
    bounded: ClassVar[bool] = True
    """Whether max_entries and max_bytes hold after every `set`."""
    exact_order: ClassVar[bool] = True
    """Whether it is always the least recently used entry that goes, and entries are listed in that order."""

    def make_store(self, tmp_path: Path, clock: Callable[[], float], **limits: int) -> CacheStore:
        """An open store whose namespace "text" has these limits (max_entries, max_bytes), on this clock."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> ManualClock:
        """The clock of the stores of a test."""
        return ManualClock()

    @staticmethod
    def _needs(promise: bool, what: str) -> None:
        if not promise:
            pytest.skip(f"this store does not promise {what}")
