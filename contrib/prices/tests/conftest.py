"""The table as a kernel without settings has it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hb_prices import Prices, Table
from hb_prices.prices import PACKAGED


def day(text: str, time: str = "12:00") -> float:
    """A moment of a day, in epoch seconds."""
    return datetime.fromisoformat(f"{text}T{time}").replace(tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def home(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> object:
    """A user who has refreshed nothing."""
    monkeypatch.setenv("HEAVENBASE_HOME", f"{tmp_path}/home")
    return tmp_path


@pytest.fixture
def prices() -> Prices:
    return Prices()


@pytest.fixture(scope="session")
def table() -> Table:
    return Table.read(PACKAGED)
