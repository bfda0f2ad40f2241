"""include= and reduce=: every documented name, in chats and in streams, and nothing for names that do not exist."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from heavenbase.errors import InputTypeError, UnknownNameError
from heavenbase.projection import AGGREGATE, CHAT, CLOCK, EMBED, IMAGEN, STREAM, parse_json
from heavenbase.types import Chunk, Completion, ToolCall, ToolCallDelta, Usage

from .support import both_colours, scripted

ANSWER = Completion(
    '{"a": 1}',
    reasoning="hm",
    tool_calls=[ToolCall("i", "add", "{}")],
    finish_reason="stop",
    usage=Usage(2, 3),
    raw={"id": 1},
)
CALL = {"id": "i", "type": "function", "function": {"name": "add", "arguments": "{}"}}
MESSAGE = {"role": "assistant", "content": '{"a": 1}', "reasoning_content": "hm", "tool_calls": [CALL]}
DOCUMENTED = {
    "text": '{"a": 1}',
    "think": "hm",
    "content": '<think>\nhm\n</think>\n{"a": 1}',
    "message": MESSAGE,
    "delta": [MESSAGE],
    "messages": [{"role": "user", "content": "x"}, MESSAGE],
    "tool_calls": [CALL],
    "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5, "input": 2, "output": 3},
    "raw": {"id": 1},
    "elapsed": 0.0,
    "created_at": 1_700_001_000.0,
    "structured": {"a": 1},
}


def an_answer(_: Any) -> Completion:
    from dataclasses import replace

    return replace(ANSWER, tool_calls=list(ANSWER.tool_calls))


@pytest.mark.parametrize("name", DOCUMENTED)
def test_hb08_chat_answers_each_documented_name(name: str) -> None:
    for ask in both_colours(scripted(an_answer).llm, "chat"):
        assert ask("x", include=name) == DOCUMENTED[name]
        assert ask("x", include=[name]) == DOCUMENTED[name]
        assert ask("x", include=[name], reduce=False) == {name: DOCUMENTED[name]}


def test_hb08_several_names_give_a_dictionary_in_their_order() -> None:
    found = scripted(an_answer).llm.chat("x", include=("usage", "text", "usage"))
    assert list(found) == ["usage", "text"]


@pytest.mark.parametrize(
    ("verb", "wrong", "nearest"),
    [
        ("chat", "txet", "text"),
        ("stream", "thnk", "think"),
        ("embed", "embedding", "embeddings"),
        ("imagen", "image", "images"),
    ],
)
def test_hb08_a_wrong_name_is_an_error_before_any_request(verb: str, wrong: str, nearest: str) -> None:
    house = scripted()
    for ask in both_colours(house.llm, verb):
        with pytest.raises(ValueError, match=f"did you mean '{nearest}'") as caught:
            ask("x", include=["usage", wrong])
        assert isinstance(caught.value, UnknownNameError)
    with pytest.raises(UnknownNameError):
        getattr(house.llm, verb)("x", include=wrong)  # a stream says so when it is asked for, not when it is read
    assert house.gateway.calls == []


@pytest.mark.parametrize("wrong", [7, ["text", 7], [["text"]], [None]])
def test_names_of_another_type_are_an_error_before_any_request(wrong: Any) -> None:
    house = scripted()
    with pytest.raises((InputTypeError, UnknownNameError)):
        house.llm.chat("x", include=wrong)
    assert house.gateway.calls == []


def test_every_name_of_the_tables_can_be_asked_for() -> None:
    house = scripted("x")
    assert set(house.llm.chat("x", include=list(CHAT))) == set(CHAT)
    assert set(house.llm.embed("x", include=list(EMBED))) == set(EMBED)
    assert set(house.llm.imagen("x", include=list(IMAGEN))) == set(IMAGEN)


CHUNKS = [
    Chunk(id="r1"),
    Chunk(reasoning="h"),
    Chunk(reasoning="m"),
    Chunk("4"),
    Chunk("2", raw={"n": 1}),
    Chunk(tool_calls=[ToolCallDelta(0, "i", "add", "{}")]),
    Chunk(finish_reason="tool_calls"),
    Chunk(usage=Usage(2, 3)),
]


def test_what_begins_again_inside_of_thinking_opens_it_anew() -> None:
    chunks = [
        Chunk(reasoning="a"),
        Chunk(kind="restart"),
        Chunk(reasoning="b"),
        Chunk("c"),
        Chunk(finish_reason="stop"),
    ]
    for ask in both_colours(scripted(chunks).llm, "stream"):
        assert ask("x", include="content") == ["<think>\na", "<think>\nb", "\n</think>\nc"]


def test_hb09_a_stream_concatenates_to_the_text_of_the_chat() -> None:
    for ask in both_colours(scripted(CHUNKS).llm, "stream"):
        assert ask("x") == ["4", "2"]
        assert "".join(ask("x", include="content")) == "<think>\nhm\n</think>\n42"
        assert ask("x", include="think") == ["h", "m"]


def test_hb09_text_and_delta_end_with_an_aggregate_delta() -> None:
    for ask in both_colours(scripted(CHUNKS).llm, "stream"):
        *pieces, closing = ask("x", include=["text", "delta"])
        assert "".join(piece["text"] for piece in pieces) == "42"
        assert closing["text"] == ""
        message = {"role": "assistant", "content": "42", "reasoning_content": "hm", "tool_calls": [CALL]}
        assert closing["delta"] == [message]


def test_a_streams_usage_comes_once_and_the_clock_names_with_every_chunk() -> None:
    llm = scripted(CHUNKS).llm
    assert [usage["total_tokens"] for usage in llm.stream("x", include="usage")] == [5]
    assert {type(item["elapsed"]) for item in llm.stream("x", include=["text", "elapsed"])} == {float}
    assert {item["created_at"] for item in llm.stream("x", include=["text", "created_at"])} == {1_700_001_000.0}
    assert [chunk.text for chunk in llm.stream("x", include="chunk") if chunk.text] == ["4", "2"]


def test_names_of_the_whole_answer_come_in_one_closing_item() -> None:
    llm = scripted(CHUNKS).llm
    messages = [item for item in llm.stream("x", include="messages") if item]
    assert [message["role"] for message in messages[-1]] == ["user", "assistant"]
    answers = list(llm.stream("x", include="completion"))
    assert (len(answers), answers[0].text) == (1, "42")


def test_stream_true_is_stream() -> None:
    llm = scripted("hi").llm
    assert list(llm.chat("x", stream=True)) == ["h", "i"]

    async def ask() -> list[str]:
        return [text async for text in await llm.achat("x", stream=True)]

    assert asyncio.run(ask()) == ["h", "i"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (' ```json\n{"a": 1}\n``` ', {"a": 1}),
        ("```\n[1]\n```", [1]),
        ("no json", None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_structured_reads_json_also_inside_one_fence(text: str, value: Any) -> None:
    assert parse_json(text) == value


def test_users_type_checkers_know_every_name_of_include() -> None:
    import re
    from pathlib import Path

    import heavenbase

    stub = Path(heavenbase.__file__).with_name("llm.pyi").read_text(encoding="utf-8")
    told = dict(re.findall(r"^(\w+): TypeAlias = (.*?)(?=^\S|\Z)", stub, re.MULTILINE | re.DOTALL))
    names = {name: set(re.findall(r'"(\w+)"', text)) for name, text in told.items()}
    chat = set().union(*(names[each] for each in ("Text", "Table", "Rows", "Time", "Open", "Chat")))
    assert set(CHAT) <= chat
    assert {*STREAM, *AGGREGATE, *CLOCK} <= chat | names["Streamed"]
    assert set(EMBED) <= names["OfEmbed"]
    assert set(IMAGEN) <= names["OfImagen"]
