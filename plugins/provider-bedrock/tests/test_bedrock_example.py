"""The tour in examples/ runs as it stands, against the loopback server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hb_provider_bedrock.conformance import SIGNING
from hb_testing.server import LoopbackServer, Reply

from .support import TOKEN

EXAMPLE = Path(__file__).parents[3] / "examples" / "bedrock.py"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the examples are not part of the source distribution")
@pytest.mark.parametrize("credentials", [{"AWS_BEARER_TOKEN_BEDROCK": TOKEN}, dict(SIGNING)], ids=["token", "keys"])
def test_the_example_runs(tmp_path: Path, credentials: dict[str, str]) -> None:
    def script(request: object) -> Reply | None:
        body = getattr(request, "body", b"")
        if b"umbrella" in body and b"toolResult" not in body:
            return Reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Paris"}}])
        if b"capital of France" in body:
            return Reply('{"name": "Paris"}')
        return Reply(reasoning="I count", text="25") if b'"thinking"' in body else None

    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "PYTHONPATH") if name in os.environ}
    with LoopbackServer() as server:
        server.script(script)
        env = {**kept, **credentials, "HEAVENBASE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
        env |= {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": server.url("bedrock"), "AWS_EC2_METADATA_DISABLED": "true"}
        done = subprocess.run(
            [sys.executable, str(EXAMPLE)], env=env, capture_output=True, text=True, timeout=60, cwd=tmp_path
        )
    assert done.returncode == 0, done.stderr
    lines = dict(line.partition(": ")[::2] for line in done.stdout.splitlines())
    assert lines["text"] == "echo: Name three primes."
    assert lines["stream"] == "echo: Count to three."
    assert "rains in Paris" not in lines["schema"]
    assert lines["schema"] == "{'name': 'Paris'}"
    assert lines["thoughts"].startswith("I count - answer: 25")
    assert lines["vectors"] == "2 of 256 numbers"
    assert (tmp_path / "hb-bedrock.png").read_bytes().startswith(b"\x89PNG")
