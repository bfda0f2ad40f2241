"""What a Bifrost gateway is sent, and what is refused before anything is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from hb_testing.conformance.rig import environment
from hb_testing.prepared import prepared
from hb_testing.server import LoopbackServer
from heavenbase.config.config import Config
from heavenbase.errors import ConfigError, ImageGenerationNotSupported
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

KEY = "sk-canary-0123456789abcdef"
VIRTUAL = "sk-bf-canary-0123456789"
DEEPSEEK = {"model": "ds-flash", "provider": "deepseek", "gateway": "bifrost"}


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(strict=False) as running:
        yield running


def make_kernel(settings: Mapping[str, Any] | None = None, **environ: str) -> Kernel:
    """A kernel without a cache that sees these variables and settings only."""
    return Kernel(
        Config.from_dict({"heavenbase.llm.cache.enabled": False, **(settings or {})}, environ=environment(**environ))
    )


def test_hb27_models_are_named_with_their_provider_in_front(server: LoopbackServer) -> None:
    with make_kernel(BIFROST_BASE_URL=server.url("openai"), DEEPSEEK_API_KEY=KEY) as kernel:
        llm = LLM(**DEEPSEEK, kernel=kernel)
        llm.chat("x")
        list(llm.stream("x"))
        asyncio.run(llm.achat("x"))
        assert llm.to_args()["model"] == "deepseek/deepseek-v4-flash"
    assert [request.json["model"] for request in server.requests] == ["deepseek/deepseek-v4-flash"] * 3


@pytest.mark.parametrize(
    ("provider", "model", "named"),
    [
        ("openrouter", "ds-flash", "openrouter/deepseek/deepseek-v4-flash"),
        ("openai", "gpt-4o", "openai/gpt-4o"),
        ("grok", "grok-4.5", "xai/grok-4.5"),
        ("zai", "glm", "zai/glm-5.2"),
        ("vllm", "any-model", "openai/any-model"),
        ("minimax", "minimax/M2", "minimax/M2"),
    ],
)
def test_hb27_the_head_is_bifrosts_name_and_never_doubled(provider: str, model: str, named: str) -> None:
    assert prepared(model, provider=provider, gateway="bifrost").body["model"] == named


def test_hb27_embeddings_too(server: LoopbackServer) -> None:
    with make_kernel(BIFROST_BASE_URL=server.url("openai")) as kernel:
        LLM(model="gpt-embedding-small", provider="openai", gateway="bifrost", kernel=kernel).embed("x")
    assert server.requests[0].json["model"] == "openai/text-embedding-3-small"


def test_hb28_bifrost_is_on_this_machine_unless_its_variable_says_otherwise() -> None:
    with make_kernel() as kernel:
        assert kernel.resolve(**DEEPSEEK).base_url == "http://localhost:8080/v1"
    with make_kernel(BIFROST_BASE_URL="https://bifrost.test/v1") as kernel:
        spec = kernel.resolve(**DEEPSEEK)
        assert spec.base_url == "https://bifrost.test/v1"
        assert spec.origins["base_url"] == "environment BIFROST_BASE_URL"
        assert kernel.resolve(**DEEPSEEK, base_url="https://other.test/v1").base_url == "https://other.test/v1"


def test_hb28_the_address_of_the_provider_does_not_lead_past_bifrost() -> None:
    sent = prepared("ds-flash", provider="deepseek", gateway="bifrost", environ={"DEEPSEEK_BASE_URL": "https://x.test"})
    assert sent.url == "http://localhost:8080/v1/chat/completions"


@pytest.mark.parametrize(
    ("keys", "bearer", "virtual"),
    [
        ({}, "bifrost", None),
        ({"DEEPSEEK_API_KEY": KEY}, KEY, None),
        ({"BIFROST_API_KEY": VIRTUAL}, VIRTUAL, VIRTUAL),
        ({"DEEPSEEK_API_KEY": KEY, "BIFROST_API_KEY": VIRTUAL}, KEY, VIRTUAL),
    ],
)
def test_each_key_goes_where_bifrost_looks_for_it(
    keys: dict[str, str], bearer: str, virtual: str | None, server: LoopbackServer
) -> None:
    with make_kernel(BIFROST_BASE_URL=server.url("openai"), **keys) as kernel:
        LLM(**DEEPSEEK, kernel=kernel).chat("x")
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {bearer}"
    assert request.headers.get("x-bf-vk") == virtual


def test_a_virtual_key_of_the_callers_counts(server: LoopbackServer) -> None:
    with make_kernel(BIFROST_BASE_URL=server.url("openai"), BIFROST_API_KEY=VIRTUAL) as kernel:
        LLM(**DEEPSEEK, kernel=kernel, headers={"X-BF-VK": "mine"}).chat("x")
    assert server.requests[0].headers["x-bf-vk"] == "mine"


def test_no_key_travels_in_clear_text_to_a_bifrost_elsewhere() -> None:
    variables = {"BIFROST_BASE_URL": "http://bifrost.test:8080/v1", "DEEPSEEK_API_KEY": KEY}
    with make_kernel(**variables) as kernel, pytest.raises(ConfigError, match=r"gateways\.bifrost\.allow_http true"):
        kernel.resolve(**DEEPSEEK)
    with make_kernel({"heavenbase.llm.gateways.bifrost.allow_http": True}, **variables) as kernel:
        assert kernel.resolve(**DEEPSEEK).base_url == "http://bifrost.test:8080/v1"


def test_hb30_images_are_refused_with_the_way_out_and_nothing_is_sent(server: LoopbackServer) -> None:
    with make_kernel(BIFROST_BASE_URL=server.url("openai"), OPENROUTER_API_KEY=KEY, OPENAI_API_KEY=KEY) as kernel:
        for target in ({"preset": "imagen"}, {"model": "gpt-image-1", "provider": "openai"}):
            llm = LLM(**target, gateway="bifrost", kernel=kernel)
            with pytest.raises(NotImplementedError, match='use gateway="openai"') as caught:
                llm.imagen("a mug")
            assert isinstance(caught.value, ImageGenerationNotSupported)
            with pytest.raises(NotImplementedError, match='use gateway="openai"'):
                asyncio.run(llm.aimagen("a mug"))
    assert server.requests == []


def test_hb34_the_clients_of_the_openai_sdk_go_through_bifrost(server: LoopbackServer) -> None:
    import openai

    with make_kernel(BIFROST_BASE_URL=server.url("openai"), BIFROST_API_KEY=VIRTUAL) as kernel:
        llm = LLM(**DEEPSEEK, kernel=kernel)
        client = llm.to_client()
        assert type(client) is openai.OpenAI
        client.chat.completions.create(messages=[{"role": "user", "content": "x"}], **llm.to_args())

        async def made() -> Any:
            return llm.to_aclient()

        assert type(asyncio.run(made())) is openai.AsyncOpenAI
    (request,) = server.requests
    assert request.json["model"] == "deepseek/deepseek-v4-flash"
    assert request.headers["x-bf-vk"] == VIRTUAL


def test_hb35_the_clients_of_the_anthropic_sdk_go_through_bifrost() -> None:
    import anthropic

    with make_kernel(BIFROST_BASE_URL="http://127.0.0.1:9/v1", BIFROST_API_KEY=VIRTUAL) as kernel:
        llm = LLM(model="haiku", provider="anthropic", gateway="bifrost", kernel=kernel)
        client = llm.to_anthropic_client()
        assert type(client) is anthropic.Anthropic
        assert str(client.base_url).rstrip("/") == "http://127.0.0.1:9/anthropic"


def test_no_key_is_shown_in_what_would_be_sent() -> None:
    keys = {"DEEPSEEK_API_KEY": KEY, "BIFROST_API_KEY": VIRTUAL}
    sent = prepared("ds-flash", provider="deepseek", gateway="bifrost", environ=keys)
    assert KEY not in repr(sent)
    assert VIRTUAL not in repr(sent)
