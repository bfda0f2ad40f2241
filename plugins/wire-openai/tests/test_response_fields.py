"""The Responses wire: what is sent for messages and parameters."""

from __future__ import annotations

from typing import Any

import pytest

from hb_wire_openai import response_body

from .support import OPENAI, make_call, make_spec

TOOL = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {}}},
}


def sent(**options: Any) -> dict[str, Any]:
    return response_body(make_call(make_spec(provider="openai", provider_record=OPENAI, model_id="gpt-5"), **options))


def outcome(name: str, value: Any, **more: Any) -> tuple[dict[str, Any], str, str | None]:
    spec = make_spec(provider="openai", provider_record=OPENAI, model_id="gpt-5")
    call = make_call(spec, **{name: value}, **more)
    body = response_body(call)
    entry = call.context.report.entries[name]
    return body, entry.outcome, entry.wire


def test_messages_become_items() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}
    document = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}}
    items = sent(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "look"}, image, document]},
            {
                "role": "assistant",
                "content": "I add.",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
        ]
    )["input"]
    assert items == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
                {"type": "input_file", **document["file"]},  # type: ignore[dict-item]
            ],
        },
        {"role": "assistant", "content": "I add."},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "2"},
    ]


@pytest.mark.parametrize(
    ("name", "value", "field", "wanted"),
    [
        ("max_tokens", 5, "max_output_tokens", 5),
        ("max_completion_tokens", 5, "max_output_tokens", 5),
        ("reasoning_effort", "low", "reasoning", {"effort": "low"}),
        ("reasoning_summary", "auto", "reasoning", {"summary": "auto"}),
        ("verbosity", "low", "text", {"verbosity": "low"}),
    ],
)
def test_a_parameter_has_another_name_there(name: str, value: Any, field: str, wanted: Any) -> None:
    body, word, wire = outcome(name, value)
    assert body[field] == wanted
    assert word == "renamed"
    assert wire is not None
    assert wire.startswith(field)
    assert name not in body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", 0.5), ("top_p", 0.5), ("store", False), ("metadata", {"a": "b"}), ("user", "me")),
        *(("previous_response_id", "resp_0"), ("service_tier", "flex"), ("parallel_tool_calls", False)),
        *(("truncation", "auto"), ("prompt_cache_key", "k"), ("safety_identifier", "s"), ("top_logprobs", 2)),
    ],
)
def test_a_parameter_travels_as_it_is(name: str, value: Any) -> None:
    body, word, _ = outcome(name, value, tools=[TOOL])
    assert body[name] == value
    assert word == "sent"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("seed", 1), ("stop", ["x"]), ("n", 2), ("logit_bias", {"1": 1}), ("frequency_penalty", 1.0)),
        *(("presence_penalty", 1.0),),
    ],
)
def test_a_parameter_that_the_wire_lacks_is_reported(name: str, value: Any) -> None:
    body, word, _ = outcome(name, value)
    assert name not in body
    assert word == "dropped"


def test_tools_and_their_choice_are_flat() -> None:
    choice = {"type": "function", "function": {"name": "add"}}
    body = sent(tools=[TOOL, {"type": "web_search"}], tool_choice=choice)
    assert body["tools"] == [{"type": "function", "strict": False, **TOOL["function"]}, {"type": "web_search"}]  # type: ignore[dict-item]
    assert body["tool_choice"] == {"type": "function", "name": "add"}
    assert sent(tools=[TOOL], tool_choice="required")["tool_choice"] == "required"


def test_thoughts_that_nobody_stores_are_asked_for_encrypted() -> None:
    assert sent(store=False, reasoning_effort="low")["include"] == ["reasoning.encrypted_content"]
    assert "include" not in sent(store=False)


def test_b11_thoughts_of_models_that_reason_are_asked_for_encrypted_when_nothing_is_stored() -> None:
    rules = [{"models": ["gpt-4*"], "drop": {"reasoning_effort": "the model has no steps of reasoning"}}]
    record = {**OPENAI, "parameters": rules}
    for model, wanted in (("gpt-5.5", ["reasoning.encrypted_content"]), ("gpt-4o", None)):
        spec = make_spec(provider="openai", provider_record=record, model_id=model)
        assert response_body(make_call(spec, store=False)).get("include") == wanted
        assert "include" not in response_body(make_call(spec))


def test_b12_logprobs_are_asked_for_where_the_wire_has_them() -> None:
    body, word, wire = outcome("logprobs", True, top_logprobs=2)
    assert (body["include"], body["top_logprobs"]) == (["message.output_text.logprobs"], 2)
    assert (word, wire) == ("renamed", "include")


def test_extra_body_is_merged_as_it_is() -> None:
    body = sent(reasoning_effort="low", extra_body={"seed": 1, "reasoning": {"context": "all_turns"}})
    assert body["reasoning"] == {"effort": "low", "context": "all_turns"}
    assert body["seed"] == 1
