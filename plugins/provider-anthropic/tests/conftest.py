"""A server for the tests of the provider."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hb_testing.server import LoopbackServer


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running
