"""Conversations of every shape on every wire: what is sent keeps the rules that the provider has."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.conformance.rig import environment
from heavenbase.colour.drive import run
from heavenbase.config.config import Config
from heavenbase.errors import HBError, InputError, VisionNotSupported
from heavenbase.flow.preparing import encode_images, has_images
from heavenbase.image.pixels import make_png
from heavenbase.kernel import Kernel
from heavenbase.types import Message, ParameterReport

WIRES = {
    "openai": {"provider": "openai", "model": "gpt-4o-mini"},
    "responses": {"provider": "openai", "model": "gpt-5.5", "gateway": "responses"},
    "openrouter": {"provider": "openrouter", "model": "anthropic/claude-sonnet-4.5"},
    "anthropic": {"provider": "anthropic", "model": "claude-sonnet-4-5"},
    "bedrock": {"provider": "bedrock", "model": "anthropic.claude-sonnet-4-5-20250929-v1:0"},
    "gemini": {"provider": "gemini", "model": "gemini-3-pro-preview"},
    "cohere": {"provider": "cohere", "model": "command-a-vision-07-2025"},
    "mistral": {"provider": "mistral", "model": "mistral-large-latest"},
    "ollama": {"provider": "ollama", "model": "qwen3-vl"},
}
BLIND = {"provider": "cohere", "model": "command-a-03-2025"}
USER: Message = {"role": "user", "content": "q"}
GREETING: Message = {"role": "assistant", "content": "hello"}
TOOLS = [{"name": "w", "parameters": {"type": "object", "properties": {}}}]
PICTURE = hb.LLMImage.from_bytes(make_png(2, 2, (1, 2, 3)))


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with Kernel(Config.from_dict({}, environ=environment())) as made:
        yield made


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def body_of(kernel: Kernel, wire: str, messages: Any, **options: Any) -> tuple[dict[str, Any], ParameterReport]:
    """The body that would be sent, and the report."""
    llm = hb.LLM(**WIRES.get(wire, BLIND), kernel=kernel)  # type: ignore[arg-type]
    call = llm._chat_call(messages, None, None, options, is_async=False)
    if has_images(call):
        call = run(encode_images(call, kernel.registry, kernel.services.setting))
    return dict(kernel.gateway(call.spec).prepare(call).body), call.context.report


def calls(*ids: str) -> Message:
    made = [{"id": each, "type": "function", "function": {"name": "w", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(known: str, content: Any = "r") -> Message:
    return {"role": "tool", "tool_call_id": known, "content": content, "name": "w"}


def turns(body: dict[str, Any]) -> list[dict[str, Any]]:
    return list(body.get("messages") or body.get("contents") or body["input"])


def texts(value: Any) -> Iterator[str]:
    """Every text in a body that a model reads as such."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "text" and isinstance(inner, str):
                yield inner
            else:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def test_c1_a_call_that_was_left_open_gets_a_result_behind_it(kernel: Kernel, wire: str) -> None:
    if wire == "ollama":
        pytest.skip("this wire has no rules of order")
    body, report = body_of(kernel, wire, [USER, calls("call_1", "call_2"), result("call_2"), USER])
    written = json.dumps(turns(body))
    assert written.count("NotRun") == 1
    assert written.index("NotRun") < written.rindex('"q"')
    assert "no result" in (report.entries["messages"].reason or "")
    for lost in ([USER, result("call_1")], [USER, calls("call_1")]):
        with pytest.raises(InputError, match="call_1"):
            body_of(kernel, wire, lost)


def test_c1_a_conversation_may_begin_with_an_answer(kernel: Kernel, wire: str) -> None:
    body, report = body_of(kernel, wire, [{"role": "system", "content": "s"}, GREETING, USER])
    assert "hello" in json.dumps(body)
    if wire in ("anthropic", "bedrock", "gemini"):
        assert turns(body)[0]["role"] == "user"
        assert "begin" in (report.entries["messages"].reason or "")


