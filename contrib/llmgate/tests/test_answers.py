"""Names, answers, chunks, tools, forms, vectors, images: what one model is asked, and how its answer looks."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

import hb_llmgate
from hb_llmgate.exceptions import (
    ConfigError,
    EmbeddingsNotSupported,
    InvalidRequestError,
    LLMGateError,
    ModelNotFoundError,
    ProviderAPIError,
    StructuredOutputError,
    VisionNotSupported,
)
from hb_llmgate.models import embedding_target
from hb_llmgate.types import ImageBytes, ImagePart, ImageURL, Message, TextPart, ToolDefinition
from hb_testing.server import Action, LoopbackServer, Pause, Reply, response
from heavenbase.errors import LossyRequestWarning

from .support import BY_NAME, EVERY, ROWS, USER, WEATHER, Caller, Row, addresses, keys, make_kernel, provider_of

EMBEDDING = pytest.mark.parametrize("row", [row for row in ROWS if row.embedding], ids=lambda row: row.name)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
NAMES = [
    ("gpt-4o-mini", "openai", "gpt-4o-mini"),
    ("GPT-4o", "openai", "GPT-4o"),
    ("o1", "openai", "o1"),
    ("o1-mini", "openai", "o1-mini"),
    ("o3", "openai", "o3"),
    ("o4-mini", "openai", "o4-mini"),
    ("chatgpt-4o-latest", "openai", "chatgpt-4o-latest"),
    ("ft:gpt-4o:me::1", "openai", "ft:gpt-4o:me::1"),
    ("openai/gpt-4o", "openai", "gpt-4o"),
    ("gemini-2.5-flash", "gemini", "gemini-2.5-flash"),
    ("gemini/gemini-2.5-flash", "gemini", "gemini-2.5-flash"),
    ("claude-opus-4-7", "anthropic", "claude-opus-4-7"),
    ("anthropic/claude-opus-4-7", "anthropic", "claude-opus-4-7"),
    ("groq/llama-3.1-8b-instant", "groq", "llama-3.1-8b-instant"),
    ("GROQ/openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b"),
    ("mistral/mistral-small-latest", "mistral", "mistral-small-latest"),
    ("cohere/command-a-03-2025", "cohere", "command-a-03-2025"),
    ("azure/any-deployment", "azure", "any-deployment"),
    ("bedrock/us.amazon.nova-lite-v1:0", "bedrock", "us.amazon.nova-lite-v1:0"),
    ("ollama/llama3.2:1b", "ollama", "llama3.2:1b"),
]


class Passing(hb_llmgate.BaseMiddleware):
    """Has `handle` alone, and changes nothing."""

    def handle(self, request: Any, call_next: Any) -> Any:
        """Go on."""
        return call_next(request)


class Warmer(Passing):
    """Changes the request, so that it is made anew."""

    def handle(self, request: Any, call_next: Any) -> Any:
        """Warm it."""
        messages = [Message(role="system", content="Look."), *request.messages]
        return call_next(request.model_copy(update={"temperature": 0.5, "messages": messages}))


STACKS: list[list[Any]] = [[], [hb_llmgate.RetryMiddleware(), hb_llmgate.LoggingMiddleware(), Passing()]]


class Movie(BaseModel):
    """A film."""

    title: str
    year: int
    rating: float | None = None


MOVIE = '{"title": "Solaris", "year": 1972, "rating": 8.0}'


# Names


@pytest.mark.parametrize(("asked", "provider", "model"), NAMES)
def test_g01_a_prefix_chooses_the_provider_and_does_not_travel(
    caller: Caller, server: LoopbackServer, asked: str, provider: str, model: str
) -> None:
    answer = caller.completion(asked)
    [request] = server.requests
    assert provider_of(request) == answer.provider == provider
    named = request.json.get("model") or request.path
    assert model in named.replace("%3A", ":")
    assert f"{provider}/" not in str(request.json.get("model", ""))
    assert answer.model == asked


@EVERY
def test_g01_provider_wins_over_the_prefix(row: Row, caller: Caller, server: LoopbackServer) -> None:
    assert caller.completion("gpt-of-tomorrow", provider=row.name).provider == row.name
    assert provider_of(server.requests[0]) == row.name


@pytest.mark.parametrize(("asked", "provider"), [("anthropic/x", "openai"), ("openai/x", "anthropic")])
def test_g01_provider_wins_over_the_prefix_of_another(
    caller: Caller, server: LoopbackServer, asked: str, provider: str
) -> None:
    assert caller.completion(asked, provider=provider).provider == provider
    [request] = server.requests
    assert (provider_of(request), request.json["model"]) == (provider, asked)


@pytest.mark.parametrize("asked", ["llama-3", "deepseek-chat", "nobody/model", "text-embedding-3-small"])
def test_g01_an_unknown_model_is_named_and_nothing_is_sent(caller: Caller, server: LoopbackServer, asked: str) -> None:
    for ask in (caller.completion, caller.stream):
        with pytest.raises(ModelNotFoundError) as caught:
            ask(asked)
        assert caught.value.model == asked
    assert server.requests == []


@pytest.mark.parametrize("model", ["", "  ", None, 5, []])
def test_g01_what_is_no_name_is_refused(caller: Caller, server: LoopbackServer, model: Any) -> None:
    with pytest.raises(InvalidRequestError):
        caller.completion(model)
    assert server.requests == []


def test_g26_a_provider_of_another_distribution_is_a_prefix_too(
    server: LoopbackServer, caller_of: Callable[..., Caller]
) -> None:
    caller = caller_of({"DEEPSEEK_API_KEY": "key-of-deepseek-1", "DEEPSEEK_BASE_URL": server.url("openai")})
    answer = caller.completion("deepseek/deepseek-chat")
    assert (answer.provider, answer.model) == ("deepseek", "deepseek/deepseek-chat")
    [request] = server.requests
    assert (request.json["model"], request.bearer) == ("deepseek-chat", "key-of-deepseek-1")


# Answers


def test_g02_an_answer_has_the_fields_of_the_page(caller: Caller, server: LoopbackServer) -> None:
    server.reply("hello", usage={"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12})
    answer = caller.completion("gpt-4o-mini")
    assert answer.text == answer.choices[0].message.content == "hello"
    assert answer.choices[0].message.role == "assistant"
    assert (answer.choices[0].message.tool_calls, answer.tool_calls) == (None, [])
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.model, answer.provider, answer.parsed, answer.fallback_attempts) == (
        "gpt-4o-mini",
        "openai",
        None,
        [],
    )
    assert answer.id == answer.raw["id"]
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 5, 12)
    assert {"raw", "parsed"}.isdisjoint(answer.model_dump())
    assert "raw" not in repr(answer)
    assert type(answer).model_validate_json(answer.model_dump_json()).text == "hello"


def test_g02_several_choices_are_all_there(caller: Caller) -> None:
    answer = caller.completion("gpt-4o-mini", n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert all(choice.message.content for choice in answer.choices)
    assert "choices" not in answer.choices[0].message.to_dict()


@EVERY
@pytest.mark.parametrize("stack", STACKS, ids=["bare", "middlewares"])
def test_g03_the_reason_of_an_end_is_one_vocabulary(
    row: Row, caller: Caller, server: LoopbackServer, stack: list[Any]
) -> None:
    reasons = server.wires[row.name].finish_reasons
    assert {"stop", "length"} <= set(reasons.values())
    for raw, finish in reasons.items():
        calls = [{"name": "get_weather", "arguments": {"city": "Köln"}}] if finish == "tool_calls" else []
        for way in ("completion", "stream"):
            server.reply("so", finish_reason=raw, tool_calls=calls)
            answer = getattr(caller, way)(row.model, tools=[WEATHER], middleware=stack)
            last = answer[-1] if way == "stream" else answer.choices[0]
            assert (raw, last.finish_reason) == (raw, finish)
    server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}])
    assert caller.completion(row.model, tools=[WEATHER], middleware=stack).choices[0].finish_reason == "tool_calls"


@EVERY
def test_g04_a_stream_has_text_and_at_its_end_reason_and_usage(
    row: Row, caller: Caller, server: LoopbackServer
) -> None:
    server.reply(chunks=["one ", "two ", "three"])
    chunks = caller.stream(row.model)
    assert "".join(chunk.delta for chunk in chunks) == "one two three"
    assert len(chunks) > 3
    assert [chunk.finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert chunks[-1].usage.total_tokens > 0
    assert {(chunk.provider, chunk.model) for chunk in chunks} == {(row.name, row.model)}


@EVERY
def test_g04_the_tool_calls_of_a_stream_come_in_pieces_and_as_a_whole(
    row: Row, caller: Caller, server: LoopbackServer
) -> None:
    server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}])
    chunks = caller.stream(row.model, tools=[WEATHER])
    [call] = chunks[-1].tool_calls
    assert (call.function, call.arguments) == ("get_weather", {"city": "Köln"})
    assert chunks[-1].finish_reason == "tool_calls"
    pieces = [delta for chunk in chunks for delta in chunk.tool_call_deltas or ()]
    assert json.loads("".join(delta.arguments for delta in pieces)) == {"city": "Köln"}


@pytest.mark.parametrize("row", [BY_NAME[name] for name in ("openai", "azure", "mistral")], ids=lambda row: row.name)
@pytest.mark.parametrize("stack", STACKS, ids=["bare", "middlewares"])
def test_g04_every_choice_of_a_stream_is_delivered_by_its_index(
    row: Row, caller: Caller, server: LoopbackServer, stack: list[Any]
) -> None:
    server.reply(chunks=["one ", "two"])
    chunks = caller.stream(row.model, n=2, middleware=stack)
    for index in (0, 1):
        own = [chunk for chunk in chunks if chunk.index == index]
        assert "".join(chunk.delta for chunk in own) == "one two"
        assert [chunk.finish_reason for chunk in own] == [None] * (len(own) - 1) + ["stop"]
    assert (chunks[-1].index, chunks[-1].usage.total_tokens > 0) == (0, True)
    assert not any(chunk.usage for chunk in chunks[:-1])
    server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}])
    ends = [chunk for chunk in caller.stream(row.model, n=2, tools=[WEATHER], middleware=stack) if chunk.finish_reason]
    assert [(end.index, end.finish_reason) for end in ends] == [(1, "tool_calls"), (0, "tool_calls")]
    assert [[call.arguments for call in end.tool_calls] for end in ends] == [[{"city": "Köln"}]] * 2


def test_g04_g22_every_choice_of_a_stream_is_kept(caller: Caller, server: LoopbackServer) -> None:
    stack = [hb_llmgate.CacheMiddleware()]
    first, second = (caller.stream("gpt-4o-mini", n=2, middleware=stack) for _ in range(2))
    assert len(server.requests) == 1
    for chunks in (first, second):
        texts = {index: "".join(it.delta for it in chunks if it.index == index) for index in (0, 1)}
        assert texts == {0: "echo: hi", 1: "echo: hi"}
    assert [(it.index, it.finish_reason) for it in second][-2:] == [(1, "stop"), (0, "stop")]
    assert [choice.index for choice in caller.completion("gpt-4o-mini", n=2, middleware=stack).choices] == [0, 1]
    assert len(server.requests) == 1


def test_g04_a_wire_that_gives_one_choice_says_so(caller: Caller) -> None:
    with pytest.warns(LossyRequestWarning, match="n is dropped"):
        chunks = caller.stream("claude-haiku-4-5-20251001", n=2)
    assert {chunk.index for chunk in chunks} == {0}


def test_g04_leaving_a_stream_closes_its_connection(server: LoopbackServer) -> None:
    with make_kernel({**addresses(server), **keys()}) as kernel:
        server.reply(chunks=["a"] * 50, pause=0.01)
        chunks = hb_llmgate.completion("gpt-4o-mini", USER, stream=True, kernel=kernel)
        assert next(chunks).delta == "a"
        chunks.close()
        server.wait_for(lambda it: it.requests[0].closed_at is not None)


# Tools


@EVERY
@pytest.mark.parametrize("tool", [WEATHER, ToolDefinition(**WEATHER)], ids=["dict", "object"])
def test_g05_a_tool_call_has_its_arguments_as_a_dictionary(
    row: Row, caller: Caller, server: LoopbackServer, tool: Any
) -> None:
    server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}])
    answer = caller.completion(row.model, tools=[tool], tool_choice="auto")
    [call] = answer.tool_calls
    assert (call.function, call.arguments) == ("get_weather", {"city": "Köln"})
    assert json.loads(call.arguments_json()) == call.arguments
    assert call.id
    assert answer.text == ""


@EVERY
@pytest.mark.parametrize("shape", ["answer", "openai"])
def test_g05_g07_an_answer_with_tool_calls_goes_back_with_its_results(
    row: Row, caller: Caller, server: LoopbackServer, shape: str
) -> None:
    server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": name}} for name in ("Köln", "Bonn")])
    message = caller.completion(row.model, tools=[WEATHER]).choices[0].message
    first, second = message.tool_calls
    said: Any = message if shape == "answer" else message.to_dict()
    if shape == "openai":
        assert said["tool_calls"][0]["function"]["name"] == "get_weather"
    results = [
        Message(role="tool", tool_call_id=call.id, content="sunny", name="get_weather") for call in (first, second)
    ]
    assert caller.completion(row.model, [*USER, said, *results], tools=[WEATHER]).text
    sent = json.dumps(server.requests[-1].json, ensure_ascii=False)
    assert "Köln" in sent
    assert "Bonn" in sent
    turns = server.requests[-1].json.get("contents") or server.requests[-1].json["messages"]
    told = [json.dumps(turn).count("sunny") for turn in turns]
    # These want all results of one turn in one message of the user.
    together = row.name in ("anthropic", "bedrock", "gemini")
    assert told == [0, 0, 2] if together else [0, 0, 1, 1]
    assert turns[2]["role"] == ("user" if together else "tool")


def test_g05_broken_arguments_are_repaired_or_reported(caller: Caller, server: LoopbackServer) -> None:
    server.reply(tool_calls=[{"name": "get_weather", "arguments": '{"city": "Köln",}'}])
    [call] = caller.completion("gpt-4o-mini", tools=[WEATHER]).tool_calls
    assert call.arguments == {"city": "Köln"}
    server.reply(tool_calls=[{"name": "get_weather", "arguments": '{"city": "K'}], finish_reason="length")
    with pytest.raises(ProviderAPIError, match="cut off") as caught:
        caller.completion("gpt-4o-mini", tools=[WEATHER])
    assert caught.value.code == "tool_arguments"


ABSENT = "absent"
_NAMED = {"type": "function", "function": {"name": "get_weather"}}
_OPENAI = {"auto": "auto", "none": "none", "required": "required", "name": _NAMED}
CHOICES: dict[str, dict[str, Any]] = {
    "openai": _OPENAI,
    "azure": _OPENAI,
    "groq": _OPENAI,
    "mistral": _OPENAI | {"required": "any"},
    "cohere": {"auto": ABSENT, "none": "NONE", "required": "REQUIRED", "name": "REQUIRED"},
    "anthropic": {
        "auto": {"type": "auto"},
        "none": {"type": "none"},
        "required": {"type": "any"},
        "name": {"type": "tool", "name": "get_weather"},
    },
    "gemini": {
        "auto": {"mode": "AUTO"},
        "none": {"mode": "NONE"},
        "required": {"mode": "ANY"},
        "name": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]},
    },
    "bedrock": {
        "auto": {"auto": {}},
        "none": ABSENT,
        "required": {"any": {}},
        "name": {"tool": {"name": "get_weather"}},
    },
    "ollama": {"auto": ABSENT, "none": ABSENT, "required": InvalidRequestError, "name": InvalidRequestError},
}
"""What each wire says for a choice; an error where it cannot say it."""


def choice_in(name: str, body: dict[str, Any]) -> Any:
    """What a body says about the choice of tools."""
    config = body.get("toolConfig", {})
    if name == "gemini":
        return config.get("functionCallingConfig", ABSENT)
    return config.get("toolChoice", ABSENT) if name == "bedrock" else body.get("tool_choice", ABSENT)


@EVERY
@pytest.mark.parametrize("choice", ["auto", "none", "required", "name", "dict"])
def test_g06_the_choice_of_a_tool_is_right_on_the_wire(
    row: Row, caller: Caller, server: LoopbackServer, choice: str
) -> None:
    given = {"name": "get_weather", "dict": _NAMED}.get(choice, choice)
    wanted = CHOICES[row.name]["name" if choice == "dict" else choice]
    for way in ("completion", "stream"):
        server.clear()
        if wanted is InvalidRequestError:
            with pytest.raises(InvalidRequestError, match="tool_choice"):
                getattr(caller, way)(row.model, tools=[WEATHER], tool_choice=given)
            assert server.requests == []
            continue
        getattr(caller, way)(row.model, tools=[WEATHER], tool_choice=given)
        body = server.requests[0].json
        assert choice_in(row.name, body) == wanted
        has_tools = "get_weather" in json.dumps([body.get("tools"), body.get("toolConfig")])
        assert has_tools is not (choice == "none" and row.name in ("bedrock", "ollama"))


# Forms


@EVERY
def test_g08_g09_g10_a_form_comes_back_as_its_type(row: Row, caller: Caller, server: LoopbackServer) -> None:
    server.reply(f"```json\n{MOVIE}\n```" if row.name == "groq" else MOVIE)
    answer = caller.completion(row.model, response_format=Movie)
    assert answer.parsed == Movie(title="Solaris", year=1972, rating=8.0)
    assert answer.text
    server.reply(MOVIE)
    assert caller.parse(row.model, response_format=Movie).title == "Solaris"


@EVERY
def test_g08_g09_the_schema_is_demanded_or_told(row: Row, caller: Caller, server: LoopbackServer) -> None:
    server.reply(f"Sure, in {{braces}}:\n```json\n{MOVIE}\n```\nThat is {{it}}.")
    rules = {"role": "system", "content": "rules of the house"}
    model = "claude-3-5-haiku-20241022" if row.name == "anthropic" else row.model  # the page's takes a schema
    assert caller.parse(model, [rules, *USER], response_format=Movie).title == "Solaris"
    body = server.requests[0].json
    told = json.dumps(body.get("system") or body.get("systemInstruction") or body["messages"][0])
    assert "rules of the house" in told
    if row.name in ("openai", "azure"):
        sent = body["response_format"]["json_schema"]
        assert (body["response_format"]["type"], sent["strict"]) == ("json_schema", True)
        assert sent["schema"]["additionalProperties"] is False
        assert sent["schema"]["required"] == ["title", "year", "rating"]
    elif row.name == "gemini":
        config = body["generationConfig"]
        assert config["responseMimeType"] == "application/json"
        assert "rating" in json.dumps(config.get("responseJsonSchema") or config["responseSchema"])
    elif row.name == "ollama":
        assert set(body["format"]["properties"]) == {"title", "year", "rating"}
    elif row.name in ("mistral", "cohere"):  # whose format may carry the schema, which is more than words
        assert body["response_format"]["type"] in ("json_object", "json_schema")
        assert "rating" in json.dumps(body["response_format"]) + told
    else:
        assert told.index("rules of the house") < told.index("rating")
        assert body.get("response_format") == ({"type": "json_object"} if row.name == "groq" else None)
    if row.name in ("openai", "azure", "gemini", "ollama"):
        assert "rating" not in told


def test_g10_a_stream_has_no_form(caller: Caller, server: LoopbackServer) -> None:
    with pytest.raises(ValueError, match="cannot be used together"):
        caller.stream("gpt-4o-mini", response_format=Movie)
    assert server.requests == []


def test_g10_an_answer_of_another_form_is_an_error_that_holds_it(caller: Caller, server: LoopbackServer) -> None:
    server.reply("no film at all")
    with pytest.raises(StructuredOutputError) as caught:
        caller.parse("gpt-4o-mini", response_format=Movie)
    assert caught.value.text == "no film at all"
    assert isinstance(caught.value, ProviderAPIError)
    assert len(server.requests) == 1


def test_g10_parse_without_a_value_is_a_value_error(caller: Caller, server: LoopbackServer) -> None:
    server.reply(tool_calls=[{"name": "get_weather", "arguments": {"city": "Köln"}}])
    with pytest.raises(ValueError, match="no answer of this form"):
        caller.parse("gpt-4o-mini", response_format=Movie, tools=[WEATHER])


# Vectors


@EMBEDDING
def test_g11_vectors_keep_their_order(row: Row, caller: Caller, server: LoopbackServer) -> None:
    answer = caller.embed(row.embedding, ["one", "two", "three"])
    assert (answer.provider, answer.model) == (row.name, row.embedding)
    assert len(answer.embeddings) == 3
    assert all(type(number) is float for vector in answer.embeddings for number in vector)
    assert {provider_of(request) for request in server.requests} == {row.name}
    [one] = caller.embed(row.embedding, "one").embeddings
    assert one == pytest.approx(answer.embeddings[0])
    assert answer.usage.total_tokens >= 0
    assert answer.usage.prompt_tokens >= 1


HINTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("openai", {"dimensions": 256, "user": "me"}, {"dimensions": 256, "user": "me"}),
    ("azure", {"dimensions": 256, "user": "me"}, {"dimensions": 256, "user": "me"}),
    ("mistral", {"dimensions": 256}, {"output_dimension": 256}),
    ("bedrock", {"dimensions": 256}, {"dimensions": 256}),
    ("cohere", {"input_type": "search_query", "truncate": "END"}, {"input_type": "search_query", "truncate": "END"}),
    ("cohere", {}, {"input_type": "search_document", "embedding_types": ["float"]}),
    ("ollama", {"truncate": False}, {"truncate": False}),
    ("ollama", {"truncate": "false"}, {"truncate": False}),
    ("ollama", {"truncate": "no"}, {"truncate": False}),
    ("ollama", {"truncate": "true"}, {"truncate": True}),
]


@pytest.mark.parametrize(("name", "given", "sent"), HINTS)
def test_g11_hints_are_on_the_wire(
    caller: Caller, server: LoopbackServer, name: str, given: dict[str, Any], sent: dict[str, Any]
) -> None:
    caller.embed(BY_NAME[name].embedding, "hi", **given)
    body = server.requests[0].json
    assert {key: body.get(key) for key in sent} == sent


def test_g11_the_purpose_reaches_cohere_on_bedrock(caller: Caller, server: LoopbackServer) -> None:
    answer = caller.embed("bedrock/cohere.embed-english-v3", ["one", "two"], input_type="search_query")
    assert len(answer.embeddings) == 2
    [request] = server.requests
    assert (request.json["texts"], request.json["input_type"]) == (["one", "two"], "search_query")


def test_g11_more_texts_than_the_provider_takes_are_several_requests(caller: Caller, server: LoopbackServer) -> None:
    texts = [f"text {number}" for number in range(130)]
    answer = caller.embed("mistral/mistral-embed", texts)
    assert sorted(len(request.json["input"]) for request in server.requests) == [2, 128]  # side by side
    assert answer.embeddings[129] == caller.embed("mistral/mistral-embed", "text 129").embeddings[0]


def test_g11_a_hint_for_others_is_told_and_not_sent(caller: Caller, server: LoopbackServer) -> None:
    with pytest.warns(LossyRequestWarning, match="openai does not know it"):
        caller.embed("text-embedding-3-small", input_type="search_query")
    assert "input_type" not in server.requests[0].json
    caller.embed("gemini/gemini-embedding-001", task_type="RETRIEVAL_DOCUMENT", title="T", dimensions=64)
    [sent] = server.requests[1].json["requests"]
    assert (sent["taskType"], sent["title"], sent["outputDimensionality"]) == ("RETRIEVAL_DOCUMENT", "T", 64)


@pytest.mark.parametrize("given", [None, 5, {"a": 1}, [1, 2], ["hi", None]], ids=repr)
def test_g11_what_is_no_text_is_refused(caller: Caller, server: LoopbackServer, given: Any) -> None:
    with pytest.raises(InvalidRequestError, match="input"):
        caller.embed("text-embedding-3-small", given)
    assert server.requests == []


@pytest.mark.parametrize("name", ["fallback_on", "stream_fallback_mode", "stream_resume_prompt", "dimensoins"])
def test_g11_an_option_that_embeddings_do_not_have_is_refused(
    caller: Caller, server: LoopbackServer, name: str
) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        caller.embed("text-embedding-3-small", **{name: "restart"})
    assert server.requests == []


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "anthropic/claude-haiku-4-5", "groq/llama-3.1-8b-instant"])
def test_g12_anthropic_and_groq_have_no_embeddings(caller: Caller, server: LoopbackServer, model: str) -> None:
    with pytest.raises(EmbeddingsNotSupported) as caught:
        caller.embed(model)
    assert caught.value.provider in ("anthropic", "groq")
    assert server.requests == []


def test_g12_embeddings_without_a_prefix_go_to_openai(caller: Caller, server: LoopbackServer) -> None:
    assert embedding_target("gemini-embedding-001").provider == "openai"
    assert embedding_target("BAAI/bge-m3") == ("BAAI/bge-m3", "openai", "BAAI/bge-m3")
    caller.embed("text-embedding-3-small")
    caller.embed("azure/my-embedding-deployment")
    first, second = server.requests
    assert provider_of(first) == "openai"
    assert "/deployments/my-embedding-deployment/embeddings" in second.path
    assert (first.bearer, second.headers["api-key"]) == (BY_NAME["openai"].key, BY_NAME["azure"].key)


@pytest.mark.parametrize("name", ["openai", "azure", "mistral"])
def test_g12_vectors_are_numbers_whatever_encoding_is_asked_for(
    caller: Caller, server: LoopbackServer, name: str
) -> None:
    model = BY_NAME[name].embedding
    packed, plain = (caller.embed(model, "hi", encoding_format=it).embeddings[0] for it in ("base64", "float"))
    assert [request.json["encoding_format"] for request in server.requests] == ["base64", "float"]
    assert all(type(number) is float for number in packed)
    assert packed == pytest.approx(plain)


@pytest.mark.parametrize("verb", ["completion", "stream", "embed"])
def test_g12_without_its_endpoint_azure_sends_neither_key_nor_text_to_anyone(
    server: LoopbackServer, caller_of: Callable[..., Caller], verb: str
) -> None:
    environ = addresses(server) | keys()
    del environ["AZURE_OPENAI_ENDPOINT"]
    with pytest.raises(ConfigError, match="AZURE_OPENAI_ENDPOINT"):
        getattr(caller_of(environ), verb)("azure/my-deployment")
    assert server.requests == []


# Images


URL = "https://images.example.com/a.png"
PNG_TEXT = base64.b64encode(PNG).decode()
DATA_URL = f"data:image/png;base64,{PNG_TEXT}"
FETCHING = ("gemini", "bedrock", "ollama")
"""Providers whose wires want bytes, so that a URL is fetched here."""
SEEING = {
    "cohere": "cohere/command-a-vision-07-2025",
    "groq": "groq/meta-llama/llama-4-scout-17b-16e-instruct",
    "ollama": "ollama/llama3.2-vision",
}
"""Models that see, where the row's own does not."""


