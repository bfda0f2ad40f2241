"""`hb ollama list` and `hb ollama pull`, against a server of Ollama's wire."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from hb_cli.state import State
from hb_provider_ollama.cli import group
from hb_testing.server import LoopbackServer, refused_port
from heavenbase import errors


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("OLLAMA_BASE_URL", raising=False)
    with LoopbackServer() as running:
        monkeypatch.setenv("OLLAMA_HOST", running.url("ollama"))
        yield running


def run(*arguments: str) -> Result:
    state = State()
    try:
        return CliRunner().invoke(group, arguments, obj=state)
    finally:
        state.close()


def test_list_shows_what_the_server_has(server: LoopbackServer) -> None:
    found = run("list")
    assert found.exit_code == 0, found.output
    assert "llama3.2:latest" in found.stdout
    assert "2.0 GB" in found.stdout
    [model] = json.loads(run("list", "--json").stdout)
    assert (model["name"], model["quantization"]) == ("llama3.2:latest", "Q4_K_M")


def test_pull_fetches_a_model_and_tells_how_far_it_is(server: LoopbackServer) -> None:
    found = run("pull", "qwen3:8b")
    assert found.exit_code == 0, found.output
    assert "hb chat -m ollama/qwen3:8b" in found.stdout
    assert [line for line in found.stderr.splitlines() if line] == [
        "pulling manifest",
        "pulling 4f659a1e86d7",
        "verifying sha256 digest",
        "success",
    ]
    assert "qwen3:8b" in run("list").stdout


def test_a_model_that_does_not_exist_is_told(server: LoopbackServer) -> None:
    found = run("pull", "missing-model")
    assert isinstance(found.exception, errors.ModelNotFound)


def test_a_server_that_does_not_run_is_told_with_what_to_do(server: LoopbackServer) -> None:
    with refused_port() as port:
        found = run("list", "--host", f"127.0.0.1:{port}")
    assert isinstance(found.exception, errors.ConnectError)
    assert "ollama serve" in str(found.exception)
