"""Events as chunks: text, thoughts, tool calls, usage in either shape, the end; and what goes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hb_gateway_anthropic.responses import completion
from hb_gateway_anthropic.streams import MessageStream
from heavenbase.errors import HBError, Overloaded, ResponseDecodeError, ResponseShapeError, StreamTruncated
from heavenbase.gather import Gathering
from heavenbase.types import Citation, Completion, Usage

from .support import make_call, make_spec

CALL = make_call(make_spec())
STOP = {"type": "message_stop"}


def stream(hidden: bool = False) -> MessageStream:
    return MessageStream(CALL, hidden, held)


def held(event: Any) -> HBError | None:
    is_error = isinstance(event, dict) and (event.get("type") == "error" or event.get("error"))
    return Overloaded(str(event)) if is_error else None


def begin(**usage: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "model": "claude-x-1", "content": [], "usage": usage}
    return {"type": "message_start", "message": message}


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    deltas = [delta(index, "text_delta", text=piece) for piece in pieces]
    return [start(index, type="text", text=""), *deltas, stop(index)]


def use(index: int, id_: str, name: str, *pieces: str) -> list[dict[str, Any]]:
    deltas = [delta(index, "input_json_delta", partial_json=piece) for piece in pieces]
    return [start(index, type="tool_use", id=id_, name=name, input={}), *deltas, stop(index)]


def end(reason: Any = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}, STOP]


def gather(*events: dict[str, Any], hidden: bool = False) -> Completion:
    state, gathering = stream(hidden), Gathering()
    for event in events:
        chunk = state.feed(json.dumps(event).encode())
        if chunk is not None:
            gathering.feed(chunk)
    state.end()
    return gathering.completion(CALL)


def test_a_stream() -> None:
    answer = gather(
        begin(input_tokens=3, output_tokens=1), {"type": "ping"}, *text(0, "hel", "lo"), *end(output_tokens=2)
    )
    assert (answer.text, answer.finish_reason, answer.raw_finish_reason) == ("hello", "stop", "end_turn")
    assert (answer.id, answer.model, answer.usage) == ("msg_1", "claude-x-1", Usage(3, 2))
    assert all(event["type"] != "ping" for event in answer.raw)


@given(st.lists(st.text(max_size=5), max_size=20))
def test_text_is_whole_however_it_is_cut(pieces: list[str]) -> None:
    assert gather(begin(), *text(0, *pieces), *end()).text == "".join(pieces)


@pytest.mark.parametrize(
    "closing",
    [
        {"output_tokens": 7},
        {"input_tokens": 4, "output_tokens": 7},
        {"input_tokens": 4, "output_tokens": 7, "cache_read_input_tokens": 10, "cache_creation_input_tokens": None},
    ],
)
def test_hb36_h08_usage_is_right_in_either_shape_of_the_closing_event(closing: dict[str, Any]) -> None:
    opening = {"input_tokens": 4, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 2, "output_tokens": 1}
    answer = gather(begin(**opening), *text(0, "x"), *end(**closing))
    assert answer.usage == Usage(4, 7, cache_read=10, cache_write=2)
    assert answer.usage.total_tokens == 23


def test_usage_of_thoughts_is_a_bucket_of_its_own() -> None:
    closing = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 5}}
    assert gather(begin(input_tokens=1), *text(0, "x"), *end(**closing)).usage == Usage(1, 4, reasoning=5)


def test_unknown_usage_is_none() -> None:
    message = {"type": "message_start", "message": {"id": "m", "content": []}}
    closing: list[dict[str, Any]] = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, STOP]
    assert gather(message, *text(0, "x"), *closing).usage is None


THINKING = [
    start(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="let "),
    delta(0, "thinking_delta", thinking="me see"),
    delta(0, "signature_delta", signature="sig=="),
    stop(0),
    start(1, type="redacted_thinking", data="opaque"),
    stop(1),
]


def test_thoughts_go_back_whole_with_their_signatures() -> None:
    answer = gather(begin(), *THINKING, *text(2, "hel", "lo"), *end())
    assert (answer.reasoning, answer.text) == ("let me see", "hello")
    [part] = answer.reasoning_parts
    assert part == {
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "field": "content",
        "value": [
            {"type": "thinking", "thinking": "let me see", "signature": "sig=="},
            {"type": "redacted_thinking", "data": "opaque"},
            {"type": "text", "text": "hello"},
        ],
    }


def test_hidden_thoughts_count_as_content_and_are_not_shown() -> None:
    state, showed = stream(True), []
    for event in (begin(), *THINKING[:2]):
        chunk = state.feed(json.dumps(event).encode())
        assert chunk is None or not chunk.has_content
        showed.append((state.is_fresh, state.showed))
    assert showed == [(False, False), (True, True), (True, True)]
    answer = gather(begin(), *THINKING, *text(2, "x"), *end(), hidden=True)
    assert answer.reasoning == ""
    assert answer.reasoning_parts[0]["value"][0]["signature"] == "sig=="


def test_h10_tool_calls_are_put_together_two_at_once() -> None:
    first, second = use(0, "a", "f", '{"x"', ": 1}"), use(1, "b", "g", "", '{"y":', "2}")
    answer = gather(begin(), first[0], second[0], *first[1:2], *second[1:3], *first[2:], *second[3:], *end("tool_use"))
    assert [(c.id, c.name, c.parse()) for c in answer.tool_calls] == [("a", "f", {"x": 1}), ("b", "g", {"y": 2})]
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize("pieces", [(), ("",), ("", "")])
def test_e8_a_call_without_arguments_has_an_empty_object(pieces: tuple[str, ...]) -> None:
    [call] = gather(begin(), *use(0, "a", "f", *pieces), *end("tool_use")).tool_calls
    assert call.arguments == "{}"


def test_an_input_that_comes_with_the_start_of_its_block_is_read() -> None:
    whole = [start(0, type="tool_use", id="a", name="f", input={"x": 1}), stop(0)]
    [call] = gather(begin(), *whole, *end("tool_use")).tool_calls
    assert call.parse() == {"x": 1}


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=4), st.data())
def test_arguments_are_whole_however_they_are_cut(arguments: dict[str, Any], data: st.DataObject) -> None:
    written = json.dumps(arguments)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=6)))
    pieces = [written[a:b] for a, b in zip([0, *cuts], [*cuts, len(written)], strict=True)]
    [call] = gather(begin(), *use(0, "a", "f", *pieces), *end("tool_use")).tool_calls
    assert call.parse() == arguments


def test_citations_and_blocks_of_the_providers_tools_are_kept() -> None:
    search = [
        start(0, type="server_tool_use", id="s", name="web_search", input={}),
        delta(0, "input_json_delta", partial_json='{"query": "x"}'),
        stop(0),
        start(1, type="web_search_tool_result", tool_use_id="s", content=[{"url": "u"}]),
        stop(1),
        start(2, type="text", text=""),
        delta(2, "citations_delta", citation={"url": "u"}),
        delta(2, "text_delta", text="found"),
        stop(2),
    ]
    answer = gather(begin(), *search, *end())
    assert (answer.text, answer.tool_calls) == ("found", [])
    assert answer.reasoning_parts[0]["value"] == [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]},
        {"type": "text", "text": "found", "citations": [{"url": "u"}]},
    ]


def test_h02_a_stream_says_what_the_whole_answer_says() -> None:
    blocks = [{"type": "text", "text": "hello"}, {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}]
    whole = completion(
        CALL,
        {
            "id": "msg_1",
            "model": "claude-x-1",
            "content": blocks,
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 1},
        },
        False,
    )
    streamed = gather(begin(input_tokens=1), *text(0, "hel", "lo"), *use(1, "a", "f", '{"x":', "1}"), *end("tool_use"))
    for name in ("text", "tool_calls", "finish_reason", "raw_finish_reason", "usage", "id", "model", "reasoning_parts"):
        assert getattr(whole, name) == getattr(streamed, name)


def test_what_a_later_version_sends_beside_is_passed_over() -> None:
    later = [{"type": "from_tomorrow", "x": 1}, start(1, type="new_block"), delta(1, "new_delta", x=1), stop(1)]
    answer = gather(begin(), *text(0, "a"), *later, *end("new_reason"))
    assert (answer.text, answer.finish_reason, answer.raw_finish_reason) == ("a", "other", "new_reason")


def test_the_end_without_a_reason_is_no_reason() -> None:
    answer = gather(begin(), *text(0, "a"), STOP)
    assert (answer.finish_reason, answer.raw_finish_reason) == ("other", None)


@pytest.mark.parametrize(
    ("events", "retryable"),
    [
        ([begin()], True),
        ([begin(), start(0, type="text", text="")], True),
        ([begin(), *text(0, "a")], False),
        ([begin(), *text(0, "a"), end()[0]], False),
        ([begin(), *THINKING[:2]], False),
    ],
)
def test_h11_an_end_without_message_stop_is_truncated(events: list[dict[str, Any]], retryable: bool) -> None:
    with pytest.raises(StreamTruncated, match="message_stop") as caught:
        gather(*events)
    assert caught.value.retryable is retryable
    assert caught.value.maybe_billed


def test_nothing_at_all_is_no_stream() -> None:
    with pytest.raises(ResponseDecodeError, match="empty"):
        gather()


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        {"error": {"type": "overloaded_error", "message": "Overloaded"}},
        {"type": "error"},
    ],
)
def test_h11_an_error_event_is_that_error(event: dict[str, Any]) -> None:
    with pytest.raises(Overloaded):
        gather(begin(), *text(0, "a"), event)


@pytest.mark.parametrize(
    "events",
    [
        [[]],
        [{}],
        [{"type": 3}],
        [{"type": "message_start"}],
        [{"type": "message_start", "message": {"content": None}}],
        [{"type": "message_start", "message": {"content": [None]}}],
        [STOP],
        [begin(), {"type": "content_block_start", "index": 0}],
        [begin(), start(0, type="tool_use", id="a")],
        [begin(), delta(0, "text_delta", text="a")],
        [begin(), start(0, type="text"), delta(0, "text_delta", text=3)],
        [begin(), start(0, type="text"), {"type": "content_block_delta", "index": 0, "delta": None}],
    ],
)
def test_events_of_the_wrong_shape_are_errors(events: list[Any]) -> None:
    state, last = stream(), events[-1]
    for event in events[:-1]:
        state.feed(json.dumps(event).encode())
    with pytest.raises(HBError) as caught:
        state.feed(json.dumps(last).encode())
    assert type(caught.value) is ResponseShapeError


CITED = [
    ({"type": "char_location", "cited_text": "q", "document_index": 1, "document_title": "D", "start_char_index": 3,
      "end_char_index": 4, "file_id": "file_1"},
     Citation(4, 7, kind="document", id="file_1", document=1, title="D", quote="q", source_start=3, source_end=4,
              unit="characters")),
    ({"type": "page_location", "cited_text": "q", "document_index": 0, "start_page_number": 1, "end_page_number": 2},
     Citation(4, 7, kind="document", document=0, quote="q", source_start=1, source_end=2, unit="pages")),
    ({"type": "web_search_result_location", "cited_text": "q", "url": "https://a.example", "title": "A",
      "encrypted_index": "x"}, Citation(4, 7, title="A", url="https://a.example", quote="q")),
    ({"type": "search_result_location", "cited_text": "q", "source": "https://b.example", "title": "B",
      "search_result_index": 2, "start_block_index": 0, "end_block_index": 1},
     Citation(4, 7, kind="search_result", id="https://b.example", document=2, title="B", url="https://b.example",
              quote="q", source_start=0, source_end=1, unit="blocks")),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), CITED)
def test_b12_citations_stand_over_the_text_of_their_block(raw: Any, expected: Citation) -> None:
    events = [
        *text(0, "abc ", ""),
        start(1, type="text", text="", citations=[]),
        delta(1, "citations_delta", citation=raw),
        delta(1, "text_delta", text="def"),
        stop(1),
        *text(2, "."),
    ]
    streamed = gather(begin(), *events, STOP)
    blocks = [{"type": "text", "text": "abc "}, {"type": "text", "text": "def", "citations": [raw]}]
    for answer in (streamed, completion(CALL, {"content": blocks, "stop_reason": "end_turn"}, False)):
        assert answer.citations == [expected]
        assert answer.text[4:7] == "def"


def test_b11_calls_of_the_providers_tools_stay_where_no_thoughts_are_wanted() -> None:
    block = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
    for kinds, is_kept in (([block], True), ([{"type": "thinking", "thinking": "a", "signature": "s"}], None)):
        answer = completion(
            CALL, {"content": [*kinds, {"type": "text", "text": "a"}], "stop_reason": "end_turn"}, False
        )
        assert [part.get("is_kept") for part in answer.reasoning_parts] == [is_kept]


def test_b7_the_usage_of_a_stream_forgets_nothing() -> None:
    first = {"input_tokens": 3, "cache_read_input_tokens": 9, "output_tokens": 1}
    change = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 5, "cache_read_input_tokens": None}}
    assert gather(begin(**first), *text(0, "a"), change, STOP).usage == Usage(3, 5, cache_read=9)
