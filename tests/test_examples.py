"""Every example runs as it stands, against a server of its provider's own wire, moved there by its variables alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer, Reply
from tests.matrix import INSTALLED, addresses, credentials, wires

CAPITAL = '{"name": "Paris", "country": "France"}'
EXAMPLES = sorted(Path(__file__).parents[1].joinpath("examples").glob("*.py"))


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=wires()) as running:
        yield running


@pytest.mark.parametrize("row", INSTALLED, ids=lambda row: row.name)
def test_every_provider_has_an_example(row: object) -> None:
    name = getattr(row, "name", "")
    assert [path for path in EXAMPLES if path.stem.removesuffix("_tour") == name]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs(path: Path, server: LoopbackServer, tmp_path: Path) -> None:
    server.clear()
    server.script(lambda request: Reply(CAPITAL) if b"The capital of France?" in request.body else None)
    run = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        env=environment(**addresses(server), **credentials(), TMPDIR=str(tmp_path), AWS_CONFIG_FILE=os.devnull),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("text: echo: Name three primes.\nstream: echo: Count to three.\n")
    assert "tool: echo: Do I need an umbrella in Paris?" in run.stdout
    assert "Paris" in run.stdout, run.stdout
    provider = path.stem.removesuffix("_tour")
    assert {request.path.split("/")[1] for request in server.requests} == {provider}
