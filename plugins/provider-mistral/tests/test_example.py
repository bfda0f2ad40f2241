"""The example runs as it stands, against a server of Mistral's wire."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer

EXAMPLE = Path(__file__).parents[3] / "examples" / "mistral.py"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the examples lie in the repository alone")
def test_the_example_runs() -> None:
    with LoopbackServer() as server:
        variables = environment(MISTRAL_BASE_URL=server.url("mistral"), MISTRAL_API_KEY="mi-example")
        run = subprocess.run(
            [sys.executable, str(EXAMPLE)], env=variables, capture_output=True, text=True, timeout=60, check=False
        )
        paths = {request.path for request in server.requests}
    assert run.returncode == 0, run.stderr
    assert "text: echo: Name three primes." in run.stdout
    assert "vectors: 2 of 1024 numbers" in run.stdout
    assert paths == {"/mistral/v1/chat/completions", "/mistral/v1/embeddings"}
