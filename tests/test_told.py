"""What came is told, on every wire: answers that failed, that nothing proves, or that were refused are no success."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from hb_testing.server import event_frames
from heavenbase.errors import (
    AuthError,
    ContentFiltered,
    GenerationFailed,
    HBError,
    ModelNotFound,
    Overloaded,
    QuotaExhausted,
    RateLimitError,
    ResponseShapeError,
    ServerError,
    StructuredOutputError,
    ToolArgsError,
)
from heavenbase.types import Completion
from tests.told import STREAMS, WIRES, Told

WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
EVERY = pytest.mark.parametrize("told", WIRES, ids=lambda told: told.name)
BY_NAME = {told.name: told for told in WIRES}
WORDS = {
    "anthropic": ["error", "MALFORMED_TOOL_USE"],
    "bedrock": ["malformed_model_output", "malformed_tool_use", "error"],
    "cohere": ["ERROR", "TIMEOUT"],
    "gemini": ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"],
    "ollama": ["error"],
    "responses": ["failed", "cancelled"],
}
CHAT_WORDS = ["error", "abort", "insufficient_system_resource", "network_error", "f: MALFORMED_FUNCTION_CALL"]


def ended(told: Told, word: Any, place: int = 0) -> tuple[dict[str, Any], list[Any]]:
    """The answer of a wire with this finish reason, whole and streamed."""

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: (word if name == named and inner in said else changed(inner)) for name, inner in value.items()
            }
        return [changed(inner) for inner in value] if isinstance(value, list) else value

    named = str(told.marker[-1])
    said = ("stop", "tool_calls", "end_turn", "tool_use", "STOP", "COMPLETE", "TOOL_CALL", "completed")
    events = list(told.streams[place])
    return told.ended(word, (told.text, told.calls)[place]), [changed(event) for event in events]


@EVERY
def test_the_answers_are_read_alike_whole_and_streamed(told: Told) -> None:
    for place, (answer, events) in enumerate(zip((told.text, told.calls), told.streams, strict=True)):
        for found in told.every(answer, events, tools=[WEATHER]):
            assert isinstance(found, Completion), found
            assert (found.text, [call.parse() for call in found.tool_calls]) == (
                ("", [{"city": "Köln"}]) if place else ("Hello there", [])
            )
            assert found.finish_reason == ("tool_calls" if place else "stop")
            assert found.reasoning in ("hm", "")


@EVERY
@pytest.mark.parametrize("place", [0, 1], ids=["text", "calls"])
def test_b4_a_generation_that_failed_is_an_error_that_says_so(told: Told, place: int) -> None:
    for word in WORDS.get(told.name, CHAT_WORDS):
        for found in told.every(*ended(told, word, place), tools=[WEATHER]):
            assert isinstance(found, HBError), (word, found)
            assert isinstance(found, GenerationFailed | ServerError) or found.kind == "stream_interrupted", word
            assert word in f"{found} {found.__cause__}" or word.lower() in ("error", "timeout"), word


@EVERY
def test_b4_an_end_that_nobody_knows_is_an_error_where_nothing_came_and_told_where_something_did(told: Told) -> None:
    if told.name == "responses":
        return  # its ends are a closed list
    for found in told.every(*ended(told, "for_the_moon")):
        assert isinstance(found, Completion)
        assert (found.finish_reason, found.raw_finish_reason, found.text) == ("other", "for_the_moon", "Hello there")


def test_b4_gemini_says_why_there_is_no_answer() -> None:
    told = BY_NAME["gemini"]
    for word in ("MALFORMED_FUNCTION_CALL", "NO_IMAGE", "LANGUAGE", "OTHER", "IMAGE_OTHER"):
        answer = {"candidates": [{"finishReason": word, "index": 0, "finishMessage": "It went wrong."}]}
        for found in told.every(answer, [answer]):
            assert isinstance(found, GenerationFailed)
            assert (found.code, found.retryable) == (word, True)
            assert "It went wrong." in str(found)


@pytest.mark.parametrize("name", ["openai", "openrouter", "deepseek", "mistral"])
def test_b4_the_error_in_a_choice_is_that_error(name: str) -> None:
    told = BY_NAME[name]
    error = {"code": 502, "message": "Provider returned error"}
    for finish in ("error", None, "stop"):
        choice = {"index": 0, "finish_reason": finish, "error": error}
        answer = {**told.text, "choices": [{**choice, "message": {"role": "assistant", "content": "par"}}]}
        event = {**told.text, "choices": [{**choice, "delta": {"content": "par"}}]}
        for found in told.every(answer, [event, "[DONE]"]):
            assert isinstance(found, HBError), finish
            assert "Provider returned error" in str(found)


def test_b4_a_provider_that_says_beside_each_answer_what_became_of_it_is_believed() -> None:
    told = replace(BY_NAME["openai"], provider="minimax", model="MiniMax-M2.5", options={"api_key": "k"})
    fine = {"status_code": 0, "status_msg": ""}
    for found in told.every(
        {**told.text, "base_resp": fine}, [{**told.streams[0][0], "base_resp": fine}, *told.streams[0][1:]]
    ):
        assert isinstance(found, Completion), found
    for code, expected in (
        (1008, QuotaExhausted),
        (1002, RateLimitError),
        (1027, ContentFiltered),
        (1000, ServerError),
    ):
        answer = {"id": "c-1", "choices": None, "base_resp": {"status_code": code, "status_msg": "It went wrong."}}
        for found in told.every(answer, [answer]):
            assert type(found) is expected, (code, found)
            assert "It went wrong." in str(found)


@EVERY
def test_b16_a_whole_answer_without_an_end_is_not_taken_for_one(told: Told) -> None:
    for missing in (..., None, ""):
        if told.name == "ollama":
            answer = {name: value for name, value in told.text.items() if name != "done"}
        else:
            answer = told.ended(missing)
        for found in told.every(answer, told.streams[0])[::2]:
            assert isinstance(found, ResponseShapeError), (missing, found)
    # Calls that are whole prove themselves.
    if told.name not in ("ollama", "responses"):
        for missing in (..., None, ""):
            for found in told.every(told.ended(missing, told.calls), told.streams[1], tools=[WEATHER])[::2]:
                assert isinstance(found, Completion)
                assert (found.finish_reason, [call.name for call in found.pending]) == ("tool_calls", ["weather"])


@pytest.mark.parametrize("name", ["openai", "openrouter", "deepseek", "mistral", "cohere", "ollama"])
def test_b16_an_empty_message_is_no_answer(name: str) -> None:
    told = BY_NAME[name]
    for message in ({}, {"role": "assistant"})[: 1 if name == "cohere" else 2]:
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        answer = {**told.text, "message": message} if "message" in told.text else {**told.text, "choices": choices}
        for found in told.every(answer, told.streams[0])[::2]:
            assert isinstance(found, ResponseShapeError)


def test_b16_a_stream_that_names_an_empty_end_goes_on() -> None:
    told = BY_NAME["openai"]
    events = [{**event, "choices": [{**event["choices"][0], "finish_reason": ""}]} for event in told.streams[0][:3]]
    with pytest.raises(HBError, match="without a finish reason"):
        told.streamed(events)
    [*_, last] = told.streamed([*events, "[DONE]"])
    assert last.completion is not None
    assert (last.completion.text, last.completion.finish_reason) == ("Hello there", "other")


@pytest.mark.parametrize("name", ["openai", "openrouter", "deepseek", "mistral"])
def test_b6_a_choice_without_a_message_that_a_filter_took_is_a_filtered_answer(name: str) -> None:
    told = BY_NAME[name]
    choice = {"index": 0, "finish_reason": "content_filter", "content_filter_results": {"hate": {"filtered": True}}}
    for taken in (choice, {**choice, "message": None, "delta": None}):
        answer = {**told.text, "choices": [taken]}
        for found in told.every(answer, [answer, "[DONE]"]):
            assert isinstance(found, Completion)
            assert (found.text, found.finish_reason) == ("", "content_filter")


@EVERY
def test_b5_a_plain_word_of_another_wire_says_what_it_says(told: Told) -> None:
    if told.name == "responses":  # which has a status, and no reason
        return
    for place, word, expected in ((0, "END_TURN", "stop"), (0, "Length", "length"), (1, "TOOL_CALLS", "tool_calls")):
        for found in told.every(*ended(told, word, place), tools=[WEATHER]):
            assert isinstance(found, Completion), (word, found)
            assert (found.finish_reason, found.raw_finish_reason) == (expected, word)


@pytest.mark.parametrize("name", ["openai", "openrouter", "mistral"])
def test_b6_verdicts_of_a_filter_say_what_nothing_else_does(name: str) -> None:
    told = BY_NAME[name]
    verdict = {"hate": {"filtered": False}, "violence": {"filtered": True, "severity": "high"}}
    for choice in ({"index": 0}, {"index": 0, "message": None, "finish_reason": None}):
        answer = {**told.text, "choices": [{**choice, "content_filter_results": verdict}]}
        for found in told.every(answer, told.streams[0])[::2]:
            assert isinstance(found, Completion)
            assert (found.text, found.finish_reason) == ("", "content_filter")
    prompt = [{"prompt_index": 0, "content_filter_results": verdict}]
    for found in told.every({**told.text, "choices": [], "prompt_filter_results": prompt}, told.streams[0])[::2]:
        assert isinstance(found, ContentFiltered)
        assert not found.retryable


@pytest.mark.parametrize("name", ["openai", "openrouter", "deepseek", "mistral"])
def test_b4_a_stream_whose_one_event_is_the_whole_answer_is_that_answer(name: str) -> None:
    told = BY_NAME[name]
    for place, answer in enumerate((told.text, told.calls)):
        for found in told.every(answer, [answer, "[DONE]"], tools=[WEATHER]):
            assert isinstance(found, Completion)
            assert (found.text, len(found.pending)) == ("" if place else "Hello there", place)


def test_b15_a_finished_call_that_says_otherwise_than_its_pieces_is_not_run() -> None:
    told = BY_NAME["responses"]

    def finished(arguments: str) -> list[Any]:
        return [
            {**event, "item": {**event["item"], "arguments": arguments}}
            if event["type"] == "response.output_item.done"
            else event
            for event in told.streams[1]
        ]

    for arguments in ('{"city": "Bonn"}', '{"city": "K', "[]"):
        for found in told.every(told.calls, finished(arguments), tools=[WEATHER])[1::2]:
            assert isinstance(found, HBError), (arguments, found)
            assert "other arguments than its pieces" in str(found)
    for arguments in ('{"city":"Köln"}', '{ "city" : "K\\u00f6ln" }', ""):
        for found in told.every(told.calls, finished(arguments), tools=[WEATHER])[1::2]:
            assert isinstance(found, Completion), (arguments, found)
            assert [call.parse() for call in found.tool_calls] == [{"city": "Köln"}]


@EVERY
def test_b15_a_name_that_stands_twice_in_arguments_is_doubtful_in_text_and_objects(told: Told) -> None:
    def twice(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        once = text.replace('Köln\\"}', 'Köln\\", \\"city\\": \\"Bonn\\"}')
        return once.replace('Köln"}', 'Köln", "city": "Bonn"}')

    if told.name == "bedrock":
        events: list[Any] = [{name: twice(it) for name, it in event.items()} for event in told.streams[1]]
    else:
        events = [twice(event) for event in told.streams[1]]
    for found in told.every(twice(told.calls).encode(), events, tools=[WEATHER]):
        assert isinstance(found, Completion), found
        [call] = found.pending
        with pytest.raises(ToolArgsError, match="a name stands twice") as caught:
            call.parse()
        assert caught.value.code == "ambiguous"


REFUSAL = [{"role": "assistant", "refusal": "I "}, {"refusal": "can't."}]


@pytest.mark.parametrize("finish", ["stop", "content_filter", None])
def test_b10_a_streamed_refusal_is_one(finish: str | None) -> None:
    told = BY_NAME["openai"]
    event = told.streams[0][0]

    def piece(delta: Any, reason: Any = None) -> dict[str, Any]:
        return {**event, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    events = [*map(piece, REFUSAL), *([piece({}, finish)] if finish else []), "[DONE]"]
    [*_, last] = told.streamed(events)
    assert last.completion is not None
    assert last.completion.text == "I can't."
    assert last.completion.finish_reason == ("content_filter" if finish == "content_filter" else "refusal")


def test_b10_with_a_schema_the_error_says_that_the_model_refused() -> None:
    told = BY_NAME["openai"]
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "refusal": "I can't."}}
    event = {**told.text, "choices": [{"index": 0, "finish_reason": "stop", "delta": {"refusal": "I can't."}}]}
    asked = {"response_format": {"type": "json_object"}}
    for found in told.every({**told.text, "choices": [choice]}, [event, "[DONE]"], **asked):
        assert isinstance(found, StructuredOutputError)
        assert "the model refused" in str(found)
        assert found.code == "refusal"
        assert found.partial is not None
        assert found.partial.text == "I can't."


# The end


class Ticking:
    """A body whose server goes on after the end: each piece comes a tenth of a second after the one before."""

    def __init__(self, begins: bytes, behind: bytes) -> None:
        self.pieces, self.now, self._begins, self._behind = 0, 0.0, begins, behind

    def clock(self) -> float:
        return self.now

    def __iter__(self) -> Iterator[bytes]:
        yield self._begins
        while self.pieces < 100:
            self.pieces += 1
            self.now += 0.1
            yield self._behind


IDLE = {"text/event-stream": b": ping\n\n", "application/x-ndjson": b"\n"}


def endings(told: Told) -> list[list[Any]]:
    """The events up to the end, for each place at which a server may fall silent behind it."""
    events = list(told.streams[0])
    if events[-1] == "[DONE]":
        last = next(place for place, it in enumerate(events) if it["choices"] and it["choices"][0]["finish_reason"])
        return [events[: last + 1], events]
    return [events] if told.name != "bedrock" else [events[:-1], events]


@EVERY
def test_b13_a_stream_that_has_proved_its_end_waits_for_nobody(told: Told) -> None:
    encode = STREAMS[told.content_type]
    for proof in endings(told):
        for is_async in (False, True):
            body = Ticking(encode(proof), IDLE.get(told.content_type, event_frames.event("ping", b"{}")))
            answer = told.over(body, clock=body.clock, is_async=is_async)
            assert (answer.text, answer.finish_reason) == ("Hello there", "stop")
            assert body.pieces <= 7


@EVERY
def test_b13_counts_behind_the_end_are_waited_for(told: Told) -> None:
    events = list(told.streams[0])
    for found in told.every(told.text, events)[1::2]:
        assert isinstance(found, Completion)
        assert found.usage is not None
        assert found.usage.prompt_tokens == 3


@EVERY
def test_b13_what_comes_behind_the_end_is_not_part_of_the_answer(told: Told) -> None:
    [events, _] = told.streams
    again = [it for it in events if "there" in json.dumps(it) and "stop" not in json.dumps(it).lower()]
    if told.name == "gemini":
        again = [
            {"candidates": [{"content": {"role": "model", "parts": [{"text": " there"}]}, "index": 0}]},
            events[-1],
        ]
    for found in told.every(told.text, [*events, *again])[1::2]:
        assert isinstance(found, Completion)
        assert found.text == "Hello there"


# Thoughts that nobody wants


@EVERY
@pytest.mark.parametrize("place", [0, 1], ids=["text", "calls"])
def test_b9_think_false_leaves_thoughts_out_of_raw_too(told: Told, place: int) -> None:
    answer, events = (told.text, told.calls)[place], told.streams[place]
    for found in told.every(answer, events, think=False):
        assert isinstance(found, Completion)
        assert (found.text, found.reasoning) == (("Hello there", "")[place], "")
        assert '"hm"' not in json.dumps(found.raw)
        assert ("Hello", "weather")[place] in json.dumps(found.raw)
    for found in told.every(answer, events):
        assert isinstance(found, Completion)
        assert found.reasoning == "" or '"hm"' in json.dumps(found.raw)


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "cohere", "bedrock", "ollama", "mistral"])
def test_b9_think_false_takes_thoughts_in_tags_off_the_text(name: str) -> None:
    told = BY_NAME[name]
    tagged = "<think>so, so</think>\n\nHello there"

    def said(value: Any) -> Any:
        return json.loads(json.dumps(value, ensure_ascii=False).replace('"Hello there"', json.dumps(tagged)))

    pieces = ["<thi", "nk>so, ", "so</", "think>", "\n", "\nHello", " there"]
    [events, _] = told.streams
    text = next(it for it in events if '"Hello' in json.dumps(it))
    before = events[: events.index(text)]
    behind = [it for it in events[events.index(text) + 1 :] if '" there"' not in json.dumps(it)]
    again = json.dumps(text)
    middle = [
        json.loads(again.replace('"Hello there"', json.dumps(it)).replace('"Hello"', json.dumps(it))) for it in pieces
    ]
    if name == "gemini":
        behind = [{"candidates": [{"finishReason": "STOP", "index": 0}]}]
    for found in told.every(said(told.text), [*before, *middle, *behind], think=False):
        assert isinstance(found, Completion)
        assert found.text == "Hello there"
        assert "so, so" not in json.dumps(found.raw)
        assert '"so, "' not in json.dumps(found.raw)
    for found in told.every(said(told.text), [*before, *middle, *behind]):
        assert isinstance(found, Completion)
        assert found.text == tagged


@pytest.mark.parametrize("name", ["openai", "openrouter", "deepseek"])
def test_b6_an_error_that_stands_alone_in_a_success_is_that_error(name: str) -> None:
    told = BY_NAME[name]
    for alone, expected in (
        ({"message": "overloaded", "type": "overloaded_error"}, Overloaded),
        ({"success": False, "code": 401, "msg": "invalid token"}, AuthError),
        ({"code": "insufficient_quota", "message": "x"}, QuotaExhausted),
        ({"error": "model 'x' not found"}, ModelNotFound),
    ):
        for found in told.every(alone, [alone]):
            assert type(found) is expected, (alone, found)


def test_b8_a_model_that_is_not_there_is_not_asked_for_again_in_a_stream() -> None:
    told = BY_NAME["ollama"]
    for found in told.every({"error": "model 'x' not found"}, [{"error": "model 'x' not found"}]):
        assert isinstance(found, ModelNotFound)
        assert not found.retryable
