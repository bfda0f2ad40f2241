"""Callers and servers, for the tests of the openai gateway."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from hb_testing.server import LoopbackServer

from .support import Caller

MODES = ["chat", "stream", "achat", "astream", "achat without aiohttp", "astream without aiohttp"]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def caller() -> Iterator[Caller]:
    made = Caller()
    yield made
    made.clients.close()


def _mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    mode, _, without = str(request.param).partition(" ")
    if without:
        monkeypatch.setattr("heavenbase.http.transport.connections.has_aiohttp", lambda: False)
    elif mode.startswith("a") and importlib.util.find_spec("aiohttp") is None:
        pytest.skip("needs aiohttp: pip install aiohttp")
    return mode


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every way to chat."""
    return _mode(request, monkeypatch)


@pytest.fixture(params=[name for name in MODES if "stream" in name])
def stream_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every way to stream."""
    return _mode(request, monkeypatch)


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    """The colour of a verb that does not stream."""
    return str(request.param)
