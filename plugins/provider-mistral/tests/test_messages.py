"""From messages of hb to those of Mistral: roles and their order, ids of calls, thoughts, parts, images."""

from __future__ import annotations

from typing import Any

import pytest

from hb_provider_mistral.messages import wire_id
from hb_testing.conformance.samples import IMAGES
from heavenbase import errors
from heavenbase.image.image import LLMImage

from .support import Replay, answering, ask, body_of, given, kernel, made_call, saying

MODES = pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])
HELLO: dict[str, Any] = {"role": "user", "content": "go"}


def call(known: str, name: str = "look", arguments: str = '{"at": "x"}') -> dict[str, Any]:
    return {"id": known, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_roles_are_those_of_the_wire() -> None:
    body = body_of(
        [
            {"role": "system", "content": "one"},
            {"role": "user", "content": "hi", "name": "Ann"},
            {"role": "assistant", "content": "hello", "refusal": None},
            {"role": "assistant", "content": ""},
            {"role": "developer", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": ""}]},
            {"role": "user", "content": [{"type": "text", "text": "on"}]},
        ]
    )
    assert body["messages"] == [
        {"role": "system", "content": "one"},
        {"role": "system", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": [{"type": "text", "text": "on"}]},
    ]


def test_g05_g07_calls_and_results_of_mistral_keep_together_under_ids_of_its_form() -> None:
    messages = [
        HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call("pcZFHqej8"), call("call_8f", "ring", "")]},
        {"role": "tool", "tool_call_id": "pcZFHqej8", "content": "seen", "name": "look"},
        {"role": "tool", "tool_call_id": "call_8f", "content": [{"type": "text", "text": "rang"}]},
    ]
    _, answer, first, second = body_of(messages)["messages"]
    own = wire_id("call_8f")
    assert answer == {
        "role": "assistant",
        "content": "",
        "tool_calls": [call("pcZFHqej8"), call(own, "ring", "{}")],
    }
    assert first == {"role": "tool", "content": "seen", "tool_call_id": "pcZFHqej8", "name": "look"}
    assert second == {"role": "tool", "content": [{"type": "text", "text": "rang"}], "tool_call_id": own}


def test_ids_of_calls_are_nine_letters_and_digits() -> None:
    found = {wire_id(f"call_{place}") for place in range(500)}
    assert len(found) == 500
    assert all(len(known) == 9 and known.isalnum() and known.isascii() for known in found)
    assert wire_id("call_1") == wire_id("call_1")
    assert wire_id("abcDEF123") == "abcDEF123"


def test_between_a_result_and_a_user_stands_an_answer() -> None:
    messages = [
        HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call("pcZFHqej8")]},
        {"role": "tool", "tool_call_id": "pcZFHqej8", "content": "seen"},
        {"role": "user", "content": "and now?"},
    ]
    with kernel() as made:
        prepared = made_call(made, messages)
        body = made.gateway(prepared.spec).prepare(prepared).body
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "assistant", "user"]
    assert prepared.context.report.entries["messages"].outcome == "emulated"


def test_an_answer_that_stands_last_is_gone_on_with() -> None:
    assert body_of([HELLO, {"role": "assistant", "content": "I was"}])["messages"][1]["prefix"] is True


def test_thoughts_of_another_provider_stay_behind_and_are_reported() -> None:
    part = {"provider": "cohere", "model": "m", "field": "content", "value": [{"type": "thinking", "thinking": "hm"}]}
    messages = [HELLO, {"role": "assistant", "content": "x", "reasoning_parts": [part]}, HELLO]
    with kernel() as made:
        prepared = made_call(made, messages)
        body = made.gateway(prepared.spec).prepare(prepared).body
    assert body["messages"][1] == {"role": "assistant", "content": "x"}
    assert prepared.context.report.entries["reasoning_parts"].outcome == "dropped"


def test_sound_and_documents_are_chunks_of_the_wire() -> None:
    parts = [
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "https://example.com/a.pdf"}},
        {"type": "file", "file": {"file_data": "QUJD"}},
        {"type": "file", "file": {"file_id": "f1"}},
        {"type": "document_url", "document_url": "https://example.com/b.pdf"},
    ]
    assert body_of([{"role": "user", "content": parts}])["messages"][0]["content"] == [
        {"type": "input_audio", "input_audio": "QUJD"},
        {"type": "document_url", "document_url": "data:application/pdf;base64,QUJD", "document_name": "a.pdf"},
        {"type": "document_url", "document_url": "https://example.com/a.pdf"},
        {"type": "document_url", "document_url": "data:application/pdf;base64,QUJD"},
        {"type": "file", "file_id": "f1"},
        {"type": "document_url", "document_url": "https://example.com/b.pdf"},
    ]


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ({"type": "video_url", "video_url": {"url": "x"}}, errors.UnsupportedError),
        ({"type": "file", "file": {}}, errors.InputError),
        ({"type": "input_audio", "input_audio": {}}, errors.InputError),
    ],
)
def test_other_parts_are_refused(part: dict[str, Any], error: type[errors.HBError]) -> None:
    with pytest.raises(error):
        body_of([{"role": "user", "content": [part]}])


def seeing(image: LLMImage) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image", "image": image}]}]


@MODES
def test_g13_images_of_mistral_are_urls_as_text(mode: str) -> None:
    url, png = "https://images.example.com/a.png", LLMImage.from_bytes(IMAGES["png"], detail="high")
    data = f"data:image/png;base64,{png.to_b64()}"
    high = {"url": url, "detail": "high"}
    forms: list[tuple[LLMImage, Any]] = [
        (LLMImage.from_url(url, detail="high"), high),
        (LLMImage.from_url(url), url),
        (png, {"url": data, "detail": "high"}),
        (LLMImage.from_any(data), data),
    ]
    for image, sent in forms:
        replay = given(mode, saying("a picture"))
        ask(mode, replay, seeing(image))
        assert replay.body()["messages"][0]["content"] == [
            {"type": "text", "text": "What?"},
            {"type": "image_url", "image_url": sent},
        ]


@MODES
@pytest.mark.parametrize("gateway", ["mistral", "openai"])
def test_a_mistral_model_without_eyes_gets_no_image(mode: str, gateway: str) -> None:
    replay = Replay(answering({}))
    with pytest.raises(errors.VisionNotSupported, match="codestral-2508"):
        ask(mode, replay, seeing(LLMImage.from_bytes(IMAGES["png"])), model="codestral-2508", gateway=gateway)
    assert replay.sent == []
