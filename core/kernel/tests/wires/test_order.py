"""Conversations with tools, put into the order that wires want."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.errors import InputError
from heavenbase.types import Message
from heavenbase.wires import TEXT, ordered
from heavenbase.wires.order import NOT_RUN

from .conftest import MakeCall

USER: Message = {"role": "user", "content": "q"}
AGAIN: Message = {"role": "user", "content": "and now?"}


def calls(*ids: str) -> Message:
    made = [{"id": each, "type": "function", "function": {"name": "w", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(known: str, content: Any = "r") -> Message:
    return {"role": "tool", "tool_call_id": known, "content": content}


def filled(known: str) -> Message:
    return {"role": "tool", "tool_call_id": known, "name": "w", "content": NOT_RUN}


def test_c1_ordinary_conversations_are_not_copied(make_call: MakeCall) -> None:
    for messages in ([USER], [], [USER, calls("a", "b"), result("b"), result("a"), AGAIN]):
        call = make_call(messages)
        assert ordered(call) is call.messages
        assert call.context.report.entries == {}


A, B, AB = calls("a"), calls("b"), calls("a", "b")
RA, RB = result("a"), result("b")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        # Results stand elsewhere: behind what the user said, behind another answer, before their call.
        ([USER, A, AGAIN, RA], [USER, A, RA, AGAIN]),
        ([USER, A, B, RB, RA], [USER, A, RA, B, RB]),
        ([USER, RA, A, AGAIN], [USER, A, RA, AGAIN]),
        # The conversation went on without a result.
        ([USER, A, AGAIN], [USER, A, filled("a"), AGAIN]),
        ([USER, AB, RB, AGAIN], [USER, AB, filled("a"), RB, AGAIN]),
        # Ids that count anew in each answer belong to the last call before.
        ([USER, A, A, RA, AGAIN], [USER, A, filled("a"), A, RA, AGAIN]),
        # The same result twice; one id for two calls.
        ([USER, A, RA, RA], [USER, A, RA]),
        ([USER, calls("a", "a"), RA, RA], [USER, calls("a", "a_2"), RA, result("a_2")]),
    ],
)
def test_c1_what_loses_nothing_is_put_right_and_reported(
    given: list[Message], wanted: list[Message], make_call: MakeCall
) -> None:
    call = make_call(given)
    assert ordered(call) == wanted
    assert call.context.report.entries["messages"].outcome == "emulated"
    again = make_call(wanted)
    assert ordered(again) is again.messages


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([USER, result("a")], r"message 1 \(role tool\) answers the call 'a', which no message makes"),
        ([USER, calls("a"), result("a"), result("a", "x")], "message 3 is a second result of the call 'a'"),
        ([USER, calls("a", "b"), result("a")], r"message 1 calls the tool 'w' \('b'\), and no message has the result"),
        ([USER, calls("a")], "llm.resume"),
    ],
)
def test_c1_what_would_lose_something_is_refused(messages: list[Message], says: str, make_call: MakeCall) -> None:
    with pytest.raises(InputError, match=says):
        ordered(make_call(messages))


def test_c1_a_provider_that_keeps_the_conversation_knows_the_calls(make_call: MakeCall) -> None:
    for more in ({"previous_response_id": "resp_1"}, {"extra_body": {"conversation": "conv_1"}}):
        assert ordered(make_call([result("a")], **more)) == [result("a")]


def test_c3_parts_that_a_result_cannot_hold_travel_behind_all_results(make_call: MakeCall) -> None:
    picture, words = {"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": "seen"}
    call = make_call([USER, calls("a", "b"), result("a", [words, picture]), result("b", [picture]), AGAIN])
    found = ordered(call, TEXT)
    assert [message["role"] for message in found] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert found[2]["content"] == [words]
    assert found[3]["content"][0]["text"] == "The result is in the next message of the user."
    assert [part.get("text", part["type"]) for part in found[4]["content"]] == [
        *("Result of w (a):", "image_url", "Result of w (b):", "image_url")
    ]
    assert ordered(call) is call.messages
