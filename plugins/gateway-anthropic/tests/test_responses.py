"""Whole messages as completions: blocks, finish reasons, usage, and shapes that are no answer."""

from __future__ import annotations

from typing import Any

import pytest

from hb_gateway_anthropic.responses import completion
from hb_gateway_anthropic.usage import message_usage
from heavenbase.errors import ResponseShapeError
from heavenbase.types import Usage

from .support import make_call, make_spec

CALL = make_call(make_spec())
TEXT = {"type": "text", "text": "hello"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "sig=="}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"city": "Zürich"}}


def message(*blocks: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x-1",
        "content": list(blocks),
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
        **more,
    }


def test_h01_a_message() -> None:
    answer = completion(CALL, message(THOUGHT, TEXT, TEXT, USE, stop_reason="tool_use"), False)
    assert (answer.text, answer.reasoning) == ("hellohello", "hm")
    assert (answer.id, answer.model, answer.provider, answer.gateway) == (
        "msg_1",
        "claude-x-1",
        "anthropic",
        "anthropic",
    )
    assert (answer.finish_reason, answer.raw_finish_reason) == ("tool_calls", "tool_use")
    [call] = answer.tool_calls
    assert (call.id, call.name, call.arguments) == ("toolu_1", "f", '{"city":"Zürich"}')
    assert answer.usage == Usage(3, 2)
    assert answer.raw["id"] == "msg_1"


def test_thoughts_are_kept_with_the_whole_answer_and_their_provenance() -> None:
    answer = completion(CALL, message(THOUGHT, TEXT), False)
    assert answer.reasoning_parts == [
        {"provider": "anthropic", "model": "claude-sonnet-4-5", "field": "content", "value": [THOUGHT, TEXT]}
    ]
    assert completion(CALL, message(TEXT, USE), False).reasoning_parts == []


def test_hidden_thoughts_are_not_shown_and_still_kept() -> None:
    answer = completion(CALL, message(THOUGHT, TEXT), True)
    assert answer.reasoning == ""
    assert answer.reasoning_parts[0]["value"][0] == THOUGHT


def test_blocks_of_other_types_are_kept_and_not_read() -> None:
    blocks = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "from_tomorrow"},
        TEXT,
    ]
    answer = completion(CALL, message(*blocks), False)
    assert (answer.text, answer.tool_calls) == ("hello", [])
    assert answer.reasoning_parts[0]["value"] == blocks


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("model_context_window_exceeded", "context_overflow"),
        ("from_tomorrow", "other"),
    ],
)
def test_g03_h13_finish_reasons_are_one_vocabulary_and_kept_apart(raw: Any, reason: str) -> None:
    answer = completion(CALL, message(TEXT, stop_reason=raw), False)
    assert (answer.finish_reason, answer.raw_finish_reason) == (reason, raw)


def test_an_answer_without_content_is_an_answer() -> None:
    answer = completion(CALL, message(), False)
    assert (answer.text, answer.tool_calls, answer.finish_reason) == ("", [], "stop")


@pytest.mark.parametrize(("given", "arguments"), [({}, "{}"), (None, "{}"), ('{"a": 1}', '{"a": 1}')])
def test_inputs_of_tools(given: Any, arguments: str) -> None:
    [call] = completion(CALL, message({**USE, "input": given}), False).tool_calls
    assert call.arguments == arguments


def test_a_call_without_an_id_is_numbered() -> None:
    calls = completion(CALL, message({**USE, "id": None}, {**USE, "id": ""}), False).tool_calls
    assert [call.id for call in calls] == ["call_0", "call_1"]


@pytest.mark.parametrize(
    "decoded",
    [
        None,
        [],
        "hello",
        {},
        message() | {"content": None},
        message() | {"content": "hello"},
        message(None),
        message("hello"),
        message({}),
        message({"type": 3}),
        message({"type": "text", "text": 3}),
        message({"type": "tool_use", "id": "x", "input": {}}),
    ],
)
def test_what_is_no_answer_is_a_shape_error(decoded: Any) -> None:
    with pytest.raises(ResponseShapeError) as caught:
        completion(CALL, decoded, False)
    assert caught.value.maybe_billed
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"input_tokens": 3, "output_tokens": 2}, Usage(3, 2)),
        (
            {
                "input_tokens": 3,
                "output_tokens": 9,
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 7,
                "output_tokens_details": {"thinking_tokens": 4},
            },
            Usage(3, 5, cache_read=5, cache_write=7, reasoning=4),
        ),
        ({"input_tokens": 3.0, "output_tokens": True}, Usage(3)),
        ({"input_tokens": -1, "output_tokens": "2"}, Usage()),
        ({"output_tokens": 2, "output_tokens_details": {"thinking_tokens": 9}}, Usage(None, 0, reasoning=2)),
    ],
)
def test_h08_usage_is_disjoint_buckets_and_unknown_is_none(raw: Any, usage: Usage | None) -> None:
    assert message_usage(raw) == usage
    if usage is not None and usage.cache_read:
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (15, 9, 24)


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (
            {"cache_creation_input_tokens": 9, "service_tier": "batch",
             "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5}},
            Usage(1, 2, cache_write=9, cache_write_1h=5, tier="batch"),
        ),
        (
            {"server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1, "code_execution_requests": 2}},
            Usage(1, 2, web_searches=3, tools=2),
        ),
        ({"server_tool_use": {"web_search_requests": 0}, "service_tier": "standard"}, Usage(1, 2, tier="standard")),
        ({"service_tier": "standard", "speed": "fast"}, Usage(1, 2, tier="fast")),
        ({"service_tier": "standard", "inference_geo": "us", "speed": "standard"}, Usage(1, 2, tier="us")),
        ({"service_tier": "standard", "inference_geo": "not_available"}, Usage(1, 2, tier="standard")),
        ({"cache_creation": 5, "server_tool_use": "none", "service_tier": 1}, Usage(1, 2)),
    ],
)  # fmt: skip
def test_what_prices_go_by_is_told(raw: Any, usage: Usage) -> None:
    assert message_usage({"input_tokens": 1, "output_tokens": 2, **raw}) == usage
