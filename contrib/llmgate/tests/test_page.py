"""Every block of llmgate's page runs: as it stands, one after the other, against nine providers on loopback."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import heavenbase
from hb_testing.server import LoopbackServer, RecordedRequest, Reply

from .support import ROWS, USER, WEATHER, addresses, keys, provider_of

HERE = Path(__file__).parent
BLOCKS = re.findall(r"```python\n(.*?)```", (HERE / "page.md").read_text(encoding="utf-8"), re.DOTALL)
OPEN = {
    "messages=[...]": "messages=messages",
    "tools=[...]": "tools=tools",
    "middleware=[...]": "middleware=middlewares",
    '"https://..."': '"https://example.com/photo.jpg"',
}
"""What the page leaves out, by what stands there."""
FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
MOVIE = '{"title": "Solaris", "year": 1972, "rating": 8.0}'

pytestmark = [
    pytest.mark.filterwarnings("ignore::heavenbase.errors.FallbackWarning"),
    pytest.mark.usefixtures("surroundings"),
]


@pytest.fixture
def surroundings(server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The variables of every provider, a folder with photo.jpg, and a fresh kernel."""
    for name, value in {**addresses(server), **keys()}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    picture = BytesIO()
    Image.new("RGB", (2, 2)).save(picture, "JPEG")
    (tmp_path / "photo.jpg").write_bytes(picture.getvalue())
    heavenbase.set_default_kernel(None)
    yield
    heavenbase.default_kernel().close()
    heavenbase.set_default_kernel(None)


def answer(request: RecordedRequest) -> Reply | None:
    """A film where one is asked for, a tool call where there are tools and somebody asks for the weather."""
    body = request.body.decode()
    if "rating" in body:
        return Reply(MOVIE)
    if "get_weather" in body:
        return Reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}])
    return None


def stated() -> dict[str, Any]:
    """What the page takes for granted, and names that its blocks use and do not import."""
    from hb_llmgate import LoggingMiddleware, aparse

    return {
        "messages": USER,
        "tools": [WEATHER],
        "middlewares": [LoggingMiddleware()],
        "requests": [{"model": row.model, "messages": USER} for row in ROWS],
        "aparse": aparse,
    }


def run(place: int, names: dict[str, Any], loop: asyncio.Runner) -> None:
    """One block, in the names of those before it."""
    source = BLOCKS[place]
    for written, meant in OPEN.items():
        source = source.replace(written, meant)
    code = compile(source, f"block {place + 1} of page.md", "exec", flags=FLAGS)
    found = eval(code, names)  # noqa: S307 -- the page's own code
    if inspect.iscoroutine(found):

        async def finish() -> None:
            await found

        loop.run(finish())


@pytest.fixture
def notebook() -> Iterator[Callable[..., dict[str, Any]]]:
    """Run the blocks up to one; what they leave."""
    with asyncio.Runner() as loop:

        def through(last: int = len(BLOCKS), first: int = 0, **names: Any) -> dict[str, Any]:
            held = {**stated(), **names}
            for place in range(first, last):
                run(place, held, loop)
            return held

        yield through
        loop.run(heavenbase.default_kernel().aclose())


