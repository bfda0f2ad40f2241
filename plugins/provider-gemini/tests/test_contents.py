"""From messages to contents: roles, tools, thoughts, parts."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing.conformance.samples import IMAGES
from heavenbase import errors
from heavenbase.image.image import LLMImage

from .support import Replay, answering, ask, events, kernel, made_call, saying

CALL = {"id": "call_7f", "type": "function", "function": {"name": "look", "arguments": '{"at": "x"}'}}


def body_of(messages: list[dict[str, Any]], model: str = "gemini-2.5-flash", **options: Any) -> dict[str, Any]:
    with kernel() as made:
        call = made_call(made, messages, model, **options)
        return dict(made.gateway(call.spec).prepare(call).body)


def test_system_messages_are_lifted_wherever_they_stand() -> None:
    body = body_of(
        [
            {"role": "system", "content": "one"},
            {"role": "user", "content": "hi"},
            {"role": "developer", "content": [{"type": "text", "text": "two"}]},
        ]
    )
    assert body["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]


def test_a_model_without_system_instruction_is_told_first() -> None:
    body = body_of([{"role": "system", "content": "one"}, {"role": "user", "content": "hi"}], "gemma-3-27b-it")
    assert "systemInstruction" not in body
    assert body["contents"] == [{"role": "user", "parts": [{"text": "one"}, {"text": "hi"}]}]


def test_g05_results_find_the_name_of_their_tool_and_travel_together() -> None:
    other = {"id": "call_8f", "type": "function", "function": {"name": "ring", "arguments": ""}}
    body = body_of(
        [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "tool_calls": [CALL, other]},
            {"role": "tool", "tool_call_id": "call_7f", "content": '{"seen": 1}'},
            {"role": "tool", "tool_call_id": "call_8f", "content": "rang", "is_error": True},
            {"role": "user", "content": "and now?"},
        ]
    )
    _, model, user = body["contents"]
    assert model["parts"] == [
        {"functionCall": {"id": "call_7f", "name": "look", "args": {"at": "x"}}},
        {"functionCall": {"id": "call_8f", "name": "ring", "args": {}}},
    ]
    assert user["parts"] == [
        {"functionResponse": {"id": "call_7f", "name": "look", "response": {"seen": 1}}},
        {"functionResponse": {"id": "call_8f", "name": "ring", "response": {"error": "rang"}}},
        {"text": "and now?"},
    ]


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(errors.InputError, match="answers the call 'call_7f', which no message makes"):
        body_of([{"role": "user", "content": "go"}, {"role": "tool", "tool_call_id": "call_7f", "content": "x"}])


def test_g05_arguments_that_are_no_json_are_kept_and_reported() -> None:
    broken = {"id": "call_7f", "type": "function", "function": {"name": "look", "arguments": '{"at": '}}
    with kernel() as made:
        messages = [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "tool_calls": [broken]},
            {"role": "tool", "tool_call_id": "call_7f", "content": "x"},
        ]
        call = made_call(made, messages)
        body = made.gateway(call.spec).prepare(call).body
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {"arguments": '{"at": '}
    assert call.context.report.entries["tool_calls"].outcome == "emulated"


def test_an_unsigned_call_of_another_model_is_marked_for_models_that_want_signatures() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_7f", "content": "x"},
    ]
    [part] = body_of(messages, "gemini-3-pro-preview")["contents"][1]["parts"]
    assert part["thoughtSignature"] == "skip_thought_signature_validator"
    [part] = body_of(messages)["contents"][1]["parts"]
    assert "thoughtSignature" not in part


@pytest.mark.parametrize("mode", ["chat", "stream"])
def test_an_answer_with_thoughts_goes_back_verbatim(mode: str) -> None:
    parts = [
        {"text": "hmm", "thought": True},
        {"text": "Let me look.", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "look", "args": {"at": "x"}}, "thoughtSignature": "c2lnMg=="},
    ]
    whole = answering(saying(*parts))
    pieces = [{"text": "h", "thought": True}, {"text": "mm", "thought": True}, *parts[1:]]
    streamed = events(*(saying(piece, finish=None) for piece in pieces), saying({"text": ""}))
    answer = ask(mode, Replay(streamed if mode == "stream" else whole), think=True)
    assert answer.reasoning == "hmm"
    result = {"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": "x"}
    body = body_of([{"role": "user", "content": "go"}, answer.message, result])
    assert body["contents"][1]["parts"] == parts


def test_an_answer_that_was_changed_keeps_the_signatures_of_its_calls() -> None:
    made = {"functionCall": {"name": "look", "args": {"at": "x"}}, "thoughtSignature": "c2ln"}
    message = ask("chat", Replay(answering(saying({"text": "secret"}, made)))).message
    changed = {**message, "content": "[redacted]"}
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "x"}
    parts = body_of([{"role": "user", "content": "go"}, changed, result])["contents"][1]["parts"]
    assert parts == [{"text": "[redacted]"}, made]


def test_parts_beside_text_and_images() -> None:
    parts = [
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
        {"type": "video_url", "video_url": {"url": "https://www.youtube.com/watch?v=1"}},
    ]
    body = body_of([{"role": "user", "content": parts}])
    assert body["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "audio/mp3", "data": "QUJD"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "QUJD"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
    ]


def test_a_part_of_another_wire_is_refused() -> None:
    with pytest.raises(errors.UnsupportedError, match="container_upload"):
        body_of([{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}])


@pytest.mark.parametrize("mode", ["chat", "achat"])
def test_g13_images_are_inline_data_whatever_their_detail(mode: str) -> None:
    image = LLMImage.from_bytes(IMAGES["png"], detail="high")
    replay = Replay(answering(saying({"text": "a picture"})))
    content = [{"type": "text", "text": "What?"}, {"type": "image", "image": image}]
    ask(mode, replay, [{"role": "system", "content": "see"}, {"role": "user", "content": content}])
    body = replay.body()
    assert body["systemInstruction"] == {"parts": [{"text": "see"}]}
    assert body["contents"][0]["parts"] == [
        {"text": "What?"},
        {"inlineData": {"mimeType": "image/png", "data": image.to_b64()}},
    ]


def test_images_of_an_answer_go_back_as_bytes() -> None:
    image = LLMImage.from_bytes(IMAGES["png"])
    inline = {"inlineData": {"mimeType": "image/png", "data": image.to_b64()}}
    message = ask("chat", Replay(answering(saying({"text": "here"}, inline)))).message
    parts = body_of([{"role": "user", "content": "draw"}, message, {"role": "user", "content": "bigger"}])
    assert parts["contents"][1]["parts"] == [{"text": "here"}, inline]


def test_an_empty_message_of_a_user_is_refused() -> None:
    with pytest.raises(errors.InputError, match="empty"):
        body_of([{"role": "user", "content": ""}])
