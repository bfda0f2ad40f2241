"""Messages of hb as the system prompt and the messages of this wire."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hb_vision_anthropic import encode
from heavenbase.errors import InputError, InputTypeError, UnsupportedError
from heavenbase.image.image import LLMImage
from heavenbase.image.pixels import make_png
from heavenbase.types import Message

from .support import ADAPTIVE, BUDGET, USER, body_of, make_spec, prepared

PDF = base64.b64encode(b"%PDF-1.4 tiny").decode()


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def tool_call(id_: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def called(*calls: dict[str, Any], content: Any = None, **more: Any) -> Message:
    return {"role": "assistant", "content": content, "tool_calls": list(calls), **more}


def result(id_: str, content: Any = "ok", **more: Any) -> Message:
    return {"role": "tool", "tool_call_id": id_, "content": content, **more}


def said(words: str, role: str = "user") -> Message:
    return {"role": role, "content": words}


# System


def test_hb36_system_messages_are_lifted_from_wherever_they_stand() -> None:
    body = body_of(messages=[said("a", "system"), USER, said("b", "developer"), said("yes", "assistant"), said("c")])
    assert body["system"] == "a\n\nb"
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


def test_lifting_a_late_system_message_is_reported() -> None:
    _, entries = prepared(messages=[USER, said("b", "system")])
    assert entries["system"].outcome == "emulated"
    _, entries = prepared(messages=[said("b", "system"), USER])
    assert "system" not in entries


def test_a_system_message_of_parts_becomes_one_text_unless_a_part_is_marked() -> None:
    parts = [text("one"), text("two")]
    assert body_of(messages=[{"role": "system", "content": parts}, USER])["system"] == "one\n\ntwo"
    parts[0]["cache_control"] = {"type": "ephemeral"}
    assert body_of(messages=[{"role": "system", "content": parts}, USER])["system"] == parts


def test_a_late_system_message_stays_behind_the_users_turn_where_the_model_takes_it() -> None:
    messages = [said("a", "system"), USER, said("late", "system")]
    body = body_of(make_spec(model=ADAPTIVE), messages=messages)
    assert body["system"] == "a"
    assert body["messages"] == [USER, {"role": "system", "content": [text("late")]}]
    # Before an answer it waits for the end of the user's turn.
    body = body_of(make_spec(model=ADAPTIVE), messages=[USER, said("late", "system"), said("more")])
    assert [message["role"] for message in body["messages"]] == ["user", "system"]
    assert body["messages"][0]["content"] == [text("hi"), text("more")]


def test_a_system_message_behind_the_last_answer_follows_a_turn_that_says_to_go_on() -> None:
    messages = [USER, said("yes", "assistant"), said("late", "system")]
    request, entries = prepared(model=ADAPTIVE, messages=messages)
    body = request.body
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user", "system"]
    assert "go on" in str(entries["messages"].reason)
    body = body_of(messages=messages)
    assert body["system"] == "late"
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


def test_a_system_message_between_two_answers_is_lifted() -> None:
    messages = [USER, said("yes", "assistant"), said("late", "system"), said("and", "assistant"), USER]
    request, entries = prepared(model=ADAPTIVE, messages=messages)
    body = request.body
    assert body["system"] == "late"
    assert entries["system"].outcome == "emulated"


def test_a_system_message_that_moves_behind_the_user_is_told() -> None:
    messages = [USER, said("yes", "assistant"), said("late", "system"), said("more")]
    request, entries = prepared(model=ADAPTIVE, messages=messages)
    body = request.body
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user", "system"]
    assert "move behind" in str(entries["messages"].reason)
    _, entries = prepared(
        make_spec(model=ADAPTIVE), messages=[USER, said("late", "system"), said("yes", "assistant"), USER]
    )
    assert "messages" not in entries


def test_marked_blocks_of_late_system_messages_keep_their_marks() -> None:
    marked = {**text("late"), "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    messages = [USER, said("yes", "assistant"), USER, {"role": "system", "content": [marked]}, said("x", "developer")]
    assert body_of(make_spec(model=ADAPTIVE), messages=messages)["messages"][-1] == {
        "role": "system",
        "content": [marked, text("x")],
    }
    assert marked in body_of(messages=messages)["system"]


def test_what_a_late_system_message_says_beside_text_goes_in_its_beta() -> None:
    change = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "w"}}
    late = {"role": "system", "content": [text("late"), change], "clear_at": "next_user_message"}
    request, _ = prepared(model=ADAPTIVE, messages=[USER, late])
    assert request.body["messages"][-1] == late
    assert request.headers["anthropic-beta"].count("mid-conversation") == 2
    with pytest.raises(UnsupportedError, match="changes the tools"):
        prepared(messages=[USER, late])
    _, entries = prepared(messages=[USER, {**late, "content": "late"}])
    assert entries["messages[1].clear_at"].outcome == "dropped"


def test_records_say_where_late_system_messages_stand() -> None:
    messages = [USER, said("late", "system")]

    def is_late(model: str, own: object = None, provider: object = None) -> bool:
        record = {"capabilities": {"late_system": own}}
        spec = make_spec(model=model, model_record=record, provider_record={"capabilities": {"late_system": provider}})
        return "system" not in body_of(spec, messages=messages)

    assert is_late(ADAPTIVE)
    assert not is_late(ADAPTIVE, own=False)
    assert not is_late(ADAPTIVE, provider=False)
    assert not is_late(BUDGET, provider=True)
    assert is_late(BUDGET, own=True)


@pytest.mark.parametrize("messages", [[said("a", "system")], [said("a", "system"), said("b", "developer")]])
def test_a_system_prompt_alone_is_refused(messages: list[Message]) -> None:
    with pytest.raises(InputError, match="no message of a user"):
        prepared(messages=messages)


def test_a_system_message_with_an_image_is_refused() -> None:
    image = encode(LLMImage.from_bytes(make_png(1, 1, (0, 0, 0))))
    with pytest.raises(InputError, match="no text"):
        prepared(messages=[{"role": "system", "content": [image]}, USER])


# Users


def test_messages_of_one_role_become_one() -> None:
    body = body_of(messages=[said("a"), {"role": "user", "content": [text("b")]}, said("c")])
    assert body["messages"] == [{"role": "user", "content": [text("a"), text("b"), text("c")]}]


def test_empty_texts_are_left_out_and_an_empty_message_is_refused() -> None:
    body = body_of(messages=[{"role": "user", "content": [text(""), text("a"), text(" \n")]}])
    assert body["messages"][0]["content"] == [text("a")]
    for content in ("", [text("")]):
        with pytest.raises(InputError, match="empty"):
            prepared(messages=[{"role": "user", "content": content}])


def test_names_of_speakers_are_dropped_and_reported() -> None:
    request, entries = prepared(messages=[{**USER, "name": "ann"}])
    assert request.body["messages"] == [USER]
    assert entries["name"].outcome == "dropped"


def test_the_old_role_function_is_refused() -> None:
    with pytest.raises(InputError, match="use the role tool"):
        prepared(messages=[USER, {"role": "function", "name": "f", "content": "x"}])


def test_g13_images_as_url_data_url_and_bytes() -> None:
    data = base64.b64encode(make_png(1, 2, (1, 2, 3))).decode()
    images = [
        LLMImage.from_url("https://example.com/a.png", detail="high"),
        LLMImage.from_any(f"data:image/png;base64,{data}"),
        LLMImage.from_bytes(base64.b64decode(data)),
    ]
    content = [text("What?"), *(encode(image) for image in images)]
    body = body_of(messages=[{"role": "user", "content": content}])
    inline = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    assert body["messages"][0]["content"] == [
        text("What?"),
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        inline,
        inline,
    ]


def test_an_image_that_nothing_encoded_is_refused() -> None:
    with pytest.raises(InputTypeError, match="no image format"):
        prepared(messages=[{"role": "user", "content": [{"type": "image", "image": object()}]}])


@pytest.mark.parametrize(
    ("file", "block"),
    [
        (
            {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"},
            {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "a.pdf"},
        ),
        ({"file_data": PDF}, {"source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}),
        ({"file_data": "https://x.example/a.pdf"}, {"source": {"type": "url", "url": "https://x.example/a.pdf"}}),
        ({"file_id": "file_1"}, {"source": {"type": "file", "file_id": "file_1"}}),
        (
            {"file_data": "data:text/plain,caf%C3%A9"},
            {"source": {"type": "text", "media_type": "text/plain", "data": "café"}},
        ),
        (
            {"file_data": "data:text/csv;base64," + base64.b64encode(b"a,b\n").decode()},
            {"source": {"type": "text", "media_type": "text/plain", "data": "a,b\n"}},
        ),
    ],
)
def test_files_become_documents(file: dict[str, str], block: dict[str, Any]) -> None:
    body = body_of(messages=[{"role": "user", "content": [{"type": "file", "file": file}, text("What is it?")]}])
    assert body["messages"][0]["content"] == [{"type": "document", **block}, text("What is it?")]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (None, "without a file"),
        ({}, "without file_data"),
        ({"file_data": "data:application/zip;base64,AAAA"}, "takes PDF and text"),
        ({"file_data": "data:text/plain;base64,/w=="}, "no base64 of UTF-8"),
    ],
)
def test_files_that_the_wire_does_not_know_are_refused(file: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        prepared(messages=[{"role": "user", "content": [{"type": "file", "file": file}]}])


def test_blocks_in_the_wires_own_shape_pass() -> None:
    own = {
        "type": "document",
        "source": {"type": "content", "content": [text("x")]},
        "citations": {"enabled": True},
        "cache_control": {"type": "ephemeral"},
    }
    assert body_of(messages=[{"role": "user", "content": [own, text("?")]}])["messages"][0]["content"][0] == own


@pytest.mark.parametrize("kind", ["input_audio", "video_url"])
def test_sound_and_film_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedError, match=kind):
        prepared(messages=[{"role": "user", "content": [{"type": kind}]}])


# Tools


def test_g07_all_results_of_a_turn_are_one_user_message() -> None:
    body = body_of(
        messages=[
            USER,
            called(tool_call("a", "f", '{"x": 1}'), tool_call("b", "g"), content="Let me see."),
            result("a", "one"),
            result("b", [text("two")]),
            said("go on"),
        ]
    )
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                text("Let me see."),
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "one"},
                {"type": "tool_result", "tool_use_id": "b", "content": [text("two")]},
                text("go on"),
            ],
        },
    ]


def test_results_come_first_in_their_message_whatever_came_between() -> None:
    body = body_of(messages=[USER, called(tool_call("a"), tool_call("b")), result("a"), said("hm"), result("b")])
    kinds = [block["type"] for block in body["messages"][-1]["content"]]
    assert kinds == ["tool_result", "tool_result", "text"]


def test_a_failed_tool_is_marked_as_failed() -> None:
    failed = '{"ok": false, "error": {"type": "ValueError", "message": "no"}}'
    body = body_of(messages=[USER, called(tool_call("a"), tool_call("b")), result("a", failed), result("b")])
    assert [block.get("is_error", False) for block in body["messages"][-1]["content"]] == [True, False]
    body = body_of(messages=[USER, called(tool_call("a")), result("a", "boom", is_error=True)])
    assert body["messages"][-1]["content"][0]["is_error"] is True


def test_an_empty_result_has_no_content_and_an_image_is_one() -> None:
    image = encode(LLMImage.from_bytes(make_png(1, 1, (0, 0, 0))))
    body = body_of(messages=[USER, called(tool_call("a"), tool_call("b")), result("a", ""), result("b", [image])])
    assert body["messages"][-1]["content"] == [
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "tool_result", "tool_use_id": "b", "content": [image]},
    ]


def test_ids_of_other_providers_are_made_to_fit_and_stay_apart() -> None:
    conversation = [USER, called(tool_call("call.1|x")), result("call.1|x"), called(tool_call("call.1|x"))]
    body = body_of(messages=[*conversation, result("call.1|x")])
    uses = [m["content"][0]["id"] for m in body["messages"] if m["role"] == "assistant"]
    answers = [m["content"][0]["tool_use_id"] for m in body["messages"][2:] if m["role"] == "user"]
    assert uses == answers == ["call_1_x", "call_1_x_2"]


def test_g05_arguments_that_are_no_object_travel_as_text_and_are_reported() -> None:
    for written in ("[1]", "{broken", '"x"'):
        request, entries = prepared(messages=[USER, called(tool_call("a", "f", written)), result("a")])
        assert request.body["messages"][1]["content"][0]["input"] == {"arguments": written}
        assert entries["tool_calls"].outcome == "emulated"


def test_an_answer_to_go_on_with_does_not_end_in_white_space() -> None:
    body = body_of(messages=[USER, said("The answer is ", "assistant")])
    assert body["messages"][-1] == {"role": "assistant", "content": [text("The answer is")]}


def test_an_answer_without_anything_is_left_out() -> None:
    body = body_of(messages=[USER, {"role": "assistant", "content": None}, said("more")])
    assert body["messages"] == [{"role": "user", "content": [text("hi"), text("more")]}]


def test_images_and_refusals_of_an_answer() -> None:
    content = [{"type": "refusal", "refusal": "No."}, encode(LLMImage.from_bytes(make_png(1, 1, (0, 0, 0))))]
    request, entries = prepared(messages=[USER, {"role": "assistant", "content": content, "images": [{}]}, USER])
    assert request.body["messages"][1]["content"] == [text("No.")]
    assert entries["images"].outcome == "dropped"


# Thoughts on their way back

THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "sig=="}
HIDDEN = {"type": "redacted_thinking", "data": "opaque"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}}


def kept(*blocks: dict[str, Any], provider: str = "anthropic", model: str = BUDGET) -> list[dict[str, Any]]:
    return [{"provider": provider, "model": model, "field": "content", "value": list(blocks)}]


def test_an_answer_goes_back_block_by_block_with_its_signatures() -> None:
    blocks = [THOUGHT, HIDDEN, text("Let me see."), USE]
    answer = called(tool_call("toolu_1", "f", '{"x":1}'), content="Let me see.", reasoning_parts=kept(*blocks))
    body = body_of(messages=[USER, answer, result("toolu_1")])
    assert body["messages"][1] == {"role": "assistant", "content": blocks}


def test_thoughts_between_tools_keep_their_places() -> None:
    blocks = [THOUGHT, text("a"), {**THOUGHT, "thinking": "more"}, text("b"), USE]
    answer = called(tool_call("toolu_1", "f", '{"x": 1}'), content="ab", reasoning_parts=kept(*blocks))
    assert body_of(messages=[USER, answer, result("toolu_1")])["messages"][1]["content"] == blocks


def test_an_answer_that_was_edited_keeps_its_thoughts_and_says_what_it_says_now() -> None:
    answer = {"role": "assistant", "content": "edited", "reasoning_parts": kept(THOUGHT, text("as written"))}
    assert body_of(messages=[USER, answer, said("more")])["messages"][1]["content"] == [THOUGHT, text("edited")]


def test_thoughts_of_others_stay_behind_and_that_is_reported() -> None:
    part = {"provider": "openrouter", "model": "m", "field": "reasoning_details", "value": [{"text": "x"}]}
    answer = {"role": "assistant", "content": "hello", "reasoning_parts": [part], "reasoning_content": "x"}
    request, entries = prepared(messages=[USER, answer, said("more")])
    assert request.body["messages"][1]["content"] == [text("hello")]
    assert entries["reasoning_parts"].outcome == "dropped"
    assert "openrouter" in str(entries["reasoning_parts"].reason)


def test_thoughts_of_another_model_go_back_where_any_model_can_read_them() -> None:
    answer = {"role": "assistant", "content": "yes", "reasoning_parts": kept(THOUGHT, text("yes"), model="claude-x")}
    messages = [USER, answer, said("more")]
    assert THOUGHT in body_of(make_spec(model=BUDGET), messages=messages)["messages"][1]["content"]
    request, entries = prepared(make_spec(model="claude-opus-5-5"), messages=messages)
    assert request.body["messages"][1]["content"] == [text("yes")]
    assert entries["reasoning_parts"].outcome == "dropped"


def test_thoughts_without_a_signature_stay_behind() -> None:
    cut = {"type": "thinking", "thinking": "half", "signature": ""}
    answer = {"role": "assistant", "content": "yes", "reasoning_parts": kept(cut, text("yes"))}
    assert body_of(messages=[USER, answer, said("more")])["messages"][1]["content"] == [text("yes")]
    plain = {"role": "assistant", "content": "yes", "reasoning_content": "half"}
    request, entries = prepared(messages=[USER, plain, said("more")])
    assert request.body["messages"][1]["content"] == [text("yes")]
    assert entries["reasoning_content"].outcome == "dropped"


def test_calls_of_the_providers_own_tools_go_back_whole() -> None:
    blocks: list[dict[str, Any]] = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        text("found", citations=[{"type": "web_search_result_location", "url": "https://x"}]),
    ]
    answer = {"role": "assistant", "content": "found", "reasoning_parts": kept(*blocks)}
    assert body_of(messages=[USER, answer, said("more")])["messages"][1]["content"] == blocks


def test_the_callers_messages_are_never_changed() -> None:
    import copy

    messages = [
        said("a", "system"),
        USER,
        called(tool_call("a"), reasoning_parts=kept(THOUGHT, {**USE, "id": "a", "name": "f", "input": {}})),
        result("a", [text("x")]),
        {"role": "user", "content": [text("y")]},
    ]
    before = copy.deepcopy(messages)
    prepared(messages=messages, prompt_caching=True)
    assert messages == before
