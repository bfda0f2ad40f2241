"""Anthropic's wire and OpenRouter's: requests, prompt caching, counts, streams in any pieces, what ends an answer."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from hb_testing.conformance.samples import IMAGES
from hb_testing.server import LAST_CHUNK, Action, Exchange, Pause, Reply, Step, chunk, head
from heavenbase.errors import ResponseError, ResponseShapeError
from tests.matrix import CALLS, CLOCK, INSTALLED, OPENROUTER, WAYS, WEATHER, Bench, fields

ANTHROPIC = next(row for row in INSTALLED if row.name == "anthropic")
BOTH = pytest.mark.parametrize("row", [ANTHROPIC, OPENROUTER], ids=lambda row: row.name)
EVERY_WIRE = pytest.mark.parametrize("row", [*INSTALLED, OPENROUTER], ids=lambda row: row.name)
OF_ANTHROPIC = pytest.mark.parametrize("row", [ANTHROPIC], ids=lambda row: row.name)
OF_OPENROUTER = pytest.mark.parametrize("row", [OPENROUTER], ids=lambda row: row.name)
TOOLS = [WEATHER, CLOCK]
MARK = {"type": "ephemeral"}
PNG = b64encode(IMAGES["png"]).decode()
USAGE = {
    "anthropic": {
        "input_tokens": 3,
        "output_tokens": 8,
        "cache_read_input_tokens": 10,
        "cache_creation_input_tokens": 2,
    },
    "openrouter": {
        "prompt_tokens": 15,
        "completion_tokens": 8,
        "total_tokens": 23,
        "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 3},
    },
}
CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]


def marks(value: Any) -> int:
    """How often a body marks something for the cache of prompts."""
    return json.dumps(value).count('"cache_control"')


@BOTH
@WAYS
def test_h01_h08_an_answer_has_text_calls_reason_and_every_count(bench: Bench, way: str) -> None:
    bench.reply("so", reasoning="hm", tool_calls=CALLS, usage=USAGE[bench.row.name])
    answer = bench.ask(way, tools=TOOLS)
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("so", "hm", "tool_calls")
    assert fields(answer.tool_calls) == CALLS
    assert answer.usage is not None
    usage = answer.usage
    assert (usage.input, usage.cache_read, usage.cache_write, usage.completion_tokens) == (3, 10, 2, 8)
    assert usage.reasoning == (3 if bench.row is OPENROUTER else None)
    assert usage.total_tokens == 23


@EVERY_WIRE
def test_h02_pieces_arrive_before_the_answer_ends(bench: Bench) -> None:
    pieces, release = ["first ", "second ", "third"], threading.Event()

    def held(request: Any) -> Iterator[Step]:
        whole = bench.wire.stream(Exchange(bench.server, request, bench.wire, request.path), Reply(chunks=pieces))
        early = [*whole.opening, whole.content[0]]
        yield head(200, {"content-type": whole.content_type, "transfer-encoding": "chunked"})
        for event in early:
            yield chunk(event)
        while not release.is_set():
            yield Pause(0.001)
        for event in whole.events[len(early) :]:
            yield chunk(event)
        yield LAST_CHUNK
        yield Action.KEEP_OPEN

    async def asynchronously() -> list[str]:
        found = []
        async for text in llm.astream("hi"):
            found.append(text)
            release.set()
        return found

    def plainly() -> list[str]:
        found = []
        for text in llm.stream("hi"):
            found.append(text)
            release.set()
        return found

    bench.server.script(held)
    llm = bench.llm()
    # Nothing but the first piece releases the others.
    assert bench.colour.run(plainly, lambda: asyncio.wait_for(asynchronously(), 5)) == pieces


@BOTH
@WAYS
def test_h03_everything_that_was_asked_for_is_on_the_wire(bench: Bench, way: str) -> None:
    bench.ask(way, CONVERSATION, tools=TOOLS, tool_choice="required", max_tokens=9, temperature=0.25)
    body = bench.sent
    assert (body["temperature"], body.get("stream", False)) == (0.25, way == "stream")
    assert 9 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    if bench.row is ANTHROPIC:
        assert body["system"] == "be brief"
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
        assert [tool["name"] for tool in body["tools"]] == ["get_weather", "get_time"]
        assert body["tool_choice"] == {"type": "any"}
    else:
        assert body["messages"] == CONVERSATION
        assert body["tools"] == TOOLS
        assert body["tool_choice"] == "required"


@EVERY_WIRE
@WAYS
def test_h03_every_system_message_travels_whole_on_every_wire(bench: Bench, way: str) -> None:
    parts = [{"type": "text", "text": "second rule"}, {"type": "text", "text": "third rule"}]
    rules = [{"role": "system", "content": "first rule"}, {"role": "system", "content": parts}]
    bench.ask(way, [*rules, {"role": "user", "content": "hi"}])
    written = json.dumps(bench.sent)
    assert [written.count(f"{word} rule") for word in ("first", "second", "third")] == [1, 1, 1]


@OF_ANTHROPIC
@WAYS
def test_h04_path_headers_and_the_place_of_the_system_prompt(bench: Bench, way: str) -> None:
    bench.ask(way, CONVERSATION)
    [request] = bench.server.requests
    assert (request.method, request.path) == ("POST", "/anthropic/v1/messages")
    assert request.headers["x-api-key"] == bench.row.key
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in request.headers
    assert request.json["system"] == "be brief"


@OF_ANTHROPIC
@WAYS
def test_h05_h06_h07_prompts_are_marked_when_asked_for_and_never_more_than_four_times(bench: Bench, way: str) -> None:
    bench.ask(way, CONVERSATION, tools=TOOLS, prompt_caching=True)
    body = bench.sent
    assert body["system"] == [{"type": "text", "text": "be brief", "cache_control": MARK}]
    assert [tool.get("cache_control") for tool in body["tools"]] == [None, MARK]
    assert body["messages"][0]["content"] == [{"type": "text", "text": "one", "cache_control": MARK}]
    assert marks(body) == 3
    bench.server.clear()
    bench.ask(way, CONVERSATION, tools=TOOLS)
    assert bench.sent["system"] == "be brief"
    assert marks(bench.sent) == 0


@OF_ANTHROPIC
def test_h07_a_result_of_a_tool_is_marked_too_and_one_message_alone_is_not(bench: Bench) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "a", "content": "noon"}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    bench.complete([*CONVERSATION[1:2], asked, result, *CONVERSATION[2:]], tools=TOOLS, prompt_caching=True)
    assert bench.sent["messages"][2]["content"][0]["cache_control"] == MARK
    assert marks(bench.sent["messages"]) == 1
    bench.server.clear()
    bench.complete(CONVERSATION[1:2], prompt_caching=True)
    assert marks(bench.sent) == 0


@BOTH
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_h09_line_ends_cuts_and_comments_do_not_matter(bench: Bench, end: bytes, size: int) -> None:
    def answer(request: Any) -> Iterator[Step]:
        reply = Reply("Grüße 🌍", tool_calls=CALLS)
        whole = bench.wire.stream(Exchange(bench.server, request, bench.wire, request.path), reply)
        body = b": a comment\n\n" + b"".join(whole.events)
        body = body.replace(b"\n", end)
        yield head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        for start in range(0, len(body), size):
            yield chunk(body[start : start + size])
        yield LAST_CHUNK
        yield Action.KEEP_OPEN

    bench.server.script(answer)
    answered = bench.gathered(tools=TOOLS)
    assert (answered.text, fields(answered.tool_calls)) == ("Grüße 🌍", CALLS)
    assert answered.finish_reason == "tool_calls"


@BOTH
def test_h10_fragments_of_two_calls_at_once_are_put_together(bench: Bench) -> None:
    long = [{"name": "get_weather", "arguments": {"city": "Köln " * 20}}, CALLS[1]]
    bench.reply(tool_calls=long)
    chunks = bench.stream(tools=TOOLS)
    deltas = [delta for piece in chunks for delta in piece.tool_calls or ()]
    assert len(deltas) > 2
    assert {delta.index for delta in deltas} == {deltas[0].index, deltas[-1].index}
    bench.reply(tool_calls=long)
    assert fields(bench.gathered(tools=TOOLS).tool_calls) == long


@OF_OPENROUTER
@WAYS
def test_h12_the_body_of_openrouter(bench: Bench, way: str) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    bench.ask(
        way,
        [
            {"role": "user", "content": [{"type": "text", "text": "What?"}, picture]},
            {"role": "assistant", "content": None, "tool_calls": [call, {**call, "id": "b"}]},
            {"role": "tool", "tool_call_id": "a", "content": "noon"},
            {"role": "tool", "tool_call_id": "b", "content": "the clock is broken", "is_error": True},
        ],
        system="be brief",
        tools=TOOLS,
    )
    [request] = bench.server.requests
    body = request.json
    assert request.path == "/openrouter/api/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {bench.row.key}"
    system, user, assistant, *results = body["messages"]
    assert system == {"role": "system", "content": "be brief"}
    assert user["content"] == [{"type": "text", "text": "What?"}, picture]
    assert assistant["content"] is None
    assert results == [
        {"role": "tool", "tool_call_id": "a", "content": "noon"},
        {"role": "tool", "tool_call_id": "b", "content": "[ERROR] the clock is broken"},
    ]
    assert body.get("stream_options") == ({"include_usage": True} if way == "stream" else None)


@EVERY_WIRE
def test_h12_a_failed_result_of_a_tool_is_told_on_every_wire(bench: Bench) -> None:
    call = {"id": "call00001", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
    failed = {"role": "tool", "tool_call_id": "call00001", "content": "no clock", "is_error": True}
    bench.complete([CONVERSATION[1], {"role": "assistant", "content": None, "tool_calls": [call]}, failed], tools=TOOLS)
    written = json.dumps(bench.sent)
    assert "no clock" in written
    told = ("[ERROR] no clock", '"is_error": true', '"status": "error"', '{"error": "no clock"}')
    assert any(mark in written for mark in told)


@WAYS
@pytest.mark.parametrize(
    ("row", "raw", "finish"),
    [
        (OPENROUTER, "stop", "stop"),
        (OPENROUTER, "length", "length"),
        (OPENROUTER, "content_filter", "content_filter"),
        (ANTHROPIC, "end_turn", "stop"),
        (ANTHROPIC, "max_tokens", "length"),
        (ANTHROPIC, "refusal", "refusal"),
        (ANTHROPIC, "pause_turn", "pause"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_h13_what_ended_an_answer_is_kept_apart(bench: Bench, way: str, raw: str, finish: str) -> None:
    bench.reply("so", finish_reason=raw)
    assert bench.ask(way).finish_reason == finish
    if finish == "stop":
        bench.reply(tool_calls=CALLS, finish_reason=raw)
        assert bench.ask(way, tools=TOOLS).finish_reason == "tool_calls"


@OF_OPENROUTER
def test_h13_an_answer_without_choices_is_an_error_that_may_pass(bench: Bench) -> None:
    bench.reply(body={"id": "gen-1", "object": "chat.completion", "model": "m", "choices": []})
    with pytest.raises(ResponseShapeError) as caught:
        bench.complete()
    assert isinstance(caught.value, ResponseError)
    assert caught.value.retryable


@BOTH
@WAYS
def test_h24_tool_choice_is_each_wires_own_json_and_absent_when_unset(bench: Bench, way: str) -> None:
    named = {"type": "function", "function": {"name": "get_time"}}
    wanted: dict[str, tuple[Any, Any]] = {
        "auto": ({"type": "auto"}, "auto"),
        "any": ({"type": "any"}, "required"),
        "none": ({"type": "none"}, "none"),
        "get_time": ({"type": "tool", "name": "get_time"}, named),
    }
    for choice, (of_anthropic, of_openrouter) in wanted.items():
        bench.server.clear()
        bench.ask(way, tools=TOOLS, tool_choice=choice)
        assert bench.sent["tool_choice"] == (of_anthropic if bench.row is ANTHROPIC else of_openrouter)
    bench.server.clear()
    bench.ask(way, tools=TOOLS)
    assert "tool_choice" not in bench.sent
