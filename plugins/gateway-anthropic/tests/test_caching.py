"""Prompt caching: three marks, or none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heavenbase.errors import InputError
from heavenbase.types import Message

from .support import USER, WEATHER, body_of, prepared

MARK = {"type": "ephemeral"}
CONVERSATION: list[Message] = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": "three"},
]
OTHER = {"type": "function", "function": {"name": "other"}}


def marks(value: Any) -> int:
    return json.dumps(value).count('"cache_control"')


def test_h05_the_system_prompt_becomes_one_marked_block() -> None:
    body, entries = prepared(messages=CONVERSATION, prompt_caching=True)
    assert body.body["system"] == [{"type": "text", "text": "be brief", "cache_control": MARK}]
    assert (entries["prompt_caching"].outcome, entries["prompt_caching"].wire) == ("renamed", "cache_control")


@pytest.mark.parametrize("off", [False, None])
def test_h05_off_the_system_prompt_is_text_and_nothing_is_marked(off: Any) -> None:
    body = body_of(messages=CONVERSATION, tools=[dict(WEATHER)], prompt_caching=off)
    assert body["system"] == "be brief"
    assert marks(body) == 0


def test_h05_no_system_prompt_no_mark() -> None:
    body = body_of(prompt_caching=True)
    assert "system" not in body
    assert marks(body) == 0


def test_h06_only_the_last_tool_is_marked() -> None:
    tools = body_of(tools=[OTHER, dict(WEATHER)], prompt_caching=True)["tools"]
    assert [tool.get("cache_control") for tool in tools] == [None, MARK]


def test_h07_the_last_block_of_the_second_to_last_user_message_is_marked() -> None:
    messages = body_of(messages=CONVERSATION, prompt_caching=True)["messages"]
    assert messages[0]["content"] == [{"type": "text", "text": "one", "cache_control": MARK}]
    assert marks(messages[1:]) == 0


def test_h07_also_when_it_is_a_result_of_a_tool() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "other", "arguments": "{}"}}
    conversation = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "x"},
        {"role": "assistant", "content": "well"},
        USER,
    ]
    messages = body_of(messages=conversation, prompt_caching=True)["messages"]
    assert messages[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "x", "cache_control": MARK}
    ]
    assert marks(messages) == 1


def test_h07_three_marks_in_all() -> None:
    assert marks(body_of(messages=CONVERSATION, tools=[OTHER, dict(WEATHER)], prompt_caching=True)) == 3


def test_h07_marks_of_the_caller_count_and_there_are_never_more_than_four() -> None:
    own = {"type": "text", "text": "x", "cache_control": MARK}
    messages = [CONVERSATION[0], {"role": "user", "content": [own, own, own, {"type": "text", "text": "y"}]}]
    messages += [CONVERSATION[2], CONVERSATION[3]]
    assert marks(body_of(messages=messages, tools=[dict(WEATHER)], prompt_caching=True)) == 4
    whole = {"role": "user", "content": [own] * 4}
    body = body_of(messages=[CONVERSATION[0], whole], tools=[dict(WEATHER)], prompt_caching=True)
    assert marks(body) == 4
    assert body["system"] == "be brief"


def test_a_block_that_has_a_mark_keeps_it() -> None:
    own = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    messages = [{"role": "user", "content": [own]}, CONVERSATION[2], CONVERSATION[3]]
    assert body_of(messages=messages, prompt_caching=True)["messages"][0]["content"] == [own]


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_how_long_marks_last(ttl: str) -> None:
    system = body_of(messages=CONVERSATION, prompt_caching=ttl)["system"]
    assert system[0]["cache_control"] == {"type": "ephemeral", "ttl": ttl}


@pytest.mark.parametrize("value", ["2h", 5, {}])
def test_another_switch_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match='True, False, "5m" or "1h"'):
        prepared(prompt_caching=value)