@pytest.mark.parametrize("role", ["system", "developer"])
def test_c1_instructions_between_messages_stay_or_move_with_a_word(kernel: Kernel, wire: str, role: str) -> None:
    late: Message = {"role": role, "content": "instructed"}
    for messages in (
        [USER, GREETING, late, USER],
        [USER, GREETING, late],
        [USER, calls("call_1"), late, result("call_1")],
    ):
        body, report = body_of(kernel, wire, messages, tools=TOOLS)
        assert json.dumps(body).count("instructed") == 1
        last = turns(body)[-1]
        assert last.get("role") != "assistant", messages
        if wire in ("anthropic", "bedrock", "gemini"):
            assert report.entries["system"].outcome == "emulated"
            assert last["role"] == "user"
        elif role == "developer" and wire in ("cohere", "mistral", "ollama"):
            assert any(name.endswith(".role") for name in report.entries)


@pytest.mark.parametrize("role", ["system", "user"])
def test_a8_marks_of_the_cache_keep_their_place_among_texts(kernel: Kernel, role: str) -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}

    def sent(wire: str, *contents: str, marked: int) -> Any:
        parts = [{"type": "text", "text": text, **(mark if at == marked else {})} for at, text in enumerate(contents)]
        body, report = body_of(kernel, wire, [{"role": role, "content": parts}, *([USER] if role == "system" else [])])
        assert ("blank texts" in str(report.to_dict())) == (" " in contents)
        return body.get("system") if role == "system" else body["messages"][0]["content"]

    a, b, c = ({"type": "text", "text": text} for text in "abc")
    assert sent("anthropic", "a", "b", "c", marked=1) == [a, {**b, **mark}, c]
    assert sent("anthropic", "a", " ", "c", marked=1) == [{**a, **mark}, c]
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert sent("bedrock", "a", "b", "c", marked=1) == [{"text": "a"}, {"text": "b"}, point, {"text": "c"}]
    assert sent("bedrock", "a", " ", "c", marked=1) == [{"text": "a"}, point, {"text": "c"}]
    if role == "system":
        assert not sent("anthropic", " ", marked=0)
        assert not sent("bedrock", " ", marked=0)


def test_c1_mistral_takes_late_system_messages_at_the_top(kernel: Kernel) -> None:
    late: Message = {"role": "system", "content": "late"}
    body, report = body_of(kernel, "mistral", [USER, GREETING, late, USER])
    assert [turn["role"] for turn in turns(body)] == ["system", "user", "assistant", "user"]
    assert report.entries["messages"].outcome == "emulated"


def test_c2_nothing_blank_is_sent_to_those_who_refuse_it(kernel: Kernel) -> None:
    blank: Message = {"role": "user", "content": " \n"}
    conversations = [
        [USER, calls("call_1"), result("call_1", "\n"), USER],
        [USER, calls("call_1"), result("call_1", [{"type": "text", "text": " "}]), USER],
        [blank, GREETING, USER],
        [blank, USER],
        [USER, blank],
        [{"role": "system", "content": " "}, USER],
        [USER, {"role": "assistant", "content": "\n"}, USER],
    ]
    for wire in ("anthropic", "bedrock"):
        for messages in conversations:
            body, _ = body_of(kernel, wire, messages)
            assert all(text.strip() for text in texts(body)), messages
            assert all(turn["content"] and (turn["content"] != " \n") for turn in turns(body)), messages
        for messages in ([blank], [USER, GREETING, blank]):
            with pytest.raises(InputError, match="role user"):
                body_of(kernel, wire, messages)


def test_c3_pictures_of_tools_reach_the_model_on_every_wire(kernel: Kernel, wire: str) -> None:
    content = [{"type": "text", "text": "a map"}, PICTURE]
    body, report = body_of(kernel, wire, [USER, calls("call_1"), result("call_1", content)], tools=TOOLS)
    written = json.dumps(turns(body))
    assert PICTURE.to_b64() in written
    assert "a map" in written
    assert "LLMImage" not in written
    last = turns(body)[-1]
    if wire in ("openai", "openrouter", "cohere"):
        assert last["role"] == "user"
        assert "pictures and files of tools" in (report.entries["messages"].reason or "")
    else:
        assert PICTURE.to_b64() in json.dumps(last)
        assert "messages" not in report.entries


