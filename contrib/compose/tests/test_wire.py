"""What the two providers send, and what comes back, in both colours."""

from __future__ import annotations

from typing import Any

import pytest

import hb_compose as c
from heavenbase.errors import HBError, InputError, InputTypeError, ToolArgsError, UnknownNameError

from .support import BOTH, CLOCK, WAYS, WEATHER, Stack, marks

TALK = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]
CALLS = [{"name": "get_weather", "arguments": {"city": "Köln"}}, {"name": "get_time", "arguments": {}}]
MARK = {"type": "ephemeral"}
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


@BOTH
@WAYS
def test_h01_h08_h10_a_response_has_blocks_a_stop_reason_and_every_count(stack: Stack, name: str, way: str) -> None:
    stack.server.reply("so", reasoning="hm", tool_calls=CALLS, usage=USAGE[name])
    response = stack.ask(stack.direct(name), way, tools=[WEATHER, CLOCK])
    text, first, second = response.content
    assert (text, response.text, response.reasoning) == (c.TextBlock("so"), "so", "hm")
    assert isinstance(first, c.ToolUseBlock)
    assert (first.name, first.input, second.name, second.input) == ("get_weather", {"city": "Köln"}, "get_time", {})  # type: ignore[union-attr]
    assert response.stop_reason == "tool_use"
    usage = response.usage
    assert (usage.input, usage.output, usage.cache_read_input, usage.cache_creation_input) == (3, 8, 10, 2)
    assert usage.reasoning == (3 if name == "openrouter" else None)
    assert [attempt.provider for attempt in response.attempts] == [name]


@BOTH
def test_h02_the_pieces_of_a_stream_are_the_text_of_the_response(stack: Stack, name: str) -> None:
    stack.server.reply(chunks=["first ", "second ", "third"])
    streamed = stack.ask(stack.direct(name), "stream_complete")
    assert stack.pieces == ["first ", "second ", "third"]
    assert streamed.text == "first second third"
    stack.server.reply("first second third")
    assert stack.ask(stack.direct(name)).content == streamed.content


@BOTH
def test_a_stream_is_an_iterator_too_and_sends_nothing_before_it_is_read(stack: Stack, name: str) -> None:
    provider = stack.direct(name)
    stack.server.reply(chunks=["a", "b"])

    def plainly() -> Any:
        with provider.stream_complete("hi") as stream:
            with pytest.raises(InputError, match="not ended"):
                _ = stream.response
            assert stack.requests == []
            return list(stream), stream.response

    async def asynchronously() -> Any:
        async with provider.astream_complete("hi") as stream:
            with pytest.raises(InputError, match="not ended"):
                _ = stream.response
            assert stack.requests == []
            return [piece async for piece in stream], stream.response

    pieces, response = stack.colour.run(plainly, asynchronously)
    assert (pieces, response.text) == (["a", "b"], "ab")


@BOTH
@WAYS
def test_h03_every_field_of_a_request_is_on_the_wire(stack: Stack, name: str, way: str) -> None:
    stack.ask(
        stack.direct(name),
        way,
        messages=TALK,
        request=None,
        system="be brief",
        tools=[WEATHER, CLOCK],
        max_tokens=9,
        temperature=0.25,
        tool_choice=c.ToolChoice.Any,
    )
    body = stack.sent
    assert (body["temperature"], body.get("stream", False)) == (0.25, way == "stream_complete")
    assert 9 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    if name == "anthropic":
        assert body["system"] == "be brief"
        assert body["tools"] == [WEATHER, CLOCK]
    else:
        assert body["messages"][0] == {"role": "system", "content": "be brief"}
        assert [tool["function"]["parameters"] for tool in body["tools"]] == [
            WEATHER["input_schema"],
            CLOCK["input_schema"],
        ]


@BOTH
@WAYS
def test_h03_what_a_request_leaves_open_is_not_sent(stack: Stack, name: str, way: str) -> None:
    stack.ask(stack.direct(name), way)
    assert not {"temperature", "seed", "tools", "tool_choice", "system", "reasoning", "thinking"} & stack.sent.keys()


