"""Whole answers: text, thoughts, tool calls, images, finish reasons, usage; and what is no answer."""

from __future__ import annotations

from decimal import Context, Inexact, localcontext
from typing import Any

import pytest

from hb_wire_openai.answers import Thinking, completion
from hb_wire_openai.usage import chat_usage, image_usage
from heavenbase.errors import ResponseError, ResponseShapeError
from heavenbase.types import Completion, Usage

from .support import make_call, make_spec

SEEN = Thinking(False, ())


def read(message: dict[str, Any], thinking: Thinking = SEEN, finish: Any = "stop", **fields: Any) -> Completion:
    decoded = {"id": "c-1", "model": "m-2", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    return completion(make_call(make_spec()), {**decoded, **fields}, thinking)


def test_an_answer() -> None:
    answer = read({"role": "assistant", "content": "hello"}, usage={"prompt_tokens": 3, "completion_tokens": 2})
    assert (answer.text, answer.finish_reason, answer.raw_finish_reason) == ("hello", "stop", "stop")
    assert (answer.id, answer.model, answer.provider, answer.gateway) == ("c-1", "m-2", "custom", "openai")
    assert answer.usage == Usage(3, 2)
    assert answer.raw["id"] == "c-1"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("sensitive", "content_filter"),
        ("for_the_moon", "other"),
    ],
)
def test_finish_reasons(raw: str, reason: str) -> None:
    answer = read({"content": "x"}, finish=raw)
    assert (answer.finish_reason, answer.raw_finish_reason) == (reason, raw)


@pytest.mark.parametrize("raw", ["insufficient_system_resource", None, 7])
def test_b16_an_answer_whose_end_is_a_failure_or_unknown_is_an_error(raw: Any) -> None:
    with pytest.raises(ResponseError) as caught:
        read({"content": "x"}, finish=raw)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "x"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts(field: str) -> None:
    message = {"content": "4", field: "2+2"}
    assert read(message).reasoning == "2+2"
    assert read(message).reasoning_parts == []
    hidden = read(message, Thinking(True, (field,)))
    assert hidden.reasoning == ""
    assert hidden.reasoning_parts == [{"provider": "custom", "model": "gpt-4o-mini", "field": field, "value": "2+2"}]


def test_thoughts_in_details_alone() -> None:
    details = [{"type": "reasoning.summary", "summary": "so"}, {"type": "reasoning.encrypted", "data": "x"}]
    answer = read({"content": "4", "reasoning_details": details}, Thinking(False, ("reasoning_details", "reasoning")))
    assert answer.reasoning == "so"
    assert answer.reasoning_parts[0]["value"] == details


def test_content_in_parts() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    answer = read({"content": parts})
    assert (answer.text, answer.reasoning) == ("ab", "hm")


def test_tool_calls() -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "2", "type": "function", "function": {"name": "g", "arguments": {"b": "ü"}}},
        {"id": None, "type": "function", "function": {"name": "h", "arguments": ""}},
        {"id": "4", "type": "custom", "custom": {"name": "i", "input": "free text"}},
    ]
    found = read({"content": None, "tool_calls": calls}, finish="tool_calls").tool_calls
    assert [(call.id, call.name, call.arguments) for call in found] == [
        ("1", "f", '{"a": 1}'),
        ("2", "g", '{"b":"ü"}'),
        ("call_2", "h", "{}"),
        ("4", "i", "free text"),
    ]


def test_the_older_function_call() -> None:
    [call] = read({"content": None, "function_call": {"name": "f", "arguments": "{}"}}).tool_calls
    assert call.name == "f"


def test_a_refusal() -> None:
    answer = read({"content": None, "refusal": "I cannot."})
    assert (answer.text, answer.finish_reason) == ("I cannot.", "refusal")


def test_images_in_an_answer() -> None:
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
    item = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}}
    assert read({"content": "", "images": [item]}).images[0].format == "png"
    assert len(read({"content": [item]}).images) == 1
    with pytest.raises(ResponseShapeError, match="image 0"):
        read({"content": "", "images": [{"nothing": 1}]})


def test_the_first_of_several_choices() -> None:
    choices = [
        {"index": 1, "message": {"content": "b"}, "finish_reason": "stop"},
        {"index": 0, "message": {"content": "a"}, "finish_reason": "length"},
    ]
    answer = completion(make_call(make_spec()), {"choices": choices}, SEEN)
    assert (answer.text, answer.finish_reason) == ("a", "length")


