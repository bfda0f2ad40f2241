"""The example runs as it stands, against a server of Ollama's wire."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer

EXAMPLE = Path(__file__).parents[3] / "examples" / "ollama_tour.py"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the examples lie in the repository alone")
def test_the_example_runs() -> None:
    with LoopbackServer() as server:
        run = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env=environment(OLLAMA_HOST=server.url("ollama")),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        paths = {request.path for request in server.requests}
    assert run.returncode == 0, run.stderr
    assert "text: echo: Name three primes." in run.stdout
    assert "vectors: 2 of" in run.stdout
    assert paths == {"/ollama/api/chat", "/ollama/api/embed"}
