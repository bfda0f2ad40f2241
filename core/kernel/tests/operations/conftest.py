"""Operations against a loopback server, in both colours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hb_testing.conformance.colours import COLOURS, Colour
from hb_testing.server import LoopbackServer


@pytest.fixture(params=sorted(COLOURS))
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Sync and async."""
    made = COLOURS[request.param]()
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """A server that speaks every wire."""
    with LoopbackServer() as made:
        yield made
