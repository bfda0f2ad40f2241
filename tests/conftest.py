"""One server with every wire, and one kernel and event loop per colour, for the tests of the matrix of providers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hb_testing.server import LoopbackServer

if TYPE_CHECKING:
    from hb_testing.conformance.colours import Colour
    from heavenbase.kernel import Kernel
    from tests.forks import Forks
    from tests.matrix import Bench, Row


@pytest.fixture(autouse=True)
def own_settings(request: pytest.FixtureRequest) -> None:
    """Settings of its own for each run, or those of whatever repository holds the temporary folder count."""
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester").makeini("[pytest]")


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Runs Python programs as new processes would, but for the time that it takes to import the SDKs."""
    from tests.forks import started

    with started() as running:
        yield running


@pytest.fixture
def servers() -> Iterator[list[LoopbackServer]]:
    """The two providers of a stranger's settings."""
    from tests.strangers import both_servers

    with both_servers() as found:
        yield found


@pytest.fixture(scope="session")
def matrix_server() -> Iterator[LoopbackServer]:
    """The server; strict, as the providers are."""
    from tests.matrix import wires

    with LoopbackServer(wires=wires()) as running:
        yield running


@pytest.fixture(scope="session", params=["sync", "async"])
def matrix_colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Sync, then async on one loop."""
    from tests.matrix import opened

    with opened(request.param) as made:
        yield made


@pytest.fixture(scope="session")
def matrix_kernel(matrix_server: LoopbackServer, matrix_colour: Colour) -> Iterator[Kernel]:
    """A kernel that finds every provider and its key in the environment."""
    from tests.matrix import addresses, credentials, make_kernel

    made = make_kernel({**addresses(matrix_server), **credentials()})
    yield made
    matrix_colour.close_kernel(made)


@pytest.fixture
def bench(row: Row, matrix_server: LoopbackServer, matrix_kernel: Kernel, matrix_colour: Colour) -> Bench:
    """The row's provider in one colour."""
    from tests.matrix import Bench

    return Bench(row, matrix_server, matrix_kernel, matrix_colour)
