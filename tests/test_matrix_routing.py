"""Which native provider a model's name means, and that a name that means none sends nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.errors import UnknownModelError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from tests.matrix import EVERY, INSTALLED, NINE, OPENROUTER, Bench, Row, addresses, credentials, make_kernel, wires

NAMES = [
    ("gpt-4o-mini", "openai", "gpt-4o-mini"),
    ("chatgpt-4o-latest", "openai", "chatgpt-4o-latest"),
    ("o1", "openai", "o1"),
    ("o3-mini", "openai", "o3-mini"),
    ("o4-mini", "openai", "o4-mini"),
    ("openai/gpt-4o", "openai", "gpt-4o"),
    ("ft:gpt-4o:me::1", "openai", "ft:gpt-4o:me::1"),
    ("gemini-2.5-flash", "gemini", "gemini-2.5-flash"),
    ("gemini-embedding-001", "gemini", "gemini-embedding-001"),
    ("gemini/gemini-2.5-flash", "gemini", "gemini-2.5-flash"),
    ("claude-3-5-haiku-20241022", "anthropic", "claude-3-5-haiku-20241022"),
    ("anthropic/claude-3-5-haiku-20241022", "anthropic", "claude-3-5-haiku-20241022"),
    ("groq/llama-3.1-8b-instant", "groq", "llama-3.1-8b-instant"),
    ("GROQ/llama-3.1-8b-instant", "groq", "llama-3.1-8b-instant"),
    ("mistral/mistral-small-latest", "mistral", "mistral-small-latest"),
    ("cohere/command-a-03-2025", "cohere", "command-a-03-2025"),
    ("azure/any-deployment", "azure", "any-deployment"),
    ("bedrock/us.amazon.nova-lite-v1:0", "bedrock", "us.amazon.nova-lite-v1:0"),
    ("amazon.nova-lite-v1:0", "bedrock", "amazon.nova-lite-v1:0"),
    ("ollama/llama3.2:1b", "ollama", "llama3.2:1b"),
]
THERE = {row.name for row in INSTALLED}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=wires()) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(server: LoopbackServer) -> Iterator[Kernel]:
    """A kernel to which every provider is open."""
    with make_kernel({**addresses(server), **credentials()}) as made:
        yield made


def test_the_matrix_has_the_providers_that_have_a_wire_of_their_own() -> None:
    assert {row.name for row in (*INSTALLED, OPENROUTER)} <= {*NINE, "openrouter"}
    assert {row.name for row in INSTALLED} == set(NINE)


@pytest.mark.parametrize(("asked", "provider", "native"), [row for row in NAMES if row[1] in THERE])
def test_g01_a_name_chooses_its_provider_and_its_head_does_not_travel(
    kernel: Kernel, asked: str, provider: str, native: str
) -> None:
    spec = kernel.resolve(model=asked)
    assert (spec.provider, spec.model_id) == (provider, native)


@EVERY
def test_g01_the_model_on_the_wire_has_no_head(bench: Bench) -> None:
    answer = bench.complete()
    [request] = bench.server.requests
    named = request.json.get("model") or request.path
    assert bench.row.model in str(named).replace("%3A", ":")
    assert f"{bench.row.name}/" not in str(request.json.get("model", ""))
    assert answer.provider == bench.row.name


@EVERY
def test_g01_provider_wins_over_the_name(row: Row, kernel: Kernel) -> None:
    for name in ("gpt-of-tomorrow", "claude-of-tomorrow", "gemini-of-tomorrow"):
        spec = kernel.resolve(model=name, provider=row.name)
        assert (spec.provider, spec.model_id) == (row.name, name)


@pytest.mark.parametrize("name", ["no-such-thing", "nobody/no-such-thing", "deepseek-chap"])
@pytest.mark.parametrize("verb", ["chat", "embed"])
def test_g01_an_unknown_model_is_named_and_nothing_is_sent(
    server: LoopbackServer, kernel: Kernel, name: str, verb: str
) -> None:
    with pytest.raises(UnknownModelError) as caught:
        getattr(LLM(model=name, kernel=kernel), verb)("hi")
    assert caught.value.model == name
    assert server.requests == []
