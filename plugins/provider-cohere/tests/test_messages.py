"""From messages of hb to those of Cohere: roles, tools, thoughts, images."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing.conformance.samples import IMAGES
from heavenbase import errors
from heavenbase.image.image import LLMImage

from .support import Replay, answering, ask, body_of, given, kernel, made_call, saying

MODES = pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])
CALL = {"id": "call_7f", "type": "function", "function": {"name": "look", "arguments": '{"at": "x"}'}}
RESULT = {"role": "tool", "tool_call_id": "call_7f", "content": "seen"}
HELLO: dict[str, Any] = {"role": "user", "content": "go"}


def test_roles_are_those_of_the_wire() -> None:
    body = body_of(
        [
            {"role": "system", "content": "one"},
            {"role": "user", "content": "hi", "name": "Ann"},
            {"role": "assistant", "content": "hello"},
            {"role": "assistant", "content": ""},
            {"role": "developer", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": ""}]},
            {"role": "user", "content": [{"type": "text", "text": "on"}]},
        ]
    )
    assert body["messages"] == [
        {"role": "system", "content": "one"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "system", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": [{"type": "text", "text": "on"}]},
    ]


def test_g05_g07_calls_and_results_of_cohere() -> None:
    other = {"id": "call_8f", "type": "function", "function": {"name": "ring", "arguments": ""}}
    messages = [
        HELLO,
        {"role": "assistant", "content": None, "tool_calls": [CALL, other]},
        RESULT,
        {"role": "tool", "tool_call_id": "call_8f", "content": [{"type": "text", "text": "rang"}]},
    ]
    assert body_of(messages)["messages"][1:] == [
        {"role": "assistant", "tool_calls": [CALL, {**other, "function": {"name": "ring", "arguments": "{}"}}]},
        RESULT,
        {"role": "tool", "tool_call_id": "call_8f", "content": [{"type": "text", "text": "rang"}]},
    ]


@MODES
def test_what_a_model_thought_goes_back_verbatim(mode: str) -> None:
    blocks = [{"type": "thinking", "thinking": "hmm"}, {"type": "text", "text": "Let me look."}]
    answer = ask(mode, given(mode, saying(content=blocks, tool_calls=[CALL], finish="TOOL_CALL")))
    body = body_of([HELLO, answer.message, RESULT])
    assert body["messages"][1] == {"role": "assistant", "content": blocks, "tool_calls": [CALL]}


@MODES
def test_a_plan_goes_back_with_its_calls(mode: str) -> None:
    answer = ask(mode, given(mode, saying(tool_plan="I will look.", tool_calls=[CALL], finish="TOOL_CALL")))
    body = body_of([HELLO, answer.message, RESULT])
    assert body["messages"][1] == {"role": "assistant", "tool_calls": [CALL], "tool_plan": "I will look."}


def test_thoughts_of_another_provider_stay_behind_and_are_reported() -> None:
    part = {"provider": "gemini", "model": "m", "field": "parts", "value": [{"text": "hm"}]}
    messages = [HELLO, {"role": "assistant", "content": "x", "reasoning_parts": [part]}, HELLO]
    with kernel() as made:
        call = made_call(made, messages)
        body = made.gateway(call.spec).prepare(call).body
    assert body["messages"][1] == {"role": "assistant", "content": "x"}
    assert call.context.report.entries["reasoning_parts"].outcome == "dropped"


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([{"role": "user", "content": ""}], "empty"),
        ([{"role": "system", "content": "x"}], "user"),
    ],
)
def test_messages_that_the_wire_refuses_are_not_sent(messages: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(errors.InputError, match=reason):
        body_of(messages)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        {"type": "file", "file": {"file_id": "f"}},
    ],
)
def test_sound_and_files_are_refused(part: dict[str, Any]) -> None:
    with pytest.raises(errors.UnsupportedError, match=part["type"]):
        body_of([{"role": "user", "content": [part]}])


def seeing(image: LLMImage) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image", "image": image}]}]


@MODES
def test_g13_images_of_cohere_by_url_and_by_bytes(mode: str) -> None:
    url, png = "https://images.example.com/a.png", LLMImage.from_bytes(IMAGES["png"])
    for image, sent in ((LLMImage.from_url(url), url), (png, f"data:image/png;base64,{png.to_b64()}")):
        replay = given(mode, saying("a picture"))
        ask(mode, replay, seeing(image), model="command-a-vision-07-2025")
        text, part = replay.body()["messages"][0]["content"]
        assert text == {"type": "text", "text": "What?"}
        assert part == {"type": "image_url", "image_url": {"url": sent}}


@MODES
@pytest.mark.parametrize("gateway", ["cohere", "openai"])
def test_g14_a_cohere_model_without_eyes_gets_no_image(mode: str, gateway: str) -> None:
    replay = Replay(answering({}))
    with pytest.raises(errors.VisionNotSupported, match="command-a-03-2025"):
        ask(mode, replay, seeing(LLMImage.from_bytes(IMAGES["png"])), model="command-a-03-2025", gateway=gateway)
    assert replay.sent == []


@MODES
def test_g14_text_in_parts_is_fine_for_every_cohere_model(mode: str) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    replay = given(mode, saying("yes"))
    assert ask(mode, replay, [{"role": "user", "content": parts}], model="command-a-03-2025").text == "yes"
    assert replay.body()["messages"][0]["content"] == parts
