"""Senders in every colour, for the tests of the HTTP toolkit."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import COLOURS, MODULES, Sender


@pytest.fixture(params=MODULES, ids=lambda module: module.__name__)
def module(request: pytest.FixtureRequest) -> Any:
    """The HTTP library outside: httpx2, and httpx where it is installed."""
    return request.param


@pytest.fixture(params=COLOURS)
def sender(request: pytest.FixtureRequest, module: Any) -> Sender:
    """A sender of one colour."""
    return Sender(request.param, module)
