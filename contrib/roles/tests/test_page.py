"""Every block of llmhub_runtime's page runs, with `hb_roles` in the place of `llmhub_runtime`.

What the page leaves open is stated here: its file has no role `llm.embedding`, which a block calls, so it gets
one; `[...]` stands for messages; keys and endpoints are those of a server on loopback.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hb_roles
from hb_testing.server import LoopbackServer

from .conftest import PAGE

EMBEDDING = """
  llm.embedding:
    provider: openai
    model: text-embedding-3-small
    mode: embedding
"""

BASIC = """
from hb_roles.hub import LLMHub

hub = LLMHub(config_path="llmhub.yaml")

response = hub.completion(
    role="llm.inference",
    messages=[{"role": "user", "content": "Hello"}],
)

print(response)
"""

EMBEDDINGS = """
embedding = hub.embedding(
    role="llm.embedding",
    input="Hello world",
)
"""

OVERRIDE = """
response = hub.completion(
    role="llm.inference",
    messages=[...],
    params_override={"temperature": 0.1},
)
"""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The names of somebody who follows the page in a folder with its file."""
    (tmp_path / "llmhub.yaml").write_text(PAGE + EMBEDDING, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {}
    yield names
    with contextlib.suppress(KeyError):
        names["hub"].close()


def run(block: str, names: dict[str, Any]) -> None:
    exec(compile(block.replace("[...]", '[{"role": "user", "content": "Hello"}]'), "page", "exec"), names)  # noqa: S102


def test_the_blocks_of_the_page_run_one_after_the_other(
    reader: dict[str, Any], server: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run(BASIC, reader)
    assert "echo: Hello" in capsys.readouterr().out
    assert reader["response"].choices[0].message.content == "echo: Hello"
    run(EMBEDDINGS, reader)
    assert len(reader["embedding"].data[0].embedding) > 1
    run(OVERRIDE, reader)
    first, second, third = server.requests
    assert (first.path, first.headers["x-api-key"]) == ("/anthropic/v1/messages", "key-of-anthropic")
    assert first.json == {
        "model": "claude-3-5-sonnet-20241022",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0.7,
        "max_tokens": 2048,
    }
    assert second.path == "/openai/v1/embeddings"
    assert second.json["model"] == "text-embedding-3-small"
    assert (third.json["temperature"], third.json["max_tokens"]) == (0.1, 2048)


def test_the_names_of_the_pages_overview_are_there() -> None:
    from hb_roles import config_loader, errors, hub, models, resolver

    for name in ("RuntimeConfig", "ProviderConfig", "RoleConfig", "ResolvedCall"):
        assert getattr(models, name) is getattr(hb_roles, name)
    assert hub.LLMHub is hb_roles.LLMHub
    assert config_loader.load_runtime_config is hb_roles.load_runtime_config
    assert resolver.resolve_role is hb_roles.resolve_role
    assert errors.LLMHubRuntimeError is hb_roles.LLMHubRuntimeError
    assert set(dir(hb_roles)) > {"LLMHub", "parse_runtime_config", "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'LLMhub'"):
        hb_roles.LLMhub  # noqa: B018


@pytest.mark.parametrize("call", ["acompletion", "aembedding", "stream", "astream", "image", "audio"])
def test_the_pages_roadmap_is_there(call: str) -> None:
    assert callable(getattr(hb_roles.LLMHub, call))
