"""What callers may pass as messages, and what each form becomes; the wrong ones fail before anything is sent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.image.image import LLMImage
from heavenbase.messages import to_messages
from heavenbase.types import ToolCall

from .support import scripted

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Dumped:
    def model_dump(self) -> dict[str, Any]:
        return {"role": "assistant", "content": "d", "audio": None}


@pytest.mark.parametrize(
    ("source", "wire"),
    [
        ("hi", [{"role": "user", "content": "hi"}]),
        ({"role": "system", "content": "s"}, [{"role": "system", "content": "s"}]),
        (["a", {"role": "assistant", "content": "b"}],
         [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]),
        ((text for text in "ab"), [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]),
        (SimpleNamespace(role="user", content="o"), [{"role": "user", "content": "o"}]),
        (SimpleNamespace(role=SimpleNamespace(value="user"), content="e"), [{"role": "user", "content": "e"}]),
        (Dumped(), [{"role": "assistant", "content": "d"}]),
        ({"role": "assistant", "content": None}, [{"role": "assistant", "content": None}]),
        ({"role": "user", "content": {"text": "t"}}, [{"role": "user", "content": [{"type": "text", "text": "t"}]}]),
        ({"role": "user", "content": ["t", {"type": "input_text", "text": "u"}]},
         [{"role": "user", "content": [{"type": "text", "text": "t"}, {"type": "text", "text": "u"}]}]),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]},
         [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}]),
    ],
)  # fmt: skip
def test_hb10_every_form_of_messages_becomes_the_wires(source: Any, wire: list[dict[str, Any]]) -> None:
    assert to_messages(source) == wire


def test_hb10_system_is_put_first_and_only_once() -> None:
    system = {"role": "system", "content": "be brief"}
    assert to_messages("hi", system="be brief") == [system, {"role": "user", "content": "hi"}]
    assert to_messages([system, "hi"], system="be brief") == [system, {"role": "user", "content": "hi"}]
    assert to_messages([system, "hi"], system="other")[0]["content"] == "other"
    with pytest.raises(InputTypeError, match="system must be a str"):
        to_messages("hi", system=7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ({"content": "x"}, InputError, "message 0 has no role"),
        (["ok", {"content": "x"}], InputError, "message 1 has no role"),
        ({"role": "usr", "content": "x"}, UnknownNameError, "did you mean 'user'"),
        ({"role": 7, "content": "x"}, UnknownNameError, "unknown role '7'"),
        ([], InputError, "the message list is empty"),
        (None, InputTypeError, "messages are missing"),
        (7, InputTypeError, "message 0 is int"),
        ([7], InputTypeError, "message 0 is int"),
        (b"hi", InputTypeError, "not bytes"),
        ({"role": "user"}, InputError, "has no content"),
        ({"role": "user", "content": 7}, InputTypeError, "content part of type int"),
        ({"role": "user", "content": [{"type": "text", "text": 7}]}, InputTypeError, "text part whose text is int"),
        ({"role": "user", "content": [{"colour": "red"}]}, InputError, "without a type"),
        ({"role": "tool", "content": "x"}, InputError, "no tool_call_id"),
        ({"role": "assistant", "tool_calls": [{"id": "a"}]}, InputError, "without a function name"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "function": None}]}, InputError, "without a function name"),
        ({"role": "assistant", "tool_calls": {"id": "a"}}, InputTypeError, "tool_calls of type dict"),
        ({"role": "assistant", "tool_calls": 7}, InputTypeError, "tool_calls of type int"),
        ({"role": "assistant", "tool_calls": ["add"]}, InputTypeError, "tool call of type str"),
    ],
)
def test_hb10_wrong_messages_are_typed_errors_before_anything_is_sent(
    source: Any, error: type[Exception], says: str
) -> None:
    house = scripted()
    for ask in (house.llm.chat, house.llm.stream, house.llm.astream, house.llm.complete):
        with pytest.raises(error, match=says) as caught:
            ask(source)
        assert isinstance(caught.value, ValueError)
    assert house.gateway.calls == []


def test_tool_calls_are_normalised_and_their_arguments_become_text() -> None:
    forms: list[Any] = [
        {"id": "a", "type": "function", "function": {"name": "add", "arguments": {"x": 1}}},
        {"id": "a", "name": "add", "arguments": '{"x": 1}'},
        {"id": "a", "function": "add", "arguments": {"x": 1}},
        ToolCall("a", "add", '{"x": 1}'),
    ]
    wanted = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x": 1}'}}
    [message] = to_messages({"role": "assistant", "tool_calls": forms})
    assert message["tool_calls"] == [wanted] * 4
    [message] = to_messages({"role": "assistant", "content": "", "tool_calls": [{"name": "now"}]})
    assert message["tool_calls"] == [{"id": "", "type": "function", "function": {"name": "now", "arguments": "{}"}}]


def test_the_callers_messages_are_never_changed() -> None:
    source = [{"role": "user", "content": [{"type": "text", "text": "a"}]}]
    to_messages(source, system="s", images=PIXEL)
    assert source == [{"role": "user", "content": [{"type": "text", "text": "a"}]}]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "image_url", "image_url": f"data:image/png;base64,{PIXEL}"},
        {"type": "image", "image": LLMImage.from_b64(PIXEL)},
        {"b64_json": PIXEL},
        LLMImage.from_b64(PIXEL),
    ],
    ids=["image_url", "bare url", "image", "b64_json", "object"],
)
def test_hb11_image_parts_in_every_form_become_images(part: Any) -> None:
    [message] = to_messages({"role": "user", "content": ["look", part]})
    [text, image] = message["content"]
    assert text == {"type": "text", "text": "look"}
    assert image["type"] == "image"
    assert image["image"].to_b64() == PIXEL


def test_hb11_images_go_to_the_last_user_message() -> None:
    found = to_messages(["a", {"role": "assistant", "content": "b"}, "c", {"role": "assistant", "content": "d"}],
                        images=[PIXEL, LLMImage.from_b64(PIXEL)])  # fmt: skip
    assert [type(message["content"]) for message in found] == [str, str, list, str]
    assert [part["type"] for part in found[2]["content"]] == ["text", "image", "image"]
    [system, user] = to_messages([], system="s", images=PIXEL)
    assert (system["role"], user["role"], [part["type"] for part in user["content"]]) == ("system", "user", ["image"])


def test_an_empty_list_of_images_is_no_image() -> None:
    assert to_messages("hi", images=[]) == [{"role": "user", "content": "hi"}]
    with pytest.raises(InputError, match="empty"):
        to_messages([], images=[])


def test_a8_images_of_a_user_that_stand_beside_the_text_are_parts() -> None:
    [message] = to_messages({"role": "user", "content": "?", "images": [PIXEL]})
    assert [part["type"] for part in message["content"]] == ["text", "image"]
    assert "images" not in message


def test_a8_results_that_say_the_name_of_the_tool_belong_to_the_calls_of_that_name() -> None:
    calls = [{"function": {"name": name, "arguments": {}}} for name in ("a", "b", "a")]
    results = [{"role": "tool", "tool_name": name, "content": name} for name in ("b", "a", "a")]
    answer, *found = to_messages([{"role": "assistant", "content": "", "tool_calls": calls}, *results])
    ids = [call["id"] for call in answer["tool_calls"]]
    assert [message["tool_call_id"] for message in found] == [ids[1], ids[0], ids[2]]
    with pytest.raises(InputError, match="no call before it is of 'c'"):
        to_messages([{"role": "user", "content": "x"}, {"role": "tool", "tool_name": "c", "content": "y"}])
    with pytest.raises(InputError, match="has no tool_call_id"):
        to_messages([{"role": "tool", "content": "y"}])
