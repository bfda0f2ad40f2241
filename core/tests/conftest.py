"""What every test of core may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from heavenbase import functions


@pytest.fixture
def no_default_kernel() -> Iterator[None]:
    """A process without a default kernel, before and after."""
    functions.set_default_kernel(None)
    yield
    functions.set_default_kernel(None)
