"""Events as chunks: text, thoughts, tool calls, usage, the end; and thoughts collected for the way back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hb_wire_openai.answers import Thinking
from hb_wire_openai.streams import ChatStream
from heavenbase.errors import HBError, Overloaded, ResponseDecodeError, ResponseShapeError, StreamTruncated
from heavenbase.gather import Gathering
from heavenbase.types import Chunk, Completion, Usage

from .support import make_call, make_spec

SEEN = Thinking(False, ())
CALL = make_call(make_spec())


def stream(thinking: Thinking = SEEN) -> ChatStream:
    return ChatStream(CALL, thinking, lambda error: Overloaded(str(error)))


def event(delta: Any = None, finish: Any = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return json.dumps({"id": "c-1", "model": "m-2", "choices": [choice], **fields}).encode()


def gather(*events: bytes, thinking: Thinking = SEEN) -> Completion:
    state = stream(thinking)
    gathering = Gathering()
    for data in events:
        chunk = state.feed(data)
        if chunk is None:
            break
        gathering.feed(chunk)
    last = state.end()
    if last is not None:
        gathering.feed(last)
    return gathering.completion(CALL)


def test_a_stream() -> None:
    answer = gather(
        event({"role": "assistant", "content": ""}),
        event({"content": "hel"}),
        event({"content": "lo"}),
        event(finish="stop"),
        json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}).encode(),
        b"[DONE]",
    )
    assert (answer.text, answer.finish_reason, answer.raw_finish_reason) == ("hello", "stop", "stop")
    assert (answer.id, answer.model, answer.usage) == ("c-1", "m-2", Usage(3, 2))
    assert len(answer.raw) == 5


@given(st.lists(st.text(max_size=5), max_size=20))
def test_text_is_whole_however_it_is_cut(pieces: list[str]) -> None:
    answer = gather(*(event({"content": piece}) for piece in pieces), event(finish="stop"))
    assert answer.text == "".join(pieces)


def test_thoughts_come_as_they_do_and_once_more_for_the_way_back() -> None:
    events = [
        event({"reasoning_content": "a", "content": None}),
        event({"reasoning_content": "b"}),
        event({"content": "x"}),
        event(finish="stop"),
    ]
    answer = gather(*events, thinking=Thinking(False, ("reasoning_content",)))
    assert (answer.reasoning, answer.text) == ("ab", "x")
    assert [part["value"] for part in answer.reasoning_parts] == ["ab"]
    assert gather(*events).reasoning_parts == []


def test_hidden_thoughts_count_as_content_and_are_not_shown() -> None:
    state = stream(Thinking(True, ()))
    chunk = state.feed(event({"reasoning": "secret"}))
    assert chunk is not None
    assert chunk.reasoning == ""
    assert state.is_fresh
    assert state.showed


def test_details_are_put_together_from_their_pieces() -> None:
    kind = {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1"}
    answer = gather(
        event({"content": "", "reasoning_details": [{**kind, "text": "", "signature": ""}]}),
        event({"content": "", "reasoning": "a", "reasoning_details": [{**kind, "text": "a"}]}),
        event({"content": "", "reasoning": "b", "reasoning_details": [{**kind, "text": "b"}]}),
        event({"content": "", "reasoning_details": [{**kind, "signature": "sig=="}]}),
        event({"content": "", "reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "d"}]}),
        event({"content": "x"}, finish="stop"),
        thinking=Thinking(False, ("reasoning_details", "reasoning")),
    )
    assert answer.reasoning == "ab"
    assert answer.reasoning_parts[0]["value"] == [
        {**kind, "text": "ab", "signature": "sig=="},
        {"type": "reasoning.encrypted", "index": 1, "data": "d"},
    ]


def test_tool_calls_in_pieces() -> None:
    answer = gather(
        event({"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}}]}),
        event({"tool_calls": [{"index": 0, "id": "", "function": {"name": "", "arguments": '{"a"'}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
        event({"tool_calls": [{"index": 1, "id": "2", "function": {"name": "g", "arguments": {"b": 2}}}]}),
        event(finish="tool_calls"),
    )
    assert [(call.id, call.name, call.parse()) for call in answer.tool_calls] == [
        ("1", "f", {"a": 1}),
        ("2", "g", {"b": 2}),
    ]


def test_the_older_function_call_in_pieces() -> None:
    answer = gather(
        event({"function_call": {"name": "f", "arguments": "{"}}),
        event({"function_call": {"arguments": "}"}}),
        event(finish="function_call"),
    )
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("f", "{}")]
    assert answer.finish_reason == "tool_calls"


def test_b1_other_choices_stand_beside_the_answer() -> None:
    two = {"choices": [{"index": i, "delta": {"content": str(i)}, "finish_reason": None} for i in (1, 0)]}
    answer = gather(json.dumps(two).encode(), event(finish="stop"))
    assert answer.text == "0"
    assert [choice.text for choice in answer.choices] == ["0", "1"]


def test_usage_beside_a_choice_and_in_groqs_place() -> None:
    assert gather(event(finish="stop", usage={"prompt_tokens": 1})).usage == Usage(1)
    assert gather(event(finish="stop", x_groq={"usage": {"prompt_tokens": 2}})).usage == Usage(2)


def test_a_refusal_is_text() -> None:
    answer = gather(event({"refusal": "No."}), event(finish="stop"))
    assert answer.text == "No."


def test_the_marker_without_a_reason() -> None:
    answer = gather(event({"content": "x"}), b"[DONE]")
    assert (answer.finish_reason, answer.raw_finish_reason) == ("other", None)


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([], ResponseDecodeError),
        ([b"[DONE]"], ResponseShapeError),
        ([b"{"], ResponseDecodeError),
        ([b"[1]"], ResponseShapeError),
        ([b'{"choices": null}'], ResponseShapeError),
        ([b"{}"], ResponseShapeError),
        ([b'{"choices": []}'], ResponseShapeError),
        ([b'{"choices": ["x"]}'], ResponseShapeError),
        ([b'{"choices": [{"index": 0, "delta": null}]}'], ResponseShapeError),
        ([event({"tool_calls": ["x"]})], ResponseShapeError),
        ([event({"content": 7})], ResponseShapeError),
        ([event({"content": "x"})], StreamTruncated),
        ([event({"role": "assistant"})], StreamTruncated),
        ([b'{"error": {"message": "down"}}'], Overloaded),
        ([b'{"object": "error", "message": "down"}'], Overloaded),
        ([b'{"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 503}}]}'], Overloaded),
    ],
)
def test_what_is_no_whole_stream(events: list[bytes], kind: type[HBError]) -> None:
    with pytest.raises(kind):
        gather(*events)


def test_a_cut_is_worth_another_try_only_before_anything_was_shown() -> None:
    for delta, retryable in (({"role": "assistant", "content": ""}, True), ({"content": "x"}, False)):
        state = stream()
        assert isinstance(state.feed(event(delta)), Chunk)
        with pytest.raises(StreamTruncated) as caught:
            state.end()
        assert caught.value.retryable is retryable
        assert caught.value.maybe_billed
