"""Native batches of both providers, in both colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hb_testing.conformance.colours import COLOURS, Colour
from hb_testing.server import LoopbackServer

from .bench import MODELS, Bench


@pytest.fixture(params=sorted(COLOURS))
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Sync and async."""
    made = COLOURS[request.param]()
    yield made
    made.close()


@pytest.fixture(params=sorted(MODELS))
def bench(request: pytest.FixtureRequest, server: LoopbackServer, colour: Colour, tmp_path: Path) -> Bench:
    """A batch at each provider."""
    return Bench(server, colour, request.param, tmp_path)
