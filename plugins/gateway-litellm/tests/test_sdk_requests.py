"""What providers get through LiteLLM's own SDK, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from hb_testing.prepared import prepared
from hb_testing.server import LoopbackServer, refused_port
from heavenbase import errors
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

from .support import KEY, make_kernel

pytestmark = [
    # LiteLLM's own use of pydantic, and the connections that it keeps.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(strict=False) as running:
        yield running


@pytest.fixture
def kernel(server: LoopbackServer) -> Iterator[Kernel]:
    """A kernel whose providers are the server."""
    variables = {"DEEPSEEK_BASE_URL": server.url("openai"), "DEEPSEEK_API_KEY": KEY}
    variables |= {"OPENAI_BASE_URL": server.url("openai"), "OPENAI_API_KEY": KEY}
    variables |= {"ANTHROPIC_BASE_URL": server.url("anthropic"), "ANTHROPIC_API_KEY": KEY}
    with make_kernel(**variables) as made:
        yield made


def llm(kernel: Kernel, model: str = "ds-flash", provider: str = "deepseek", **options: Any) -> LLM:
    return LLM(model=model, provider=provider, gateway="litellm", kernel=kernel, max_retries=0, **options)


@pytest.mark.parametrize(
    ("provider", "model", "named"),
    [
        ("deepseek", "ds-flash", "deepseek/deepseek-v4-flash"),
        ("openrouter", "ds-flash", "openrouter/deepseek/deepseek-v4-flash"),
        ("grok", "grok-4.5", "xai/grok-4.5"),
        ("vllm", "any-model", "hosted_vllm/any-model"),
        ("openai", "openai/gpt-4o", "openai/gpt-4o"),
    ],
)
def test_hb27_models_are_named_with_their_provider_in_front(provider: str, model: str, named: str) -> None:
    assert prepared(model, provider=provider, gateway="litellm").body["model"] == named


def test_hb27_the_provider_is_asked_at_its_address_with_its_key(kernel: Kernel, server: LoopbackServer) -> None:
    answer = llm(kernel).complete("hello")
    assert (answer.text, answer.finish_reason, answer.provider, answer.gateway) == (
        "echo: hello",
        "stop",
        "deepseek",
        "litellm",
    )
    assert answer.usage is not None
    assert answer.usage.total_tokens
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["model"] == "deepseek-v4-flash"
    assert (request.json["temperature"], request.json["seed"]) == (0, 42)


def test_streams_come_piece_by_piece_with_usage(kernel: Kernel, server: LoopbackServer) -> None:
    server.reply(text="one two three", chunks=["one ", "two ", "three"])
    pieces = list(llm(kernel).stream("count", include=["text", "usage"]))
    assert [piece["text"] for piece in pieces if piece["text"]] == ["one ", "two ", "three"]
    assert [piece["usage"]["total_tokens"] for piece in pieces if piece["usage"]]


def test_two_event_loops_in_a_row_are_answered(kernel: Kernel) -> None:
    target = llm(kernel)

    async def ask() -> tuple[str, str]:
        return await target.achat("a"), "".join([piece async for piece in target.astream("b")])

    assert [asyncio.run(ask()) for _ in range(2)] == [("echo: a", "echo: b")] * 2


def test_tools_are_called(kernel: Kernel, server: LoopbackServer) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    server.reply(tool_calls=[{"name": "add", "arguments": {"a": 40, "b": 2}}])
    server.reply(text="42!")
    assert llm(kernel).chat("40 + 2?", tools=[add]) == "42!"
    assert server.requests[1].json["messages"][-1]["content"] == "42"


def test_thoughts_are_told_apart(kernel: Kernel, server: LoopbackServer) -> None:
    server.reply(text="4", reasoning="two and two")
    assert llm(kernel).chat("2 + 2?", think=True, include=["text", "think"]) == {"text": "4", "think": "two and two"}


def test_embeddings_come_in_order(kernel: Kernel, server: LoopbackServer) -> None:
    server.reply(embeddings=[[1.0, 0.0], [0.0, 1.0]])
    vectors = llm(kernel, "text-embedding-3-small", "openai").embed(["a", "b"])
    assert [list(vector) for vector in vectors] == [[1.0, 0.0], [0.0, 1.0]]
    assert server.requests[0].json["input"] == ["a", "b"]


def test_images_are_generated(kernel: Kernel) -> None:
    assert llm(kernel, "gpt-image-1", "openai").imagen("a mug", seed=None).to_bytes().startswith(b"\x89PNG")


def test_another_wire_is_spoken_and_what_it_lacks_is_reported(kernel: Kernel, server: LoopbackServer) -> None:
    answer = llm(kernel, "haiku", "anthropic").complete("hello", system="brief")
    assert answer.text == "echo: hello"
    assert answer.report.entries["seed"].outcome == "dropped"
    (request,) = server.requests
    assert request.path.endswith("/anthropic/v1/messages")
    assert "brief" in str(request.json["system"])


def test_a_parameter_that_litellm_lacks_is_reported_before_anything_is_sent(
    kernel: Kernel, server: LoopbackServer
) -> None:
    with pytest.raises(errors.LossyRequestError, match="seed is dropped"):
        llm(kernel, "haiku", "anthropic").chat("x", seed=7, on_lossy="error")
    assert server.requests == []


def test_what_litellm_does_not_translate_goes_along(kernel: Kernel, server: LoopbackServer) -> None:
    llm(kernel).chat("x", extra_body={"house_rule": 3}, extra_headers={"x-house": "yes"})
    assert server.requests[0].json["house_rule"] == 3
    assert server.requests[0].headers["x-house"] == "yes"


@pytest.mark.parametrize("provider", ["deepseek", "openai"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.RequestRejected),
        (401, errors.AuthError),
        (404, errors.ModelNotFound),
        (429, errors.RateLimitError),
        (500, errors.ServerError),
        (503, errors.ServerError),
    ],
)
@pytest.mark.parametrize("verb", ["chat", "stream"])
def test_statuses_keep_their_kind_and_show_no_key(
    verb: str, status: int, kind: type[errors.HBError], provider: str, kernel: Kernel, server: LoopbackServer
) -> None:
    text = "the model does not exist" if status == 404 else f"no, not with {KEY}"
    server.reply(status=status, text=text, headers={"retry-after": "7"})
    with pytest.raises(kind) as caught:
        list(getattr(llm(kernel, "m", provider), verb)("x"))
    assert len(server.requests) == 1
    assert (caught.value.status, caught.value.provider) == (status, provider)
    assert caught.value.retry_after == 7
    seen: BaseException | None = caught.value
    while seen is not None:
        assert KEY not in str(seen) + repr(seen.__dict__)
        assert isinstance(seen, errors.HBError)
        seen = seen.__cause__ or seen.__context__


@pytest.mark.parametrize("provider", ["deepseek", "openai"])
def test_a_connection_that_cannot_be_made_is_a_connect_error(provider: str, kernel: Kernel) -> None:
    with pytest.raises(errors.ConnectError) as caught, refused_port() as port:
        llm(kernel, "m", provider, base_url=f"http://127.0.0.1:{port}/v1").chat("x")
    assert caught.value.retryable


@pytest.mark.parametrize("provider", ["deepseek", "openai"])
def test_a_server_that_says_nothing_is_timed_out(provider: str, kernel: Kernel, server: LoopbackServer) -> None:
    silent = llm(kernel, "m", provider, base_url=server.url("openai", fault="E9.a"), timeout=0.3)
    with pytest.raises(errors.DeadlineExceeded):
        silent.chat("x")


@pytest.mark.parametrize("provider", ["deepseek", "openai"])
def test_a_finish_reason_is_never_invented(provider: str, kernel: Kernel, server: LoopbackServer) -> None:
    cut = llm(kernel, "m", provider, base_url=server.url("openai", fault="E1.after"))
    with pytest.raises(errors.StreamTruncated) as caught:
        list(cut.stream("x"))
    assert caught.value.maybe_billed


@pytest.mark.parametrize("provider", ["deepseek", "openai"])
def test_a_stream_that_breaks_is_told_with_what_had_come(provider: str, kernel: Kernel, server: LoopbackServer) -> None:
    broken = llm(kernel, "m", provider, base_url=server.url("openai", fault="E2.3"))
    with pytest.raises(errors.StreamError) as caught:
        list(broken.stream("x"))
    assert caught.value.partial is not None
    assert caught.value.partial.text


@pytest.mark.parametrize("verb", ["stream", "astream"])
def test_leaving_a_stream_closes_its_connection(verb: str, kernel: Kernel, server: LoopbackServer) -> None:
    server.reply(text="a b c d e f", chunks=list("abcdefgh"), pause=0.02)
    if verb == "stream":
        pieces = llm(kernel).stream("x")
        next(pieces)
        pieces.close()
    else:

        async def leave() -> None:
            pieces = llm(kernel).astream("x")
            await anext(pieces)
            await pieces.aclose()

        asyncio.run(leave())
    server.wait_for(lambda seen: seen.connections == 0, 2.0)


def test_proxies_of_a_call_are_refused(kernel: Kernel) -> None:
    with pytest.raises(errors.InputError, match="from the environment"):
        llm(kernel).chat("x", https_proxy="http://127.0.0.1:1")


def test_importing_the_sdk_leaves_the_environment_as_it_was() -> None:
    import subprocess
    import sys

    code = (
        "import os\nbefore = dict(os.environ)\nfrom hb_gateway_litellm.sdk import sdk\nsdk()\n"
        "assert 'LITELLM_MODE' not in os.environ and 'LITELLM_LOG' not in os.environ\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