def _linked(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": url}


def _of_claude(**source: str) -> dict[str, Any]:
    return {"type": "image", "source": source}


_DETAILED = [_linked({"url": URL, "detail": "high"}), *[_linked({"url": DATA_URL})] * 2]
_PLAIN = [_linked({"url": URL}), *[_linked({"url": DATA_URL})] * 2]
_CLAUDE_BYTES = _of_claude(type="base64", media_type="image/png", data=PNG_TEXT)
WIRES: dict[str, list[Any]] = {
    "openai": _DETAILED,
    "azure": _DETAILED,
    "groq": _PLAIN,
    "mistral": [_linked(URL), *[_linked(DATA_URL)] * 2],
    "cohere": _PLAIN,
    "anthropic": [_of_claude(type="url", url=URL), *[_CLAUDE_BYTES] * 2],
    "gemini": [{"inlineData": {"data": PNG_TEXT, "mimeType": "image/png"}}] * 3,
    "bedrock": [{"image": {"format": "png", "source": {"bytes": PNG_TEXT}}}] * 3,
    "ollama": [PNG_TEXT] * 3,
}
"""A URL with `detail`, a data URL and bytes, as each provider gets them."""


def images_in(name: str, body: dict[str, Any]) -> list[Any]:
    """The images of the last message, as they were sent."""
    if name == "gemini":
        return [part for part in body["contents"][-1]["parts"] if "text" not in part]
    message = body["messages"][-1]
    return message["images"] if name == "ollama" else [part for part in message["content"] if "text" not in part]


@pytest.fixture
def files() -> Iterator[LoopbackServer]:
    """A server of files."""
    with LoopbackServer() as running:
        running.script(lambda request: [response(200, PNG, "image/png"), Action.KEEP_OPEN])
        yield running


def pictured(url: str, shape: str) -> list[Any]:
    """A message with a URL that has `detail`, a data URL and bytes, as dictionaries or as objects."""
    raw = ImagePart(type="image_bytes", image_bytes=ImageBytes(data=PNG_TEXT, mime_type="image/png"))
    links = [ImagePart(type="image_url", image_url=ImageURL(url=url, detail="high"))]
    links.append(ImagePart(type="image_url", image_url=ImageURL(url=DATA_URL)))
    message = Message(role="user", content=[TextPart(text="What?"), *links, raw])
    return [message if shape == "objects" else message.to_dict()]


@EVERY
@pytest.mark.parametrize("shape", ["dictionaries", "objects"])
@pytest.mark.parametrize("way", ["completion", "stream", "middleware", "chain"])
@pytest.mark.filterwarnings("ignore::heavenbase.errors.FallbackWarning")
def test_g13_images_look_on_each_wire_as_llmgates_page_has_them(
    row: Row,
    way: str,
    shape: str,
    server: LoopbackServer,
    files: LoopbackServer,
    caller_of: Callable[..., Caller],
) -> None:
    caller = caller_of(config={"heavenbase": {"llm": {"image_allow_hosts": ["127.0.0.1"]}}})
    messages = pictured(f"{files.origin}/a.png" if row.name in FETCHING else URL, shape)
    model = SEEING.get(row.name, row.model)
    if way == "chain":
        server.script(lambda request: Reply("no", status=429) if len(server.requests) == 1 else None)
        caller.completion(["groq/x" if row.name == "openai" else "gpt-4o-mini", model], messages)
    elif way == "middleware":
        caller.completion(model, messages, middleware=[Warmer()])
    else:
        getattr(caller, way)(model, messages)
    assert provider_of(server.requests[-1]) == row.name
    assert images_in(row.name, server.requests[-1].json) == WIRES[row.name]
    assert "What?" in json.dumps(server.requests[-1].json)
    assert len(files.requests) == (row.name in FETCHING)


def test_g14_cohere_takes_texts_in_parts_and_no_images(caller: Caller, server: LoopbackServer) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert caller.completion("cohere/command-a-03-2025", [{"role": "user", "content": parts}]).text
    image = {"type": "image_url", "image_url": {"url": "https://example.com/photo.jpg"}}
    with pytest.raises(VisionNotSupported) as caught:
        caller.completion("cohere/command-a-03-2025", [{"role": "user", "content": [*parts, image]}])
    assert caught.value.provider == "cohere"
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", FETCHING)
@pytest.mark.parametrize("way", ["completion", "stream"])
def test_g14_a_download_that_fails_is_an_error_of_this_package_and_nothing_is_sent(
    server: LoopbackServer, files: LoopbackServer, caller_of: Callable[..., Caller], name: str, way: str
) -> None:
    messages = pictured(f"{files.origin}/a.png", "dictionaries")
    with pytest.raises(InvalidRequestError, match="not public"):
        getattr(caller_of(), way)(SEEING.get(name, BY_NAME[name].model), messages)
    caller = caller_of(config={"heavenbase": {"llm": {"image_allow_hosts": ["127.0.0.1"]}}})
    for status, body, told in ((404, b"gone", "404"), (200, b"no image", "unknown format")):
        files.script(lambda request, status=status, body=body: [response(status, body), Action.KEEP_OPEN])
        with pytest.raises(LLMGateError, match=told):
            getattr(caller, way)(SEEING.get(name, BY_NAME[name].model), messages)
    assert server.requests == []


@pytest.mark.parametrize("name", FETCHING)
def test_g14_a_download_leaves_the_event_loop_to_others(
    server: LoopbackServer, files: LoopbackServer, name: str
) -> None:
    release = threading.Event()

    def slowly() -> Iterator[Any]:
        while not release.is_set():
            yield Pause(0.001)
        yield response(200, PNG, "image/png")
        yield Action.KEEP_OPEN

    files.script(lambda request: slowly())
    config = {"heavenbase": {"llm": {"image_allow_hosts": ["127.0.0.1"]}}}
    kernel = make_kernel({**addresses(server), **keys()}, config)

    async def main() -> str:
        messages = pictured(f"{files.origin}/a.png", "objects")
        task = asyncio.ensure_future(
            hb_llmgate.acompletion(SEEING.get(name, BY_NAME[name].model), messages, kernel=kernel)
        )
        await files.await_for(lambda it: it.requests)
        assert not task.done()  # were the loop held, nobody would release the download
        release.set()
        text: str = (await task).text
        await kernel.aclose()
        return text

    assert asyncio.run(main())
