"""What one wire has and another has not: translated, or refused before anything is sent; tools of a provider's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.conformance.rig import environment
from hb_testing.prepared import Prepared, prepared
from heavenbase.config.config import Config
from heavenbase.errors import ConfigError, HBError, InputError, UnsupportedError
from heavenbase.kernel import Kernel
from heavenbase.messages import to_messages
from heavenbase.tools import to_tools

CLAUDE = "bedrock/anthropic.claude-opus-4-6-v1"
USER = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "{"}
FREE = {"type": "custom", "name": "sql", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}}
FUNCTIONS = ("anthropic/claude-sonnet-4-5", CLAUDE, "gemini/gemini-3-pro-preview", "cohere/command-a-03-2025")


def asked(model: str, *messages: Any, **options: Any) -> Prepared:
    return prepared(model, content={"messages": to_messages(messages or "q")}, **options)


@pytest.mark.parametrize("model", ["openai/gpt-4o", *FUNCTIONS, "mistral/mistral-large-latest", "ollama/qwen3"])
def test_a3_headers_that_are_given_are_headers_on_every_wire(model: str) -> None:
    sent = asked(model, default_headers={"x-tok": "s"})
    assert sent.headers["x-tok"] == "s"
    assert "x-tok" not in json.dumps(sent.body)


@pytest.mark.parametrize("model", ["anthropic/claude-opus-4-6", CLAUDE, "openrouter/anthropic/claude-opus-4.6"])
def test_a9_an_answer_that_is_begun_is_refused_where_the_model_goes_on_with_none(model: str) -> None:
    with pytest.raises(UnsupportedError, match="end with the user"):
        asked(model, USER, ANSWER)
    assert asked(model.replace("4-6", "4-5").replace("4.6", "4.5"), USER, ANSWER).body["messages"][-1]


def test_a9_roles_marks_and_thoughts_are_those_of_the_endpoint() -> None:
    marked = {"role": "user", "content": [{"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}}]}
    sent = asked("deepseek/deepseek-v4-pro", {"role": "developer", "content": "s"}, marked, ANSWER, USER)
    roles = [message["role"] for message in sent.body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert sent.body["messages"][1]["content"] == [{"type": "text", "text": "q"}]
    assert sent.body["messages"][2]["reasoning_content"] == ""
    assert sent.report["messages[1].content[0].cache_control"] == "dropped"
    assert "cache_control" in json.dumps(asked("openrouter/anthropic/claude-opus-4.5", marked).body)
    bare = {"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "JVBERi0="}}]}
    held = asked("openai/gpt-4o", bare).body["messages"][0]["content"][0]["file"]
    assert held["file_data"] == "data:application/pdf;base64,JVBERi0="


def test_a9_documents_go_from_wire_to_wire() -> None:
    part = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    message = {"role": "user", "content": [part]}
    assert asked("openai/gpt-4o", message).body["messages"][0]["content"][0]["file"] == {"file_id": "file_1"}
    sent = asked("openai/gpt-5.6", message, gateway="responses").body["input"][0]["content"][0]
    assert sent == {"type": "input_file", "file_id": "file_1"}
    claude = asked("anthropic/claude-sonnet-4-5", message)
    assert claude.body["messages"][0]["content"] == [part]
    assert "files-api" in claude.headers["anthropic-beta"]
    with pytest.raises(HBError):
        asked("cohere/command-a-03-2025", message)
    in_s3 = {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/a.png"}}}}
    sent = asked(CLAUDE, {"role": "user", "content": [in_s3]}).body["messages"][0]["content"]
    assert in_s3 in sent


def test_a10_tools_of_providers_travel_as_they_are() -> None:
    servers = [{"type": "mcp", "server_label": name} for name in "ab"]
    assert [tool.to_openai_tool() for tool in to_tools(servers)] == servers
    search = {"google_search": {}}
    assert asked("gemini/gemini-3-pro-preview", tools=[search]).body["tools"] == [search]
    own = [
        {"toolSpec": {"name": "w", "inputSchema": {"json": {"type": "object"}}}},
        {"cachePoint": {"type": "default"}},
    ]
    assert asked(CLAUDE, tools=own).body["toolConfig"]["tools"] == own


def test_a10_deferred_tools_are_searched_and_lists_of_parts_are_merged() -> None:
    late = {"name": "w", "input_schema": {"type": "object", "properties": {}}, "defer_loading": True}
    found = asked("anthropic/claude-sonnet-4-5", tools=[{"type": "tool_search_tool_regex_20251119", "name": "s"}, late])
    assert found.body["tools"][1]["defer_loading"] is True
    sent = asked(
        "openai/gpt-5.6",
        gateway="responses",
        tools=[{"type": "tool_search"}, late],
        store=False,
        wire_include=["a"],
        extra_body={"include": ["b"]},
    ).body
    assert sent["tools"][0] == {"type": "tool_search"}
    assert sent["tools"][1]["defer_loading"] is True
    assert sorted(sent["include"]) == ["a", "b", "reasoning.encrypted_content"]


@pytest.mark.parametrize("model", [*FUNCTIONS[:], "mistral/mistral-large-latest", "ollama/qwen3"])
def test_a10_tools_that_take_free_text_are_refused_where_tools_are_functions(model: str) -> None:
    with pytest.raises(UnsupportedError, match="free text"):
        asked(model, tools=[FREE])


def test_a10_tools_that_take_free_text_have_the_shape_of_their_wire() -> None:
    chat = asked("openai/gpt-5.6", tools=[FREE], tool_choice="sql").body
    assert chat["tools"][0]["custom"]["format"]["grammar"]["syntax"] == "lark"
    assert chat["tool_choice"] == {"type": "custom", "custom": {"name": "sql"}}
    assert asked("openai/gpt-5.6", gateway="responses", tools=[FREE]).body["tools"] == [FREE]


@pytest.mark.parametrize("model", ["openai/gpt-4o", *FUNCTIONS, "mistral/mistral-large-latest", "ollama/qwen3"])
@pytest.mark.parametrize("option", ["extra_headers", "default_headers"])
def test_h8_no_header_of_a_call_with_a_credential_goes_in_clear_text_on_any_wire(model: str, option: str) -> None:
    row = f"heavenbase.llm.providers.{model.partition('/')[0]}"
    far = {f"{row}.base_url": "http://far.test:1234/v1", f"{row}.api_key": "none", f"{row}.placeholder_key": "none"}
    with pytest.raises(ConfigError, match="would send the header 'Authorization' in clear text"):
        asked(model, settings=far, **{option: {"Authorization": "Bearer s"}})
    assert asked(model, settings=far, **{option: {"X-Team": "a"}}).headers["X-Team"] == "a"


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("openai/gpt-5", {"reasoning_effort": "low"}),
        ("ollama/gpt-oss:20b", {"think": "low"}),
        ("anthropic/claude-sonnet-4-5", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    ],
)
@pytest.mark.parametrize("place", ["call", "llm", "preset"])
def test_a8_a_step_of_thinking_in_think_is_the_effort(model: str, sent: dict[str, Any], place: str) -> None:
    provider, _, name = model.partition("/")
    given: dict[str, Any] = {"think": "low"}
    preset = {"provider": provider, "model": name, "args": given if place == "preset" else {}}
    config = Config.from_dict({"heavenbase": {"llm": {"presets": {"p": preset}}}}, environ=environment())
    with Kernel(config) as kernel:
        llm = hb.LLM("p", kernel=kernel, **(given if place == "llm" else {}))
        options = given if place == "call" else {}
        call = kernel.call("complete", llm.spec, options, is_async=False, messages=to_messages("q"))
        body = kernel.gateway(call.spec).prepare(call).body
        assert {**body, **sent} == body
        with pytest.raises(InputError, match="a step of thinking"):
            kernel.call("complete", llm.spec, {"think": "yes"}, is_async=False, messages=to_messages("q"))
        with pytest.raises(InputError, match="two things"):
            hb.LLM("p", kernel=kernel, think="low", reasoning_effort="high")