@WAYS
def test_h04_the_request_to_anthropic(stack: Stack, way: str) -> None:
    stack.ask(stack.direct(key="key-of-the-caller"), way)
    [request] = stack.requests
    assert (request.method, request.path) == ("POST", "/anthropic/v1/messages")
    assert (request.headers["x-api-key"], request.headers["anthropic-version"]) == ("key-of-the-caller", "2023-06-01")


@WAYS
def test_h05_h06_h07_three_marks_where_the_page_has_them_and_none_when_off(stack: Stack, way: str) -> None:
    plain = stack.direct()
    marked = plain.with_prompt_caching()
    stack.ask(marked, way, TALK, system="be brief", tools=[WEATHER, CLOCK])
    body = stack.sent
    assert body["system"] == [{"type": "text", "text": "be brief", "cache_control": MARK}]
    assert [tool.get("cache_control") for tool in body["tools"]] == [None, MARK]
    assert body["messages"][0]["content"] == [{"type": "text", "text": "one", "cache_control": MARK}]
    assert len(list(marks(body))) == 3
    stack.server.clear()
    stack.ask(plain, way, TALK, system="be brief", tools=[WEATHER, CLOCK])
    assert stack.sent["system"] == "be brief"
    assert list(marks(stack.sent)) == []


def test_h07_a_tool_result_counts_as_the_users_and_one_message_has_no_mark(stack: Stack) -> None:
    provider = stack.direct().with_prompt_caching()
    talk = [
        c.Message.user("what time is it?"),
        c.Message.assistant([c.ToolUseBlock("a", "get_time"), c.ToolUseBlock("b", "get_time")]),
        c.Message.tool_results(c.ToolResultBlock("a", "noon"), c.ToolResultBlock("b", "no clock", is_error=True)),
        c.Message.assistant("It is noon."),
        c.Message.user("thanks"),
    ]
    stack.ask(provider, request=talk, tools=[CLOCK])
    results = stack.sent["messages"][2]["content"]
    assert [(it["type"], it["tool_use_id"], it.get("cache_control")) for it in results] == [
        ("tool_result", "a", None),
        ("tool_result", "b", MARK),
    ]
    assert results[1]["is_error"] is True
    assert len(list(marks(stack.sent))) == 2
    stack.server.clear()
    stack.ask(provider, request="hi")
    assert list(marks(stack.sent)) == []


@WAYS
def test_h07_on_openrouter_system_and_second_to_last_message_are_marked(stack: Stack, way: str) -> None:
    stack.ask(stack.direct("openrouter").with_prompt_caching(), way, TALK, system="be brief")
    system, first, *_ = stack.sent["messages"]
    assert system["content"] == [{"type": "text", "text": "be brief", "cache_control": MARK}]
    assert first["content"] == [{"type": "text", "text": "one", "cache_control": MARK}]
    assert len(list(marks(stack.sent))) == 2


@WAYS
def test_h12_the_body_for_openrouter(stack: Stack, way: str) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    talk = [
        {"role": "user", "content": [{"type": "text", "text": "What?"}, c.ImageBlock("image/png", pixel)]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "get_time", "input": {}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "a", "content": "no clock", "is_error": True}],
        },
    ]
    stack.ask(stack.direct("openrouter", key="key-of-the-caller"), way, talk, system="be brief", tools=[CLOCK])
    [request] = stack.requests
    assert request.headers["authorization"] == "Bearer key-of-the-caller"
    system, user, assistant, result = request.json["messages"]
    assert system == {"role": "system", "content": "be brief"}
    assert user["content"][1]["image_url"]["url"] == f"data:image/png;base64,{pixel}"
    assert (assistant["content"], assistant["tool_calls"][0]["function"]) == (
        None,
        {"name": "get_time", "arguments": "{}"},
    )
    assert result == {"role": "tool", "tool_call_id": "a", "content": "[ERROR] no clock"}
    options = {"include_usage": True} if way == "stream_complete" else None
    assert request.json.get("stream_options") == options


