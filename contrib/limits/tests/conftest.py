from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hb_limits.rates.rules import RATES
from hb_testing.redis_server import RedisServer, running
from hb_testing.server import LoopbackServer

from .support import House, Make


@pytest.fixture
def model() -> Iterator[LoopbackServer]:
    """A model's endpoint."""
    with LoopbackServer() as server:
        yield server


@pytest.fixture(scope="session")
def shared_server() -> Iterator[RedisServer]:
    """One server for all tests that leave it as it is; each uses a namespace of its own."""
    with running() as server:
        yield server


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of the test's own, which it may stop and start."""
    with running() as made:
        yield made


@pytest.fixture
def make() -> Iterator[Make]:
    """Make houses, which are closed."""
    made: list[House] = []

    def house(*rules: dict[str, Any], **options: Any) -> House:
        made.append(House(*rules, **options))
        return made[-1]

    yield house
    for each in made:
        each.close()


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> float:
    """What a second of the rules lasts in this test, for those that go by a real clock."""
    lasts = 0.05
    for name, (unit, seconds) in [*RATES.items()]:
        if seconds == 1:
            monkeypatch.setitem(RATES, name, (unit, lasts))
    return lasts
