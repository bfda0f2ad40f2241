from __future__ import annotations

from collections.abc import Iterator

import pytest

from hb_testing.redis_server import RedisServer, running


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