@WAYS
@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("openrouter", "stop", "end_turn"),
        ("openrouter", "length", "max_tokens"),
        ("openrouter", "content_filter", "content_filter"),
        ("anthropic", "end_turn", "end_turn"),
        ("anthropic", "max_tokens", "max_tokens"),
        ("anthropic", "refusal", "refusal"),
        ("anthropic", "pause_turn", "pause_turn"),
    ],
)
def test_h13_stop_reasons_are_kept_apart(stack: Stack, way: str, name: str, raw: str, reason: str) -> None:
    stack.server.reply("so", finish_reason=raw)
    assert stack.ask(stack.direct(name), way).stop_reason == reason


@BOTH
@WAYS
def test_h24_each_choice_is_each_wires_own_json_and_absent_when_unset(stack: Stack, name: str, way: str) -> None:
    wanted: dict[Any, tuple[Any, Any]] = {
        c.ToolChoice.Auto: ({"type": "auto"}, "auto"),
        c.ToolChoice.Any: ({"type": "any"}, "required"),
        c.ToolChoice.NoTool: ({"type": "none"}, "none"),
        c.ToolChoice.Tool("get_time"): (
            {"type": "tool", "name": "get_time"},
            {"type": "function", "function": {"name": "get_time"}},
        ),
    }
    provider = stack.direct(name)
    for choice, wires in wanted.items():
        stack.server.clear()
        stack.ask(provider, way, tools=[WEATHER, CLOCK], tool_choice=choice)
        assert stack.sent["tool_choice"] == wires[name == "openrouter"]
    stack.server.clear()
    stack.ask(provider, way, tools=[WEATHER, CLOCK])
    assert "tool_choice" not in stack.sent


@BOTH
def test_efforts_of_thinking_leave_room_for_the_answer(stack: Stack, name: str) -> None:
    provider = stack.direct(name, max_tokens=64_000)
    for effort in ("high", "medium", "low"):
        stack.server.clear()
        stack.ask(provider, reasoning_effort=effort)
        body = stack.sent
        if name == "anthropic":
            assert 1_024 <= body["thinking"]["budget_tokens"] <= body["max_tokens"] - 1_024
        else:
            assert body["reasoning"]["effort"] == effort
    stack.server.clear()
    stack.ask(provider, reasoning_effort="none")
    assert "budget_tokens" not in stack.sent.get("thinking", {})


def test_thoughts_go_back_with_the_answer_that_they_led_to(stack: Stack) -> None:
    provider = stack.direct()
    stack.server.reply("let me see", reasoning="which clock?", tool_calls=CALLS[1:])
    response = stack.ask(provider, request="what time is it?", tools=[CLOCK], reasoning_effort="low", max_tokens=4096)
    results = c.Message.tool_results(*(c.ToolResultBlock(it.id, "noon") for it in response.tool_uses))
    talk = [c.Message.user("what time is it?"), response.message, results]
    stack.ask(provider, request=talk, tools=[CLOCK], reasoning_effort="low", max_tokens=4096)
    blocks = stack.requests[1].json["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use"]
    assert blocks[0]["thinking"] == "which clock?"


def test_malformed_arguments_are_kept_and_never_empty(stack: Stack) -> None:
    stack.server.reply("", tool_calls=[{"name": "get_weather", "arguments": '{"city": "Kö'}])
    [call] = stack.ask(stack.direct("openrouter"), tools=[WEATHER]).tool_uses
    assert call.arguments == '{"city": "Kö'
    with pytest.raises(ToolArgsError):
        _ = call.input


def test_answers_are_never_those_of_the_cache(stack: Stack) -> None:
    provider = stack.direct(max_tokens=5)
    for _ in range(2):
        stack.ask(provider, temperature=0)
    assert len(stack.requests) == 2


BIG = 10**5000
"""A number that Python does not even write."""