@pytest.mark.parametrize(
    "decoded",
    [
        None,
        "text",
        [],
        {},
        {"choices": None},
        {"choices": []},
        {"choices": {}},
        {"choices": ["x"]},
        {"choices": [{}]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": "text"}]},
        {"choices": [{"message": {"content": 7}}]},
        {"choices": [{"message": {"content": [7]}}]},
        {"choices": [{"message": {"content": "", "tool_calls": {}}}]},
        {"choices": [{"message": {"content": "", "tool_calls": [None]}}]},
        {"choices": [{"message": {"content": "", "tool_calls": [{"function": {"name": ""}}]}}]},
        {"choices": [{"message": {"content": "", "images": {"a": 1}}}]},
    ],
)
def test_what_is_no_answer(decoded: Any) -> None:
    with pytest.raises(ResponseShapeError) as caught:
        completion(make_call(make_spec()), decoded, SEEN)
    assert caught.value.maybe_billed
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ({"prompt_tokens": 10, "completion_tokens": 5}, Usage(10, 5)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
            Usage(40, 30, cache_read=60, reasoning=20),
        ),
        (
            {
                "prompt_tokens": 563,
                "completion_tokens": 1,
                "prompt_cache_hit_tokens": 512,
                "prompt_cache_miss_tokens": 51,
            },
            Usage(51, 1, cache_read=512),
        ),
        (
            {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3}},
            Usage(5, None, cache_read=2, cache_write=3),
        ),
        (
            {"prompt_tokens": 1, "completion_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 11}},
            Usage(1, 0, reasoning=10),
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "total_tokens": 112,
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
            Usage(5, 7, reasoning=100),
        ),
        ({"prompt_tokens": 1, "cost": 0.000669}, Usage(1, cost="0.000669", currency="USD")),
        ({"prompt_tokens": 1, "cost": 1e-9}, Usage(1, cost="0.000000001", currency="USD")),
        ({"prompt_tokens": 1, "cost": "1e-999999999"}, Usage(1)),
        ({"prompt_tokens": 1, "cost": "0e-999999999"}, Usage(1)),
        ({"prompt_tokens": 1, "cost": -0.0}, Usage(1, cost="0.0", currency="USD")),
        ({"prompt_tokens": -1, "completion_tokens": True, "cost": "NaN"}, Usage()),
        ({"prompt_tokens": 1e300, "completion_tokens": "7", "cost": -1}, Usage()),
        ({"prompt_tokens": 2.0, "prompt_tokens_details": None}, Usage(2)),
    ],
)
def test_usage_is_disjoint_and_sane(raw: Any, usage: Usage | None) -> None:
    assert chat_usage(raw) == usage


@pytest.mark.parametrize(
    ("raw", "cost"),
    [
        ({"cost_in_usd_ticks": 123_456_789}, "0.0123456789"),
        ({"cost": 1.23456, "is_byok": True, "cost_details": {"upstream_inference_cost": "2.000001"}}, "3.234561"),
    ],
)
def test_a_told_cost_keeps_its_digits_whatever_the_callers_context_is(raw: Any, cost: str) -> None:
    with localcontext(Context(prec=3, traps=[Inexact])):
        assert chat_usage(raw) == Usage(cost=cost, currency="USD")


def test_usage_of_images() -> None:
    assert image_usage({"input_tokens": 5, "output_tokens": 64, "total_tokens": 69}) == Usage(5, 64)
    assert image_usage({"prompt_tokens": 5}) == Usage(5)
    told = {"input_tokens": 5, "output_tokens": 64, "cost": 0.04}
    assert image_usage(told) == Usage(5, 64, cost="0.04", currency="USD")
    assert image_usage(None) is None


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (
            {"prompt_tokens": 30, "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 6},
             "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 5}},
            Usage(20, 2, cache_read=4, audio=6, reasoning=2, output_audio=5),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 1300, "completion_tokens_details": {"image_tokens": 1290}},
            Usage(3, 10, output_image=1290),
        ),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"audio_tokens": 9}}, Usage(0, audio=3)),
        ({"prompt_tokens": 3, "cost_in_usd_ticks": 37_756_000}, Usage(3, cost="0.0037756", currency="USD")),
        ({"prompt_tokens": 3, "cost_in_usd_ticks": "many"}, Usage(3)),
        ({"prompt_tokens": 3, "cost": {"total_cost": 0.006}}, Usage(3, cost="0.006", currency="USD")),
        ({"prompt_tokens": 3, "server_tool_use": {"web_search_requests": 2}}, Usage(3, web_searches=2)),
        (  # a key of one's own: OpenRouter's figure is its fee alone
            {"prompt_tokens": 3, "cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}},
            Usage(3, cost="0.021", currency="USD"),
        ),
        ({"prompt_tokens": 3, "cost": 0.001, "is_byok": True, "cost_details": {}}, Usage(3)),
        (
            {"prompt_tokens": 3, "cost": 0.02, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.02}},
            Usage(3, cost="0.02", currency="USD"),
        ),
    ],
)  # fmt: skip
def test_what_prices_go_by_is_told_apart(raw: Any, usage: Usage) -> None:
    found = chat_usage(raw)
    assert found == usage
    assert found.prompt_tokens == raw["prompt_tokens"]


def test_the_service_that_was_billed_is_told() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    assert read({"content": "hi"}, usage=usage, service_tier="flex").usage == Usage(3, 1, tier="flex")
    assert read({"content": "hi"}, usage=usage, service_tier=5).usage == Usage(3, 1)


def test_pictures_are_told_apart_in_the_usage_of_image_generations() -> None:
    raw = {
        "input_tokens": 50,
        "output_tokens": 4160,
        "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
        "output_tokens_details": {"image_tokens": 4160, "text_tokens": 0},
    }
    assert image_usage(raw) == Usage(10, 0, image=40, output_image=4160)


def test_a_response_tells_its_searches_and_the_runs_of_tools_that_cost_something() -> None:
    from hb_wire_openai.responses.answers import usage

    items = [
        {"type": "web_search_call", "action": {"type": "search", "query": "q"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "web_search_call"},
        {"type": "file_search_call"},
        {"type": "code_interpreter_call"},
        {"type": "message"},
        "odd",
    ]
    counts = {"input_tokens": 20, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 7}
    found = usage({"usage": counts, "service_tier": "priority"}, items)
    assert found == Usage(15, 7, cache_read=5, tier="priority", web_searches=2, tools=2)
    assert usage({"usage": counts}, None) == Usage(15, 7, cache_read=5)
    assert usage({}, items) is None
    ticks = {**counts, "cost_in_usd_ticks": 20_000_000}
    assert usage({"usage": ticks}, []) == Usage(15, 7, cache_read=5, cost="0.002", currency="USD")
