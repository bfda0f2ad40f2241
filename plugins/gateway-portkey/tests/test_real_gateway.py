"""Through the real open-source Portkey gateway to a server that speaks the providers' wires."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.errors import (
    AuthError,
    HBError,
    ModelNotFound,
    RateLimitError,
    RequestRejected,
    ServerError,
)
from heavenbase.llm import LLM

from .support import DEEPSEEK_KEY, GATE_KEY, KEYS, make_kernel

# One worker starts one gateway.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("portkey")]
KEY_OF_OPENAI = "sk-openai-0123456789abcdef"


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(strict=False) as running:
        yield running


@pytest.fixture
def house(portkey: str, server: LoopbackServer) -> Iterator[Any]:
    """Makes LLMs behind the gateway, whose providers are the server."""
    variables = {
        **KEYS,
        "PORTKEY_BASE_URL": portkey,
        "DEEPSEEK_BASE_URL": server.url("openai"),
        "OPENAI_API_KEY": KEY_OF_OPENAI,
        "OPENAI_BASE_URL": server.url("openai"),
        "ANTHROPIC_API_KEY": "sk-ant-0123456789abcdef",
        "ANTHROPIC_BASE_URL": f"{server.url('anthropic')}/v1",
    }
    with make_kernel(**variables) as kernel:

        def make(model: str = "ds-flash", provider: str = "deepseek", **options: Any) -> LLM:
            return LLM(model=model, provider=provider, gateway="portkey", kernel=kernel, max_retries=0, **options)

        yield make


def test_hb29_the_gateway_takes_the_request_and_the_providers_key_on(house: Any, server: LoopbackServer) -> None:
    server.reply(text="from beyond")
    answer = house().complete("hello")
    assert (answer.text, answer.finish_reason) == ("from beyond", "stop")
    assert answer.usage.total_tokens > 0
    (request,) = server.requests
    assert request.path.endswith("/openai/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {DEEPSEEK_KEY}"
    assert request.json["model"] == "deepseek-v4-flash"
    assert request.json["messages"][-1] == {"role": "user", "content": "hello"}
    assert GATE_KEY not in str(dict(request.headers))


def test_streams_come_through_piece_by_piece_and_whole(house: Any, server: LoopbackServer) -> None:
    server.reply(text="one two three four", chunks=["one ", "two ", "three ", "four"])
    pieces = [piece for piece in house().stream("count") if piece]
    assert "".join(pieces) == "one two three four"
    assert len(pieces) > 1
    assert server.requests[0].json["stream"] is True


def test_a_stream_tells_its_usage(house: Any) -> None:
    llm = house("gpt-4o-mini", "openai")
    usages = [usage for usage in llm.stream("hi", include="usage") if usage]
    assert usages
    assert usages[-1]["total_tokens"] > 0


def test_both_colours_answer(house: Any) -> None:
    async def ask() -> tuple[str, str]:
        llm = house()
        return await llm.achat("hi"), "".join([piece async for piece in llm.astream("hi")])

    assert asyncio.run(ask()) == ("echo: hi", "echo: hi")


def test_embeddings_come_through_in_order(house: Any, server: LoopbackServer) -> None:
    vectors = house("text-embedding-3-small", "openai").embed(["a", "b"])
    assert len(vectors) == 2
    assert server.requests[0].json["input"] == ["a", "b"]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY_OF_OPENAI}"


def test_images_come_through(house: Any) -> None:
    image = house("gpt-image-1", "openai").imagen("a mug", seed=None)
    assert image.to_bytes().startswith(b"\x89PNG")


def test_tools_are_called_through_the_gateway(house: Any, server: LoopbackServer) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    server.reply(tool_calls=[{"name": "add", "arguments": {"a": 40, "b": 2}}])
    server.reply(text="42!")
    assert house().chat("40 + 2?", tools=[add]) == "42!"
    assert server.requests[1].json["messages"][-1]["content"] == "42"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthError), (404, ModelNotFound), (429, RateLimitError), (500, ServerError)]
)
@pytest.mark.parametrize("verb", ["chat", "stream"])
def test_errors_of_the_provider_keep_their_kind(
    verb: str, status: int, kind: type[HBError], house: Any, server: LoopbackServer
) -> None:
    server.reply(status=status, text="the model does not exist" if status == 404 else "no")
    with pytest.raises(kind) as caught:
        list(getattr(house("gpt-4o-mini", "openai"), verb)("hi"))
    assert (caught.value.provider, caught.value.status) == ("openai", status)
    assert KEY_OF_OPENAI not in str(caught.value)


def test_a_gateway_that_does_not_know_the_provider_says_so(house: Any, server: LoopbackServer) -> None:
    with pytest.raises((RequestRejected, ModelNotFound)) as caught:
        house(headers={"x-portkey-provider": "no-such-provider"}).chat("hi")
    assert caught.value.status == 400
    assert server.requests == []


def test_anthropic_is_reached_on_the_openai_wire(house: Any, server: LoopbackServer) -> None:
    server.reply(text="bonjour")
    assert house("haiku", "anthropic").chat("hi", system="brief", seed=None) == "bonjour"
    (request,) = server.requests
    assert request.path.endswith("/v1/messages")
    assert "brief" in str(request.json["system"])


def test_hb35_the_anthropic_client_goes_through_the_real_gateway(house: Any, server: LoopbackServer) -> None:
    server.reply(text="natively")
    client = house("haiku", "anthropic").to_anthropic_client()
    message = client.messages.create(
        model="claude-haiku-4-5", max_tokens=16, messages=[{"role": "user", "content": "hi"}]
    )
    assert message.content[0].text == "natively"
    assert server.requests[0].path.endswith("/v1/messages")


def test_hb34_the_openai_client_goes_through_the_real_gateway(house: Any, server: LoopbackServer) -> None:
    llm = house()
    answer = llm.to_client().chat.completions.create(messages=[{"role": "user", "content": "hi"}], **llm.to_args())
    assert answer.choices[0].message.content == "echo: hi"
    assert server.requests[0].json["temperature"] == 0
