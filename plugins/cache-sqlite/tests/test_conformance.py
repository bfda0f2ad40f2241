"""The sqlite backend and its stores keep the contract of every cache."""

from __future__ import annotations

from typing import ClassVar

from hb_testing import CacheContract


class TestSQLite(CacheContract):
    cache: ClassVar[str] = "sqlite"
    persistent = True
