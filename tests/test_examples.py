"""Every example runs as it stands, against a server of its provider's own wire, moved there by its variables alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer, Reply
from tests.forks import Forks
from tests.matrix import INSTALLED, addresses, credentials, wires

CAPITAL = '{"name": "Paris", "country": "France"}'
PROGRAM = (
    "import runpy, sys, warnings; warnings.simplefilter('error'); runpy.run_path(sys.argv[0], run_name='__main__')"
)
SHOWN = {
    "cohere": ("vectors: 2 of 256 numbers", "best: The Eiffel Tower is in Paris."),
    "gemini": ("vectors: 2 of 256 numbers",),
    "mistral": ("vectors: 2 of 1024 numbers",),
    "ollama": ("vectors: 2 of",),
}
"""What some show besides what all show."""
ASKED = {
    "cohere": {"chat", "embed", "rerank"},
    "gemini": {"gemini-2.5-flash:streamGenerateContent?alt=sse"},
    "mistral": {"completions", "embeddings"},
    "ollama": {"chat", "embed"},
}
"""How the addresses end that they ask, all of them but for Gemini, whose addresses name models."""
PICTURES = {"gemini": "hb-gemini.png"}
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
def test_the_example_runs(path: Path, server: LoopbackServer, tmp_path: Path, forks: Forks) -> None:
    server.clear()
    server.script(lambda request: Reply(CAPITAL) if b"The capital of France?" in request.body else None)
    env = environment(**addresses(server), **credentials(), TMPDIR=str(tmp_path), AWS_CONFIG_FILE=os.devnull)
    run = forks.run(PROGRAM, tmp_path, env, name=str(path))
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("text: echo: Name three primes.\nstream: echo: Count to three.\n")
    provider = path.stem.removesuffix("_tour")
    for line in ("tool: echo: Do I need an umbrella in Paris?", "Paris", *SHOWN.get(provider, ())):
        assert line in run.stdout, run.stdout
    asked = [request.path for request in server.requests]
    assert {line.split("/")[1] for line in asked} == {provider}
    ends = {line.rpartition("/")[2] for line in asked}
    expected = ASKED.get(provider, ends)
    assert ends == expected or (provider == "gemini" and ends > expected)
    assert provider not in PICTURES or (tmp_path / PICTURES[provider]).exists()
