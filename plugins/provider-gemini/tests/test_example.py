"""The example runs as it stands, against a server of Gemini's wire."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer

EXAMPLE = Path(__file__).parents[3] / "examples" / "gemini.py"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the examples lie in the repository alone")
def test_the_example_runs(tmp_path: Path) -> None:
    with LoopbackServer() as server:
        variables = environment(
            GEMINI_BASE_URL=server.url("gemini"), GEMINI_API_KEY="AIza-example", TMPDIR=str(tmp_path)
        )
        run = subprocess.run(
            [sys.executable, str(EXAMPLE)], env=variables, capture_output=True, text=True, timeout=60, check=False
        )
        paths = [request.path for request in server.requests]
    assert run.returncode == 0, run.stderr
    assert "text: echo: Name three primes." in run.stdout
    assert "vectors: 2 of 256 numbers" in run.stdout
    assert (tmp_path / "hb-gemini.png").exists()
    assert any(path.endswith("gemini-2.5-flash:streamGenerateContent?alt=sse") for path in paths)
