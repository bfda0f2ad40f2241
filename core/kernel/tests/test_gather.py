"""Chunks become one completion; streamed tool calls come together however a wire numbers and cuts them."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavenbase.gather import UNFINISHED, WHOLE, Gathering, ToolCallAssembler, name_calls
from heavenbase.types import Chunk, FinishReason, ToolCall, ToolCallDelta, Usage

from .support import make_kernel

Wanted = list[tuple[str, str, str]]
arguments = st.one_of(st.just(""), st.dictionaries(st.text(max_size=4), st.integers(), max_size=3).map(json.dumps))
tool_calls = st.lists(st.tuples(st.sampled_from(["add", "find", "stop"]), arguments), min_size=1, max_size=5)


def assembled(deltas: list[ToolCallDelta]) -> Wanted:
    assembler = ToolCallAssembler()
    for delta in deltas:
        assembler.feed(delta)
    return [(call.id, call.name, call.arguments) for call in assembler.calls()]


def cut(data: st.DataObject, text: str) -> list[str]:
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=4)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def fragments(data: st.DataObject, index: int | None, call: tuple[str, str, str], repeat: str) -> list[ToolCallDelta]:
    identity, name, text = call
    first, *rest = cut(data, text)
    again = {"id": {"id": identity}, "empty": {"id": "", "name": ""}, "both": {"id": identity, "name": name}}.get(
        repeat, {}
    )
    return [
        ToolCallDelta(index, identity, name, first),
        *(ToolCallDelta(index, arguments=piece, **again) for piece in rest),
    ]


@settings(max_examples=150)
@given(tool_calls, st.sampled_from(["none", "id", "empty", "both"]), st.data())
def test_e8_any_chunking_and_numbering_of_the_same_tool_calls_gives_the_same_result(
    calls: list[tuple[str, str]], repeat: str, data: st.DataObject
) -> None:
    sent = [(f"id-{place}", name, text) for place, (name, text) in enumerate(calls)]
    wanted = [(identity, name, text or "{}") for identity, name, text in sent]
    numberings: dict[str, list[int | None]] = {
        "from zero": [*range(len(sent))],
        "from one": [place + 1 for place in range(len(sent))],
        "reused": [0] * len(sent),
        "missing": [None] * len(sent),
    }
    for name, indexes in numberings.items():
        deltas = [
            delta for index, call in zip(indexes, sent, strict=True) for delta in fragments(data, index, call, repeat)
        ]
        assert assembled(deltas) == wanted, name


@settings(max_examples=80)
@given(tool_calls, st.sampled_from([0, 1, 7]), st.data())
def test_e8_interleaved_calls_with_indexes_are_kept_apart(
    calls: list[tuple[str, str]], base: int, data: st.DataObject
) -> None:
    sent = [(f"id-{place}", name, text) for place, (name, text) in enumerate(calls)]
    queues = [fragments(data, base + place, call, "none") for place, call in enumerate(sent)]
    heads = [queue.pop(0) for queue in queues]
    rest: list[ToolCallDelta] = []
    while any(queues):
        queue = data.draw(st.sampled_from([queue for queue in queues if queue]))
        rest.append(queue.pop(0))
    assert assembled([*heads, *rest]) == [(i, n, text or "{}") for i, n, text in sent]


def test_e8_interleaved_calls_that_repeat_their_id_are_kept_apart_without_an_index() -> None:
    deltas = [
        ToolCallDelta(None, "a", "add", '{"x"'),
        ToolCallDelta(None, "b", "find", '{"y"'),
        ToolCallDelta(None, "a", None, ":1}"),
        ToolCallDelta(None, "b", None, ":2}"),
    ]
    assert assembled(deltas) == [("a", "add", '{"x":1}'), ("b", "find", '{"y":2}')]


def test_e8_calls_of_one_tool_without_any_id_are_not_merged() -> None:
    complete = [ToolCallDelta(None, None, "add", '{"x":1}'), ToolCallDelta(None, None, "add", '{"x":2}')]
    assert [text for _, _, text in assembled(complete)] == ['{"x":1}', '{"x":2}']
    same_index = [ToolCallDelta(0, None, "add", "{}"), ToolCallDelta(0, None, "add", "{}")]
    assert len(assembled(same_index)) == 2


def test_e8_a_name_repeated_on_each_fragment_is_one_call() -> None:
    deltas = [ToolCallDelta(0, None, "add", '{"x"'), ToolCallDelta(0, None, "add", ":1}")]
    assert assembled(deltas) == [("", "add", '{"x":1}')]


def test_e8_an_id_made_up_for_each_fragment_does_not_cut_a_call() -> None:
    deltas = [
        ToolCallDelta(0, "a", "add", '{"x"'),
        ToolCallDelta(0, "b", None, ":{}"),
        ToolCallDelta(0, "c", None, "}"),
        ToolCallDelta(1, "d", "find", '{"y"'),
        ToolCallDelta(1, "e", None, ":2}"),
    ]
    assert assembled(deltas) == [("a", "add", '{"x":{}}'), ("d", "find", '{"y":2}')]
    assert assembled([ToolCallDelta(0, "a", "now"), ToolCallDelta(0, "b", "", "{}")]) == [("a", "now", "{}")]


@pytest.mark.parametrize("indexes", [(0, 1), (1, 2), (0, 0), (None, None)], ids=["zero", "one", "reused", "missing"])
def test_e8_every_chunking_of_two_calls_gives_the_same_result(indexes: tuple[int | None, int | None]) -> None:
    texts = ('{"x":{}}', '{"y":2}')
    for cuts in range(1 << len(texts[0]) - 1):
        deltas: list[ToolCallDelta] = []
        for index, identity, text in zip(indexes, "ab", texts, strict=True):
            places = [place + 1 for place in range(len(text) - 1) if cuts >> place & 1]
            first, *rest = [text[i:j] for i, j in zip([0, *places], [*places, len(text)], strict=True)]
            deltas.append(ToolCallDelta(index, identity, "add", first))
            deltas += [ToolCallDelta(index, arguments=piece) for piece in rest]
        assert assembled(deltas) == [("a", "add", texts[0]), ("b", "add", texts[1])]


def test_ids_are_made_of_what_the_conversation_has_and_never_twice() -> None:
    said = {"role": "assistant", "tool_calls": [{"id": "call_1"}, {"id": "x"}]}
    calls = [ToolCall("", "add"), ToolCall("x", "add"), ToolCall("y", "add"), ToolCall("y", "add")]
    name_calls(calls, [{"role": "user", "content": "go"}, said])
    assert [call.id for call in calls] == ["call_2", "call_3", "y", "call_4"]
    again = [ToolCall(call.id, call.name) for call in calls]
    name_calls(again, [said])
    assert again == calls
    signed = [ToolCall("x", "add"), ToolCall("", "add")]
    name_calls(signed, [said], only_missing=True)
    assert [call.id for call in signed] == ["x", "call_2"]


def test_e8_a_tool_without_arguments_gets_an_empty_object_and_a_missing_id_stays_empty() -> None:
    assert assembled([ToolCallDelta(0, "a", "now"), ToolCallDelta(1, None, "then", "")]) == [
        ("a", "now", "{}"),
        ("", "then", "{}"),
    ]


def test_e8_an_id_that_comes_late_is_kept() -> None:
    assert assembled([ToolCallDelta(0, None, "add", "{"), ToolCallDelta(0, "late", None, "}")]) == [
        ("late", "add", "{}")
    ]


def gathered(*chunks: Chunk) -> Any:
    kernel = make_kernel()
    call = kernel.call("complete", kernel.resolve(), {}, is_async=False)
    gathering = Gathering()
    for chunk in chunks:
        gathering.feed(chunk)
    return gathering, gathering.completion(call)


def test_text_reasoning_usage_and_reasons_are_gathered() -> None:
    gathering, answer = gathered(
        Chunk("he", id="r1", model="m1"),
        Chunk(reasoning="because", reasoning_parts=[{"sig": 1}]),
        Chunk("llo", raw={"n": 3}),
        Chunk(finish_reason="length", raw_finish_reason="max_tokens"),
        Chunk(usage=Usage(1, 2)),
    )
    assert gathering.finished
    assert (answer.text, answer.reasoning, answer.finish_reason, answer.raw_finish_reason) == (
        "hello",
        "because",
        "length",
        "max_tokens",
    )
    assert (answer.id, answer.model, answer.usage, answer.raw) == ("r1", "m1", Usage(1, 2), [{"n": 3}])
    assert answer.reasoning_parts == [{"sig": 1}]


def test_a_finish_reason_is_never_invented() -> None:
    gathering, answer = gathered(Chunk("half an ans"))
    assert not gathering.finished
    assert (answer.finish_reason, answer.raw_finish_reason, answer.model) == ("other", None, "tiny")


def test_a_restart_voids_what_came_before() -> None:
    _, answer = gathered(
        Chunk("wrong", tool_calls=[ToolCallDelta(0, "a", "add")], usage=Usage(9, 9)),
        Chunk(kind="restart"),
        Chunk("right", finish_reason="stop"),
    )
    assert (answer.text, answer.tool_calls, answer.usage) == ("right", [], None)


@pytest.mark.parametrize("chunk", [Chunk("a"), Chunk(reasoning="a"), Chunk(tool_calls=[ToolCallDelta()])])
def test_chunks_that_the_caller_sees_have_content(chunk: Chunk) -> None:
    assert chunk.has_content
    assert not Chunk(finish_reason="stop", usage=Usage(1, 1), id="x").has_content


def test_every_finish_reason_is_that_of_a_whole_answer_or_says_what_is_missing() -> None:
    assert {*WHOLE, *UNFINISHED, "other"} == set(get_args(FinishReason))


@pytest.mark.parametrize(
    "pieces",
    [
        ['{"a": "x\\', '"}', '"}'],
        ['{"a": "', "}", '"}'],
        ['{"a": {"b": 1}', "}"],
        ['{"a": "\\', "\\", '"}'],
        ['{"a": "}{"', "}"],
    ],
)
def test_b18_a_call_that_repeats_its_name_ends_where_its_object_does(pieces: list[str]) -> None:
    deltas = [ToolCallDelta(None, None, "f", piece) for piece in [*pieces, '{"b"', ": 2}"]]
    assert assembled(deltas) == [("", "f", "".join(pieces)), ("", "f", '{"b": 2}')]