@pytest.mark.parametrize(
    ("fields", "error", "told"),
    [
        ({"max_token": 5}, UnknownNameError, "'max_tokens'"),
        ({"max_tokens": 0}, InputError, "at least 1"),
        ({"max_tokens": True}, InputTypeError, "whole number"),
        ({"temperature": "hot"}, InputTypeError, "number"),
        ({"temperature": float("nan")}, InputError, "temperature"),
        ({"reasoning_effort": "hihg"}, UnknownNameError, "'high'"),
        ({"tool_choice": c.ToolChoice.Any}, InputError, "no"),
        ({"tools": [WEATHER], "tool_choice": "get_wether"}, UnknownNameError, "'get_weather'"),
        ({"tools": [WEATHER], "tool_choice": c.ToolChoice.Tool("get_wether")}, UnknownNameError, "'get_weather'"),
        ({"tools": [{**WEATHER, "inputschema": {}}]}, UnknownNameError, "'input_schema'"),
        ({"tools": [WEATHER, WEATHER]}, InputError, "two tools"),
        ({"tools": [{"description": "x"}]}, InputError, "no name"),
        ({"tools": [{"name": "x", "description": 5}]}, InputTypeError, "the description of tool 'x' must be a text"),
        ({"tools": [{"name": "x", "input_schema": BIG}]}, InputTypeError, "input_schema of tool 'x'"),
        ({"tools": [{"name": BIG}]}, InputError, "the name of tool 0 must be a text, not int"),
        ({"tool_choice": BIG}, InputTypeError, "must be a ToolChoice, not int"),
        ({"reasoning_effort": BIG}, UnknownNameError, "unknown reasoning_effort"),
        ({"max_tokens": BIG}, InputError, "less than 1e"),
        ({"temperature": BIG}, InputError, "less than 1e"),
        ({"system": 5}, InputTypeError, "system"),
        ({"messages": "again"}, InputError, "twice"),
        ({"on_text": 5}, (InputTypeError, UnknownNameError), "on_text"),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_is_sent(
    stack: Stack, fields: dict[str, Any], error: Any, told: str
) -> None:
    provider = stack.direct()
    for method in ("complete", "stream_complete"):
        with pytest.raises(error, match=told):
            getattr(provider, method)("hi", **fields)
    with pytest.raises(InputError):
        provider.complete()
    with pytest.raises(InputError):
        provider.complete([])
    assert stack.requests == []


@pytest.mark.parametrize(("key", "model"), [("", "m"), ("k", ""), ("k", None), (5, "m"), ("a\nb", "m")])
def test_a_provider_needs_a_key_and_a_model_that_are_some(stack: Stack, key: Any, model: Any) -> None:
    with pytest.raises(ValueError):
        c.AnthropicProvider(key, model, kernel=stack.kernel)


@pytest.mark.parametrize(
    "odd", [5, BIG, 1.5, True, b"x", object(), ["x"], [5], str, len], ids=lambda odd: type(odd).__name__
)
def test_blocks_of_odd_things_are_typed_errors_and_nothing_is_sent(stack: Stack, odd: Any) -> None:
    use = c.ToolUseBlock("a", "get_time")
    conversations: list[Any] = [
        lambda: [c.Message.user(c.TextBlock(odd) if odd != ["x"] else c.TextBlock(5))],  # type: ignore[arg-type]
        lambda: [c.Message.user(c.ImageBlock("image/png", odd))],
        lambda: [c.Message(odd, "x")],
        lambda: ["hi", c.Message("assistant", "x", odd), "hi"],
        lambda: ["hi", c.Message.assistant(c.ToolUseBlock("a", "get_time", odd)), "hi"],
        lambda: ["hi", {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": odd}]}],
        lambda: ["hi", c.Message.assistant(use), c.Message.tool_results(c.ToolResultBlock(odd, "x"))],
        lambda: ["hi", c.Message.assistant(use), c.Message.tool_results(odd)],
    ]
    if odd is not True:
        conversations.append(lambda: [c.Message.tool_results(c.ToolResultBlock("a", "x", odd))])
    for conversation in conversations:
        with pytest.raises(HBError):
            stack.ask(stack.direct(), request=conversation(), tools=[CLOCK])
    assert stack.requests == []


def test_a_choice_of_tools_has_one_of_four_modes() -> None:
    for wrong in ("some", 5, ["auto"], BIG):
        with pytest.raises(UnknownNameError, match="mode of a ToolChoice"):
            c.ToolChoice(wrong)  # type: ignore[arg-type]
