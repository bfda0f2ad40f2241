"""From calls to Ollama's bodies: messages, options, tools, thinking, formats, vectors, images."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing.conformance.parameters import JSON_SCHEMA, SCHEMA, TOOLS
from hb_testing.conformance.samples import IMAGES
from hb_testing.prepared import Prepared, prepared
from heavenbase import errors
from heavenbase.image.image import LLMImage

from .support import Replay, answering, ask, kernel, made_call, saying

CALL = {"id": "call_7f", "type": "function", "function": {"name": "look", "arguments": '{"at": "x"}'}}


def sent(model: str = "ollama/llama3.2", **options: Any) -> Prepared:
    return prepared(model, **options)


def messages_of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with kernel() as made:
        call = made_call(made, messages)
        return list(made.gateway(call.spec).prepare(call).body["messages"])


def test_g07_a_turn_of_tools_goes_back() -> None:
    found = messages_of(
        [
            {"role": "developer", "content": "be short"},
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_7f", "content": "seen"},
        ]
    )
    assert found == [
        {"role": "system", "content": "be short"},
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "call_7f", "function": {"name": "look", "arguments": {"at": "x"}}}],
        },
        {"role": "tool", "content": "seen", "tool_name": "look", "tool_call_id": "call_7f"},
    ]


@pytest.mark.parametrize("mode", ["chat", "achat"])
def test_g13_images_stand_beside_the_text(mode: str) -> None:
    images = [LLMImage.from_bytes(IMAGES["png"], detail="high"), LLMImage.from_bytes(IMAGES["jpeg"])]
    replay = Replay(answering(saying("a picture")))
    parts = [{"type": "text", "text": "What?"}, *({"type": "image", "image": image} for image in images)]
    ask(mode, replay, [{"role": "user", "content": parts}], model="llama3.2-vision")
    assert replay.body()["messages"] == [
        {"role": "user", "content": "What?", "images": [image.to_b64() for image in images]}
    ]


def test_parts_of_other_wires_are_refused() -> None:
    with pytest.raises(errors.UnsupportedError, match="input_audio"):
        messages_of([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "QQ=="}}]}])


def test_own_thoughts_go_back_and_those_of_others_stay_behind() -> None:
    own = {"provider": "ollama", "model": "m", "field": "thinking", "value": "hm"}
    other = {"provider": "elsewhere", "field": "thinking", "value": "opaque"}
    user = {"role": "user", "content": "go"}
    [_, answer] = messages_of([user, {"role": "assistant", "content": "x", "reasoning_parts": [own, other]}])
    assert answer == {"role": "assistant", "content": "x", "thinking": "hm"}


@pytest.mark.parametrize(
    ("name", "value", "field", "wire"),
    [
        ("temperature", 0.5, "temperature", 0.5),
        ("top_p", 0.5, "top_p", 0.5),
        ("top_k", 4, "top_k", 4),
        ("min_p", 0.1, "min_p", 0.1),
        ("seed", 7, "seed", 7),
        ("stop", "x", "stop", ["x"]),
        ("max_tokens", 7, "num_predict", 7),
        ("max_completion_tokens", 7, "num_predict", 7),
        ("repetition_penalty", 1.1, "repeat_penalty", 1.1),
        ("presence_penalty", 0.5, "presence_penalty", 0.5),
        ("num_ctx", 8192, "num_ctx", 8192),
        ("options", {"num_gpu": 1}, "num_gpu", 1),
    ],
)
def test_an_argument_is_an_option(name: str, value: Any, field: str, wire: Any) -> None:
    found = sent(**{name: value})
    assert found.body["options"] == {field: wire}
    assert found.report == {name: "renamed"}


def test_an_option_of_tomorrow_passes_where_it_is_allowed() -> None:
    found = sent(an_option_of_tomorrow=1, allow_unknown=True)
    assert found.body["options"] == {"an_option_of_tomorrow": 1}
    assert found.report == {"an_option_of_tomorrow": "unknown"}


@pytest.mark.parametrize(("name", "value"), [("keep_alive", "5m"), ("logprobs", True), ("truncate", False)])
def test_an_argument_is_a_field(name: str, value: Any) -> None:
    found = sent(**{name: value})
    assert found.body[name] == value
    assert found.report == {name: "sent"}


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [("user", "u", "dropped"), ("logit_bias", {"1": 1}, "dropped"), ("n", 2, "dropped"), ("n", 1, "emulated")],
)
def test_what_the_wire_lacks_stays_at_home_and_is_told(name: str, value: Any, outcome: str) -> None:
    found = sent(**{name: value})
    assert found.body.keys() == {"model", "messages", "stream"}
    assert found.report == {name: outcome}


def test_extra_body_is_merged_into_the_options() -> None:
    found = sent(temperature=0.5, extra_body={"options": {"top_k": 1}, "template": "t"})
    assert found.body["options"] == {"temperature": 0.5, "top_k": 1}
    assert found.body["template"] == "t"


# Tools


def test_g06_auto_sends_the_tools_and_none_leaves_them_at_home() -> None:
    found = sent(tools=TOOLS, tool_choice="auto")
    assert [tool["function"]["name"] for tool in found.body["tools"]] == ["get_weather", "get_time", "ring_bell"]
    assert "tool_choice" not in found.body
    found = sent(tools=TOOLS, tool_choice="none")
    assert "tools" not in found.body
    assert found.report == {"tools": "emulated", "tool_choice": "emulated"}


@pytest.mark.parametrize("choice", ["required", "get_time"])
def test_g06_a_call_that_cannot_be_forced_is_refused_before_sending(choice: str) -> None:
    replay = Replay(answering(saying("x")))
    with pytest.raises(errors.LossyRequestError, match="tool_choice"):
        ask("chat", replay, tools=TOOLS, tool_choice=choice)
    assert replay.sent == []


# Thinking and structure


@pytest.mark.parametrize(
    ("options", "wire", "outcome"),
    [
        ({"think": True}, True, "renamed"),
        ({"think": False}, False, "renamed"),
        ({"reasoning_effort": "low"}, "low", "renamed"),
        ({"reasoning_effort": "none"}, False, "renamed"),
        ({"reasoning_effort": "minimal"}, "low", "clamped"),
        ({"reasoning_effort": "xhigh"}, "high", "clamped"),
        ({"reasoning_effort": "max"}, "max", "renamed"),
    ],
)
def test_thinking_is_one_field(options: dict[str, Any], wire: Any, outcome: str) -> None:
    found = sent("ollama/gpt-oss:20b", **options)
    assert found.body["think"] == wire
    assert found.report[next(iter(options))] == outcome


def test_a_model_without_steps_of_thinking_is_not_told_any() -> None:
    found = sent("gemma", provider="ollama", reasoning_effort="low")
    assert "think" not in found.body
    assert found.report["reasoning_effort"] == "dropped"


def test_g08_a_schema_is_the_format() -> None:
    assert sent(response_format=JSON_SCHEMA).body["format"] == SCHEMA
    assert sent(response_format={"type": "json_object"}).body["format"] == "json"
    assert sent(response_format=JSON_SCHEMA).report == {"response_format": "renamed"}


# Vectors and images


@pytest.mark.parametrize(
    ("given", "wire"), [("false", False), ("0", False), ("no", False), (True, True), ("END", True)]
)
def test_g11_parameters_of_embeddings(given: Any, wire: bool) -> None:
    found = sent(verb="embed", content={"inputs": ["a", "b"]}, truncate=given, dimensions=8, user="u")
    assert found.url.endswith("/api/embed")
    assert found.body == {"model": "llama3.2", "input": ["a", "b"], "truncate": wire, "dimensions": 8}
    assert found.report == {"truncate": "renamed", "dimensions": "sent", "user": "dropped"}


def test_an_image_is_asked_for_by_its_size() -> None:
    found = sent("ollama/x/z-image-turbo", verb="imagen", size="512x256", seed=7, quality="low")
    assert found.url.endswith("/api/generate")
    assert found.body["options"] == {"seed": 7}
    assert (found.body["width"], found.body["height"], found.body["stream"]) == (512, 256, False)
    assert found.report == {"size": "renamed", "seed": "renamed", "quality": "dropped"}
