"""One server with both wires, and a kernel whose clock jumps, in either colour."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hb_testing.conformance.colours import COLOURS
from hb_testing.conformance.rig import Clock, environment
from hb_testing.server import LoopbackServer
from heavenbase.kernel import Kernel

from .support import KEYS, Stack


@pytest.fixture(scope="session")
def running() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        yield server


@pytest.fixture(params=["sync", "async"])
def stack(request: pytest.FixtureRequest, running: LoopbackServer) -> Iterator[Stack]:
    """Both providers against the server, in both colours."""
    running.clear()
    clock, colour = Clock(), COLOURS[request.param]()
    urls = {f"{name.upper()}_BASE_URL": running.url(name) for name in ("anthropic", "openrouter")}
    kernel = Kernel(
        {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.backend": "memory"},
        environ=environment(**urls, **KEYS),
        clock=clock,
        sleep=clock.sleep,
        asleep=clock.asleep,
        random=lambda: 0.5,
    )
    yield Stack(running, kernel, clock, colour)
    colour.close_kernel(kernel)
    colour.close()
