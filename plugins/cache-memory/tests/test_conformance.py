"""The memory backend and its stores keep the contract of every cache."""

from __future__ import annotations

from typing import ClassVar

from hb_testing import CacheContract


class TestMemory(CacheContract):
    cache: ClassVar[str] = "memory"
    persistent = False