def test_c3_a_model_without_eyes_is_told_of_pictures_that_tools_gave(kernel: Kernel) -> None:
    messages = [USER, calls("call_1"), result("call_1", ["a map", PICTURE])]
    body, report = body_of(kernel, "blind", messages, tools=TOOLS)
    assert "an image, which this model cannot see" in json.dumps(turns(body))
    assert report.entries["images"].outcome == "dropped"
    with pytest.raises(VisionNotSupported):
        body_of(kernel, "blind", [{"role": "user", "content": [PICTURE]}])


def test_c5_documents_on_bedrock_have_names_of_their_own_and_a_text_beside_them(kernel: Kernel) -> None:
    def file(name: str | None) -> dict[str, Any]:
        named = {"filename": name} if name else {}
        return {"type": "file", "file": {**named, "file_data": "data:application/pdf;base64,JVBERi0xLjQ="}}

    own = {"type": "document", "document": {"format": "txt", "name": "a_b.pdf", "source": {"bytes": b"x"}}}
    words = {"type": "text", "text": "q"}
    messages = [
        {"role": "user", "content": [file("a.pdf"), file("a.pdf")]},
        GREETING,
        {"role": "user", "content": [file("a.pdf"), file(None), file(None), own, words]},
        calls("call_1"),
        result("call_1", [file("a.pdf")]),
    ]
    body, report = body_of(kernel, "bedrock", messages, tools=TOOLS)
    found = [block for turn in turns(body) for block in turn["content"]]
    found += [part for block in found for part in block.get("toolResult", {}).get("content", ())]
    names = [block["document"]["name"] for block in found if "document" in block]
    assert names == ["a", "a (2)", "a (3)", "document", "document (2)", "a b pdf", "a (4)"]
    assert turns(body)[0]["content"][-1] == {"text": "a, a (2)"}
    assert "document" in (report.entries["messages"].reason or "")


def test_c4_no_wire_gets_a_schema_with_choices_at_its_root_or_without_properties(kernel: Kernel, wire: str) -> None:
    pick = {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "anyOf": [{"required": ["a"]}]}
    tools = [{"name": "pick", "parameters": {"type": "object", **pick}}, {"name": "w", "parameters": {}}]
    body, report = body_of(kernel, wire, "q", tools=tools)
    written = json.dumps(body.get("tools", body.get("toolConfig")))
    assert '"anyOf"' not in written
    assert "arguments must fit" in written
    assert written.count('"properties"') == 2
    assert report.entries["tools.parameters"].outcome == "emulated"
    own = [{"name": "pick", "input_schema": {"type": "object", **pick}, "type": "custom"}]
    if wire == "anthropic":
        assert '"anyOf"' not in json.dumps(body_of(kernel, wire, "q", tools=own)[0])


FILES = {
    "zip": {"type": "file", "file": {"filename": "a.zip", "file_data": "data:application/zip;base64,UEsDBA=="}},
    "pdf": {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQ="}},
    "far": {"type": "file", "file": {"filename": "a.bin", "file_data": "ftp://a.example/a.bin"}},
}


@pytest.mark.parametrize("kind", FILES)
def test_c3_a_file_of_a_tool_reaches_the_model_or_words_say_that_it_cannot(
    kernel: Kernel, wire: str, kind: str
) -> None:
    part = FILES[kind]
    messages = [USER, calls("call_1"), result("call_1", [{"type": "text", "text": "see"}, part])]
    body, report = body_of(kernel, wire, messages, tools=TOOLS)
    written = json.dumps(body)
    told = "which this model cannot read" in written
    assert told == ("files" in report.entries)
    assert told or str(part["file"]["file_data"]).rpartition(",")[2][:8] in written
    if kind == "pdf":
        assert told == (wire in ("cohere", "ollama"))


def test_c3_text_of_a_tool_is_text_that_providers_take() -> None:
    from heavenbase.tools.results import result_content

    for value in ("caf\udce9", {"name": "caf\udce9"}, ["caf\udce9"], ValueError("caf\udce9")):
        written = result_content(value)
        assert isinstance(written, str)
        assert "caf\ufffd" in written
    assert result_content("\ud83d\ude00 fine") == "\U0001f600 fine"


PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE.to_b64()}}
NATIVE: dict[str, list[dict[str, Any]]] = {
    "anthropic": [
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "opaque-thought", "signature": "s"},
                {"type": "text", "text": "let me see"},
                {"type": "tool_use", "id": "toolu_1", "name": "w", "input": {"city": "Köln"}},
                {"type": "tool_use", "id": "toolu_2", "name": "w", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "failed", "is_error": True},
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a map"}, PNG]},
                {"type": "text", "text": "and now?"},
            ],
        },
    ],
    "bedrock": [
        {"role": "user", "content": [{"text": "q"}]},
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "opaque-thought", "signature": "s"}}},
                {"text": "let me see"},
                {"toolUse": {"toolUseId": "tooluse_1", "name": "w", "input": {"city": "Köln"}}},
                {"toolUse": {"toolUseId": "tooluse_2", "name": "w", "input": {}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "tooluse_2", "content": [{"text": "failed"}], "status": "error"}},
                {
                    "toolResult": {
                        "toolUseId": "tooluse_1",
                        "content": [
                            {"json": {"found": "a map"}},
                            {"image": {"format": "png", "source": {"bytes": PICTURE.to_bytes()}}},
                        ],
                    }
                },
                {"text": "and now?"},
            ],
        },
    ],
}


