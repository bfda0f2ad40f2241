"""A server, a kernel that asks it, and batches in both colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer

from .support import Batch, Priced, make_kernel


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """A server that speaks OpenAI's wire."""
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def kernel(server: LoopbackServer) -> Iterator[hb.Kernel]:
    """A kernel with the provider `acme` and a table of prices."""
    with make_kernel(server, plugins=[Priced()]) as made:
        yield made


@pytest.fixture(params=["sync", "async"])
def batch(request: Any, kernel: hb.Kernel) -> Batch:
    """`hb.batch` in both colours."""
    return Batch(kernel, request.param)
