"""A server that speaks the wires of OpenAI and Anthropic, and hubs whose providers are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from hb_roles import LLMHub
from hb_testing.conformance.rig import Clock
from hb_testing.server import LoopbackServer

PAGE = """\
project: memory
env: dev

providers:
  openai:
    env_key: OPENAI_API_KEY
  anthropic:
    env_key: ANTHROPIC_API_KEY

roles:
  llm.preprocess:
    provider: openai
    model: gpt-4o-mini
    mode: chat
    params:
      temperature: 0.2
      max_tokens: 512

  llm.inference:
    provider: anthropic
    model: claude-3-5-sonnet-20241022
    mode: chat
    params:
      temperature: 0.7
      max_tokens: 2048
"""
"""The file that the page shows."""


@pytest.fixture
def page() -> dict[str, Any]:
    """The page's file as plain data, with a role for embeddings, which its text calls."""
    found: dict[str, Any] = yaml.safe_load(PAGE)
    found["roles"]["llm.embedding"] = {"provider": "openai", "model": "text-embedding-3-small", "mode": "embedding"}
    return found


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def environ(server: LoopbackServer) -> dict[str, str]:
    """The variables of a machine whose vendors are on loopback."""
    return {
        "OPENAI_API_KEY": "key-of-openai",
        "ANTHROPIC_API_KEY": "key-of-anthropic",
        "OPENAI_BASE_URL": server.url("openai"),
        "ANTHROPIC_BASE_URL": server.url("anthropic"),
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


Made = Callable[..., LLMHub]


@pytest.fixture
def made(page: dict[str, Any], environ: dict[str, str], clock: Clock) -> Iterator[Made]:
    """Make hubs, over the page's file unless another is given; they are closed in the end."""
    hubs: list[LLMHub] = []

    def make(config_obj: Any = None, **options: Any) -> LLMHub:
        kernel = options.pop("kernel_options", None) or {"clock": clock, "sleep": clock.sleep, "asleep": clock.asleep}
        if "config_path" not in options:
            options["config_obj"] = page if config_obj is None else config_obj
        hubs.append(LLMHub(environ=environ, kernel_options=kernel, **options))
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.close()
