"""Messages for the wire: thoughts go back to whoever had them, hb's own additions never leave."""

from __future__ import annotations

from typing import Any

import pytest

from hb_wire_openai import WireGateway
from hb_wire_openai.messages import wire_messages
from heavenbase.errors import InputTypeError
from heavenbase.types import Completion

from .support import CUSTOM, DEEPSEEK, OPENROUTER, USER, make_call, make_spec

DETAILS = [{"type": "reasoning.encrypted", "data": "opaque==", "format": "x", "index": 0}]


def part(provider: str, field: str, value: Any) -> dict[str, Any]:
    return {"provider": provider, "model": "m", "field": field, "value": value}


def sent(provider: str, record: Any, message: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    call = make_call(make_spec(provider=provider, provider_record=record), messages=[USER, message, USER])
    messages = WireGateway().prepare(call).body["messages"]
    assert messages[0] is USER
    return messages[1], set(call.context.report.names("dropped"))


def test_messages_that_need_no_change_are_not_copied() -> None:
    messages = [{"role": "system", "content": "s"}, USER, {"role": "assistant", "content": "a"}]
    call = make_call(make_spec(), messages=messages)
    assert wire_messages(call) is messages


def test_thoughts_go_back_verbatim_to_the_same_provider() -> None:
    answer = Completion("a", reasoning="hm", reasoning_parts=[part("openrouter", "reasoning_details", DETAILS)])
    message, dropped = sent("openrouter", OPENROUTER, answer.message)
    assert message == {"role": "assistant", "content": "a", "reasoning_details": DETAILS}
    assert dropped == set()
    answer = Completion("a", reasoning="hm", reasoning_parts=[part("deepseek", "reasoning_content", "hm")])
    message, dropped = sent("deepseek", DEEPSEEK, answer.message)
    assert message == {"role": "assistant", "content": "a", "reasoning_content": "hm"}
    assert dropped == set()


def test_thoughts_of_another_provider_stay_behind_and_that_is_reported() -> None:
    answer = Completion("a", reasoning="hm", reasoning_parts=[part("openrouter", "reasoning_details", DETAILS)])
    message, dropped = sent("deepseek", DEEPSEEK, answer.message)
    assert message == {"role": "assistant", "content": "a"}
    assert dropped == {"reasoning_parts"}


def test_thoughts_that_the_provider_takes_in_no_field_stay_behind() -> None:
    answer = Completion("a", reasoning="hm", reasoning_parts=[part("custom", "reasoning_content", "hm")])
    message, dropped = sent("custom", CUSTOM, answer.message)
    assert message == {"role": "assistant", "content": "a"}
    assert dropped == {"reasoning_parts"}


def test_a_provider_can_say_in_which_field_it_wants_them() -> None:
    answer = Completion("a", reasoning_parts=[part("custom", "reasoning", "hm")])
    record = {**CUSTOM, "options": {"reasoning_replay": "reasoning"}}
    assert sent("custom", record, answer.message)[0]["reasoning"] == "hm"
    record = {**DEEPSEEK, "options": {"reasoning_replay": False}}
    answer = Completion("a", reasoning_parts=[part("deepseek", "reasoning_content", "hm")])
    assert "reasoning_content" not in sent("deepseek", record, answer.message)[0]


def test_thoughts_that_the_caller_wrote_travel_where_they_are_taken() -> None:
    message = {"role": "assistant", "content": "a", "reasoning_content": "mine"}
    assert sent("deepseek", DEEPSEEK, message) == (message, set())
    assert sent("custom", CUSTOM, message) == ({"role": "assistant", "content": "a"}, {"reasoning_content"})


def test_tool_calls_stay_with_the_thoughts_before_them() -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": "", "tool_calls": calls, "reasoning_parts": []}
    assert sent("custom", CUSTOM, message)[0] == {"role": "assistant", "content": "", "tool_calls": calls}


def test_pieces_of_one_field_are_joined() -> None:
    parts = [part("deepseek", "reasoning_content", "a"), part("deepseek", "reasoning_content", "b")]
    message = {"role": "assistant", "content": "", "reasoning_parts": parts}
    assert sent("deepseek", DEEPSEEK, message)[0]["reasoning_content"] == "ab"


def test_images_in_answers_go_back_where_chats_make_images() -> None:
    images = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    message = {"role": "assistant", "content": "", "images": images}
    assert sent("openrouter", OPENROUTER, message)[0]["images"] == images
    assert sent("custom", CUSTOM, message) == ({"role": "assistant", "content": ""}, {"images"})


def test_an_image_that_no_format_has_encoded_is_an_error() -> None:
    message = {"role": "user", "content": [{"type": "image", "image": object()}]}
    with pytest.raises(InputTypeError, match="message 0 has an image"):
        wire_messages(make_call(make_spec(), messages=[message]))
    after = [{"role": "assistant", "content": "", "reasoning_content": "x"}, message]
    with pytest.raises(InputTypeError, match="message 1 has an image"):
        wire_messages(make_call(make_spec(), messages=after))