def test_every_block_of_the_page_runs(
    server: LoopbackServer, notebook: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    server.script(answer)
    names = notebook()
    told = capsys.readouterr().out
    assert "get_weather {'city': 'Köln'}" in told
    assert "3/3 succeeded" in told
    assert "Success rate: 100.0%" in told
    assert type(names["movie"]) is names["Movie"]
    assert (names["movie"].title, names["movie"].year) == ("Solaris", 1972)
    assert names["results"].successful == len(ROWS)
    assert names["resp"].text
    assert set(Counter(map(provider_of, server.requests))) == {row.name for row in ROWS}
    used = {request.headers.get("authorization") for request in server.requests if provider_of(request) == "groq"}
    assert used <= {"Bearer key-of-groq-0123456789", "Bearer gsk_..."}


def block_with(text: str) -> int:
    """The place of the block that says something."""
    [place] = [place for place, block in enumerate(BLOCKS) if text in block]
    return place


def test_the_blocks_about_errors_tell_them(
    server: LoopbackServer, notebook: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    from hb_llmgate import completion

    chain, single = block_with("in e.errors"), block_with("Bad API key for")
    server.script(lambda _: Reply("no", status=429))
    notebook(chain + 1, chain, completion=completion)
    told = capsys.readouterr().out
    assert " gpt-4o-mini: " in told
    assert " groq/llama-3.1-8b-instant: " in told
    for status, text in ((401, "Bad API key for openai"), (429, "Rate limited by openai"), (500, "Provider error: ")):
        server.script(lambda _, status=status: Reply("no", status=status))
        notebook(single + 1, single, completion=completion)
        assert text in capsys.readouterr().out


def test_the_blocks_about_fallbacks_fall_back(
    server: LoopbackServer, notebook: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    server.script(lambda request: Reply("no", status=429) if provider_of(request) == "openai" else Reply("yes"))
    place = block_with("whichever model succeeded")
    names = notebook(place + 1, place)
    assert (names["resp"].text, names["resp"].fallback_attempts) == ("yes", ["gpt-4o-mini"])
    place = block_with("Only fall back on rate limits")
    assert notebook(place + 1, place)["resp"].provider == "groq"


def test_the_extras_of_the_page_are_there() -> None:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["optional-dependencies"]) == {"mistral", "cohere", "bedrock", "ollama", "all"}
    included = {each.partition(">")[0] for each in project["dependencies"]}
    assert {f"hb-provider-{name}" for name in ("openai", "anthropic", "gemini", "groq", "azure")} <= included
    assert project["optional-dependencies"]["all"] == ["hb-llmgate[mistral,cohere,bedrock,ollama]"]


FUNCTIONS = "completion acompletion parse aparse batch abatch embed aembed LLMGate __version__"
MIDDLEWARES = "BaseMiddleware LoggingMiddleware RetryMiddleware CacheMiddleware RateLimitMiddleware FallbackMiddleware"
TYPES = (
    "Message TextPart ImagePart ImageURL ImageBytes ToolDefinition FunctionDefinition ToolCall CompletionRequest "
    "CompletionResponse Choice TokenUsage StreamChunk EmbeddingRequest EmbeddingResponse BatchError BatchResult"
)
ERRORS = (
    "LLMGateError ProviderError AuthError RateLimitError ProviderAPIError ModelNotFoundError ConfigError "
    "StreamingNotSupported EmbeddingsNotSupported VisionNotSupported BatchTimeoutError AllProvidersFailedError"
)
OURS = {"InvalidRequestError", "StructuredOutputError"}
"""Errors that llmgate does not have."""


def test_every_name_of_llmgate_can_be_imported_from_where_it_is_there() -> None:
    import hb_llmgate
    from hb_llmgate import exceptions, middleware, types

    homes = {MIDDLEWARES: middleware, TYPES: types, ERRORS: exceptions}
    for names, home in homes.items():
        for name in names.split():
            assert getattr(home, name) is getattr(hb_llmgate, name)
            assert name in home.__all__
    every = {*FUNCTIONS.split(), *MIDDLEWARES.split(), *TYPES.split(), *ERRORS.split()}
    assert set(hb_llmgate.__all__) == every | OURS == set(dir(hb_llmgate))
    assert all(callable(getattr(hb_llmgate, name)) for name in every - {"__version__"})


def test_the_parameters_of_llmgate_are_taken_by_their_places_and_names() -> None:
    import hb_llmgate as gate

    def leading(function: Any) -> list[str]:
        names = inspect.signature(function).parameters.values()
        return [it.name for it in names if it.kind in (it.POSITIONAL_OR_KEYWORD, it.KEYWORD_ONLY)]

    assert leading(gate.completion) == leading(gate.acompletion) == ["model", "messages"]
    assert leading(gate.parse) == leading(gate.aparse) == ["model", "messages", "response_format"]
    assert leading(gate.embed) == leading(gate.aembed) == ["model", "input"]
    assert leading(gate.batch) == leading(gate.abatch) == ["requests", "max_concurrency", "fail_fast", "timeout"]
    assert leading(gate.LLMGate) == [
        "middleware",
        "fallback_chain",
        "fallback_on",
        "stream_fallback_mode",
        "stream_resume_prompt",
    ]
    assert leading(gate.RetryMiddleware)[:4] == [
        "max_retries",
        "backoff_factor",
        "jitter_max",
        "retry_on_provider_errors",
    ]
    assert leading(gate.CacheMiddleware) == ["ttl", "maxsize"]
    assert leading(gate.RateLimitMiddleware)[:3] == ["requests_per_minute", "burst", "raise_on_limit"]
    assert leading(gate.LoggingMiddleware) == ["level", "mask_content", "log_usage"]
    assert leading(gate.FallbackMiddleware) == ["models", "fallback_on"]
    retry, cache, limit = gate.RetryMiddleware(), gate.CacheMiddleware(), gate.RateLimitMiddleware()
    assert (retry.max_retries, retry.backoff_factor, retry.jitter_max) == (3, 1.0, 0.5)
    assert (cache.ttl, cache.maxsize, limit.requests_per_minute) == (300.0, 128, 60)


def test_g26_importing_loads_nothing_heavy() -> None:
    code = "import sys, hb_llmgate; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    told = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"pydantic", "openai", "anthropic", "google", "heavenbase", "asyncio"}.isdisjoint(told)