@pytest.mark.parametrize("vendor", NATIVE)
def test_a9_a_vendors_own_blocks_are_calls_and_results_on_every_other_wire(
    kernel: Kernel, wire: str, vendor: str
) -> None:
    body, report = body_of(kernel, wire, NATIVE[vendor], tools=TOOLS)
    written = json.dumps(body, ensure_ascii=False)
    for word in ("let me see", "Köln", "a map", "failed", "and now?", PICTURE.to_b64()):
        assert word in written, word
    if wire == vendor:
        assert "opaque-thought" in written
        assert not [name for name in report.names("dropped") if name.startswith("messages")]
        return
    assert "opaque-thought" not in written
    assert any(name.startswith("messages[1].") for name in report.names("dropped"))
    foreign = {"anthropic": ("tool_use", "tool_result"), "bedrock": ("toolUse", "toolResult")}[vendor]
    assert not any(f'"{name}"' in written for name in foreign)
    order = [written.index(word) for word in ("let me see", "Köln", "a map", "and now?")]
    assert order == sorted(order)


PDF = b"%PDF-1.4 words"
FOUND = {"type": "text", "text": "found"}
PARTS: dict[str, tuple[dict[str, Any], str, frozenset[str]]] = {
    "search result": (
        {
            "type": "search_result",
            "source": "https://e.example",
            "title": "T",
            "content": [{"type": "text", "text": "found"}],
        },
        "found",
        frozenset(),
    ),
    "content": (
        {"type": "document", "source": {"type": "content", "content": [FOUND]}},
        "found",
        frozenset(),
    ),
    "document": (
        {"document": {"format": "pdf", "name": "a", "source": {"bytes": PDF}}},
        b64encode(PDF).decode(),
        frozenset({"cohere", "ollama"}),
    ),
    "text": (
        {"document": {"format": "txt", "name": "a", "source": {"text": "found"}}},
        "",
        frozenset({"cohere", "ollama"}),
    ),
    "inline": (
        {"inline_data": {"mime_type": "application/pdf", "data": b64encode(PDF).decode()}},
        b64encode(PDF).decode(),
        frozenset({"cohere", "ollama"}),
    ),
    "picture": ({"inlineData": {"mimeType": "image/png", "data": PICTURE.to_b64()}}, PICTURE.to_b64(), frozenset()),
    "far": (
        {"fileData": {"fileUri": "https://e.example/a.pdf", "mimeType": "application/pdf"}},
        "https://e.example/a.pdf",
        frozenset({"openai", "bedrock", "cohere", "ollama"}),
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_a9_texts_and_files_in_a_vendors_own_shape_reach_every_wire_that_reads_such(
    kernel: Kernel, wire: str, name: str
) -> None:
    part, word, refused = PARTS[name]
    messages = [{"role": "user", "content": [{"type": "text", "text": "read"}, part]}]
    if wire in refused:
        with pytest.raises(HBError):
            body_of(kernel, wire, messages)
        return
    body, _ = body_of(kernel, wire, messages)
    assert word in json.dumps(body)
