"""What a Portkey gateway is sent, and what is refused before anything is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from hb_testing.prepared import prepared
from hb_testing.server import LoopbackServer, RecordedRequest
from heavenbase.errors import EmbeddingsNotSupported, MissingCredential
from heavenbase.llm import LLM

from .support import DEEPSEEK_KEY, GATE_KEY, KEYS, make_kernel

DEEPSEEK = {"model": "ds-flash", "provider": "deepseek", "gateway": "portkey"}


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(strict=False) as running:
        yield running


def ask(server: LoopbackServer, verb: str = "chat", target: Any = None, **environ: str) -> RecordedRequest:
    """The one request of a call whose gateway is the server."""
    with make_kernel(PORTKEY_BASE_URL=server.url("openai"), **{**KEYS, **environ}) as kernel:
        getattr(LLM(kernel=kernel, **(target or DEEPSEEK)), verb)("hello")
    (request,) = server.requests
    return request


def test_hb29_portkey_gets_its_key_the_provider_and_the_bearer_key_of_the_provider(server: LoopbackServer) -> None:
    request = ask(server)
    assert request.headers["x-portkey-api-key"] == GATE_KEY
    assert request.headers["x-portkey-provider"] == "deepseek"
    assert request.headers["x-portkey-strict-open-ai-compliance"] == "false"
    assert request.headers["authorization"] == f"Bearer {DEEPSEEK_KEY}"
    assert request.json["model"] == "deepseek-v4-flash"
    assert "x-portkey-custom-host" not in request.headers


def test_hb29_every_way_of_asking_carries_the_same_headers(server: LoopbackServer) -> None:
    target = {"model": "gpt-4o-mini", "provider": "openai", "gateway": "portkey"}
    with make_kernel(PORTKEY_BASE_URL=server.url("openai"), OPENAI_API_KEY=DEEPSEEK_KEY, **KEYS) as kernel:
        llm = LLM(kernel=kernel, **target)
        LLM(kernel=kernel, **target | {"model": "text-embedding-3-small"}).embed("x")
        llm.chat("x")
        list(llm.stream("x"))
        llm.imagen("x", seed=None)

        async def both() -> None:
            await llm.achat("x")
            _ = [piece async for piece in llm.astream("x")]
            await kernel.aclose()

        asyncio.run(both())
    assert len(server.requests) == 6
    for request in server.requests:
        assert request.headers["x-portkey-api-key"] == GATE_KEY
        assert request.headers["x-portkey-provider"] == "openai"
        assert request.headers["authorization"] == f"Bearer {DEEPSEEK_KEY}"


@pytest.mark.parametrize(
    ("provider", "model", "slug"),
    [("grok", "grok", "xai"), ("gemini", "gemini-flash", "google"), ("anthropic", "haiku", "anthropic")],
)
def test_portkey_has_names_of_its_own_for_providers(provider: str, model: str, slug: str) -> None:
    sent = prepared(model, provider=provider, gateway="portkey")
    assert sent.url == "https://api.portkey.ai/v1/chat/completions"
    assert sent.headers["x-portkey-provider"] == slug
    assert "x-portkey-custom-host" not in sent.headers


@pytest.mark.parametrize(
    ("provider", "model", "host"),
    [
        ("zai", "glm", "https://api.z.ai/api/paas/v4"),
        ("zai-zh", "glm", "https://open.bigmodel.cn/api/paas/v4"),
        ("omlx", "qwen", "http://localhost:8000/v1"),
        ("lmstudio", "qwen", "http://localhost:1234/v1"),
        ("vllm", "qwen", "http://localhost:8000/v1"),
        ("ollama", "gemma", "http://localhost:11434/v1"),
    ],
)
def test_a_provider_that_portkey_cannot_find_is_named_by_its_address(provider: str, model: str, host: str) -> None:
    sent = prepared(model, provider=provider, gateway="portkey")
    assert sent.headers["x-portkey-provider"] == "openai"
    assert sent.headers["x-portkey-custom-host"] == host
    assert sent.headers["x-portkey-forward-headers"] == "Authorization"


@pytest.mark.parametrize(
    "moved_by",
    [
        {"environ": {"DEEPSEEK_BASE_URL": "https://moved.test/v1"}},
        {"settings": {"heavenbase.llm.providers.deepseek.base_url": "https://moved.test/v1"}},
    ],
)
def test_a_provider_that_was_moved_is_asked_at_its_new_address(moved_by: dict[str, Any]) -> None:
    sent = prepared("ds-flash", provider="deepseek", gateway="portkey", **moved_by)
    assert sent.headers["x-portkey-custom-host"] == "https://moved.test/v1"
    assert sent.headers["x-portkey-provider"] == "openai"


def test_custom_is_reached_through_portkey_by_its_provider_url(server: LoopbackServer) -> None:
    with make_kernel() as kernel:
        llm = LLM(
            "custom",
            model="mine",
            gateway="portkey",
            base_url=server.url("openai"),
            provider_url="https://mine.test/v1",
            kernel=kernel,
        )
        llm.chat("x")
    (request,) = server.requests
    assert request.headers["x-portkey-custom-host"] == "https://mine.test/v1"


@pytest.mark.parametrize("header", ["x-portkey-config", "X-Portkey-Virtual-Key", "X-Portkey-Provider"])
def test_what_the_caller_tells_portkey_about_the_provider_counts(header: str, server: LoopbackServer) -> None:
    # Portkey has the provider's key then, so none is wanted here.
    with make_kernel(PORTKEY_BASE_URL=server.url("openai"), PORTKEY_API_KEY=GATE_KEY) as kernel:
        LLM(**DEEPSEEK, kernel=kernel, headers={header: "mine"}).chat("x")
    (request,) = server.requests
    assert request.headers[header.lower()] == "mine"
    assert request.headers["authorization"] == "Bearer portkey"
    assert ("x-portkey-provider" in request.headers) is (header == "X-Portkey-Provider")


def test_a_header_of_one_call_takes_the_place_of_the_clients_however_it_is_spelled(server: LoopbackServer) -> None:
    with make_kernel(PORTKEY_BASE_URL=server.url("openai"), **KEYS) as kernel:
        LLM(**DEEPSEEK, kernel=kernel).chat("x", extra_headers={"X-Portkey-Provider": "groq"})
    (request,) = server.requests
    assert request.headers["x-portkey-provider"] == "groq"


def test_the_service_wants_a_key_and_a_gateway_of_ones_own_does_not(server: LoopbackServer) -> None:
    with make_kernel(DEEPSEEK_API_KEY=DEEPSEEK_KEY) as kernel:
        with pytest.raises(MissingCredential, match="set PORTKEY_API_KEY, or pass gateway_key="):
            LLM(**DEEPSEEK, kernel=kernel).chat("x")
        LLM(**DEEPSEEK, kernel=kernel, base_url=server.url("openai")).chat("x")
    (request,) = server.requests
    assert "x-portkey-api-key" not in request.headers


def test_the_provider_wants_its_key_behind_portkey_too(server: LoopbackServer) -> None:
    with (
        make_kernel(PORTKEY_BASE_URL=server.url("openai"), PORTKEY_API_KEY=GATE_KEY) as kernel,
        pytest.raises(MissingCredential, match="DEEPSEEK_API_KEY"),
    ):
        LLM(**DEEPSEEK, kernel=kernel).chat("x")
    assert server.requests == []


def test_hb30_embeddings_of_openrouter_are_refused_with_the_way_out_and_nothing_is_sent(server: LoopbackServer) -> None:
    with make_kernel(PORTKEY_BASE_URL=server.url("openai"), OPENROUTER_API_KEY="sk-or-000", **KEYS) as kernel:
        llm = LLM(model="gpt-embedding-small", provider="openrouter", gateway="portkey", kernel=kernel)
        with pytest.raises(NotImplementedError, match='use gateway="openai"') as caught:
            llm.embed("x")
        assert isinstance(caught.value, EmbeddingsNotSupported)
        with pytest.raises(NotImplementedError, match='use gateway="openai"'):
            asyncio.run(llm.aembed(["x", "y"]))
    assert server.requests == []


def test_hb34_the_clients_of_the_openai_sdk_go_through_portkey(server: LoopbackServer) -> None:
    import openai

    with make_kernel(PORTKEY_BASE_URL=server.url("openai"), **KEYS) as kernel:
        llm = LLM(**DEEPSEEK, kernel=kernel)
        client = llm.to_client()
        assert type(client) is openai.OpenAI
        assert llm.to_client() is client
        client.chat.completions.create(messages=[{"role": "user", "content": "x"}], **llm.to_args())

        async def made() -> Any:
            return llm.to_aclient()

        assert type(asyncio.run(made())) is openai.AsyncOpenAI
    (request,) = server.requests
    assert request.headers["x-portkey-api-key"] == GATE_KEY
    assert request.headers["x-portkey-provider"] == "deepseek"
    assert request.headers["authorization"] == f"Bearer {DEEPSEEK_KEY}"
    assert request.json["model"] == "deepseek-v4-flash"


def test_hb35_the_clients_of_the_anthropic_sdk_go_through_portkey(server: LoopbackServer) -> None:
    import anthropic

    target = {"model": "haiku", "provider": "anthropic", "gateway": "portkey"}
    with make_kernel(PORTKEY_BASE_URL=server.url("anthropic"), ANTHROPIC_API_KEY=DEEPSEEK_KEY, **KEYS) as kernel:
        llm = LLM(**target, kernel=kernel)
        client = llm.to_anthropic_client()
        assert type(client) is anthropic.Anthropic
        client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}])

        async def made() -> Any:
            return llm.to_anthropic_aclient()

        assert type(asyncio.run(made())) is anthropic.AsyncAnthropic
    (request,) = server.requests
    assert request.path.endswith("/v1/messages")
    assert request.headers["x-portkey-provider"] == "anthropic"
    assert request.headers["x-portkey-api-key"] == GATE_KEY
    assert request.headers["authorization"] == f"Bearer {DEEPSEEK_KEY}"


def test_two_providers_behind_one_portkey_do_not_share_a_client(server: LoopbackServer) -> None:
    with make_kernel(PORTKEY_BASE_URL=server.url("openai"), PORTKEY_API_KEY=GATE_KEY) as kernel:
        for provider, model in (("deepseek", "ds-flash"), ("minimax", "MiniMax-M2.7")):
            LLM(model=model, provider=provider, gateway="portkey", api_key=DEEPSEEK_KEY, kernel=kernel).chat("x")
    assert [request.headers["x-portkey-provider"] for request in server.requests] == ["deepseek", "minimax"]


def test_no_key_is_shown_in_what_would_be_sent() -> None:
    sent = prepared("ds-flash", provider="deepseek", gateway="portkey", environ=KEYS)
    assert GATE_KEY not in repr(sent)
    assert DEEPSEEK_KEY not in repr(sent)
    assert sent.headers["x-portkey-provider"] == "deepseek"
