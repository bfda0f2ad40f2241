"""One server with every wire, and a caller in each colour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hb_testing.server import LoopbackServer, OpenAIWire

from .support import AzureWire, Caller, Clock, addresses, keys, make_kernel


@pytest.fixture(scope="session")
def _server() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=[AzureWire(), OpenAIWire(name="groq", base="/openai/v1")]) as running:
        yield running


@pytest.fixture
def server(_server: LoopbackServer) -> LoopbackServer:
    """The server, with nothing of other tests."""
    _server.clear()
    return _server


@pytest.fixture(scope="session", params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    """Both colours."""
    return str(request.param)


def _pass(seconds: float) -> None:
    """Let time pass at once."""


async def _apass(seconds: float) -> None:
    """Let time pass at once."""


@pytest.fixture(scope="session")
def _caller(_server: LoopbackServer, colour: str) -> Iterator[Caller]:
    # One test's Retry-After would be waited for by the next one, which asks the same target.
    made = Caller(colour, make_kernel({**addresses(_server), **keys()}, sleep=_pass, asleep=_apass))
    yield made
    made.close()


@pytest.fixture
def caller(server: LoopbackServer, _caller: Caller) -> Caller:
    """A caller whose kernel finds every provider and its key."""
    return _caller


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def caller_of(server: LoopbackServer, colour: str) -> Iterator[Callable[..., Caller]]:
    """Make callers with variables and kernels of their own."""
    made: list[Caller] = []

    def make(environ: dict[str, str] | None = None, **options: Any) -> Caller:
        environ = {**addresses(server), **keys()} if environ is None else environ
        made.append(Caller(colour, make_kernel(environ, **options)))
        return made[-1]

    yield make
    for each in made:
        each.close()
